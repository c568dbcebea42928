"""Newest: the window of the newest_observations steps, and what is newer than a training."""

from datetime import UTC, datetime

import numpy as np
import pytest

from service.store.database import Database
from service.store.newest_observations import count_newer, window_start
from service.store.observations import Calendar, Observations, upsert
from service.store.score_due import score_due
from service.store.score_sums import ScoreFilter, sum_scores
from tests.service.forecast_log import keep, make_history, make_kept, observe, truth_of


def moment(text: str) -> int:
    """Return a date as microseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def score(database: Database, frequency: str, start: str, horizon: int = 12, **columns: str) -> None:
    """Keep a forecast of a frequency whose every step is scored."""
    kept = make_kept(make_history(frequency=frequency, start=start), horizon=horizon)
    keep(database, f"f-{frequency}-{start}", kept, frequency=kept.frequency, **columns)
    observe(database, columns.get("series_id", "s0"), truth_of(kept))
    score_due(database, 0)


def steps_since(database: Database, since: int | None) -> int:
    """Return how many different timestamps are scored since then."""
    rows = sum_scores(database, ScoreFilter(since=since), ["step"])
    return len(rows)


@pytest.mark.parametrize(
    ("frequency", "start"),
    [
        ("M", "2020-01-31"),
        ("M", "2020-01-01"),
        ("M", "2020-01-15"),
        ("2M", "2020-01-31"),
        ("Q", "2020-03-31"),
        ("Y", "2001-12-31"),
        ("W", "2020-01-05"),
        ("D", "2020-01-01"),
        ("h", "2020-01-01T05:00"),
        ("15min", "2020-01-01"),
    ],
)
@pytest.mark.parametrize("steps", [1, 5, 12])
def test_the_window_holds_the_newest_steps(database: Database, frequency: str, start: str, steps: int) -> None:
    """As many as are asked for, whatever the frequency and wherever in the month its stamps lie."""
    score(database, frequency, start)

    assert steps_since(database, window_start(database, ScoreFilter(), steps)) == steps


@pytest.mark.parametrize("frequency", ["B", "SM"])
def test_uneven_steps_are_counted_by_their_mean_length(database: Database, frequency: str) -> None:
    """Weekends and half months: one step more or less."""
    score(database, frequency, "2020-01-15")

    assert abs(steps_since(database, window_start(database, ScoreFilter(), 6)) - 6) <= 1


def test_stamps_at_both_ends_of_a_month_are_one_step(database: Database) -> None:
    """Two series of one model, one stamped on the first and one on the last day."""
    score(database, "M", "2020-01-01", series_id="a")
    score(database, "M", "2020-01-31", series_id="b")

    since = window_start(database, ScoreFilter(), 3)

    rows = sum_scores(database, ScoreFilter(since=since), ["series"])
    assert [one.scores for _, one in rows] == [3, 3]


def test_only_what_is_meant_opens_the_window(database: Database) -> None:
    """Another model's newer truths do not move it, and without any truth there is none."""
    score(database, "M", "2020-01-31")
    score(database, "M", "2024-01-31", series_id="other", model="rain")

    mine = window_start(database, ScoreFilter(model="temperatures"), 24)

    assert mine is not None
    assert steps_since(database, mine) == 12
    assert mine < moment("2022-02-01") < (window_start(database, ScoreFilter(model="rain"), 24) or 0)
    assert window_start(database, ScoreFilter(model="nobody"), 24) is None


def test_what_is_newer_is_counted_by_frequency(database: Database) -> None:
    """Gaps are none, and what lies at the timestamp is not newer; a series whose frequency nobody said counts too."""
    stamps = np.array(["2024-04-30", "2024-05-31", "2024-06-30"], dtype="M8[us]")
    values = np.array([1.0, 2.0, np.nan])
    for name, frequency in (("a", "M"), ("b", "D"), ("c", None)):
        upsert(database, Observations.from_rows([name] * 3, stamps, values), Calendar(frequency), 0)

    assert count_newer(database, moment("2024-04-30"), None) == (3, 3)
    assert count_newer(database, moment("2024-04-30"), "M") == (2, 2)
    assert count_newer(database, moment("2024-05-31"), "M") == (0, 0)
