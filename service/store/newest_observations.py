"""Newest observations: the window of a model's newest scores, and how much is newer than its training."""

from dataclasses import replace

import numpy as np
from sqlalchemy import Row, distinct, func, or_, select

from models.calendar.frequency import MONTHS_IN
from models.calendar.zoned_grid import parse_frequency
from service.store.database import Database
from service.store.scoring.rollups import DAY
from service.store.scoring.score_filter import DayRange, ScoreFilter
from service.store.tables import forecasts, observations, scores, series, sums_by_step

MEAN_DAYS = {"D": 1.0, "W": 7.0, "B": 7 / 5}
"""Mean length of the units that are whole days, but not whole months."""
BUSINESS_HOUR = 7 / 5 / 8
"""Mean days of a business hour."""


def newest_window(database: Database, where: ScoreFilter, steps: int) -> ScoreFilter | None:
    """Return a filter for the newest `steps` scored steps, or None if nothing is scored.

    Steps are counted back from the newest score in its forecast's frequency: months, quarters and years by the calendar,
    so that the 1st and the 31st are one month, other units by their length. Days and longer are those of the forecast's
    own clock. None also if the forecast has no frequency.

    Args:
        database: Where the scores are.
        where: Which scores.
        steps: At least 1.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    newest = _newest(database, where)
    if newest is None or newest.frequency is None:
        return None
    step = parse_frequency(newest.frequency)
    months = MONTHS_IN.get(step.unit)
    if months is not None:
        month = np.datetime64(newest.day, "D").astype("M8[M]") - (steps * step.multiple * months - 1)
        return where.within(int(month.astype("M8[D]").astype(np.int64)), None)
    if step.unit in MEAN_DAYS:
        return where.within(newest.day - round(steps * step.multiple * MEAN_DAYS[step.unit]) + 1, None)
    hours = step.multiple * BUSINESS_HOUR * DAY if step.nanoseconds is None else step.nanoseconds / 1000
    since = int(newest.timestamp) - round(steps * hours) + 1
    return replace(where, since=since if where.since is None else max(since, where.since))


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


def _newest(database: Database, where: ScoreFilter) -> Row[int, int, str | None] | None:
    """Return timestamp, day and frequency of the newest score; the rollup tells its day."""
    query = select(scores.c.timestamp, scores.c.day, forecasts.c.frequency).select_from(scores).join(forecasts)
    query = query.order_by(scores.c.timestamp.desc()).limit(1)
    day = newest_day(database, where) if where.series is None else None
    filters = [where] if day is None else [where.within(day, None), where]
    with database.reading() as connection:
        found = (connection.execute(query.where(*one.conditions())).one_or_none() for one in filters)
        return next((row for row in found if row is not None), None)


def newest_day(database: Database, where: ScoreFilter) -> int | None:
    """Return the newest day that may have scores of a filter without a series; None if there is none."""
    days = DayRange.of(where)
    conditions = [*where.of_rollup(sums_by_step), sums_by_step.c.scores > 0]
    if days.end is not None:
        conditions.append(sums_by_step.c.day < days.end)
    with database.reading() as connection:
        found: int | None = connection.scalar(select(func.max(sums_by_step.c.day)).where(*conditions))
        return found
