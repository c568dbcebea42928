"""Time tolerance: how far from a forecast's steps an observation may lie and still be the actual value of one of them."""

from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, case, or_, select

from models.calendar.frequency import MONTHS_IN
from models.calendar.on_calendar import parse_frequency
from service.store.score import LONGEST_PERIOD
from service.store.tables import forecasts, series

DAY = 86_400_000_000
"""Microseconds, as all tolerances."""
PERIOD_TOLERANCE = int(LONGEST_PERIOD.astype("m8[us]").astype(np.int64))
"""Largest distance of two timestamps in one month, quarter or year."""
CLOCK_TOLERANCE = 15 * DAY // 24
"""Some hours more than the clocks of any two timezones differ."""


def tolerance_of(frequency: str) -> int:
    """Return how many microseconds outside a forecast's steps, by the same clock, an actual value may lie."""
    return PERIOD_TOLERANCE if parse_frequency(frequency).unit in MONTHS_IN else 0


def tolerance() -> ColumnElement[Any]:
    """Return the tolerance of a row of `forecasts` in SQL; it includes the difference of clocks."""
    own = case((forecasts.c.timezone.is_not(None), forecasts.c.timezone), (forecasts.c.style.like("%Z"), "UTC"))
    zone = select(series.c.timezone).where(series.c.id == forecasts.c.series_id).correlate(forecasts).scalar_subquery()
    return case((_has_months(), PERIOD_TOLERANCE), (own.is_distinct_from(zone), CLOCK_TOLERANCE), else_=0)


def lookup_range() -> ColumnElement[Any]:
    """Return how far around a row's steps to read observations, in SQL: neighbours decide if one stands for its step."""
    name = forecasts.c.frequency
    return case((name.like("%W-%"), 8 * DAY), (or_(name.like("%D"), name == "B"), 2 * DAY), else_=tolerance())


def _has_months() -> ColumnElement[bool]:
    name = forecasts.c.frequency
    return or_(name.like("%M"), name.like("%Q-%"), name.like("%Y-%"))
