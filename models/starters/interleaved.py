"""Interleaved forecaster: series of a part of an hour, forecast as hourly series that take turns."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.calendar.frequency import NANOSECONDS_IN
from models.calendar.on_calendar import Frequency, timestamps_from
from models.errors import Finding
from models.forecast import Forecast, Interval
from models.forecaster import Floats, Forecaster
from models.safeguards.closed_hours import find_closed
from models.safeguards.plausible import make_plausible
from models.safeguards.warnings import warn, warn_of_levels
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

    def forecast(
        self,
        series: Sequence[Series],
        horizon: int,
        *,
        levels: Sequence[float] = (80.0,),
        quantiles: Sequence[float] = (),
        outliers: str = "clip",
    ) -> list[Forecast]:
        """Return a forecast for each series, in order; arguments and errors as in `Forecaster.forecast`."""
        found = []
        for one in series:
            self.check(one)
            if len(one) < FEWEST_HOURS * self._parts:
                short = self._short.forecast([one], horizon, levels=levels, quantiles=quantiles, outliers=outliers)
                found += [replace(forecast, warnings=(NO_SEASON, *forecast.warnings)) for forecast in short]
                continue
            plausible = make_plausible(one, self.spec.context_length, outliers)
            parts = self._hourly.forecast(
                self._split(plausible), -(-horizon // self._parts), levels=levels, quantiles=quantiles
            )
            noted = warn_of_levels(self.spec, levels, quantiles)
            found.append(self._join(plausible, parts, horizon, noted))
        return found

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

    def _join(self, series: Series, parts: Sequence[Forecast], horizon: int, noted: Sequence[Finding]) -> Forecast:
        """Return the forecasts of the parts in turns as one."""
        future = series.future(horizon)
        closed = find_closed(series, future)

        def join(columns: Sequence[Floats]) -> Floats:
            return np.stack(columns, axis=1).reshape(-1, *columns[0].shape[1:])[:horizon]

        return replace(
            parts[0],
            timestamps=future,
            style=series.style,
            quantiles=join([one.quantiles for one in parts]),
            median=join([one.median for one in parts]),
            intervals=tuple(
                Interval(same[0].level, join([one.lower for one in same]), join([one.upper for one in same]))
                for same in zip(*(one.intervals for one in parts), strict=True)
            ),
            context_used=min(len(series), self.spec.context_length),
            repairs=series.repairs,
            warnings=(*warn(series, self.spec, horizon), *noted, *([closed.warning] if closed else [])),
            frequency=series.frequency,
            closed=closed.steps if closed else None,
        )
