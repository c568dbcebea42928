"""Known series: what the database stores of the series in a posted body; the rows are validated against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Select, select

from models.calendar.timestamps import Timestamps
from service.store.database import Database
from service.store.observations import BATCH, Calendar
from service.store.tables import observations, series

ENDS = 2
"""Values at each end that stand for the series' grid; 28 February alone may be a last day or a 28th."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownSeries:
    """What is known of a series.

    Attributes:
        calendar: Frequency and timezone.
        stamps: Timestamps of its two oldest and two newest values, rising, without repeats and gaps, datetime64[us].
    """

    calendar: Calendar
    stamps: Timestamps


NEW_SERIES = KnownSeries(Calendar(), np.array([], dtype="M8[us]"))


def find_known_series(database: Database, names: Sequence[str]) -> Mapping[str, KnownSeries]:
    """Return what is known of each named series; unknown ones are left out.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    found: dict[str, KnownSeries] = {}
    with database.reading() as connection:
        for start in range(0, len(names), BATCH):
            wanted = _query().where(series.c.id.in_(names[start : start + BATCH]))
            for name, frequency, timezone, *ends in connection.execute(wanted):
                stamps = np.array(sorted({end for end in ends if end is not None}), dtype=np.int64).view("M8[us]")
                found[name] = KnownSeries(Calendar(frequency, timezone), stamps)
    return found


def _query() -> Select[*tuple[Any, ...]]:
    at = observations.c.timestamp
    of = select(at).where(observations.c.series_id == series.c.id, observations.c.value.is_not(None)).limit(1)
    ends = [of.order_by(order).offset(place).scalar_subquery() for order in (at, at.desc()) for place in range(ENDS)]
    return select(series.c.id, series.c.frequency, series.c.timezone, *ends)
