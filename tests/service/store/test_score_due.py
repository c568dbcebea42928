"""Scoring in the database: what is due is scored once, by whom ever, and again when its truth is revised."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import count
from multiprocessing import get_context

import numpy as np
import pytest
from sqlalchemy import func, select, text

from service.store.database import Database
from service.store.observations import Calendar, Observations, upsert
from service.store.score import score
from service.store.score_due import mark_missed, score_due
from service.store.score_sums import count_due
from service.store.tables import forecasts, observations, scores
from tests.service.forecast_log import keep, make_history, make_kept, observe, truth_of, written
from tests.service.house import eventually


def work(url: str, limit: int) -> int:
    """Score what is due until nothing is left, as a replica does, and return how many forecasts that were."""
    with closing(Database(url)) as database:
        total = 0
        for now in count(1):
            done = score_due(database, now, limit)
            total += done
            if not done:
                return total
    raise AssertionError


def fill(database: Database, number: int) -> None:
    """Keep forecasts of as many series, and all their truths."""
    for seed in range(number):
        kept = make_kept(make_history(seed), seed=seed)
        keep(database, f"f{seed}", kept, series_id=f"s{seed}", made_at=seed)
        observe(database, f"s{seed}", truth_of(kept, seed))


def test_the_table_holds_what_scoring_says(database: Database) -> None:
    """Every column of every step; what was due is due no more."""
    kept = make_kept(make_history())
    truth = truth_of(kept)
    keep(database, "f", kept)
    observe(database, "s0", truth)

    done = [score_due(database, 7), score_due(database, 8)]

    rows = written(database, "f")
    assert done == [1, 0]
    for row, one in zip(rows, score(kept, truth), strict=True):
        assert (row.step, row.observed, row.pinball) == (one.step, one.observed, one.pinball)
        assert row.absolute_scaled_error == one.absolute_scaled_error
        assert row.naive_scaled_error == one.naive_scaled_error
        assert row.scaled_pinball == one.scaled_pinball
        assert (row.covered_80, row.covered_95) == (one.covered[80.0], one.covered[95.0])
        assert (row.timestamp, row.scored_at) == (int(one.timestamp.astype(np.int64)), 7)
    assert count_due(database) == 0


def test_truth_that_comes_piece_by_piece_scores_piece_by_piece(database: Database) -> None:
    """What has been scored keeps its time, also when a forecast is due for nothing."""
    kept = make_kept(make_history())
    first, *rest = truth_of(kept).items()
    keep(database, "f", kept)

    score_due(database, 1)
    observe(database, "s0", dict([first]))
    score_due(database, 2)
    observe(database, "s0", dict(rest))
    score_due(database, 3)

    assert [row.scored_at for row in written(database, "f")] == [2] + [3] * 11


def test_a_revised_observation_rescores_its_step_alone(database: Database) -> None:
    """One that is taken back takes its score with it."""
    kept = make_kept(make_history())
    keep(database, "f", kept)
    observe(database, "s0", truth_of(kept))
    score_due(database, 1)

    observe(database, "s0", {kept.timestamps[2]: float(kept.median[2])})
    score_due(database, 2)

    assert [row.scored_at for row in written(database, "f")] == [1, 1, 2] + [1] * 9
    assert written(database, "f")[2].absolute_scaled_error == 0
    with database.writing() as connection:
        connection.execute(observations.delete().where(observations.c.timestamp == int(kept.timestamps[2].astype(int))))
        connection.execute(forecasts.update().values(due=True))
    score_due(database, 3)
    assert [row.step for row in written(database, "f")] == [1, 2, *range(4, 13)]


def test_months_are_scored_by_either_of_their_ends(database: Database) -> None:
    """The window that is read of a series is wide enough for both."""
    kept = make_kept(make_history())
    ends = {
        (stamp.astype("M8[M]") + 1).astype("M8[D]").astype("M8[us]") - np.timedelta64(1, "D"): 9.0
        for stamp in kept.timestamps
    }
    keep(database, "f", kept)
    observe(database, "s0", ends)

    score_due(database, 1)

    assert len(written(database, "f")) == 12


@pytest.mark.parametrize("replicas", [ThreadPoolExecutor], ids=["threads"])
def test_replicas_score_each_forecast_once(
    database: Database, database_url: str, replicas: type[ThreadPoolExecutor]
) -> None:
    """Four of them on one database claim every forecast between them, none twice."""
    fill(database, 60)

    with replicas(4) as pool:
        shares = list(pool.map(work, [database_url] * 4, [3] * 4))

    with database.reading() as connection:
        rows = connection.scalar(select(func.count()).select_from(scores))
    assert sum(shares) == 60
    assert rows == 60 * 12
    assert count_due(database) == 0


def test_processes_score_each_forecast_once(database: Database, database_url: str) -> None:
    """As threads do: the database is the only thing that they share."""
    fill(database, 30)

    with get_context("spawn").Pool(2) as pool:
        shares = pool.starmap(work, [(database_url, 2)] * 2)

    assert sum(shares) == 30
    assert sum(len(written(database, f"f{seed}")) for seed in range(30)) == 30 * 12


def test_a_young_forecast_whose_truth_is_there_is_due(database: Database) -> None:
    """However its truth came; an old one, one without a truth, and one that has only a history are left alone."""
    cases = {"young": (100, 1), "old": (10, 1), "untold": (100, 99), "bare": (100, None)}
    for seed, (name, (made_at, step)) in enumerate(cases.items()):
        history = make_history(seed)
        kept = make_kept(history)
        cutoff = int(kept.timestamps[0].astype(int)) - 1
        keep(database, name, kept, made_at=made_at, due=False, series_id=name, cutoff=cutoff)
        if step is not None:
            future = history.future(99)
            assert future is not None
            stamps = [kept.timestamps[0] - np.timedelta64(30, "D"), future[step - 1]]
            rows = [
                {"series_id": name, "timestamp": int(one.astype(int)), "value": 1.0, "updated": 1} for one in stamps
            ]
            with database.writing() as connection:
                connection.execute(observations.insert(), rows)

    mark_missed(database, 50)

    with database.reading() as connection:
        assert connection.scalars(select(forecasts.c.forecast_id).where(forecasts.c.due)).all() == ["young"]
    assert score_due(database, 102) == 1
    assert len(written(database, "young")) == 1
    mark_missed(database, 50)
    assert count_due(database) == 0


def test_an_observation_waits_for_whoever_has_claimed_its_forecast(database: Database) -> None:
    """A scorer that has read the observations already clears the mark; it is set again behind it."""
    kept = make_kept(make_history())
    keep(database, "f", kept)
    rows = Observations.from_rows(["s0"], kept.timestamps[:1], np.array([9.0]))

    with ThreadPoolExecutor(1) as other, database.writing() as scorer:
        scorer.execute(select(forecasts).where(forecasts.c.due).with_for_update()).all()
        observing = other.submit(upsert, database, rows, Calendar(), 1)
        if database.is_postgresql:
            eventually(lambda: observing.done() or is_waiting(database), "nobody waits")
        scorer.execute(forecasts.update().values(due=False))
        scorer.commit()
        observing.result()

    assert count_due(database) == 1


def is_waiting(database: Database) -> bool:
    """Return whether somebody waits for a lock in PostgreSQL."""
    with database.reading() as connection:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return bool(connection.scalar(text(waiting)))


@pytest.mark.parametrize(
    ("frequency", "day", "due"),
    [("D", "2020-03-01", True), ("D", "2020-02-28", False), ("D", "2020-03-05", False), ("M", "2020-02-28", True)],
)
def test_only_observations_of_its_steps_make_a_forecast_due(
    database: Database, frequency: str, day: str, *, due: bool
) -> None:
    """Of days by their dates, else each would mark a year of forecasts; of months anywhere near."""
    steps = np.array(["2020-03-01", "2020-03-02"], "M8[us]")
    kept = replace(make_kept(make_history(), 2), timestamps=steps, frequency=frequency)
    keep(database, "f", kept, due=False)

    upsert(database, Observations.from_rows(["s0"], np.array([day], "M8[us]"), np.array([9.0])), Calendar(), 1)

    assert count_due(database) == int(due)


def test_a_damaged_row_holds_up_no_other(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """It is told of once and left; what is sound beside it is scored."""
    for name, changes in (("broken", {"quantiles": b"12345678"}), ("sound", {}), ("undated", {"timestamps": None})):
        kept = make_kept(make_history())
        keep(database, name, kept, **changes)
        observe(database, "s0", truth_of(kept))

    assert [score_due(database, 1), score_due(database, 2)] == [3, 0]

    assert [len(written(database, name)) for name in ("broken", "sound", "undated")] == [0, 12, 0]
    assert "forecast broken cannot be scored" in caplog.text


@pytest.mark.parametrize(("frequency", "scored"), [("M", 12), (None, 12), ("D", 0), ("Q-DEC", 0)])
def test_a_series_of_another_frequency_has_no_truth(database: Database, frequency: str | None, scored: int) -> None:
    """A day is not the month that it begins, and neither is a quarter; where nobody said, one that stands alone is."""
    kept = make_kept(make_history())
    keep(database, "f", kept)
    rows = Observations.from_rows(["s0"] * 12, kept.timestamps, np.full(12, 9.0))
    upsert(database, rows, Calendar(frequency), 1)

    score_due(database, 1)

    assert len(written(database, "f")) == scored


@pytest.mark.parametrize(
    ("frequency", "timezone", "style", "step", "zone", "observed"),
    [
        ("D", None, "YYYY-MM-DD", "2024-07-03", "Europe/Berlin", "2024-07-02T22:00"),
        ("D", "Europe/Berlin", "YYYY-MM-DD", "2024-07-02T22:00", "Europe/Berlin", "2024-07-02T22:00"),
        ("D", "Europe/Berlin", "YYYY-MM-DD", "2024-07-02T22:00", None, "2024-07-03"),
        ("D", None, "YYYY-MM-DDThh:mm+02:00", "2024-07-03", "UTC", "2024-07-02T22:00"),
        ("M", "Europe/Berlin", "YYYY-MM", "2024-06-30T22:00", "Europe/Berlin", "2024-07-30T22:00"),
        ("h", None, "YYYY-MM-DDThh:mm", "2024-07-03T10:00", "Europe/Berlin", "2024-07-03T08:00"),
        ("h", None, "YYYY-MM-DDThh:mm+02:00", "2024-07-03T10:00", "UTC", "2024-07-03T08:00"),
        ("h", None, "YYYY-MM-DDThh:mmZ", "2024-07-03T10:00", "Europe/Berlin", "2024-07-03T10:00"),
        ("h", "Europe/Berlin", "YYYY-MM-DDThh:mm", "2024-07-03T08:00", "UTC", "2024-07-03T08:00"),
    ],
)
def test_a_truth_is_found_whatever_clock_it_was_written_by(  # noqa: PLR0913, PLR0917 (a case)
    database: Database, frequency: str, timezone: str | None, style: str, step: str, zone: str | None, observed: str
) -> None:
    """Moments meet as moments and days as days; what the same digits say by another clock is no truth."""
    at = np.array([step], "M8[us]")
    kept = replace(make_kept(make_history(), 1), timestamps=at, frequency=frequency)
    keep(database, "f", kept, timezone=timezone, style=style, due=False)
    stamps = np.array([observed], "M8[us]")

    upsert(database, Observations.from_rows(["s0"], stamps, np.array([9.0])), Calendar(None, zone), 1)
    score_due(database, 1)

    assert [row.observed for row in written(database, "f")] == [9.0]
    if stamps[0] != at[0] and frequency == "h":
        other = Observations.from_rows(["s0"] * 2, np.concatenate([stamps, at]), np.array([np.nan, 1.0]))
        upsert(database, other, Calendar(), 2)
        score_due(database, 2)
        assert written(database, "f") == []
