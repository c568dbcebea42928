"""Near: how far from a step of a forecast its truth may stand."""

from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, case, or_

from models.calendar import parse_frequency
from models.frequency import MONTHS_IN
from service.scoring import LONGEST_PERIOD
from service.store.tables import forecasts

SLACK = int(LONGEST_PERIOD.astype("m8[us]").astype(np.int64))
"""Microseconds from one stamp of a month, quarter or year to any other that may be meant by it."""


def slack_of(frequency: str) -> int:
    """Return how many microseconds before the first step and after the last the truth of a forecast may stand."""
    return SLACK if parse_frequency(frequency).unit in MONTHS_IN else 0


def slack() -> ColumnElement[Any]:
    """Return `slack_of` a row's frequency, in SQL."""
    frequency = forecasts.c.frequency
    months = or_(frequency.like("%M"), frequency.like("%Q-%"), frequency.like("%Y-%"))
    return case((months, SLACK), else_=0)
