"""Forecaster: the forecasts of a loaded model, the same in backtests and in the service."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import repeat
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.calendar.holidays import check_countries
from models.calendar.zoned_grid import Frequency, parse_frequency
from models.errors import AlmanacError, FrequencyMismatch, SeriesAllMissing
from models.forecast import Forecast, Interval
from models.forecasting.long_horizon import run_blocks
from models.forecasting.mean import MEAN_LEVELS
from models.forecasting.paths import PATH_LEVELS
from models.forecasting.plan import NOTHING, Plan, check_horizon, make_plan
from models.forecasting.quantile_table import QuantileTable
from models.forecasting.request import ForecasterRequest, Outcome
from models.forecasting.rows import Row, read_contexts, stays_nonnegative
from models.forecasting.sampling import Sampling
from models.intervals import Conformal
from models.names import STARTER
from models.safeguards.closed_hours import find_closed
from models.safeguards.limits import constants_stay, within_bounds, zeros_stay
from models.safeguards.warnings import warn
from models.series import Series
from models.spec import ModelSpec
from models.values import all_finite
from models.windows import Contexts, covariate_columns

Floats = NDArray[np.float64]

BATCH = 32
"""Series in one pass: larger batches are not faster on one core and take more memory."""

BATCHES = 8
"""Batches whose series are prepared and described together."""

LARGEST_PLAN = 10_000
"""Steps times levels of a plan that stays in memory; series with larger ones are prepared and described a batch at a time."""


class Forecaster:
    """A loaded model: its spec and an ONNX session, usable from any thread.

    Args:
        spec: Specification of the model.
        session: An `onnxruntime.InferenceSession` over `context`, `phase` and the covariates that the spec names.

    Attributes:
        spec: The specification.
        names: The covariates that it reads.
        parts: Other forecasters that its forecasts are made of.

    Raises:
        ConfigInvalid: If a country of the spec's holidays is unknown.
        FrequencyUnknown: If the spec's frequency is unknown.
    """

    def __init__(self, spec: ModelSpec, session: Any) -> None:  # noqa: ANN401 - onnxruntime ships no types
        """Keep spec and session; read the conformal offsets once."""
        self.spec = spec
        self.parts: tuple[Forecaster, ...] = ()
        self.names = spec.covariates
        check_countries(spec.holidays)
        self._session = session
        self._conformal = Conformal.from_dict(spec.conformal)
        self._frequency = parse_frequency(spec.frequency)
        self._may_close = self._frequency.nanoseconds is not None or self._frequency.name == "D"
        self._plans = lru_cache(maxsize=32, typed=True)(partial(make_plan, spec, self._conformal))

    def for_frequency(self, name: str) -> Self:
        """Return the same network for series of another frequency with the same seasons; the session is shared."""
        return self.with_spec(frequency=name)

    def with_spec(self, **changes: Any) -> Self:  # noqa: ANN401 - any field of ModelSpec
        """Return the same network with other fields in its spec; the session is shared."""
        return type(self)(replace(self.spec, **changes), self._session)

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
                hint=f"Send a series of frequency {self.spec.frequency}, or use a model for {series.frequency.name}, such as "
                f"`model={STARTER}`, which forecasts any frequency.",
            )
        values = series.values
        if math.isnan(values.item(-1)) and np.isnan(values[-self.spec.context_length :]).all():
            raise SeriesAllMissing(
                f"The newest {self.spec.context_length} values are missing; the model reads no others.",
                pointer="/values",
                hint="Send newer observations.",
            )
        if self.names or series.past_covariates or series.future_covariates:
            self.names.check(series.past_covariates, series.future_covariates)

    def forecast(  # noqa: PLR0913 - what is asked of the forecasts
        self,
        series: Sequence[Series],
        horizon: int,
        *,
        levels: Sequence[float] = (80.0,),
        quantiles: Sequence[float] = (),
        outliers: str = "clip",
        mean: bool = False,
        sampling: Sampling | None = None,
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
            mean: Whether the forecasts have a mean, as `models.forecasting.mean` computes it.
            sampling: Sample paths and sums, as `models.forecasting.paths` draws them.

        Raises:
            HorizonInvalid: If `horizon` is below 1.
            LevelInvalid: If a level or quantile is out of range.
            FrequencyMismatch: If a series has another frequency.
            SeriesAllMissing: If a series has no value within the model's context.
            TimestampInvalid: If the forecast leaves the years 1 to 9999.
            CovariateUnknown, CovariateMissing: If a series' covariates are not those that the model reads.
        """
        request = ForecasterRequest(series, horizon, levels, quantiles, outliers, mean, sampling)
        if not series:
            self.plan(request)
        (outcomes,) = self.forecast_many([request])
        forecasts = []
        for one in outcomes:
            if isinstance(one, AlmanacError):
                raise one
            forecasts.append(one)
        return forecasts

    def forecast_many(self, requests: Sequence[ForecasterRequest]) -> list[list[Outcome]]:
        """Return the outcomes of each request, in order: for each of its series a forecast, or the error that refuses it.

        The series of all requests share the passes of the network. An error concerns its own series alone; an invalid
        horizon or level is the outcome of each series of its request. Numbers are those of `forecast` to float32.

        Args:
            requests: They may differ in horizon, levels, quantiles, outliers and mean.

        Returns:
            One list for each request, of the length of its series. Nothing is raised for a series or a request: an
            outcome that is an `AlmanacError` has what `forecast` raises.
        """
        found = [self._accept(request) for request in requests]
        forecasts = iter(self._forecast_rows([one for part in found for one in part if isinstance(one, Row)]))
        return [[next(forecasts) if isinstance(one, Row) else one for one in part] for part in found]

    def plan(self, request: ForecasterRequest) -> Plan:
        """Return what the forecasts of a request have in common; plans that are small stay in memory.

        Raises:
            HorizonInvalid, LevelInvalid: As `forecast`.
        """
        check_horizon(request.horizon)
        levels, quantiles = tuple(request.levels), tuple(request.quantiles)
        count = len(levels) + len(quantiles) + (len(MEAN_LEVELS) if request.mean else 1)
        count += len(PATH_LEVELS) if request.sampling else 0
        small = request.horizon * count <= LARGEST_PLAN
        make = self._plans if small else self._plans.__wrapped__
        return make(request.horizon, levels, quantiles, request.mean, request.sampling)

    def _accept(self, request: ForecasterRequest) -> list[Row | AlmanacError]:
        """Return the row of each series of a request, or the error that refuses it."""
        try:
            plan = self.plan(request)
        except AlmanacError as error:
            return [error] * len(request.series)
        return [self.row(one, request, plan) for one in request.series]

    def row(self, series: Series, request: ForecasterRequest, plan: Plan) -> Row | AlmanacError:
        """Return the row of one series of a request with this plan, or the error that refuses the series."""
        spec = self.spec
        try:
            self.check(series)
            row = Row(series, plan, request, series.future(plan.horizon), series.future_phase(spec.season_length))
            if self.names:
                steps = plan.blocks * spec.horizon
                row.covariates = covariate_columns(series, self.names, spec.context_length, steps)
        except AlmanacError as error:
            return error
        return row

    def _forecast_rows(self, rows: Sequence[Row]) -> list[Forecast]:
        """Return the forecast of each row."""
        largest = max((row.plan.horizon * len(row.plan.levels) for row in rows), default=0)
        count = BATCH * BATCHES if largest <= LARGEST_PLAN else BATCH
        parts = [rows[at : at + count] for at in range(0, len(rows), count)]
        return [forecast for part in parts for forecast in self._forecast_part(part)]

    def _forecast_part(self, rows: Sequence[Row]) -> list[Forecast]:
        """Return the forecast of each row of a part, calibrated together with the others of its plan."""
        forecasts: dict[int, Forecast] = {}
        with np.errstate(invalid="ignore", over="ignore"):  # the caller refuses a forecast that overflowed
            for table in self.tables(rows):
                finite = all_finite(table.quantiles)
                means = repeat(None) if table.means is None else table.means
                for at, numbers, mean in zip(table.places, table.quantiles, means, strict=False):
                    forecasts[at] = self._describe(rows[at], numbers, mean, finite=finite)
        return [forecasts[at] for at in range(len(rows))]

    def tables(self, rows: Sequence[Row]) -> list[QuantileTable]:
        """Return the quantiles of rows, those of one plan together; the rows know then what the model has read.

        Args:
            rows: At least one.
        """
        raw = run_blocks(self, rows, read_contexts(rows, self.spec.context_length))
        return [self._calibrate(rows, raw, places) for places in _places_by_plan(rows)]

    def _calibrate(self, rows: Sequence[Row], raw: Floats, places: Sequence[int]) -> QuantileTable:
        """Return the quantiles of rows of one plan from the raw ones of all, shape (all rows, horizon or more, levels)."""
        alike = [rows[at] for at in places]
        plan = alike[0].plan
        raw = raw if len(alike) == len(rows) else raw[places]
        table = self._bounded(alike, plan.calibrate(raw)) + 0.0  # turns -0.0 into 0.0
        if plan.averaged is None:
            return QuantileTable(places, table, None)
        means = [plan.mean(numbers, row.series, self.spec) for row, numbers in zip(alike, table, strict=True)]
        return QuantileTable(places, table, np.array(means))

    def quantiles(self, contexts: Contexts) -> Floats:
        """Return the uncalibrated output of the graph, shape (batch, horizon, levels), in the series' units."""
        count = len(contexts.context)
        if count <= BATCH:
            found: Floats = self._session.run(None, contexts.inputs())[0]
            return found
        parts = (contexts.part(slice(at, at + BATCH)) for at in range(0, count, BATCH))
        return np.concatenate([self._session.run(None, part.inputs())[0] for part in parts])

    def _bounded(self, rows: Sequence[Row], table: Floats) -> Floats:
        """Return the quantiles, cut at 0 for series without negative values if the training data had none.

        The starter was trained on synthetic series; it cuts at 0 if all values are whole numbers, which are counts. A series
        of zeros is forecast as zero, a constant as itself, and bounds of the series are kept.
        """
        learned = bool(self.spec.options.nonnegative)
        if learned or self.spec.name == STARTER:
            floored = [stays_nonnegative(row, learned=learned) for row in rows]
            if any(floored):
                table = np.maximum(table, np.where(floored, 0.0, -np.inf)[:, None, None])
        series = [row.series for row in rows]
        table = constants_stay([row.constant for row in rows], zeros_stay(series, table))
        return within_bounds(series, table)

    def _describe(self, row: Row, numbers: Floats, mean: Floats | None, *, finite: bool) -> Forecast:
        """Return the forecast of one row from its quantiles, shape (levels, horizon), and its mean, shape (horizon,)."""
        series, plan, spec = row.series, row.plan, self.spec
        closed = find_closed(series, row.future) if self._may_close else None
        warnings = (*warn(series, spec, plan.horizon, row.observed), *plan.noted)
        closed_steps = closed.steps if closed else None
        samples = NOTHING if plan.sampling is None else plan.sample(numbers[plan.sampled], series, spec, closed_steps)
        return Forecast(
            series.id,
            row.future,
            series.style,
            series.timezone,
            plan.quantile_levels,
            numbers[plan.reported].T,
            numbers[plan.median],
            tuple([Interval(level, numbers[lower], numbers[upper]) for level, lower, upper in plan.sides]),
            min(len(series), spec.context_length),
            series.repairs,
            (*warnings, closed.warning) if closed else warnings,
            series.frequency,
            closed_steps,
            finite and not plan.sampling,
            mean,
            samples.paths,
            samples.sums,
        )


def _same_step(one: Frequency, other: Frequency) -> bool:
    """Return whether two frequencies have the same step; weeks may end on other days, years in other months."""
    if one.name == other.name:
        return True
    return one.unit == other.unit and one.unit in {"W", "Y"} and one.multiple == other.multiple


def _places_by_plan(rows: Sequence[Row]) -> list[list[int]]:
    """Return the places of the rows of each plan."""
    found: dict[int, list[int]] = {}
    for at, row in enumerate(rows):
        found.setdefault(id(row.plan), []).append(at)
    return list(found.values())
