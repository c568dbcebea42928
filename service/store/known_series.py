"""KnownSeries: what is known of the series that a body posts to, read before its rows are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Select, select

from models.calendar.timestamps import Timestamps
from service.store.database import Database
from service.store.observations import Calendar
from service.store.tables import observations, series

NAMES = 500
"""Series in one statement."""
ENDS = 2
"""Values at each end of a series that stand for its grid: one alone may be the last of a month, or its 28th day."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownSeries:
    """What is known of a series.

    Attributes:
        calendar: What was said of its steps.
        stamps: Of its two oldest and its two newest_observations values, gaps not among them, rising, each once, datetime64[us].
    """

    calendar: Calendar
    stamps: Timestamps


NEW_SERIES = KnownSeries(Calendar(), np.array([], dtype="M8[us]"))
"""What is known of a series that nobody has posted to."""


def find_known_series(database: Database, names: Sequence[str]) -> Mapping[str, KnownSeries]:
    """Return what is known of those of some series that are known at all, by name.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    found: dict[str, KnownSeries] = {}
    with database.reading() as connection:
        for start in range(0, len(names), NAMES):
            wanted = _query().where(series.c.id.in_(names[start : start + NAMES]))
            for name, frequency, timezone, *ends in connection.execute(wanted):
                stamps = np.array(sorted({end for end in ends if end is not None}), dtype=np.int64).view("M8[us]")
                found[name] = KnownSeries(Calendar(frequency, timezone), stamps)
    return found


def _query() -> Select[*tuple[Any, ...]]:
    at = observations.c.timestamp
    of = select(at).where(observations.c.series_id == series.c.id, observations.c.value.is_not(None)).limit(1)
    ends = [of.order_by(order).offset(place).scalar_subquery() for order in (at, at.desc()) for place in range(ENDS)]
    return select(series.c.id, series.c.frequency, series.c.timezone, *ends)
