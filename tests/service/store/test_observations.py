"""The table of observations: pages, and writes of several statements."""

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from service.observations.parquet_export import Page, parquet_of
from service.store import observations as store
from service.store.database import Database
from service.store.observations import Calendar, Observations, find_series, iterate_pages, list_series, upsert


def test_an_export_reads_one_page_at_a_time(database_url: str) -> None:
    """Also within a series; each row is on one page."""
    days = np.arange("2000-01-01", "2000-04-10", dtype="M8[D]").astype("M8[us]")
    rows = Observations.from_rows(["a"] * 100 + ["b"] * 100, np.tile(days, 2), np.arange(200.0))
    with closing(Database(database_url)) as database:
        database.migrate()
        upsert(database, rows, Calendar(), 0)
        read: list[int] = []

        def watched() -> Iterator[Page]:
            for page in iterate_pages(database, rows=30):
                read.append(len(page[0]))
                yield page

        parts = parquet_of(watched())
        next(parts)
        first = list(read)
        rest = b"".join(parts)

    assert first == [30]
    assert read == [30] * 6 + [20]
    assert rest.endswith(b"PAR1")


def test_observations_of_many_statements_are_stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every value, and the ends of each series."""
    monkeypatch.setattr(store, "INSERT_ROWS", 1_000)
    count, length = 30, 100
    days = np.datetime64("2000-01-01", "us") + np.arange(length) * np.timedelta64(1, "D")
    ids = [f"s{place:02d}" for place in range(count) for _ in range(length)]
    values = np.random.default_rng(0).normal(size=count * length)
    order = np.random.default_rng(1).permutation(len(ids))
    with closing(Database(database_url)) as database:
        database.migrate()
        shuffled = Observations.from_rows([ids[place] for place in order], np.tile(days, count)[order], values[order])

        upsert(database, shuffled, Calendar("D"), 5)

        stored = np.concatenate([page[2] for page in iterate_pages(database, rows=1_000)])
        known = list_series(database, limit=1_000)
        one = find_series(database, "s07")
    assert stored.tolist() == values.tolist()
    assert [(one.count, one.calendar.frequency) for one in known] == [(length, "D")] * count
    assert one is not None
    assert (one.first, one.last) == (days[0], days[-1])
