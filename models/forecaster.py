"""Forecaster: series in, forecasts out. The one way to predict, in backtest and in service."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.calendar.on_calendar import Frequency, parse_frequency
from models.errors import Finding, FrequencyMismatch, HorizonInvalid, LevelInvalid, SeriesAllMissing
from models.holidays import check_countries
from models.intervals import Conformal, interval_sides, read_quantiles, spread_of, tidy_level, uncross
from models.names import STARTER
from models.series import Forecast, Interval, Series
from models.spec import ModelSpec
from models.windows import Contexts, advance, last_contexts

Floats = NDArray[np.float64]

BATCH = 256
"""Series in one pass: larger batches gain nothing on a core and cost memory."""

MEDIAN = 0.5


class Forecaster:
    """A loaded model: its spec and an ONNX session that answers from any thread.

    Args:
        spec: What the model promises.
        session: An `onnxruntime.InferenceSession` over `context`, `phase` and the covariates that the spec names.

    Raises:
        ConfigInvalid: If the holidays of one of the spec's countries are not known here.
    """

    def __init__(self, spec: ModelSpec, session: Any) -> None:  # noqa: ANN401 - onnxruntime ships no types
        """Keep spec and session; read the conformal offsets once."""
        self.spec = spec
        self.names = spec.covariates
        check_countries(spec.holidays)
        self._session = session
        self._conformal = Conformal.from_dict(spec.conformal)
        self._frequency = parse_frequency(spec.frequency)

    def for_frequency(self, name: str) -> Self:
        """Return the same network for series of another frequency, whose seasons it must know; the session is shared."""
        return type(self)(replace(self.spec, frequency=name), self._session)

    def check(self, series: Series) -> None:
        """Refuse what this model cannot forecast.

        Raises:
            FrequencyMismatch: If the series has another frequency than the model.
            SeriesAllMissing: If everything within the model's context is a gap.
            CovariateUnknown, CovariateMissing: If its covariates are not those that the model reads.
        """
        if series.frequency is not None and not _same_step(series.frequency, self._frequency):
            raise FrequencyMismatch(
                f"The series has frequency {series.frequency.name}; the model {self.spec.name} has {self.spec.frequency}.",
                pointer="/frequency",
                hint=f"Send a series of frequency {self.spec.frequency}, or name a model of {series.frequency.name}.",
            )
        if not np.isfinite(series.values[-self.spec.context_length :]).any():
            raise SeriesAllMissing(
                f"The newest {self.spec.context_length} values, all that the model reads, are missing.",
                pointer="/values",
                hint="Send newer observations.",
            )
        if self.names or series.past_covariates or series.future_covariates:
            self.names.check(series.past_covariates, series.future_covariates)

    def forecast(
        self,
        series: Sequence[Series],
        horizon: int,
        *,
        levels: Sequence[float] = (80.0,),
        quantiles: Sequence[float] = (),
    ) -> list[Forecast]:
        """Return a forecast for each series, in order.

        Beyond the trained horizon the forecast rolls on over its own medians; each block's spread then adds, as
        independent errors do, to that of the block before.

        Args:
            series: Histories of the model's frequency (or of none).
            horizon: Steps ahead, at least 1.
            levels: Central intervals in per cent, each in (0, 100).
            quantiles: Quantile levels in (0, 1) beside the trained ones.

        Raises:
            HorizonInvalid: If `horizon` is below 1.
            LevelInvalid: If a level or quantile is out of range.
            FrequencyMismatch: If a series has another frequency.
            SeriesAllMissing: If a series has no value within the model's context.
            CovariateUnknown, CovariateMissing: If a series' covariates are not those that the model reads.
        """
        wanted = _wanted_levels(horizon, levels, (*quantiles, *self.spec.quantile_levels))
        for one in series:
            self.check(one)
        if not series:
            return []
        with np.errstate(invalid="ignore", over="ignore"):  # a forecast that overflowed is the caller's to refuse
            table = self._bounded(series, self._calibrate(self._roll(series, horizon), wanted))
        reported = sorted({*self.spec.quantile_levels, *(tidy_level(quantile) for quantile in quantiles)})
        return [
            self._describe(one, dict(zip(wanted, rows.T, strict=True)), reported, levels)
            for one, rows in zip(series, table, strict=True)
        ]

    def quantiles(self, contexts: Contexts) -> Floats:
        """Return the graph's own output, shape (batch, horizon, levels), in the series' units, uncalibrated."""
        count = len(contexts.context)
        parts = [contexts.part(slice(at, at + BATCH)) for at in range(0, count, BATCH)] if count > BATCH else [contexts]
        return np.concatenate([self._session.run(None, part.inputs())[0] for part in parts])

    def _roll(self, series: Sequence[Series], horizon: int) -> Floats:
        """Return raw quantiles for the whole horizon, block after block, shape (batch, horizon, levels)."""
        spec = self.spec
        middle = spec.quantile_levels.index(MEDIAN)
        rounds = -(-horizon // spec.horizon)
        contexts = last_contexts(
            series, spec.context_length, spec.season_length, names=self.names, horizon=rounds * spec.horizon
        )
        blocks = [self.quantiles(contexts.within(spec.horizon))]
        for _ in range(1, rounds):
            contexts = advance(contexts, blocks[-1][..., middle], spec.season_length)
            blocks.append(_widen(self.quantiles(contexts.within(spec.horizon)), blocks[-1], middle))
        return np.concatenate(blocks, axis=1)[:, :horizon]

    def _bounded(self, series: Sequence[Series], table: Floats) -> Floats:
        """Return the quantiles, none below 0 for a series that never was, if none that was trained on ever was.

        The starter has seen no series of the kind that it is asked for, so it goes by the one: whole numbers are counts.
        """
        learned, seen_none = bool(self.spec.options.nonnegative), self.spec.name == STARTER
        if not (learned or seen_none):
            return table
        floored = np.array([bool(np.nanmin(one.values) >= 0) and (learned or one.is_whole) for one in series])
        lowest = np.where(floored, 0.0, -np.inf)
        bounded: Floats = np.maximum(table, lowest[:, None, None])
        return bounded

    def _calibrate(self, raw: Floats, wanted: Sequence[float]) -> Floats:
        """Return the quantiles at the wanted levels with conformal offsets, never crossing."""
        trained = self.spec.quantile_levels
        table = read_quantiles(raw, trained, wanted)
        if self._conformal is not None:
            table = table + self._conformal.at(wanted, raw.shape[1]) * spread_of(raw, trained)
        return uncross(table, wanted)

    def _describe(
        self, series: Series, columns: Mapping[float, Floats], reported: list[float], levels: Sequence[float]
    ) -> Forecast:
        """Return one series' columns, by quantile level, as a Forecast."""
        median = columns[MEDIAN]
        horizon = len(median)
        intervals = []
        for level in levels:
            lower, upper = interval_sides(level)
            intervals.append(Interval(float(level), columns[lower], columns[upper]))
        return Forecast(
            id=series.id,
            timestamps=series.future(horizon),
            style=series.style,
            timezone=series.timezone,
            quantile_levels=tuple(reported),
            quantiles=np.stack([columns[level] for level in reported], axis=1),
            median=median,
            intervals=tuple(intervals),
            context_used=min(len(series), self.spec.context_length),
            repairs=series.repairs,
            warnings=tuple(self._warnings(series, horizon)),
        )

    def _warnings(self, series: Series, horizon: int) -> list[Finding]:
        """Return what a reader of this forecast should know."""
        spec, found = self.spec, []
        if spec.season_length > 1 and series.start is None:
            found.append(
                Finding(
                    "PHASE_UNKNOWN",
                    "The series has no dates, so its place in the season is unknown.",
                    hint="Send start and frequency, or timestamps.",
                )
            )
        enough = min(2 * spec.season_length if spec.season_length > 1 else 10, spec.context_length)
        observed = int(np.count_nonzero(~np.isnan(series.values[-spec.context_length :])))
        if observed < enough:
            found.append(
                Finding(
                    "CONTEXT_SHORT",
                    f"The context holds {observed} observed values; {enough} or more make a sounder forecast.",
                    pointer="/values",
                    hint="Send a longer history.",
                )
            )
        if horizon > spec.horizon:
            found.append(
                Finding(
                    "HORIZON_EXTENDED",
                    f"Steps {spec.horizon + 1} to {horizon} lie beyond the trained horizon of {spec.horizon}: "
                    "they are forecast from forecasts, with wider intervals.",
                    pointer="/horizon",
                    hint=f"Train a model with a horizon of {horizon}.",
                )
            )
        if self.names:
            known = (series.past_covariates, series.future_covariates)
            found += self.names.warnings(*known, horizon, dated=series.start is not None)
        return found


def _same_step(one: Frequency, other: Frequency) -> bool:
    """Return whether two frequencies step alike: weeks that end on another day, years in another month are no hindrance."""
    free = one.unit == other.unit and one.unit in {"W", "Y"} and one.multiple == other.multiple
    return free or one == other


def _wanted_levels(horizon: int, levels: Sequence[float], quantiles: Sequence[float]) -> list[float]:
    """Return every quantile level to compute, rising, 0.5 among them.

    Raises:
        HorizonInvalid: If `horizon` is no whole number of 1 or more.
        LevelInvalid: If a level is outside (0, 100) or a quantile outside (0, 1).
    """
    if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or horizon < 1:
        raise HorizonInvalid(f"The horizon is {horizon!r}; it must be a whole number of 1 or more.", pointer="/horizon")
    for place, level in enumerate(levels):
        if not 0 < level < 100:  # noqa: PLR2004
            raise LevelInvalid(f"Level {level!r} is not between 0 and 100.", pointer=f"/levels/{place}")
    for place, quantile in enumerate(quantiles):
        if not 0 < quantile < 1:
            raise LevelInvalid(f"Quantile {quantile!r} is not between 0 and 1.", pointer=f"/quantiles/{place}")
    sides = (side for level in levels for side in interval_sides(level))
    return sorted({MEDIAN, *(tidy_level(quantile) for quantile in quantiles), *sides})


def _widen(block: Floats, before: Floats, middle: int) -> Floats:
    """Return a block whose distances from its median are joined, in quadrature, with the widest of the block before it.

    Args:
        block: Shape (batch, horizon, levels).
        before: The block before, of the same shape.
        middle: Place of the median.
    """
    median = block[..., middle : middle + 1]
    widest = np.abs(before - before[..., middle : middle + 1]).max(axis=1, keepdims=True)
    distance = np.hypot(block - median, widest)
    widened: Floats = median + np.sign(np.arange(block.shape[-1]) - middle) * distance
    return widened
