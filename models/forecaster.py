"""Forecaster: the forecasts of a loaded model, the same in backtests and in the service."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.calendar.on_calendar import Frequency, parse_frequency
from models.errors import AlmanacError, Finding, FrequencyMismatch, HorizonInvalid, LevelInvalid, SeriesAllMissing
from models.forecast import Forecast, Interval
from models.forecasting.request import ForecastRequest, Outcome
from models.holidays import check_countries
from models.intervals import Conformal, interval_sides, read_quantiles, spread_of, uncross
from models.names import STARTER
from models.safeguards.closed_hours import find_closed
from models.safeguards.limits import within_bounds, zeros_stay
from models.safeguards.plausible import make_plausible
from models.safeguards.warnings import warn, warn_of_levels
from models.series import Series
from models.spec import ModelSpec
from models.windows import Contexts, advance, last_contexts

Floats = NDArray[np.float64]

BATCH = 256
"""Series in one pass: larger batches are no faster on one core and take more memory."""

MEDIAN = 0.5


class Forecaster:
    """A loaded model: its spec and an ONNX session, usable from any thread.

    Args:
        spec: Specification of the model.
        session: An `onnxruntime.InferenceSession` over `context`, `phase` and the covariates that the spec names.

    Raises:
        ConfigInvalid: If a country of the spec's holidays is unknown.
        FrequencyUnknown: If the spec's frequency is unknown.
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
        """Return the same network for series of another frequency with the same seasons; the session is shared."""
        return type(self)(replace(self.spec, frequency=name), self._session)

    def check(self, series: Series) -> None:
        """Refuse a series that this model cannot forecast.

        Raises:
            FrequencyMismatch: If the series has another frequency than the model.
            SeriesAllMissing: If every value within the model's context is a gap.
            CovariateUnknown, CovariateMissing: If its covariates are not those that the model reads.
        """
        if series.frequency is not None and not _same_step(series.frequency, self._frequency):
            raise FrequencyMismatch(
                f"The series has the frequency {series.frequency.name}; the model {self.spec.name} has {self.spec.frequency}.",
                pointer="/frequency",
                hint=f"Send a series of frequency {self.spec.frequency}, or use a model for {series.frequency.name}.",
            )
        if not np.isfinite(series.values[-self.spec.context_length :]).any():
            raise SeriesAllMissing(
                f"The newest {self.spec.context_length} values are missing; the model reads no others.",
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
        outliers: str = "clip",
    ) -> list[Forecast]:
        """Return a forecast for each series, in order.

        Beyond the trained horizon the model forecasts in blocks from its own medians; the spread of each block is added
        to that of the block before, as for independent errors.

        Args:
            series: Histories of the model's frequency or without one.
            horizon: Steps ahead, at least 1.
            levels: Levels of central intervals in per cent, in (0, 100).
            quantiles: Quantile levels in (0, 1) beside the trained ones.
            outliers: `clip` or `mask`: what the model reads in place of implausible values.

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
        series = [make_plausible(one, self.spec.context_length, outliers) for one in series]
        noted = warn_of_levels(self.spec, levels, quantiles)
        with np.errstate(invalid="ignore", over="ignore"):  # the caller refuses a forecast that overflowed
            table = self._bounded(series, self._calibrate(self._roll(series, horizon), wanted))
        reported = sorted({*self.spec.quantile_levels, *map(float, quantiles)})
        return [
            self._describe(one, dict(zip(wanted, rows.T, strict=True)), reported, levels, noted)
            for one, rows in zip(series, table, strict=True)
        ]

    def forecast_many(self, requests: Sequence[ForecastRequest]) -> list[list[Outcome]]:
        """Return the outcomes of each request, in order: for each of its series a forecast, or the error that refuses it.

        The series of all requests share the passes of the network. An error concerns its own series alone; an invalid
        horizon or level is the outcome of each series of its request. Numbers are those of `forecast` to float32.

        Args:
            requests: They may differ in horizon, levels, quantiles and outliers.

        Returns:
            One list for each request, of the length of its series. Nothing is raised for a series or a request: an
            outcome that is an `AlmanacError` has what `forecast` raises.
        """
        return [[self._outcome(one, request) for one in request.series] for request in requests]

    def _outcome(self, series: Series, request: ForecastRequest) -> Outcome:
        try:
            return self.forecast(
                [series], request.horizon, levels=request.levels, quantiles=request.quantiles, outliers=request.outliers
            )[0]
        except AlmanacError as error:
            return error

    def quantiles(self, contexts: Contexts) -> Floats:
        """Return the uncalibrated output of the graph, shape (batch, horizon, levels), in the series' units."""
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
            contexts = advance(contexts, within_bounds(series, blocks[-1][..., middle]), spec.season_length)
            blocks.append(_widen(self.quantiles(contexts.within(spec.horizon)), blocks[-1], middle))
        return np.concatenate(blocks, axis=1)[:, :horizon]

    def _bounded(self, series: Sequence[Series], table: Floats) -> Floats:
        """Return the quantiles, cut at 0 for series without negative values if the training data had none.

        The starter was trained on synthetic series; it cuts at 0 if all values are whole numbers, which are counts. A series
        of zeros is forecast as zero, and bounds of the series are kept.
        """
        learned = bool(self.spec.options.nonnegative)
        if learned or self.spec.name == STARTER:
            floored = np.array([bool(np.nanmin(one.values) >= 0) and (learned or one.is_whole) for one in series])
            table = np.maximum(table, np.where(floored, 0.0, -np.inf)[:, None, None])
        return within_bounds(series, zeros_stay(series, table))

    def _calibrate(self, raw: Floats, wanted: Sequence[float]) -> Floats:
        """Return the quantiles at the wanted levels with conformal offsets, without crossings."""
        trained = self.spec.quantile_levels
        table = read_quantiles(raw, trained, wanted)
        if self._conformal is not None:
            table = table + self._conformal.at(wanted, raw.shape[1]) * spread_of(raw, trained)
        return uncross(table, wanted)

    def _describe(
        self,
        series: Series,
        columns: Mapping[float, Floats],
        reported: list[float],
        levels: Sequence[float],
        noted: Sequence[Finding],
    ) -> Forecast:
        """Return the forecast of one series from its columns by quantile level."""
        median = columns[MEDIAN]
        horizon = len(median)
        future = series.future(horizon)
        closed = find_closed(series, future)
        intervals = []
        for level in levels:
            lower, upper = interval_sides(level)
            intervals.append(Interval(float(level), columns[lower], columns[upper]))
        return Forecast(
            id=series.id,
            timestamps=future,
            style=series.style,
            timezone=series.timezone,
            quantile_levels=tuple(reported),
            quantiles=np.stack([columns[level] for level in reported], axis=1),
            median=median,
            intervals=tuple(intervals),
            context_used=min(len(series), self.spec.context_length),
            repairs=series.repairs,
            warnings=(*warn(series, self.spec, horizon), *noted, *([closed.warning] if closed else [])),
            frequency=series.frequency,
            closed=closed.steps if closed else None,
        )


def _same_step(one: Frequency, other: Frequency) -> bool:
    """Return whether two frequencies have the same step; weeks may end on other days, years in other months."""
    free = one.unit == other.unit and one.unit in {"W", "Y"} and one.multiple == other.multiple
    return free or one == other


def _wanted_levels(horizon: int, levels: Sequence[float], quantiles: Sequence[float]) -> list[float]:
    """Return every quantile level to compute, rising, with 0.5; raises HorizonInvalid, LevelInvalid."""
    if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or horizon < 1:
        raise HorizonInvalid(f"The horizon is {horizon!r}; it must be a whole number of 1 or more.", pointer="/horizon")
    for place, level in enumerate(levels):
        if not 0 < level < 100:  # noqa: PLR2004
            raise LevelInvalid(f"Level {level!r} is not between 0 and 100.", pointer=f"/levels/{place}")
    for place, quantile in enumerate(quantiles):
        if not 0 < quantile < 1:
            raise LevelInvalid(f"Quantile {quantile!r} is not between 0 and 1.", pointer=f"/quantiles/{place}")
    sides = (side for level in levels for side in interval_sides(level))
    return sorted({MEDIAN, *map(float, quantiles), *sides})


def _widen(block: Floats, before: Floats, middle: int) -> Floats:
    """Return a block with its distances to the median added in quadrature to the widest of the block before it.

    Args:
        block: Shape (batch, horizon, levels).
        before: The block before, of the same shape.
        middle: Index of the median.
    """
    median = block[..., middle : middle + 1]
    widest = np.abs(before - before[..., middle : middle + 1]).max(axis=1, keepdims=True)
    distance = np.hypot(block - median, widest)
    widened: Floats = median + np.sign(np.arange(block.shape[-1]) - middle) * distance
    return widened
