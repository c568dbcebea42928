"""The table of forecasts: what a row has, that it is written once, and when it is deleted or due."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import func, insert, select

from models import artifact
from models.series import Series
from service.store import forecasts as store
from service.store.database import Database
from service.store.forecasts import delete_forecasts, find_forecast
from service.store.log_entry import MICROSECONDS, ServedForecast, make_entry
from service.store.log_rows import LATE, make_rows
from service.store.observations import Calendar, Observations, upsert
from service.store.scoring.score_due import score_due
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import sum_scores
from service.store.tables import forecasts, observations, scores
from tests.service.forecast_log import actuals_of, log, make_forecast, make_history
from tests.service.forecast_log import observe as observe_steps
from tests.service.home import Artifacts
from tests.service.served import write


def observe(database: Database, month: str) -> None:
    """Store an observation of the series `a`."""
    stamps = np.array([month], "M8[us]")
    upsert(database, Observations.from_rows(["a"], stamps, np.array([1.0])), Calendar(), 0)


def test_old_forecasts_are_deleted_with_their_scores(database: Database, entry: ServedForecast) -> None:
    """By the age of the forecast; observations and newer forecasts stay."""
    old = [replace(entry, forecast_id=f"old{place}", made_at=10) for place in range(3)]
    write(database, [*old, replace(entry, forecast_id="new", made_at=20)], 20)
    observe(database, "2022-07")
    row = {"step": 1, "timestamp": 0, "observed": 1.0, "pinball": 1.0, "scored_at": 1}
    with database.writing() as connection:
        connection.execute(insert(scores), [{"forecast_id": name, **row} for name in ("old1", "new")])

    deleted = delete_forecasts(database, 20).deleted

    with database.reading() as connection:
        left = connection.scalars(select(forecasts.c.forecast_id)).all()
        scored = connection.scalars(select(scores.c.forecast_id)).all()
        observed = connection.scalar(select(func.count()).select_from(observations))
    assert (deleted, left, scored, observed) == (3, ["new"], ["new"], 1)


def test_observations_mark_the_forecasts_of_their_steps_as_due(database: Database, entry: ServedForecast) -> None:
    """Those of their series; a forecast that is written late is due at once."""
    other = replace(entry, forecast_id="b", series=replace(entry.series, id="b"))
    write(database, [replace(entry, forecast_id="a"), other], entry.made_at)
    write(database, [replace(entry, forecast_id="late")], entry.made_at + 2 * LATE)

    def due() -> set[str]:
        with database.reading() as connection:
            return set(connection.scalars(select(forecasts.c.forecast_id).where(forecasts.c.due)))

    assert due() == {"late"}
    observe(database, "2000-01")
    assert due() == {"late"}
    observe(database, "2022-07")
    assert due() == {"a", "late"}


def test_a_forecast_that_waits_for_another_writer_is_late(
    database: Database, entry: ServedForecast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile its observations may have come: nothing would mark it as due later."""
    moments = iter([0.0, 2 * LATE / MICROSECONDS])
    monkeypatch.setattr(store, "time", SimpleNamespace(monotonic=lambda: next(moments), sleep=lambda _: None))

    write(database, [entry], entry.made_at)

    with database.reading() as connection:
        assert connection.scalar(select(forecasts.c.due))


def test_a_forecast_that_is_written_twice_is_stored_once(database: Database, entry: ServedForecast) -> None:
    """A batch is written again if its commit is uncertain."""
    write(database, [entry], 0)
    write(database, [entry, replace(entry, forecast_id="other")], 0)

    found = find_forecast(database, entry.forecast_id)

    assert found is not None
    assert found.row.cutoff == np.datetime64("2022-06", "us").astype(np.int64)


def test_days_of_a_timezone_are_stored_as_instants(artifacts: Artifacts, entry: ServedForecast) -> None:
    """Midnight in Berlin is 23:00 UTC of the day before."""
    forecaster = artifact.load(artifacts.get(name="shop", frequency="D", season_length=7))
    series = Series.make([1.0] * 14, start="2024-01-01", frequency="D", timezone="Europe/Berlin")
    selected = replace(entry.selected, model=replace(entry.selected.model, forecaster=forecaster))

    served = replace(entry, selected=selected, series=series, forecast=forecaster.forecast([series], 2)[0])
    (row,) = make_rows([make_entry(served)], 0)

    times = [np.datetime64(row[name], "us") for name in ("cutoff", "first_timestamp", "last_timestamp")]
    assert times == [np.datetime64(one) for one in ("2024-01-13T23", "2024-01-14T23", "2024-01-15T23")]


@pytest.mark.parametrize(("share", "left"), [(0.1, 18), (1.0, 0)])
def test_a_clock_that_is_ahead_deletes_a_share_of_the_forecasts(
    database: Database, monkeypatch: pytest.MonkeyPatch, share: float, left: int
) -> None:
    """The oldest, in bounded transactions, and their scores no longer count."""
    monkeypatch.setattr(store, "DELETE_ROWS", 1)
    for number in range(20):
        forecast = make_forecast(make_history(number))
        log(database, f"f{number}", forecast, series_id=f"s{number}", made_at=number)
        observe_steps(database, f"s{number}", actuals_of(forecast))
    score_due(database, 1)

    done = delete_forecasts(database, 10**18, share)

    assert (done.total, done.old, done.deleted) == (20, 20, 20 - left)
    (_, sums), *_ = sum_scores(database, ScoreFilter(), [])
    assert sums.scores == left * 12
    with database.reading() as connection:
        assert connection.scalar(select(func.min(forecasts.c.made_at))) == (20 - left if left else None)


def test_each_start_on_a_day_deletes_from_one_share(database: Database) -> None:
    """Also with a clock that goes back; the next day has a share of its own."""
    for number in range(20):
        log(database, f"f{number}", make_forecast(make_history(number)), series_id=f"s{number}", made_at=number)
    day = 86_400_000_000

    found = [delete_forecasts(database, 10**18, 0.1, now).deleted for now in (9 * day, 9 * day + 1, 2 * day, 10 * day)]

    assert found == [2, 0, 0, 2]
