"""Sums of scores in SQL, compared with a recount of the tables in Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from service.store.database import Database
from service.store.scoring.rollups import DAY, Period, ScoreSums
from service.store.scoring.score_due import score_due
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import sum_scores, sum_scores_and_steps
from service.store.scoring.scored_forecasts import list_scored_forecasts
from tests.service.forecast_log import actuals_of, log, make_forecast, make_history, observe
from tests.service.score_scans import Sums, recount

FILTERS: list[tuple[ScoreFilter, Callable[[Any], bool]]] = [
    (ScoreFilter(model="rain"), lambda row: row.model == "rain"),
    (ScoreFilter(version="2", series="s1"), lambda row: (row.version, row.series_id) == ("2", "s1")),
    (ScoreFilter(steps=(2, 4)), lambda row: 2 <= row.step <= 4),
    (ScoreFilter(scored_since=8), lambda row: row.scored_at >= 8),
    (
        ScoreFilter(since=1_700_000_000_000_000, until=1_720_000_000_000_000),
        lambda row: 1_700_000_000_000_000 <= row.timestamp < 1_720_000_000_000_000,
    ),
]


@pytest.fixture
def filled(database: Database) -> Database:
    """Return a database with scores of two models, two versions and four series, some without a scale."""
    for number in range(12):
        history = make_history(number % 4, start=f"{2020 + number % 3}-03-01")
        forecast = make_forecast(history * 0.0 if number == 5 else history, horizon=6 + number, seed=number)
        series_id = f"s{number % 4}"
        model = "rain" if number % 3 == 0 else "temperatures"
        columns = {"model": model, "version": str(1 + number % 2), "series_id": series_id, "made_at": number}
        log(database, f"f{number}", forecast, **columns)
        observe(database, series_id, actuals_of(forecast, number))
        score_due(database, number)
    return database


def check(got: list[tuple[tuple[str | int, ...], ScoreSums]], expected: Sums) -> None:
    """Assert that sums are those of a recount, in the order of their keys."""
    assert [key for key, _ in got] == sorted(expected)
    for key, one in got:
        want = expected[key]
        assert (one.scores, one.scaled) == (want.scores, want.scaled)
        assert (one.covered_80, one.intervals_80) == (want.covered_80, want.intervals_80)
        assert (one.covered_95, one.intervals_95) == (want.covered_95, want.intervals_95)
        for name in ("error", "naive_error", "pinball"):
            assert getattr(one, name) == pytest.approx(getattr(want, name), rel=1e-12)


def test_sums_by_any_key_are_those_of_a_recount(filled: Database) -> None:
    """Model, version, step and series, together or none; and as many rows as are asked for."""
    by_step = sum_scores(filled, ScoreFilter(), ["model", "version", "step"])
    by_series = sum_scores(filled, ScoreFilter(), ["series"])

    check(by_step, recount(filled, lambda row: (row.model, row.version, row.step)))
    check(by_series, recount(filled, lambda row: (row.series_id,)))
    check(sum_scores(filled, ScoreFilter(), []), recount(filled, lambda _: ()))
    assert any(one.scaled < one.scores for _, one in by_series)
    assert [key for key, _ in sum_scores(filled, ScoreFilter(), ["series"], limit=2)] == [("s0",), ("s1",)]


def test_periods_are_those_of_the_calendar(filled: Database) -> None:
    """Of the scored timestamp; a week is its Monday."""

    def name(row: Any, unit: str) -> tuple[str]:  # noqa: ANN401 (a row)
        day = np.datetime64(row.timestamp, "us").astype("M8[D]")
        return (str(day - (day.astype(int) + 3) % 7 if unit == "W" else day.astype(f"M8[{unit}]")),)

    periods: dict[Period, str] = {"day": "D", "week": "W", "month": "M", "year": "Y"}
    for period, unit in periods.items():
        expected = recount(filled, lambda row, unit=unit: name(row, unit))  # type: ignore[misc]
        check(sum_scores(filled, ScoreFilter(), ["period"], period), expected)


def test_a_time_before_1970_has_its_period(database: Database) -> None:
    """Negative microseconds are rounded down, not towards zero."""
    history = make_history(frequency="s", length=5, start="1969-12-31T23:59:54")
    forecast = make_forecast(history, horizon=2, season_length=1)
    log(database, "f", forecast)
    observe(database, "s0", actuals_of(forecast))
    score_due(database, 0)

    rows = sum_scores(database, ScoreFilter(), ["period"], "year")

    assert [(key, one.scores) for key, one in rows] == [(("1969",), 1), (("1970",), 1)]


def test_filters_select_the_scores_of_their_conditions(filled: Database) -> None:
    """Each one finds what a recount with the same condition finds, and finds something."""
    for where, holds in FILTERS:
        expected = recount(filled, lambda row, holds=holds: (int(holds(row)),))  # type: ignore[misc]

        check(sum_scores(filled, where, []), {(): expected[1,]})


def test_scored_forecasts_come_with_their_observations(filled: Database) -> None:
    """One of each series, those with the most scored steps first; observations up to the last step, in order."""
    found = list_scored_forecasts(filled, ScoreFilter(), 3)

    first = found[0]
    assert len({one.series_id for one in found}) == 3
    assert (first.forecast_id, len(first.forecast.timestamps)) == ("f11", 17)
    assert first.timestamps[-1] == first.forecast.timestamps[-1]
    assert (np.diff(first.timestamps) > np.timedelta64(0)).all()
    assert len(first.values) == len(first.timestamps)


def test_without_scores_nothing_is_summed(database: Database) -> None:
    """Without a key the sums are zero."""
    assert sum_scores(database, ScoreFilter(), ["model"]) == []
    assert sum_scores(database, ScoreFilter(), []) == [((), ScoreSums())]
    assert list_scored_forecasts(database, ScoreFilter(), 3) == []


def test_a_window_has_one_limit_of_time_at_each_end() -> None:
    """A database searches an index with one limit of each kind, maybe the farther one of two."""
    where = ScoreFilter(since=5 * DAY + 1, until=90 * DAY).within(3, 9)

    limits = [str(one.left) for one in where.of_scores() if "timestamp" in str(one.left)]

    assert limits == ["scores.timestamp"] * 2


def test_scores_of_a_time_are_read_by_place(database: Database) -> None:
    """SQLite finds them in the index alone, of the wanted days and steps, and reads them in the order in which they are stored."""
    if database.is_postgresql:
        pytest.skip("PostgreSQL plans by statistics")
    statements: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *of: statements.append((of[2], of[3])))

    sum_scores(database, ScoreFilter(steps=(1, 2), until=DAY // 2, since_day=0), ["version", "step"])

    (statement, values), *_ = [one for one in statements if one[0].startswith("SELECT")]
    with database.reading() as connection:
        plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert plan[0].endswith("scores USING INTEGER PRIMARY KEY (rowid=?)")
    assert any("USING COVERING INDEX ix_scores_timestamp_step_day" in one for one in plan)


def test_the_scores_of_a_short_time_are_read_once(filled: Database) -> None:
    """For both answers, in one statement."""
    statements: list[str] = []
    event.listen(filled.engine, "before_cursor_execute", lambda *of: statements.append(of[2]))

    sum_scores_and_steps(filled, ScoreFilter(since=DAY // 2, until=DAY), ["series"], limit=10)

    assert sum(one.startswith("SELECT") for one in statements) == 1


@pytest.mark.parametrize(
    ("since", "until", "is_whole"),
    [
        ("2025-01-15T12", "2025-01-16T12", False),
        ("2025-01-13T06", "2025-01-19T18", True),
        ("2025-01-15", "2025-01-16", False),
    ],
)
def test_whole_weeks_are_summed_if_that_reads_fewer_days(since: str, until: str, *, is_whole: bool) -> None:
    """Of a day in the middle of a week they would read the six others, to take them away."""
    first, last = (int(np.datetime64(one, "us").astype(np.int64)) for one in (since, until))
    moments, dates = ScoreFilter(since=first, until=last), ScoreFilter(since_day=first // DAY, until_day=last // DAY)

    assert ((dates if len(since) == len("2025-01-15") else moments).in_units("week") is not None) == is_whole
