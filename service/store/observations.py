"""Observation table: upserts observations, marks the forecasts that they score, and returns series and their values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)

from models.calendar.timestamps import Timestamps, to_instants, to_local_times, write_exactly
from models.errors import TimestampInvalid
from models.ids import plain_id
from service.store.blobs import Floats, microseconds
from service.store.database import Database, storable
from service.store.scoring.time_matching import PERIOD_TOLERANCE, tolerance
from service.store.tables import SCHEMA, forecasts, observations, series
from service.store.upsert import insert_into

Codes = NDArray[np.int64]

PAGE_ROWS = 50_000
"""Rows of one page of an export."""
INSERT_ROWS = 50_000
"""Rows in one statement."""
BATCH = 500
"""Series in one statement."""
_PageRow = Row[str, int, float | None, str | None]
"""Series, timestamp, value and timezone."""


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """Observations of many series, sorted by series and timestamp, without repeats.

    Attributes:
        names: The series, rising.
        codes: Index in `names` of each observation, shape (rows,), rising.
        timestamps: Shape (rows,), datetime64[us], rising within a series.
        values: Shape (rows,), the series' units, NaN for a gap.
    """

    names: tuple[str, ...]
    codes: Codes
    timestamps: Timestamps
    values: Floats

    @classmethod
    def from_rows(cls, ids: Sequence[str], timestamps: Timestamps, values: Floats) -> "Observations":
        """Return observations from rows in any order; of rows with the same series and timestamp the last counts."""
        names = tuple(sorted(set(ids)))
        places = {name: place for place, name in enumerate(names)}
        codes = np.fromiter((places[one] for one in ids), dtype=np.int64, count=len(ids))
        order = np.lexsort((timestamps, codes))  # stable: the last of equal rows is the last that was sent
        codes, timestamps, values = codes[order], timestamps[order], values[order]
        last = np.ones(len(order), dtype=np.bool_)
        last[:-1] = (codes[1:] != codes[:-1]) | (timestamps[1:] != timestamps[:-1])
        return cls(names, codes[last], timestamps[last], values[last])

    def __len__(self) -> int:
        return len(self.codes)

    def ids(self) -> list[str]:
        """Return the name of the series of each observation."""
        return [self.names[code] for code in self.codes.tolist()]


@dataclass(frozen=True, slots=True)
class Calendar:
    """The steps of a series.

    Attributes:
        frequency: Canonical name, or None if unknown.
        timezone: IANA name of the timezone whose days the series follows; None if its timestamps are wall clocks.
    """

    frequency: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class SeriesInfo:
    """A series and the extent of its observations.

    Attributes:
        id: Its name.
        calendar: Its steps.
        count: Observations; a gap that was sent as null is none.
        first: Timestamp of the oldest, or None without observations.
        last: Timestamp of the newest.
    """

    id: str
    calendar: Calendar
    count: int
    first: np.datetime64 | None
    last: np.datetime64 | None


def upsert(database: Database, rows: Observations, calendar: Calendar | Sequence[Calendar], now: int) -> None:
    """Store observations durably; an existing one takes the new value.

    Afterwards the forecasts that they may score are marked as due, so that the scorer sees the observations. If this
    raises, calling it again does the rest.

    Args:
        database: Where to.
        rows: The observations.
        calendar: Of all their series, or one for each of `names`; a field that is None leaves the stored one.
        now: Microseconds since 1970, UTC.

    Raises:
        DatabaseUnreachable: If the database does not answer; the observations may be stored or not.
        TimestampInvalid: If a series gets a timezone in which a stored local time does not exist; then nothing is stored.
    """
    if not len(rows):
        return
    with database.writing() as connection:
        calendars = [calendar] * len(rows.names) if isinstance(calendar, Calendar) else calendar
        _place_local_times(connection, dict(zip(rows.names, calendars, strict=True)))
        _upsert_series(connection, rows.names, calendars, now)
        write = _write_postgresql if database.is_postgresql else _write_sqlite
        for start in range(0, len(rows), INSERT_ROWS):
            write(connection, _part(rows, slice(start, start + INSERT_ROWS)), now)
    _mark_due(database, rows)


def list_series(database: Database, *, after: str = "", limit: int = 100) -> list[SeriesInfo]:
    """Return at most `limit` series in the order of their names, those after `after`."""
    with database.reading() as connection:
        found = connection.execute(_known().where(series.c.id > storable(after)).order_by(series.c.id).limit(limit))
        return [_read_known(row) for row in found]


def find_series(database: Database, series_id: str) -> SeriesInfo | None:
    """Return a series, or None if it is unknown; an older Almanac may have stored ids that are not `plain_id`."""
    with database.reading() as connection:
        for name in dict.fromkeys((storable(series_id), storable(plain_id(series_id)))):
            row = connection.execute(_known().where(series.c.id == name)).one_or_none()
            if row is not None:
                return _read_known(row)
    return None


def newest_observations(database: Database, known: SeriesInfo, limit: int) -> tuple[Timestamps, Floats]:
    """Return the newest observations of a series, the oldest of them first: timestamps and values, each shape (rows,).

    Gaps among them have the value NaN; those before the first value and after the last one are left out.
    """
    if known.first is None or known.last is None:
        return _times([]), np.array([], dtype=np.float64)
    first, last = microseconds(np.array([known.first, known.last])).tolist()
    query = (
        select(observations.c.timestamp, observations.c.value)
        .where(observations.c.series_id == storable(known.id), observations.c.timestamp.between(first, last))
        .order_by(observations.c.timestamp.desc())
        .limit(limit)
    )
    with database.reading() as connection:
        rows = connection.execute(query).all()[::-1]
    return _times([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=np.float64)


def iterate_pages(
    database: Database, *, series_id: str | None = None, rows: int = PAGE_ROWS
) -> Iterator[tuple[list[str], Timestamps, Floats, list[str | None]]]:
    """Yield the observations of all series, or of one, in pages of at most `rows`, by series and timestamp.

    Gaps before the first value of a series and after its last one are left out: nothing was observed there. The timezone of its series comes with each: with one the timestamp is an instant, without one a wall clock.

    Each page is a transaction of its own, so that a slow reader blocks no writer. Rows that are written meanwhile may be
    among the later pages.
    """
    key = tuple_(observations.c.series_id, observations.c.timestamp)
    query = (
        select(observations.c.series_id, observations.c.timestamp, observations.c.value, series.c.timezone)
        .outerjoin(series, series.c.id == observations.c.series_id)
        .order_by(observations.c.series_id, observations.c.timestamp)
        .limit(rows)
    )
    if series_id is not None:
        query = query.where(observations.c.series_id == storable(series_id))
    page = query
    while True:
        with database.reading() as connection:
            found = connection.execute(page).all()
            kept = _within_extents(connection, found)
        if kept:
            ids, timestamps, values, zones = zip(*kept, strict=True)
            yield list(ids), _times(timestamps), np.array(values, dtype=np.float64), list(zones)
        if not found:
            return
        page = query.where(key > tuple_(*found[-1][:2]))


def _within_extents(connection: Connection, rows: Sequence[_PageRow]) -> Sequence[_PageRow]:
    """Return rows without the gaps before the first value of their series and after the last one."""
    names = list(dict.fromkeys(row[0] for row in rows if row[2] is None))
    extents: dict[str, tuple[int | None, int | None]] = {}
    for start in range(0, len(names), BATCH):
        query = select(series.c.id, *_ends()).where(series.c.id.in_(names[start : start + BATCH]))
        extents |= {name: (first, last) for name, first, last in connection.execute(query)}
    if not names:
        return rows
    return [row for row in rows if row[2] is not None or _lies_within(row[1], *extents.get(row[0], (None, None)))]


def _lies_within(timestamp: int, first: int | None, last: int | None) -> bool:
    return first is not None and last is not None and first < timestamp < last


def _part(rows: Observations, part: slice) -> Observations:
    return Observations(rows.names, rows.codes[part], rows.timestamps[part], rows.values[part])


def _columns(rows: Observations) -> tuple[list[str], list[int], list[float | None]]:
    """Return ids, timestamps and values as the drivers take them."""
    values = rows.values.astype(object)
    values[np.isnan(rows.values)] = None
    return rows.ids(), microseconds(rows.timestamps).tolist(), values.tolist()


def _upsert_series(connection: Connection, names: Sequence[str], calendars: Sequence[Calendar], now: int) -> None:
    insert = insert_into(series, is_postgresql=connection.dialect.name == "postgresql")
    changed = {
        name: func.coalesce(insert.excluded[name], column)
        for name, column in (("frequency", series.c.frequency), ("timezone", series.c.timezone))
    }
    has_news = or_(*(insert.excluded[name].is_not(None) for name in changed))
    upsert = insert.on_conflict_do_update(index_elements=[series.c.id], set_=changed, where=has_news)
    rows = [
        {"id": name, "created": now, "frequency": one.frequency, "timezone": one.timezone}
        for name, one in zip(names, calendars, strict=True)
    ]
    connection.execute(upsert, rows)


def _place_local_times(connection: Connection, calendars: Mapping[str, Calendar]) -> None:
    """Make instants of the stored local times of series that have no timezone yet and get one."""
    given = {name: one.timezone for name, one in calendars.items() if one.timezone not in {None, "UTC"}}
    names = [*given]
    for start in range(0, len(names), BATCH):
        query = select(series.c.id).where(series.c.id.in_(names[start : start + BATCH]), series.c.timezone.is_(None))
        for name in connection.scalars(query.with_for_update()).all():
            _move_local_times(connection, name, str(given[name]))


def _move_local_times(connection: Connection, name: str, timezone: str) -> None:
    of = observations.c.series_id == name
    rows = connection.execute(select(observations).where(of).order_by(observations.c.timestamp)).mappings().all()
    walls = _times([row["timestamp"] for row in rows])
    instants = to_instants(walls, timezone)
    gone = (to_local_times(instants, timezone) != walls) & (walls != walls.astype("M8[D]"))
    gone[1:] |= np.diff(instants) <= np.timedelta64(0)
    if gone.any():
        raise TimestampInvalid(
            f"The series {name!r} has a value at {write_exactly(walls[gone][0])}, a time that does not exist in {timezone}.",
            pointer="/timezone",
            hint="Post null there first, or state the timezone of the stored times.",
        )
    if rows:
        connection.execute(delete(observations).where(of))
        connection.execute(
            insert(observations),
            [{**row, "timestamp": at} for row, at in zip(rows, microseconds(instants).tolist(), strict=True)],
        )


_INTO = "INTO {table} (series_id, timestamp, value, updated)"
_ON_CONFLICT = "ON CONFLICT (series_id, timestamp) DO UPDATE SET value = excluded.value, updated = excluded.updated"


def _write_sqlite(connection: Connection, rows: Observations, now: int) -> None:
    into = _INTO.format(table="observations")
    changed = "observations.value IS NOT excluded.value"
    statement = f"INSERT {into} VALUES (?, ?, ?, {now:d}) {_ON_CONFLICT} WHERE {changed}"  # noqa: S608 (constants)
    connection.exec_driver_sql(statement, list(zip(*_columns(rows), strict=True)))


def _write_postgresql(connection: Connection, rows: Observations, now: int) -> None:
    ids, timestamps, values = _columns(rows)
    into = _INTO.format(table=f"{SCHEMA}.observations AS old")
    arrays = "unnest(CAST(:ids AS text[]), CAST(:timestamps AS bigint[]), CAST(:values AS float8[]))"
    statement = (
        f"INSERT {into} SELECT id, timestamp, value, :now FROM {arrays} AS new (id, timestamp, value) "  # noqa: S608 (same)
        f"{_ON_CONFLICT} WHERE old.value IS DISTINCT FROM excluded.value"
    )
    connection.execute(text(statement), {"ids": ids, "timestamps": timestamps, "values": values, "now": now})


def _mark_due(database: Database, rows: Observations) -> None:
    """Mark as due the forecasts with a step at or near an observation, or in whose history it lies if that is unconfirmed.

    A forecast that is due already is marked again: a scorer that has claimed it has not seen these observations.
    """
    starts = np.flatnonzero(np.diff(rows.codes, prepend=-1))
    ends = np.append(starts[1:], len(rows)) - 1
    times = microseconds(rows.timestamps)
    marks = [
        {"of": rows.names[int(rows.codes[start])], "since": int(times[start]), "until": int(times[end])}
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    in_reach = and_(
        forecasts.c.last_timestamp + tolerance() >= bindparam("since"),
        forecasts.c.last_timestamp >= bindparam("since", type_=BigInteger) - PERIOD_TOLERANCE,
        func.coalesce(forecasts.c.history_from, forecasts.c.first_timestamp) - tolerance() <= bindparam("until"),
    )
    mark = update(forecasts).where(forecasts.c.series_id == bindparam("of"), in_reach).values(due=True)
    with database.writing() as connection:
        connection.execute(mark, marks)


def _known() -> Select[str, str | None, str | None, int, int | None, int | None]:
    count = select(func.count()).where(_is_value()).scalar_subquery()
    return select(series.c.id, series.c.frequency, series.c.timezone, count, *_ends())


def _is_value() -> ColumnElement[bool]:
    return and_(observations.c.series_id == series.c.id, observations.c.value.is_not(None))


def _ends() -> tuple[ScalarSelect[int | None], ScalarSelect[int | None]]:
    """Return the timestamps of the first and the last value of each series in a query."""
    at = observations.c.timestamp
    first, last = (
        select(at).where(_is_value()).order_by(order).limit(1).scalar_subquery() for order in (at, at.desc())
    )
    return first, last


def _read_known(row: Row[str, str | None, str | None, int, int | None, int | None]) -> SeriesInfo:
    name, frequency, timezone, count, first, last = row
    ends = [None if end is None else _times([end])[0] for end in (first, last)]
    return SeriesInfo(name, Calendar(frequency, timezone), count, *ends)


def _times(microseconds: Sequence[int]) -> Timestamps:
    return np.array(microseconds, dtype=np.int64).view("M8[us]")
