"""Scoring of due forecasts: once, by any replica, and again after a revision."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import count
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sqlalchemy import event, func, select, text

from service.store.database import Database
from service.store.observations import Calendar, Observations, upsert
from service.store.scoring.counting import count_due
from service.store.scoring.score_due import mark_missed, score_due
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import GroupKey, sum_scores
from service.store.tables import forecasts, observations, scores
from tests.service.forecast_log import actuals_of, log, make_forecast, make_history, observe, score_one, stored_scores
from tests.service.home import eventually
from tests.service.score_scans import scan_scores


def work(url: str, limit: int) -> int:
    """Score until nothing is due, as a replica does, and return how many forecasts were scored."""
    with closing(Database(url)) as database:
        total = 0
        for now in count(1):
            done = score_due(database, now, limit)
            total += done
            if not done:
                return total
    raise AssertionError


def fill(database: Database, number: int) -> None:
    """Log a forecast of each of `number` series, and observe all steps."""
    for seed in range(number):
        forecast = make_forecast(make_history(seed), seed=seed)
        log(database, f"f{seed}", forecast, series_id=f"s{seed}", made_at=seed)
        observe(database, f"s{seed}", actuals_of(forecast, seed))


def test_every_column_of_a_score_is_written(database: Database) -> None:
    """Afterwards the forecast is no longer due."""
    forecast = make_forecast(make_history())
    actuals = actuals_of(forecast)
    log(database, "f", forecast)
    observe(database, "s0", actuals)

    done = [score_due(database, 7), score_due(database, 8)]

    rows = stored_scores(database, "f")
    assert done == [1, 0]
    for row, one in zip(rows, score_one(forecast, actuals), strict=True):
        assert (row.step, row.observed, row.pinball) == (one.step, one.observed, one.pinball)
        assert row.absolute_scaled_error == one.absolute_scaled_error
        assert row.naive_scaled_error == one.naive_scaled_error
        assert row.scaled_pinball == one.scaled_pinball
        assert (row.covered_80, row.covered_95) == (one.covered[80.0], one.covered[95.0])
        assert (row.timestamp, row.scored_at) == (int(one.timestamp.astype(np.int64)), 7)
    assert count_due(database) == 0


def test_steps_are_scored_as_they_are_observed(database: Database) -> None:
    """A scored step keeps its time of scoring."""
    forecast = make_forecast(make_history())
    first, *rest = actuals_of(forecast).items()
    log(database, "f", forecast)

    score_due(database, 1)
    observe(database, "s0", dict([first]))
    score_due(database, 2)
    observe(database, "s0", dict(rest))
    score_due(database, 3)

    assert [row.scored_at for row in stored_scores(database, "f")] == [2] + [3] * 11


def test_a_revised_observation_scores_its_step_again(database: Database) -> None:
    """And only that step; a deleted observation deletes the score."""
    forecast = make_forecast(make_history())
    log(database, "f", forecast)
    observe(database, "s0", actuals_of(forecast))
    score_due(database, 1)

    observe(database, "s0", {forecast.timestamps[2]: float(forecast.median[2])})
    score_due(database, 2)

    assert [row.scored_at for row in stored_scores(database, "f")] == [1, 1, 2] + [1] * 9
    assert stored_scores(database, "f")[2].absolute_scaled_error == 0
    with database.writing() as connection:
        connection.execute(
            observations.delete().where(observations.c.timestamp == int(forecast.timestamps[2].astype(int)))
        )
        connection.execute(forecasts.update().values(due=True))
    score_due(database, 3)
    assert [row.step for row in stored_scores(database, "f")] == [1, 2, *range(4, 13)]


def test_a_revision_after_some_steps_are_scored_changes_its_sums_alone(database: Database) -> None:
    """Together with the next step's first value, and for another forecast of the same truth, which does not count."""
    forecast = make_forecast(make_history())
    stamps, values = list(forecast.timestamps), list(actuals_of(forecast).values())
    for name in ("f", "g"):
        log(database, name, forecast)
    observe(database, "s0", dict(zip(stamps[:3], values, strict=False)))
    score_due(database, 1)

    observe(database, "s0", {stamps[1]: 99.0, stamps[3]: 7.0})
    score_due(database, 2)

    for name in ("f", "g"):
        rows = stored_scores(database, name)
        assert [(row.scored_at, row.observed) for row in rows] == [(1, values[0]), (2, 99.0), (1, values[2]), (2, 7.0)]
        assert [row.counts for row in rows] == [name == "f"] * 4
    keys: list[list[GroupKey]] = [[], ["step"], ["series"], ["step", "series", "period"]]
    for by in keys:
        found, expected = (sums(database, ScoreFilter(), by) for sums in (sum_scores, scan_scores))
        assert [(key, one.scores) for key, one in found] == [(key, one.scores) for key, one in expected]
        assert_allclose([one.error for _, one in found], [one.error for _, one in expected], rtol=1e-12)
    with database.reading() as connection:
        counted = connection.execute(select(forecasts.c.forecast_id, forecasts.c.counted)).all()
    assert sorted(tuple(row) for row in counted) == [("f", 4), ("g", 0)]


def test_scoring_reads_no_table_from_end_to_end(database: Database) -> None:
    """Of SQLite, whose plan a statement shows: first values, revisions and deletions take as long whatever is stored."""
    if database.is_postgresql:
        pytest.skip("PostgreSQL plans by statistics")
    forecast = make_forecast(make_history())
    actuals = actuals_of(forecast)
    log(database, "f", forecast, is_evidence=None, history_from=0, history_timestamps=b"", history_values=b"")
    log(database, "g", forecast)
    statements: list[tuple[str, Any]] = []
    event.listen(database.engine, "before_cursor_execute", lambda *of: statements.append((of[2], of[3])))
    for now, values in enumerate([actuals, dict.fromkeys(actuals, 9.0), dict.fromkeys(actuals, np.nan)]):
        rows = Observations.from_rows(["s0"] * 12, forecast.timestamps, np.array(list(values.values())))
        upsert(database, rows, Calendar("M"), now)
        assert score_due(database, now) == 2

    of_tables = [one for one in statements if one[0].startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))]
    with database.reading() as connection:
        for statement, values in of_tables:
            one = values[0] if isinstance(values, list) else values
            for *_, plan in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", one).all():
                assert not re.fullmatch(r"SCAN \S*(scores|forecasts|observations|series|sums_\w+)\S*", plan), statement
    assert len(of_tables) > 30


def test_months_are_scored_by_their_first_or_last_day(database: Database) -> None:
    """The range of observations that is read includes both."""
    forecast = make_forecast(make_history())
    ends = {
        (stamp.astype("M8[M]") + 1).astype("M8[D]").astype("M8[us]") - np.timedelta64(1, "D"): 9.0
        for stamp in forecast.timestamps
    }
    log(database, "f", forecast)
    observe(database, "s0", ends)

    score_due(database, 1)

    assert len(stored_scores(database, "f")) == 12


def test_replicas_score_each_forecast_once(database: Database, database_url: str) -> None:
    """Four replicas claim all forecasts between them, none twice."""
    fill(database, 60)

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(work, [database_url] * 4, [3] * 4))

    with database.reading() as connection:
        rows = connection.scalar(select(func.count()).select_from(scores))
    assert sum(shares) == 60
    assert rows == 60 * 12
    assert count_due(database) == 0


@pytest.mark.system
def test_processes_score_each_forecast_once(database: Database, database_url: str) -> None:
    """Processes share nothing but the database."""
    fill(database, 30)

    with get_context("spawn").Pool(2) as pool:
        shares = pool.starmap(work, [(database_url, 2)] * 2)

    assert sum(shares) == 30
    assert sum(len(stored_scores(database, f"f{seed}")) for seed in range(30)) == 30 * 12


def test_a_recent_forecast_that_was_observed_already_is_marked(database: Database) -> None:
    """An old forecast, an unobserved one, and one with observations of its history only are not marked."""
    cases = {"recent": (100, 1), "old": (10, 1), "unobserved": (100, 99), "empty": (100, None)}
    for seed, (name, (made_at, step)) in enumerate(cases.items()):
        history = make_history(seed)
        forecast = make_forecast(history)
        cutoff = int(forecast.timestamps[0].astype(int)) - 1
        log(database, name, forecast, made_at=made_at, due=False, series_id=name, cutoff=cutoff)
        if step is not None:
            future = history.future(99)
            assert future is not None
            stamps = [forecast.timestamps[0] - np.timedelta64(30, "D"), future[step - 1]]
            rows = [
                {"series_id": name, "timestamp": int(one.astype(int)), "value": 1.0, "updated": 1} for one in stamps
            ]
            with database.writing() as connection:
                connection.execute(observations.insert(), rows)

    mark_missed(database, 50)

    with database.reading() as connection:
        assert connection.scalars(select(forecasts.c.forecast_id).where(forecasts.c.due)).all() == ["recent"]
    assert score_due(database, 102) == 1
    assert len(stored_scores(database, "recent")) == 1
    mark_missed(database, 50)
    assert count_due(database) == 0


def test_an_observation_during_scoring_marks_the_forecast_again(database: Database) -> None:
    """It waits for the scorer, which has not read it and clears the mark."""
    forecast = make_forecast(make_history())
    log(database, "f", forecast)
    rows = Observations.from_rows(["s0"], forecast.timestamps[:1], np.array([9.0]))

    with ThreadPoolExecutor(1) as other, database.writing() as scorer:
        scorer.execute(select(forecasts).where(forecasts.c.due).with_for_update()).all()
        observing = other.submit(upsert, database, rows, Calendar(), 1)
        if database.is_postgresql:
            eventually(lambda: observing.done() or is_waiting(database), "the observation does not wait")
        scorer.execute(forecasts.update().values(due=False))
        scorer.commit()
        observing.result()

    assert count_due(database) == 1


def is_waiting(database: Database) -> bool:
    """Return whether a transaction of PostgreSQL waits for a lock."""
    with database.reading() as connection:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(connection.scalar(text(waiting)))


@pytest.mark.parametrize(
    ("frequency", "day", "due"),
    [
        ("D", "2020-03-01", True),
        ("D", "2020-02-28", False),
        ("D", "2020-03-05", False),
        ("D", "2020-03-02T12:00", True),
        ("D", "2020-03-03", False),
        ("M", "2020-02-28", True),
        ("M", "2020-01-01", False),
        ("M", "2020-03-31", True),
        ("M", "2020-07-31", False),
        ("Q-DEC", "2020-01-01", True),
        ("Y-DEC", "2019-04-01", True),
    ],
)
def test_only_observations_near_its_steps_mark_a_forecast(
    database: Database, frequency: str, day: str, *, due: bool
) -> None:
    """Days need the date of a step; months, quarters and years any date of the period."""
    steps = np.array(["2020-03-01", "2020-03-02"], "M8[us]")
    forecast = replace(make_forecast(make_history(), 2), timestamps=steps, frequency=frequency)
    log(database, "f", forecast, due=False)

    upsert(database, Observations.from_rows(["s0"], np.array([day], "M8[us]"), np.array([9.0])), Calendar(), 1)

    assert count_due(database) == int(due)


def test_a_damaged_row_does_not_stop_the_others(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and no longer due."""
    for name, changes in (("broken", {"quantiles": b"12345678"}), ("sound", {}), ("undated", {"timestamps": None})):
        forecast = make_forecast(make_history())
        log(database, name, forecast, **changes)
        observe(database, "s0", actuals_of(forecast))

    assert [score_due(database, 1), score_due(database, 2)] == [3, 0]

    assert [len(stored_scores(database, name)) for name in ("broken", "sound", "undated")] == [0, 12, 0]
    assert "forecast broken cannot be scored" in caplog.text


@pytest.mark.parametrize(("frequency", "scored"), [("M", 12), (None, 12), ("D", 0), ("Q-DEC", 0)])
def test_observations_of_another_frequency_score_nothing(
    database: Database, frequency: str | None, scored: int
) -> None:
    """Those of unknown frequency do if each stands alone in its month."""
    forecast = make_forecast(make_history())
    log(database, "f", forecast)
    rows = Observations.from_rows(["s0"] * 12, forecast.timestamps, np.full(12, 9.0))
    upsert(database, rows, Calendar(frequency), 1)

    score_due(database, 1)

    assert len(stored_scores(database, "f")) == scored


@pytest.mark.parametrize(
    ("frequency", "timezone", "style", "step", "zone", "observed"),
    [
        ("D", None, "YYYY-MM-DD", "2024-07-03", "Europe/Berlin", "2024-07-02T22:00"),
        ("D", "Europe/Berlin", "YYYY-MM-DD", "2024-07-02T22:00", "Europe/Berlin", "2024-07-02T22:00"),
        ("D", "Europe/Berlin", "YYYY-MM-DD", "2024-07-02T22:00", None, "2024-07-03"),
        ("D", None, "YYYY-MM-DDThh:mm+02:00", "2024-07-03", "UTC", "2024-07-02T22:00"),
        ("D", None, "YYYY-MM-DD", "2024-07-03", None, "2024-07-03T12:00"),
        ("B", None, "YYYY-MM-DDThh:mm", "2024-07-03T12:00", None, "2024-07-03"),
        ("D", None, "YYYY-MM-DD", "2024-07-03", "America/New_York", "2024-07-04T03:00"),
        ("W-WED", None, "YYYY-MM-DD", "2024-07-03", None, "2024-07-03T18:00"),
        ("M", "Europe/Berlin", "YYYY-MM", "2024-06-30T22:00", "Europe/Berlin", "2024-07-30T22:00"),
        ("h", None, "YYYY-MM-DDThh:mm", "2024-07-03T10:00", "Europe/Berlin", "2024-07-03T08:00"),
        ("h", None, "YYYY-MM-DDThh:mm+02:00", "2024-07-03T10:00", "UTC", "2024-07-03T08:00"),
        ("h", None, "YYYY-MM-DDThh:mmZ", "2024-07-03T10:00", "Europe/Berlin", "2024-07-03T10:00"),
        ("h", "Europe/Berlin", "YYYY-MM-DDThh:mm", "2024-07-03T08:00", "UTC", "2024-07-03T08:00"),
    ],
)
def test_observations_are_found_whatever_clock_they_were_written_by(  # noqa: PLR0913, PLR0917 (a case)
    database: Database, frequency: str, timezone: str | None, style: str, step: str, zone: str | None, observed: str
) -> None:
    """Hours are compared as instants, days as dates; the same digits on another clock do not match."""
    at = np.array([step], "M8[us]")
    forecast = replace(make_forecast(make_history(), 1), timestamps=at, frequency=frequency)
    log(database, "f", forecast, timezone=timezone, style=style, due=False)
    stamps = np.array([observed], "M8[us]")

    upsert(database, Observations.from_rows(["s0"], stamps, np.array([9.0])), Calendar(None, zone), 1)
    score_due(database, 1)

    assert [row.observed for row in stored_scores(database, "f")] == [9.0]
    if stamps[0] != at[0] and frequency == "h":
        other = Observations.from_rows(["s0"] * 2, np.concatenate([stamps, at]), np.array([np.nan, 1.0]))
        upsert(database, other, Calendar(), 2)
        score_due(database, 2)
        assert stored_scores(database, "f") == []
