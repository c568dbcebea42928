"""Known series: what the database stores of the series in a posted body; the rows are validated against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sqlalchemy import Select, select

from models.calendar.timestamps import Timestamps
from service.store.database import Database
from service.store.observations import BATCH, Calendar
from service.store.tables import observations, series

ENDS = 2
"""Values at each end that stand for the series' grid; 28 February alone may be a last day or a 28th."""
ENDS_OF_MONTHS = 4
"""Values at each end that show that a series without a frequency has the first or last days of months."""
MONTH = np.timedelta64(27, "D"), np.timedelta64(32, "D")
"""The gap between two months is between these, whatever the clocks do."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownSeries:
    """What is known of a series.

    Attributes:
        calendar: Frequency and timezone.
        stamps: Timestamps of its two oldest and two newest values, rising, without repeats and gaps, datetime64[us].
        months: The four oldest and newest of a series without a frequency whose `stamps` may be months, else none.
    """

    calendar: Calendar
    stamps: Timestamps
    months: Timestamps = field(default_factory=lambda: np.array([], dtype="M8[us]"))


NEW_SERIES = KnownSeries(Calendar(), np.array([], dtype="M8[us]"))


def find_known_series(database: Database, names: Sequence[str]) -> Mapping[str, KnownSeries]:
    """Return what is known of each named series; unknown ones are left out.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    found: dict[str, KnownSeries] = {}
    with database.reading() as connection:
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            for name, frequency, timezone, *ends in connection.execute(_query(ENDS, batch)):
                found[name] = KnownSeries(Calendar(frequency, timezone), _sort(ends))
            monthly = [name for name in batch if name in found and _may_be_months(found[name])]
            for name, _, _, *ends in connection.execute(_query(ENDS_OF_MONTHS, monthly)) if monthly else ():
                found[name] = replace(found[name], months=_sort(ends))
    return found


def _sort(ends: Sequence[int | None]) -> Timestamps:
    return np.array(sorted({end for end in ends if end is not None}), dtype=np.int64).view("M8[us]")


def _may_be_months(known: KnownSeries) -> bool:
    if known.calendar.frequency is not None or len(known.stamps) < 2 * ENDS:
        return False
    gaps = np.diff(known.stamps)[[0, -1]]
    return bool((gaps >= MONTH[0]).all() and (gaps <= MONTH[1]).all())


def _query(count: int, names: Sequence[str]) -> Select[*tuple[Any, ...]]:
    """Return the query for so many values at each end of series."""
    at = observations.c.timestamp
    of = select(at).where(observations.c.series_id == series.c.id, observations.c.value.is_not(None)).limit(1)
    ends = [of.order_by(order).offset(place).scalar_subquery() for order in (at, at.desc()) for place in range(count)]
    return select(series.c.id, series.c.frequency, series.c.timezone, *ends).where(series.c.id.in_(names))
