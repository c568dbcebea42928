"""Stretched forecaster: series of several hours or months, forecast by the starter of one hour or month."""

from dataclasses import replace

import numpy as np

from models.calendar.frequency import Frequency
from models.forecaster import Floats, Forecaster
from models.intervals import Conformal
from models.windows import Contexts

WIDENING = {"M": 0.1, "W": 0.06}
"""By unit: how much wider intervals become for each step of the unit up to four. Straight lines show no noise between values;
the shares make 80 % intervals hold 74 to 86 % on the development sets of docs/starter.md, of which every k-th value was kept."""

MOST_WIDENED = 4


def unit_of(frequency: Frequency) -> Frequency:
    """Return the frequency of one unit of a multiple: h for 5h."""
    return Frequency(frequency.name.removeprefix(str(frequency.multiple)))


def has_season(frequency: Frequency) -> bool:
    """Return whether a frequency has a season, also one of a fractional number of steps: a day has 4.8 steps of 5h."""
    return frequency.season_length > 1 or frequency.multiple < unit_of(frequency).season_length


def single_step(frequency: Frequency) -> Frequency | None:
    """Return the frequency of one unit of a multiple that divides the season of its unit: h for 4h, M for 2M; else None."""
    multiple = frequency.multiple
    if multiple == 1:
        return None
    one = unit_of(frequency)
    return one if 1 < one.season_length > multiple and one.season_length % multiple == 0 else None


class StretchedForecaster(Forecaster):
    """Forecasts 4-hourly series as hourly ones, with straight lines between their values.

    Args:
        single: Forecaster of the unit.
        frequency: A multiple of it.

    Attributes:
        single: Name of the unit's frequency.
    """

    def __init__(self, single: Forecaster, frequency: Frequency) -> None:
        """Keep the forecaster's session; the spec has the steps of the frequency, and every so many calibrated steps."""
        self._multiple = multiple = frequency.multiple
        self.single = single.spec.frequency
        spec, conformal = single.spec, Conformal.from_dict(single.spec.conformal)
        sizes = {name: getattr(spec, name) // multiple for name in ("season_length", "context_length", "horizon")}
        kept = {}
        if conformal is not None:
            wider = 1 + WIDENING.get(frequency.unit, 0.0) * min(multiple, MOST_WIDENED)
            kept = replace(conformal, offsets=conformal.offsets[multiple - 1 :: multiple]).widened(wider).to_dict()
        spec = replace(spec, frequency=frequency.name, conformal=kept, **sizes)
        self._steps = single.spec.context_length
        super().__init__(spec, single._session)  # noqa: SLF001 - the same class

    def quantiles(self, contexts: Contexts) -> Floats:
        """Return the output of the unit's network at every so many steps, shape (batch, horizon, levels)."""
        stretched = replace(contexts, context=stretch(contexts.context, self._multiple, self._steps))
        multiple = self._multiple
        return super().quantiles(stretched)[:, multiple - 1 :: multiple][:, : self.spec.horizon]


def stretch(context: Floats, multiple: int, steps: int) -> Floats:
    """Return contexts with straight lines between their values, NaN beside a missing value and before the first one.

    Args:
        context: Shape (batch, length).
        multiple: Steps of the result for each step, the last of them the value itself.
        steps: Length of the result.
    """
    before = np.concatenate([np.full((len(context), 1), np.nan), context[:, :-1]], axis=1)[..., np.newaxis]
    share = np.arange(1, multiple + 1) / multiple
    between = before + share * (context[..., np.newaxis] - before)
    between[..., -1] = context
    found = np.full((len(context), steps), np.nan)
    lines = between.reshape(len(context), -1)[:, -steps:]
    found[:, -lines.shape[1] :] = lines
    return found
