"""Newest observations: where the window of a model's newest scores starts, and how much is newer than its training."""

import numpy as np
from sqlalchemy import distinct, func, or_, select

from models.calendar.frequency import MONTHS_IN, Frequency
from models.calendar.on_calendar import parse_frequency
from service.store.database import Database
from service.store.score_sums import ScoreFilter
from service.store.tables import forecasts, observations, scores, series

MEAN_DAYS = {"D": 1.0, "W": 7.0, "B": 7 / 5, "bh": 7 / 5 / 8}
"""Mean length of the units that are neither whole months nor of fixed length."""
DAY_MICROSECONDS = 86_400_000_000


def window_start(database: Database, where: ScoreFilter, steps: int) -> int | None:
    """Return where the window of the newest `steps` scored steps starts, or None if nothing is scored.

    Steps are counted back from the newest score in its forecast's frequency: months, quarters and years by the calendar,
    so that the 1st and the 31st are one month, other units by their length. None also if the forecast has no frequency.

    Args:
        database: Where the scores are.
        where: Which scores.
        steps: At least 1.

    Returns:
        Microseconds since 1970, as `ScoreFilter.since`.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    query = (
        select(scores.c.timestamp, forecasts.c.frequency)
        .join(forecasts)
        .where(*where.conditions())
        .order_by(scores.c.timestamp.desc())
        .limit(1)
    )
    with database.reading() as connection:
        newest = connection.execute(query).one_or_none()
    if newest is None or newest.frequency is None:
        return None
    return _since(int(newest.timestamp), parse_frequency(newest.frequency), steps)


def count_newer(database: Database, after: int, frequency: str | None) -> tuple[int, int]:
    """Return how many observations are newer than a timestamp, and of how many series; gaps do not count.

    Args:
        database: Where they are.
        after: Microseconds since 1970.
        frequency: Count only series of this frequency and series of unknown frequency; None counts all.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    query = (
        select(func.count(), func.count(distinct(observations.c.series_id)))
        .where(observations.c.timestamp > after, observations.c.value.is_not(None))
        .select_from(observations)
    )
    if frequency is not None:
        same = or_(series.c.frequency == frequency, series.c.frequency.is_(None))
        query = query.join(series, series.c.id == observations.c.series_id).where(same)
    with database.reading() as connection:
        rows, of = connection.execute(query).one()
    return rows, of


def _since(newest: int, frequency: Frequency, steps: int) -> int:
    """Return where the newest `steps` steps start, microseconds since 1970."""
    months = MONTHS_IN.get(frequency.unit)
    if months is None:
        return newest - round(steps * _mean_microseconds(frequency)) + 1
    month = np.datetime64(newest, "us").astype("M8[M]") - (steps * frequency.multiple * months - 1)
    return int(month.astype("M8[us]").astype(np.int64))


def _mean_microseconds(frequency: Frequency) -> float:
    if frequency.nanoseconds is not None:
        return frequency.nanoseconds / 1000
    return frequency.multiple * MEAN_DAYS[frequency.unit] * DAY_MICROSECONDS
