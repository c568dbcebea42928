"""Interleaved forecaster: series of a part of an hour, forecast as hourly series that take turns."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from models.calendar.frequency import NANOSECONDS_IN
from models.calendar.zoned_grid import Frequency, Timestamps, timestamps_from
from models.errors import AlmanacError, Finding
from models.forecast import Forecast, Interval, columns
from models.forecaster import Floats, Forecaster
from models.forecasting.paths import PATH_LEVELS
from models.forecasting.plan import NOTHING, Plan
from models.forecasting.request import ForecasterRequest, Outcome
from models.safeguards.closed_hours import find_closed
from models.safeguards.plausible import OUTLIERS, as_read
from models.safeguards.warnings import warn
from models.series import Series

FEWEST_HOURS = 48
"""Hours of history from which on the day is known; a shorter series is forecast without it."""

HOUR = Frequency("h")

NO_SEASON = Finding(
    "SEASON_UNKNOWN",
    f"The season of a day is known from {FEWEST_HOURS} hours of history on: the forecast has no season.",
    "/values",
    "Send a longer history.",
)


def parts_of_hour(frequency: Frequency) -> int:
    """Return how many steps an hour has, or 0 if they are not a whole number from 2 to 60."""
    step, hour = frequency.nanoseconds, NANOSECONDS_IN["h"]
    if step is None or hour % step or not 2 <= hour // step <= 60:  # noqa: PLR2004 - half hours to minutes
        return 0
    return hour // step


class InterleavedForecaster(Forecaster):
    """Forecasts 15-minute series as four hourly series, each of which knows day and week.

    Args:
        hourly: Forecaster of hours.
        short: Forecaster of any frequency, for series that are too short to know the day.
        frequency: A part of an hour.
    """

    def __init__(self, hourly: Forecaster, short: Forecaster, frequency: Frequency) -> None:
        """Keep both forecasters; the spec has the steps of the frequency."""
        self._parts = parts_of_hour(frequency)
        self._hourly, self._short = hourly, short
        spec = hourly.spec
        sizes = {name: getattr(spec, name) * self._parts for name in ("season_length", "context_length", "horizon")}
        super().__init__(replace(spec, frequency=frequency.name, **sizes), hourly._session)  # noqa: SLF001 - the same class

    def forecast_many(self, requests: Sequence[ForecasterRequest]) -> list[list[Outcome]]:
        """Return the outcomes of each request, in order; as `Forecaster.forecast_many`."""
        hourly, short = _Queue(self._hourly), _Queue(self._short)
        found = [[self._start(one, request, hourly, short) for one in request.series] for request in requests]
        hourly.forecast()
        short.forecast()
        return [[finish() for finish in part] for part in found]

    def _start(
        self, series: Series, request: ForecasterRequest, hourly: "_Queue", short: "_Queue"
    ) -> Callable[[], Outcome]:
        """Queue what the forecast of a series is made of, and return what makes it; an error is returned as it is."""
        try:
            plan = self.plan(request)
            self.check(series)
            future = series.future(request.horizon)
        except AlmanacError as error:
            refused = error
            return lambda: refused
        if len(series) < FEWEST_HOURS * self._parts:
            alone = short.add(replace(request, series=[series]))
            return lambda: _without_season(short.outcomes[alone][0])
        plausible = as_read(series, self.spec.context_length, request.outliers)
        steps = -(-request.horizon // self._parts)
        asked = replace(request, series=self._split(plausible), horizon=steps, outliers=OUTLIERS[0])
        if request.sampling is not None:  # of all steps together, from the quantiles of the parts
            asked = replace(asked, quantiles=(*request.quantiles, *PATH_LEVELS), sampling=None)
        parts = hourly.add(asked)
        return lambda: self._join(plausible, hourly.outcomes[parts], future, plan)

    def _split(self, series: Series) -> list[Series]:
        """Return the hourly series whose next values are the first, second, … step of the forecast."""
        count = len(series)
        return [self._part(series, (count + part) % self._parts) for part in range(self._parts)]

    def _part(self, series: Series, first: int) -> Series:
        start = series.start
        if start is not None and series.frequency is not None:
            start = timestamps_from(start, series.frequency, 1, series.timezone, skip=first)[0]
        values = series.values[first :: self._parts]
        if np.isnan(values).all():
            values = series.values[-len(values) :]
        return replace(series, values=values, start=start, frequency=HOUR, repairs=(), findings=())

    def _join(self, series: Series, outcomes: Sequence[Outcome], future: Timestamps | None, plan: Plan) -> Outcome:
        """Return the forecasts of the parts in turns as one, or the first error among them."""
        parts = [one for one in outcomes if isinstance(one, Forecast)]
        if len(parts) < len(outcomes):
            return next(one for one in outcomes if not isinstance(one, Forecast))
        horizon = plan.horizon
        closed = find_closed(series, future)

        means = [one.mean for one in parts if one.mean is not None]

        def join(columns: Sequence[Floats]) -> Floats:
            return np.stack(columns, axis=1).reshape(-1, *columns[0].shape[1:])[:horizon]

        levels, quantiles = parts[0].quantile_levels, join([one.quantiles for one in parts])
        closed_steps = closed.steps if closed else None
        samples = NOTHING
        if plan.sampling is not None:
            samples = plan.sample(columns(quantiles, levels, PATH_LEVELS).T, series, self.spec, closed_steps)
        return replace(
            parts[0],
            timestamps=future,
            style=series.style,
            quantile_levels=plan.quantile_levels,
            quantiles=columns(quantiles, levels, plan.quantile_levels),
            median=join([one.median for one in parts]),
            mean=join(means) if means else None,
            intervals=tuple(
                Interval(same[0].level, join([one.lower for one in same]), join([one.upper for one in same]))
                for same in zip(*(one.intervals for one in parts), strict=True)
            ),
            context_used=min(len(series), self.spec.context_length),
            repairs=series.repairs,
            warnings=(*warn(series, self.spec, horizon), *plan.noted, *([closed.warning] if closed else [])),
            frequency=series.frequency,
            closed=closed_steps,
            known_finite=all(one.known_finite for one in parts) and not plan.sampling,
            paths=samples.paths,
            sums=samples.sums,
        )


class _Queue:
    """Requests to one forecaster that are forecast together.

    Attributes:
        outcomes: Those of each request, once `forecast` has run.
    """

    def __init__(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster
        self._requests: list[ForecasterRequest] = []
        self.outcomes: list[list[Outcome]] = []

    def add(self, request: ForecasterRequest) -> int:
        """Add a request, and return its place."""
        self._requests.append(request)
        return len(self._requests) - 1

    def forecast(self) -> None:
        self.outcomes = self._forecaster.forecast_many(self._requests)


def _without_season(outcome: Outcome) -> Outcome:
    """Return a forecast with the warning that it has no season; an error as it is."""
    if isinstance(outcome, AlmanacError):
        return outcome
    return replace(outcome, warnings=(NO_SEASON, *outcome.warnings))
