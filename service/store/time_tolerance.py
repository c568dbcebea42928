"""Near: how far from a step of a forecast its truth may stand."""

from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, case, or_, select

from models.calendar.frequency import MONTHS_IN
from models.calendar.on_calendar import parse_frequency
from service.store.score import LONGEST_PERIOD
from service.store.tables import forecasts, series

PERIOD_TOLERANCE = int(LONGEST_PERIOD.astype("m8[us]").astype(np.int64))
"""Microseconds from one stamp of a month, quarter or year to any other that may be meant by it."""


DAY = 86_400_000_000
CLOCK_TOLERANCE = 15 * DAY // 24
"""Microseconds: nowhere do two clocks differ by more."""


def tolerance_of(frequency: str) -> int:
    """Return how many microseconds before the first step and after the last the truth of a forecast may stand."""
    return PERIOD_TOLERANCE if parse_frequency(frequency).unit in MONTHS_IN else 0


def tolerance() -> ColumnElement[Any]:
    """Return how far the truth of a row may stand from its steps, in SQL: of months as `tolerance_of`, else as clocks differ."""
    own = case((forecasts.c.timezone.is_not(None), forecasts.c.timezone), (forecasts.c.style.like("%Z"), "UTC"))
    zone = select(series.c.timezone).where(series.c.id == forecasts.c.series_id).correlate(forecasts).scalar_subquery()
    return case((_of_months(), PERIOD_TOLERANCE), (own.is_distinct_from(zone), CLOCK_TOLERANCE), else_=0)


def lookup_range() -> ColumnElement[Any]:
    """Return how far from a row's steps the observations lie that tell whether its truth is alone, in SQL."""
    name = forecasts.c.frequency
    return case((name.like("%W-%"), 8 * DAY), (or_(name.like("%D"), name == "B"), 2 * DAY), else_=tolerance())


def _of_months() -> ColumnElement[bool]:
    name = forecasts.c.frequency
    return or_(name.like("%M"), name.like("%Q-%"), name.like("%Y-%"))
