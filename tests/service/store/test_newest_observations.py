"""The window of the newest scored steps, and the count of newer observations."""

from datetime import UTC, datetime
from uuid import uuid4

import numpy as np

from service.store.database import Database
from service.store.newest_observations import count_newer, newest_window
from service.store.observations import Calendar, Observations, upsert
from service.store.scoring.rollups import DAY
from service.store.scoring.score_due import score_due
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import sum_scores
from tests.service.forecast_log import actuals_of, log, make_forecast, make_history, observe

CASES = [
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
    ("B", "2020-01-15"),
]


def moment(text: str) -> int:
    """Return a date as microseconds since 1970."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def score(database: Database, frequency: str, start: str, model: str, series_id: str) -> None:
    """Log a forecast of twelve steps whose every step is scored."""
    forecast = make_forecast(make_history(frequency=frequency, start=start))
    log(database, str(uuid4()), forecast, model=model, series_id=series_id)
    observe(database, series_id, actuals_of(forecast))
    score_due(database, 0)


def steps_in_window(database: Database, model: str, steps: int) -> int:
    """Return how many steps of a model are scored in the window of the newest `steps`."""
    window = newest_window(database, ScoreFilter(model=model), steps)
    assert window is not None
    return len(sum_scores(database, window, ["step"]))


def test_the_window_has_the_newest_steps(database: Database) -> None:
    """As many as are asked for, whatever the frequency and the day of the month; of business days one more or less."""
    for frequency, start in CASES:
        score(database, frequency, start, f"{frequency} {start}", f"{frequency} {start}")

    found = {name: [steps_in_window(database, " ".join(name), steps) for steps in (1, 5, 12)] for name in CASES}

    business_days = found.pop(CASES[-1])
    assert found == {case: [1, 5, 12] for case in CASES[:-1]}
    assert abs(np.array(business_days) - [1, 5, 12]).max() <= 1


def test_first_and_last_day_of_a_month_are_one_step(database: Database) -> None:
    """Two series of one model, one with each."""
    score(database, "M", "2020-01-01", "temperatures", "a")
    score(database, "M", "2020-01-31", "temperatures", "b")

    window = newest_window(database, ScoreFilter(), 3)

    assert window is not None
    rows = sum_scores(database, window, ["series"])
    assert [one.scores for _, one in rows] == [3, 3]


def test_the_window_is_that_of_the_filter(database: Database) -> None:
    """Newer scores of another model do not move it; without a score there is no window."""
    score(database, "M", "2020-01-31", "temperatures", "a")
    score(database, "M", "2024-01-31", "rain", "b")

    windows = [newest_window(database, ScoreFilter(model=name), 24) for name in ("temperatures", "rain", "nobody")]

    days = [None if one is None else one.since_day for one in windows]
    assert days == [moment("2022-01-01") // DAY, moment("2026-01-01") // DAY, None]


def test_newer_observations_are_counted_by_frequency(database: Database) -> None:
    """Gaps and the timestamp itself do not count; series of unknown frequency do."""
    stamps = np.array(["2024-04-30", "2024-05-31", "2024-06-30"], dtype="M8[us]")
    values = np.array([1.0, 2.0, np.nan])
    for name, frequency in (("a", "M"), ("b", "D"), ("c", None)):
        upsert(database, Observations.from_rows([name] * 3, stamps, values), Calendar(frequency), 0)

    assert count_newer(database, moment("2024-04-30"), None) == (3, 3)
    assert count_newer(database, moment("2024-04-30"), "M") == (2, 2)
    assert count_newer(database, moment("2024-05-31"), "M") == (0, 0)
