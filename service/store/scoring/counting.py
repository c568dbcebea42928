"""Counting: which scores count as evidence: of forecasts whose history is confirmed, each truth once."""

import operator
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    desc,
    func,
    select,
    update,
)

from models.calendar.timestamps import Timestamps
from models.calendar.zoned_grid import parse_frequency
from models.errors import AlmanacError
from models.series import Series
from models.values import Values
from service.store.blobs import decode_floats, decode_times, microseconds
from service.store.database import Database
from service.store.known_series import KnownSeries, find_known_series
from service.store.observations import Calendar
from service.store.scoring.actuals import Observed, match_steps
from service.store.scoring.history_check import SHARE, TOLERANCE, HistorySample, agrees
from service.store.scoring.rollups import Step
from service.store.scoring.score import frequencies_match
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.time_matching import CLOCK_TOLERANCE, ForecastClock, align_clocks, lookup_range, tolerance_of
from service.store.tables import IS_DISPUTED, IS_DUE, forecasts, observations, scores

MOST_DISPUTED, MOST_TRUTHS = 1_000, 100
"""What is counted up to this number."""
MOST_READ = 4
"""Observations that are read to compare an input with them, as a multiple of its steps."""


def judge(connection: Connection, rows: Sequence[Row[Any]], calendars: Mapping[str, Calendar]) -> dict[str, bool]:
    """Return whether the history of each forecast agrees with the observations of now, by forecast id.

    Args:
        connection: The database.
        rows: Of the table `forecasts`.
        calendars: Of the known series, by id.
    """
    sampled = [row.forecast_id for row in rows if row.history_from is not None]
    observed = read_observations(connection, sampled, forecasts.c.history_from, forecasts.c.first_timestamp)
    return {
        row.forecast_id: row.forecast_id in observed
        and _agrees(row, observed[row.forecast_id], calendars.get(row.series_id, Calendar()))
        for row in rows
    }


@dataclass(frozen=True, slots=True, eq=False)
class PostedInput:
    """What a model read of a history that a request had.

    Attributes:
        series: The newest values of the history, as many as the model reads, NaN before its first.
        horizon: Steps that the model forecasts.
    """

    series: Series
    horizon: int


def confirm_inputs(
    database: Database, names: Sequence[str], read: Callable[[int], PostedInput | None], limit: int
) -> dict[int, Values | None]:
    """Return by place the stored values of the inputs that they confirm; None of the others.

    An input is confirmed if it equals the observations at SHARE of the steps at which either has a value, and no observation
    is newer than the steps of its forecast.

    Args:
        database: The database.
        names: The series' ids.
        read: Returns an input by its place; is called for those of known series.
        limit: Most inputs whose observations are read; further ones of known series are left out.

    Returns:
        The observations at the input's steps, NaN where there is none, shape (context_length,).

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    found = find_known_series(database, list(set(names)))
    unknown: dict[int, Values | None] = {place: None for place, name in enumerate(names) if name not in found}
    known = [place for place in range(len(names)) if place not in unknown][:limit]
    with database.reading() as connection:
        return unknown | {place: _confirm(connection, read(place), found[names[place]]) for place in known}


def _confirm(connection: Connection, posted: PostedInput | None, known: KnownSeries) -> Values | None:
    if posted is None or posted.series.frequency is None or not len(known.stamps):
        return None
    series, zone, frequency = posted.series, known.calendar.timezone, posted.series.frequency.name
    if not frequencies_match(frequency, known.calendar.frequency):
        return None
    try:
        steps, end = series.timestamps, series.future(posted.horizon + 1)
    except AlmanacError:  # dates outside the calendar
        return None
    if steps is None or end is None:
        return None
    clock = ForecastClock(series.timezone, series.style, frequency)
    after, newest = align_clocks(end[-1:], clock, known.stamps[-1:], zone)
    if newest[0] >= after[0]:
        return None
    stamps, values = _read_around(connection, series, steps)
    steps, stamps = align_clocks(steps, clock, stamps, zone)
    stored = match_steps(Observed.make(stamps, values), steps, parse_frequency(frequency))
    between = int(np.count_nonzero((stamps >= steps[0]) & (stamps <= steps[-1])))
    return stored if _are_equal(series.values, stored, between) else None


def _are_equal(posted: Values, stored: Values, between: int) -> bool:
    """Return whether SHARE of the steps with a value are equal; `between` is the observations of these and other steps."""
    observed = stored[~np.isnan(stored)]
    allowed = TOLERANCE * float(np.abs(observed).max(initial=0))
    equal = int(np.count_nonzero(np.abs(posted - stored) <= allowed))  # NaN is not
    valued = int(np.count_nonzero(~(np.isnan(posted) & np.isnan(stored))))
    return bool(len(observed)) and equal >= SHARE * max(valued, between)


def _read_around(connection: Connection, series: Series, steps: Timestamps) -> tuple[Timestamps, Values]:
    """Return the observations from the first step to the last, and around, newest first."""
    first, last = (int(one) for one in microseconds(steps[[0, -1]]))
    around = CLOCK_TOLERANCE + (tolerance_of(series.frequency.name) if series.frequency else 0)
    query = (
        select(observations.c.timestamp, observations.c.value)
        .where(
            observations.c.series_id == series.id,
            observations.c.timestamp.between(first - around, last + around),
            observations.c.value.is_not(None),
        )
        .order_by(desc(observations.c.timestamp))
        .limit(MOST_READ * len(steps))
    )
    rows = connection.execute(query).all()
    stamps = np.array([stamp for stamp, _ in rows], dtype=np.int64).view("M8[us]")
    return stamps, np.array([value for _, value in rows], dtype=np.float64)


def record_verdicts(connection: Connection, verdicts: Mapping[str, bool]) -> None:
    """Store which forecasts are evidence; the sampled history of those is no longer needed, and is removed."""
    done = {"history_from": None, "history_timestamps": None, "history_values": None}
    for verdict, changes in ((True, done), (False, {})):
        ids = [one for one, found in verdicts.items() if found == verdict]
        if ids:
            connection.execute(_CHANGE.values(is_evidence=verdict, **changes), {"ids": ids})


def choose_counted(
    connection: Connection, rows: Sequence[Row[Any]], waiting: Mapping[str, Sequence[int]]
) -> list[Step]:
    """Return which scores may count: the first of a version, series, cutoff and step, if none of these counts yet.

    Args:
        connection: The database.
        rows: Of the table `forecasts`, those that are evidence.
        waiting: Steps by forecast id that are scored and do not count yet.
    """
    taken = _counted_steps(connection, [row.forecast_id for row in rows if waiting.get(row.forecast_id)])
    chosen: list[Step] = []
    for row in sorted(rows, key=lambda row: (row.made_at, row.forecast_id)):
        steps = taken[_truth(row)]
        free = [step for step in waiting.get(row.forecast_id, ()) if step not in steps]
        steps.update(free)
        chosen += [(row.forecast_id, step) for step in free]
    return chosen


def let_count(connection: Connection, steps: Sequence[Step]) -> None:
    """Let scores count that are stored and did not."""
    if steps:
        connection.execute(_LET_COUNT, [{"of": forecast_id, "at": step} for forecast_id, step in steps])


_SOME: BindParameter[Any] = bindparam("ids", expanding=True)
_CHANGE = update(forecasts).where(forecasts.c.forecast_id.in_(_SOME))
_LET_COUNT = (
    update(scores).where(scores.c.forecast_id == bindparam("of"), scores.c.step == bindparam("at")).values(counts=True)
)
"""Statements that are made once: that takes longer than to run them."""


def read_observations(
    connection: Connection, ids: Sequence[str], first: ColumnElement[int], last: ColumnElement[int]
) -> dict[str, Observed]:
    """Return the observations of each forecast's series from `first` to `last`, and around, by forecast id, if there are any.

    Args:
        connection: The database.
        ids: Of the forecasts.
        first: Column of the oldest timestamp.
        last: Column of the newest.
    """
    rows = connection.execute(_observations(first, last), {"ids": ids}).all() if ids else []
    if not rows:
        return {}
    names, times, values = zip(*rows, strict=True)
    codes: dict[str, int] = {}
    of = np.array([codes.setdefault(name, len(codes)) for name in names])
    order = np.argsort(of, kind="stable")
    ends = np.cumsum(np.bincount(of))[:-1]
    stamps = np.split(np.array(times, dtype=np.int64).view("M8[us]")[order], ends)
    found = np.split(np.array(values, dtype=np.float64)[order], ends)
    return {name: Observed.make(*one) for name, *one in zip(codes, stamps, found, strict=True)}


@cache
def _observations(first: ColumnElement[int], last: ColumnElement[int]) -> Select[str, int, float]:
    in_range = and_(
        observations.c.series_id == forecasts.c.series_id,
        observations.c.timestamp >= first - lookup_range(),
        observations.c.timestamp <= last + lookup_range(),
        observations.c.value.is_not(None),
    )
    return (
        select(forecasts.c.forecast_id, observations.c.timestamp, observations.c.value)
        .select_from(forecasts)
        .join(observations, in_range)
        .where(forecasts.c.forecast_id.in_(_SOME))
    )


def _agrees(row: Row[Any], observed: Observed, calendar: Calendar) -> bool:
    if not frequencies_match(row.frequency, calendar.frequency):
        return False
    clock = ForecastClock(row.timezone, row.style, row.frequency)
    steps, stamps = align_clocks(decode_times(row.history_timestamps), clock, observed.timestamps, calendar.timezone)
    sample = HistorySample(steps, decode_floats(row.history_values))
    return agrees(sample, Observed.make(stamps, observed.values), row.frequency)


_TRUTH = ("model", "version", "series_id", "first_timestamp")
"""What a truth is counted once for, beside the step; the first timestamp stands for the cutoff."""


def _counted_steps(connection: Connection, ids: Sequence[str]) -> dict[tuple[Any, ...], set[int]]:
    """Return the steps that count already, by version, series and cutoff, for those of some forecasts."""
    found: dict[tuple[Any, ...], set[int]] = defaultdict(set)
    for row in connection.execute(_counted(), {"ids": ids}).all() if ids else ():
        found[row[:-1]].add(row[-1])
    return found


@cache
def _counted() -> Select[*tuple[Any, ...]]:
    same = forecasts.alias()
    equal = and_(*(same.c[name] == forecasts.c[name] for name in _TRUTH))
    return (
        select(*(same.c[name] for name in _TRUTH), scores.c.step)
        .select_from(forecasts)
        .join(same, equal)
        .join(scores, and_(scores.c.forecast_id == same.c.forecast_id, scores.c.counts))
        .where(forecasts.c.forecast_id.in_(_SOME))
    )


_truth = operator.attrgetter(*_TRUTH)


def count_due(database: Database) -> int:
    """Return how many forecasts wait to be scored; raise DatabaseUnreachable if the database does not answer."""
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(forecasts).where(IS_DUE)) or 0


def count_disputed(database: Database) -> int:
    """Return how many observed forecasts do not count, up to MOST_DISPUTED; raises as `count_due`."""
    some = select(forecasts.c.forecast_id).where(IS_DISPUTED).limit(MOST_DISPUTED).subquery()
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(some)) or 0


def count_truths(database: Database, where: ScoreFilter) -> int:
    """Return how many observations the scores rest on, up to MOST_TRUTHS; raises as `count_due`."""
    some = (
        select(forecasts.c.series_id, scores.c.timestamp)
        .select_from(scores)
        .join(forecasts)
        .where(*where.conditions())
        .distinct()
        .limit(MOST_TRUTHS)
        .subquery()
    )
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(some)) or 0
