"""Which scores count: of confirmed histories, and each truth once."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models import artifact
from models.calendar.zoned_grid import parse_frequency
from models.series import Series
from service.store.database import Database
from service.store.forecasts import find_forecast
from service.store.log_entry import ServedForecast
from service.store.observations import Calendar, Observations, upsert
from service.store.scoring.actuals import Observed
from service.store.scoring.counting import count_disputed, count_truths
from service.store.scoring.history_check import (
    DRAWN,
    NEWEST,
    REACH,
    HistorySample,
    agrees,
    choose_steps,
    times_in_reach,
)
from service.store.scoring.rollups import ScoreSums
from service.store.scoring.score import MOST_ERROR
from service.store.scoring.score_due import score_due
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import sum_scores
from tests.service.home import Artifacts
from tests.service.served import write

MONTHS = np.arange("2020-01", "2023-01", dtype="M8[M]").astype("M8[us]")
TRUE = np.array([place % 12 + place // 12 for place in range(len(MONTHS))], dtype=float)
HISTORY = 30
"""Months before the forecast in `entry`, whose values are TRUE."""


def observe(database: Database, first: int, end: int, values: np.ndarray[Any, Any] = TRUE) -> None:
    """Store some of the months of the series `a`."""
    rows = Observations.from_rows(["a"] * (end - first), MONTHS[first:end], values[first:end])
    upsert(database, rows, Calendar("M"), 0)


def post(database: Database, entry: ServedForecast, name: str, **changes: Any) -> None:  # noqa: ANN401 (fields of an entry)
    """Store a forecast that was served, under an id, and score what is due."""
    write(database, [replace(entry, forecast_id=name, **changes)], entry.made_at)
    score(database)


def score(database: Database) -> ScoreSums:
    """Score what is due, and return the sums of what counts."""
    while score_due(database, 1):
        pass
    return sum_scores(database, ScoreFilter(), [])[0][1]


def made_up(entry: ServedForecast, values: Any) -> Series:  # noqa: ANN401 (numbers)
    """Return a history of the dates of `entry` with other values."""
    return replace(entry.series, values=np.asarray(values, dtype=float))


def test_a_polled_forecast_counts_once(database: Database, entry: ServedForecast) -> None:
    """120 forecasts of one version, series and cutoff; a longer one adds its further steps, another version all."""
    observe(database, 0, HISTORY)
    forecaster = entry.selected.model.forecaster
    for number in range(120):
        write(database, [replace(entry, forecast_id=f"f{number}")], entry.made_at)
    post(database, entry, "longer", forecast=forecaster.forecast([entry.series], 5)[0])
    other = replace(entry.selected, model=replace(entry.selected.model, version="8"))
    post(database, entry, "other", selected=other)

    observe(database, HISTORY, HISTORY + 6)
    score(database)

    by_version = sum_scores(database, ScoreFilter(), ["version"])
    assert [(key, one.scores) for key, one in by_version] == [(("7",), 6), (("8",), 6)]
    assert count_truths(database, ScoreFilter()) == 6
    observe(database, HISTORY, HISTORY + 6, TRUE + 1)
    assert score(database).scores == 12


def test_made_up_values_do_not_count(database: Database, entry: ServedForecast) -> None:
    """Whether they come before the true forecast or after it, the figures are those of the true one."""
    observe(database, 0, HISTORY)
    post(database, entry, "first", series=made_up(entry, np.full(HISTORY, 1e6)))
    post(database, entry, "true")
    post(database, entry, "later", series=made_up(entry, np.linspace(0, 1e-6, HISTORY)))
    hidden = np.where(np.arange(HISTORY) < HISTORY - 1, np.nan, TRUE[:HISTORY])
    hidden[0] = 1e6
    post(database, entry, "hidden", series=made_up(entry, hidden))

    observe(database, HISTORY, HISTORY + 6)

    assert score(database).scores == 6
    assert count_disputed(database) == 3
    stored = find_forecast(database, "true")
    assert stored is not None
    assert (stored.row.is_evidence, stored.row.history_values, stored.row.counted) == (True, None, 6)
    assert all(row["counts"] for row in stored.scores)


def test_an_unobserved_history_counts_once_it_is_observed(database: Database, entry: ServedForecast) -> None:
    """The last value is enough; other values than those sent do not confirm it."""
    post(database, entry, "f")
    observe(database, HISTORY, HISTORY + 6)
    before = score(database).scores

    observe(database, HISTORY - 1, HISTORY, TRUE + 3)
    wrong = score(database).scores
    observe(database, HISTORY - 1, HISTORY)

    assert (before, wrong, score(database).scores) == (0, 0, 6)


def test_a_forecast_from_the_store_counts(database: Database, entry: ServedForecast) -> None:
    """Its history needs no comparison, so a later revision does not matter."""
    post(database, entry, "f", from_store=True)
    observe(database, 0, HISTORY, TRUE + 5)
    observe(database, HISTORY, HISTORY + 6)

    assert score(database).scores == 6


def test_one_wrong_value_does_not_decide_a_mean(database: Database, entry: ServedForecast) -> None:
    """A scaled error is at most MOST_ERROR."""
    observe(database, 0, HISTORY)
    post(database, entry, "f")

    observe(database, HISTORY, HISTORY + 1, np.full(len(TRUE), 65_535.0))

    sums = score(database)
    assert (sums.scores, sums.error, sums.naive_error, sums.pinball) == (1, MOST_ERROR, MOST_ERROR, MOST_ERROR)


def test_days_of_a_timezone_are_compared_and_counted_by_their_dates(
    database: Database, entry: ServedForecast, artifacts: Artifacts
) -> None:
    """A history of Tokyo, sent as dates, agrees with observations of Tokyo; periods are local too."""
    forecaster = artifact.load(artifacts.get(name="shop", frequency="D", season_length=7))
    values = np.arange(14.0) % 7
    series = Series.make(values, id="a", start="2024-05-18", frequency="D", timezone="Asia/Tokyo")
    selected = replace(entry.selected, model=replace(entry.selected.model, forecaster=forecaster))
    post(database, entry, "f", selected=selected, series=series, forecast=forecaster.forecast([series], 3)[0])
    local = np.array([f"{day}T15:00" for day in np.arange("2024-05-17", "2024-06-03", dtype="M8[D]")], dtype="M8[us]")

    rows = Observations.from_rows(["a"] * 17, local, np.append(values, [1.0, 2.0, 3.0]))
    upsert(database, rows, Calendar("D", "Asia/Tokyo"), 0)
    score(database)

    found = sum_scores(database, ScoreFilter(), ["period"], "day")
    assert [key for key, _ in found] == [("2024-06-01",), ("2024-06-02",), ("2024-06-03",)]
    assert [key for key, _ in sum_scores(database, ScoreFilter(), ["period"])] == [("2024-06",)]


@pytest.mark.parametrize(
    ("changed", "agreed"),
    [({}, True), ({3: 9.0}, True), ({3: 9.0, 4: 9.0, 5: 9.0}, False), ({3: 4.004}, True), ({9: np.nan}, True)],
)
def test_nine_in_ten_observed_steps_agree(changed: dict[int, float], *, agreed: bool) -> None:
    """Some observations are revised, some clients round; a step without an observation is not compared."""
    days = np.arange("2024-01-01", "2024-01-25", dtype="M8[D]").astype("M8[us]")
    values = np.arange(1.0, 25.0)
    sent = values.copy()
    sent[list(changed)] = list(changed.values())

    observed = Observed(days[:20], values[:20])

    assert agrees(HistorySample(days[:20], sent[:20]), observed, "D") is agreed
    assert not agrees(HistorySample(days[20:], sent[20:]), observed, "D")


DAYS = np.arange("2024-01-01", "2024-02-10", dtype="M8[D]").astype("M8[us]")
WEEKS = 100 + 20 * np.sin(2 * np.pi * np.arange(40) / 7) + np.arange(40.0) % 3
"""Values of these days, from 80 to 122."""


@pytest.mark.parametrize(
    ("changed", "agreed"),
    [
        ({39: 1e6}, False),
        ({38: 1e6, 39: 1e6}, False),
        ({37: 1e6, 38: 1e6, 39: 1e6}, False),
        ({38: 90.0, 39: 119.0}, False),  # plausible, but of the newest only one may be another
        ({5: 1e6}, False),  # an older one may be another, but not a wild one
        ({39: 130.0}, True),  # revised since
        ({2: 90.0, 9: 119.0, 20: 90.0}, True),
        ({37: WEEKS[37] * 1.08, 38: WEEKS[38] * 0.92, 39: WEEKS[39] * 1.08}, True),  # provisional values
        ({38: np.nan, 39: np.nan}, True),  # observed later
    ],
)
def test_the_newest_values_are_those_observed(changed: dict[int, float], *, agreed: bool) -> None:
    """They decide a forecast: one may be revised, none made up, whatever nine in ten of all say."""
    sent = WEEKS.copy()
    sent[list(changed)] = list(changed.values())

    assert agrees(HistorySample(DAYS, sent), Observed(DAYS, WEEKS), "D") is agreed


@pytest.mark.parametrize(("value", "agreed"), [(0.0, True), (90.0, True), (180.0, True), (1e6, False), (-200.0, False)])
def test_a_value_without_an_observation_is_plausible(value: float, *, agreed: bool) -> None:
    """The store has no Sundays: a client that fills them in is honest, unless the values are wild."""
    sunday = np.arange(40) % 7 == 5
    observed = Observed(DAYS[~sunday], WEEKS[~sunday])

    assert agrees(HistorySample(DAYS, np.where(sunday, value, WEEKS)), observed, "D") is agreed


def test_a_stored_glitch_widens_nothing() -> None:
    """One wild observation does not let wild values pass for equal or usual; a spike that was revised is honest."""
    stored, sent = WEEKS.copy(), WEEKS.copy()
    stored[10], sent[39] = 1e6, 1_000.0
    assert not agrees(HistorySample(DAYS, sent), Observed(DAYS, stored), "D")

    stored[10], sent[10], sent[39] = 500, 520, WEEKS[39]
    assert agrees(HistorySample(DAYS, sent), Observed(DAYS, stored), "D")


@pytest.mark.parametrize("false", [1, 2, 3])
def test_the_first_confirmed_forecast_counts(database: Database, entry: ServedForecast, false: int) -> None:
    """A disputed one that was made before, of the same version, series and cutoff, takes nothing from it."""
    observe(database, 0, HISTORY)
    sent = np.append(TRUE[: HISTORY - false], np.full(false, 1e6))
    post(database, entry, "false", series=made_up(entry, sent))
    post(database, entry, "own", from_store=True)

    observe(database, HISTORY, HISTORY + 6)

    assert score(database).scores == 6
    stored = {name: find_forecast(database, name) for name in ("false", "own")}
    assert [one.row.counted for one in stored.values() if one is not None] == [0, 6]


def test_invented_future_values_wait_for_their_observations(database: Database, entry: ServedForecast) -> None:
    """A history that ends after the observations counts once they have come, if they are the same."""
    observe(database, 0, HISTORY - 3)
    post(database, entry, "false", series=made_up(entry, np.append(TRUE[: HISTORY - 3], [9.0, 9.0, 9.0])))
    observe(database, HISTORY, HISTORY + 6)
    post(database, entry, "true")
    waiting = score(database).scores

    observe(database, HISTORY - 3, HISTORY)

    assert (waiting, score(database).scores, count_disputed(database)) == (0, 6, 1)


def test_a_sample_has_the_newest_steps_and_some_older_ones() -> None:
    """Which older ones, the forecast's id decides, but the wildest is among them; of a short history all are kept."""
    values = np.tile(np.sin(np.arange(1_000.0)), (2, 1))
    values[:, 900:905] = np.nan
    values[:, [3, 850]] = -1e6

    one, other = choose_steps(values, ["one", "other"])

    assert one[-NEWEST:].tolist() == list(range(1_000 - NEWEST, 1_000))
    assert len(one) == NEWEST + DRAWN
    assert one.min() >= 1_000 - REACH
    assert (np.diff(one) > 0).all()
    assert set(one) != set(other)
    assert 850 in one
    assert 850 in other
    assert choose_steps(values[:1], ["other"]).tolist() == [other.tolist()]
    assert choose_steps(values[:, :20], ["one", "other"]).tolist() == [[*range(20)]] * 2


def test_the_times_in_reach_end_with_the_history() -> None:
    """A history without dates has none."""
    start = int(np.datetime64("2020-01-01", "us").astype(np.int64))

    found = times_in_reach(start, parse_frequency("D"), None, 1_000)

    assert found is not None
    assert len(found) == REACH
    assert np.datetime64(found[-1].item(), "us") == np.datetime64("2020-01-01", "D") + 999
    assert times_in_reach(None, None, None, 2) is None
