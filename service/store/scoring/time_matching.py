"""Time matching: a forecast's steps and its series' observations on one clock, and how far an actual value may lie from a step."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, case, or_, select

from models.calendar.timestamps import Timestamps, offset_of, to_instants, to_local_times
from models.calendar.zoned_grid import parse_frequency
from service.store.scoring.actuals import DAY_UNITS
from service.store.tables import forecasts, series

UTC = "UTC"
DAY = 86_400_000_000
"""Microseconds, as all tolerances."""
PERIOD_TOLERANCES = {"M": 32 * DAY, "Q": 93 * DAY, "Y": 367 * DAY}
"""The longest month, quarter and year, and a day more since clocks differ: two timestamps in one are not farther apart."""
DAY_TOLERANCE = DAY - 1
"""Two times of one date are not farther apart."""
PERIOD_TOLERANCE = max(PERIOD_TOLERANCES.values())
CLOCK_TOLERANCE = 15 * DAY // 24
"""Some hours more than the clocks of any two timezones differ."""


@dataclass(frozen=True, slots=True)
class ForecastClock:
    """How to read the timestamps of a forecast.

    Attributes:
        timezone: IANA name if the timestamps are instants; None if they are wall clocks.
        style: How the request wrote them, with an offset if there was one.
        frequency: Canonical name.
    """

    timezone: str | None
    style: str
    frequency: str


def align_clocks(
    steps: Timestamps, clock: ForecastClock, observed: Timestamps, zone: str | None
) -> tuple[Timestamps, Timestamps]:
    """Return steps and observations as times of one clock, same shapes.

    Frequencies of hours and below are compared as instants. Days and longer are compared as dates, of the forecast's
    timezone or else of the series'. Without a timezone of the series, both are compared as they were written.

    Args:
        steps: Timestamps of a forecast.
        clock: How to read them.
        observed: Timestamps of its series' observations.
        zone: The series' timezone: with one `observed` are instants, without one wall clocks.
    """
    own = clock.timezone
    if zone is None:
        return (steps if own is None else to_local_times(steps, own)), observed
    offset = offset_of(clock.style) if own is None else None
    if parse_frequency(clock.frequency).nanoseconds is not None:
        if own is not None or (zone == UTC and offset is None):
            return steps, observed
        return (to_instants(steps, zone) if offset is None else steps - np.timedelta64(offset, "s")), observed
    if own is not None:
        return to_local_times(steps, own), to_local_times(observed, own)
    return steps, (observed + np.timedelta64(offset or 0, "s") if zone == UTC else to_local_times(observed, zone))


def tolerance_of(frequency: str) -> int:
    """Return how many microseconds outside a forecast's steps, by the same clock, an actual value may lie."""
    unit = parse_frequency(frequency).unit
    return PERIOD_TOLERANCES.get(unit, DAY_TOLERANCE if unit in DAY_UNITS else 0)


def tolerance() -> ColumnElement[Any]:
    """Return the tolerance of a row of `forecasts` in SQL; it includes the difference of clocks."""
    own = case((forecasts.c.timezone.is_not(None), forecasts.c.timezone), (forecasts.c.style.like("%Z"), "UTC"))
    zone = select(series.c.timezone).where(series.c.id == forecasts.c.series_id).correlate(forecasts).scalar_subquery()
    name, longest = forecasts.c.frequency, PERIOD_TOLERANCES
    periods = ((name.like("%M"), longest["M"]), (name.like("%Q-%"), longest["Q"]), (name.like("%Y-%"), longest["Y"]))
    days = case((or_(name.like("%W-%"), name.like("%D"), name == "B"), DAY_TOLERANCE), else_=0)
    return case(*periods, (own.is_distinct_from(zone), CLOCK_TOLERANCE + days), else_=days)


def lookup_range() -> ColumnElement[Any]:
    """Return how far around a row's steps to read observations, in SQL: neighbours decide if one stands for its step."""
    name = forecasts.c.frequency
    return case((name.like("%W-%"), 8 * DAY), (or_(name.like("%D"), name == "B"), 2 * DAY), else_=tolerance())
