"""Rollups: after any changes, the sums are those of all scores that count."""

import itertools
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Row, Table, select, text, update

from service.store.database import Database
from service.store.erasure import erase_series
from service.store.forecasts import delete_forecasts
from service.store.scoring.rollups import DAY, ROLLUPS, Period
from service.store.scoring.score_due import score_due
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import STEPS, GroupKey, Rows, sum_scores, sum_scores_and_steps
from service.store.tables import forecasts, metadata, series
from tests.service.forecast_log import actuals_of, log, make_forecast, make_history, observe
from tests.service.score_scans import scan_scores

MODELS, VERSIONS, SERIES = ["rain", "wind"], ["1", "2"], ["s0", "s1", "s2", "s3"]
FREQUENCIES = {
    "s0": ("M", "2020-01-01", None),
    "s1": ("D", "2023-12-01", "Asia/Tokyo"),
    "s2": ("h", "2024-02-27", None),
    "s3": ("D", "1968-12-28", None),
}
"""Calendar of each series: daylight of another date, ends of months, a leap day, and days before 1970."""
MOMENTS = [
    None,
    *(
        int(np.datetime64(one, "us").astype(int))
        for one in ("2024-01-31T15:00", "2024-02-01T03:07", "2024-02-29T05:30")
    ),
]
DAYS = [None, *(int(np.datetime64(one, "D").astype(int)) for one in ("2024-01-31", "2024-02-03", "2024-03-01"))]
KEYS: tuple[GroupKey, ...] = get_args(GroupKey)
QUERIES = [list(by) for number in range(len(KEYS) + 1) for by in itertools.combinations(KEYS, number)]

PERIODS: tuple[Period, ...] = get_args(Period)
SHORT_TIMES = [
    ScoreFilter(since=int(np.datetime64(since, "us").astype(int)), until=int(np.datetime64(until, "us").astype(int)))
    for since, until in [
        ("2024-02-28T15:31:07", "2024-02-29T03:00"),
        ("2024-02-28T12", "2024-02-29T12"),
        ("2024-02-28T17", "2024-03-01T07"),
    ]
]

forecast = st.tuples(
    st.just("forecast"),
    st.sampled_from(SERIES),
    st.sampled_from(MODELS),
    st.sampled_from(VERSIONS),
    st.integers(0, 3),
    st.integers(1, 9),
)
changes = st.one_of(
    forecast,
    st.tuples(st.just("observe"), st.sampled_from(SERIES), st.integers(0, 30), st.integers(1, 12)),
    st.tuples(st.just("forget"), st.sampled_from(SERIES), st.integers(0, 30)),
    st.tuples(st.just("delete"), st.integers(0, 30)),
    st.tuples(st.just("erase"), st.sampled_from(SERIES)),
    st.tuples(st.just("score")),
)
wheres = st.builds(
    ScoreFilter,
    model=st.sampled_from([None, *MODELS]),
    version=st.sampled_from([None, *VERSIONS]),
    series=st.sampled_from([None, *SERIES]),
    steps=st.sampled_from([None, (1, 1), (2, 5)]),
    since=st.sampled_from(MOMENTS),
    until=st.sampled_from(MOMENTS),
    since_day=st.sampled_from(DAYS),
    until_day=st.sampled_from(DAYS),
    scored_since=st.sampled_from([None, 3, DAY, 2 * DAY + 1]),
)


def make(series_id: str, place: int, horizon: int) -> tuple[Any, dict[str, Any]]:
    """Return a forecast of a series, and columns of its row; `place` moves the cutoff."""
    frequency, start, zone = FREQUENCIES[series_id]
    one = make_forecast(make_history(place, 30 + place, frequency, start), horizon, seed=place)
    if zone is None:
        return one, {"timezone": None, "style": "YYYY-MM-DDThh:mm"}
    shifted = one.timestamps - np.timedelta64(9, "h")
    object.__setattr__(one, "timestamps", shifted)
    return one, {"timezone": zone, "style": "YYYY-MM-DD"}


def change(database: Database, number: int, what: tuple[Any, ...]) -> None:
    """Make one change at the time `number` half-days."""
    now = number * DAY // 2
    match what:
        case ("forecast", series_id, model, version, place, horizon):
            one, columns = make(series_id, place, horizon)
            columns |= {"series_id": series_id, "model": model, "version": version, "made_at": number}
            log(database, f"f{number}", one, **columns)
        case ("observe", series_id, seed, steps):
            one, _ = make(series_id, seed % 4, steps)
            observe(database, series_id, actuals_of(one, seed))
        case ("forget", series_id, seed):
            one, _ = make(series_id, seed % 4, 1)
            at = int(one.timestamps[0].astype(int))
            with database.writing() as connection:
                observations = metadata.tables["almanac.observations"]
                connection.execute(observations.delete().where(observations.c.timestamp == at))
                connection.execute(update(forecasts).values(due=True))
        case ("delete", before):
            delete_forecasts(database, before)
        case ("erase", series_id):
            erase_series(database, series_id, lambda: now)
            with database.writing() as connection:
                zone = FREQUENCIES[series_id][2]
                connection.execute(series.insert(), {"id": series_id, "timezone": zone, "created": 0})
    while score_due(database, now, 2):
        pass


def check(found: Rows, expected: Rows) -> None:
    """Assert that sums are equal, but for the order of additions."""
    assert [key for key, _ in found] == [key for key, _ in expected]
    for (_, one), (_, other) in zip(found, expected, strict=True):
        assert one.scores == other.scores
        for name in ("scaled", "covered_80", "intervals_80", "covered_95", "intervals_95"):
            assert getattr(one, name) == getattr(other, name)
        for name in ("error", "naive_error", "pinball"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=1e-9)


def clear(database: Database) -> None:
    """Empty all tables but that of series."""
    with database.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
        rows = [{"id": name, "timezone": zone, "created": 0} for name, (_, _, zone) in FREQUENCIES.items()]
        connection.execute(series.insert(), rows)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    done=st.lists(changes, min_size=4, max_size=14),
    asked=st.lists(st.tuples(wheres, st.sampled_from(QUERIES), st.sampled_from(PERIODS)), min_size=6, max_size=6),
)
def test_the_sums_equal_a_full_scan(
    database: Database, done: list[Any], asked: list[tuple[ScoreFilter, list[GroupKey], Period]]
) -> None:
    """After scoring, revisions, deletions and erasures; for windows, versions, steps, series and periods."""
    clear(database)
    for number, what in enumerate(done):
        change(database, number, what)

    asked = [(ScoreFilter(), ["model", "version"], "month"), (ScoreFilter(), ["series"], "month"), *asked]
    for where, by, period in asked:
        expected = scan_scores(database, where, by, period)
        check(sum_scores(database, where, by, period), expected)
        for limit in (1, 3, 1_000):
            check(sum_scores(database, where, by, period, limit), expected[:limit])
            if by:
                found, steps = sum_scores_and_steps(database, where, by, period, limit)
                check(found, expected[:limit])
                check(steps, scan_scores(database, where, STEPS))


@pytest.mark.parametrize(
    "where", [*SHORT_TIMES, replace(SHORT_TIMES[0], steps=(2, 20), version="1"), ScoreFilter(since=0, until=1)]
)
def test_the_scores_of_a_short_time_equal_a_full_scan(database: Database, where: ScoreFilter) -> None:
    """By all keys, in the order of their values; a part of a day, from noon to noon, more than a day, some steps, no scores."""
    clear(database)
    for number in range(4):
        change(database, number, ("forecast", "s2", MODELS[number // 2], VERSIONS[number % 2], 2 * number, 48))
    change(database, 4, ("forecast", "s1", "rain", "1", 0, 70))
    for series_id in ("s1", "s2"):
        observe(database, series_id, actuals_of(make(series_id, 0, 99)[0]))
    while score_due(database, DAY, 2):
        pass

    of_steps = scan_scores(database, where, STEPS)
    for by, period in itertools.product(QUERIES[1:], PERIODS):
        if period == "month" or "period" in by:
            expected = scan_scores(database, where, by, period)
            for limit in (2, 1_000):
                found, steps = sum_scores_and_steps(database, where, by, period, limit)
                check(found, expected[:limit])
                check(steps, of_steps)
    assert bool(of_steps) == (where.since != 0)


def test_a_migration_sums_the_scores_of_before(empty_url: str) -> None:
    """They are those that are kept when scores are written: errors bounded, days local, each truth counted once."""
    database = Database(empty_url)
    database.migrate()
    clear(database)
    for number, series_id in enumerate([*SERIES, "s1"]):
        one, columns = make(series_id, 1, 6)
        log(database, f"f{number}", one, series_id=series_id, made_at=number, **columns)
        observe(database, series_id, actuals_of(one) | {one.timestamps[0]: 1e6})
    score_due(database, 1)
    expected = [read_table(database, table) for table in ROLLUPS]
    downgrade(database)

    database.migrate()

    for table, rows in zip(ROLLUPS, expected, strict=True):
        near = [[pytest.approx(one, rel=1e-9) if isinstance(one, float) else one for one in row] for row in rows]
        assert [[*row] for row in read_table(database, table)] == near
        assert sum(row.scores for row in rows) == 24
    database.close()


def read_table(database: Database, table: Table) -> list[Row[Any]]:
    """Return the rows of a table in the order of its primary key."""
    with database.reading() as connection:
        return [*connection.execute(select(table).order_by(*table.primary_key.columns))]


def downgrade(database: Database) -> None:
    """Make the tables those of migration 0001, with an error that was not bounded then."""
    schema = "almanac." if database.is_postgresql else ""
    columns = {"forecasts": ["is_evidence", "history_from", "history_timestamps", "history_values", "counted"]}
    columns["scores"] = ["day", "counts"]
    with database.writing() as connection:
        for index in ("forecasts_truth", "forecasts_counted", "forecasts_disputed", "scores_timestamp_step_day"):
            connection.execute(text(f"DROP INDEX {schema}ix_{index}"))
        for table, names in columns.items():
            for name in names:
                connection.execute(text(f"ALTER TABLE {schema}{table} DROP COLUMN {name}"))
        for table in (
            "sums_by_step",
            "sums_by_series",
            "sums_by_series_step",
            "sums_by_series_step_week",
            "service_state",
            "erasure_marks",
            "erasures",
            "write_checks",
        ):
            connection.execute(text(f"DROP TABLE {schema}{table}"))
        connection.execute(text(f"CREATE INDEX ix_scores_timestamp ON {schema}scores (timestamp)"))
        connection.execute(text(f"UPDATE {schema}alembic_version SET version_num = '0001'"))  # noqa: S608
        raised = "UPDATE {}scores SET absolute_scaled_error = 999 WHERE absolute_scaled_error = 10"
        connection.execute(text(raised.format(schema)))
