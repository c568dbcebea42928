"""Stretched forecaster: series of several hours or months, forecast by the starter of one hour or month."""

from dataclasses import replace

import numpy as np

from models.calendar.frequency import Frequency
from models.forecaster import Floats, Forecaster
from models.intervals import Conformal
from models.windows import Contexts


def single_step(frequency: Frequency) -> Frequency | None:
    """Return the frequency of one unit of a multiple that divides the season of its unit: h for 4h, M for 2M; else None."""
    multiple = frequency.multiple
    if multiple == 1:
        return None
    one = Frequency(frequency.name.removeprefix(str(multiple)))
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
            kept = replace(conformal, offsets=conformal.offsets[multiple - 1 :: multiple]).to_dict()
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
