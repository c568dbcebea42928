"""Tallies: what SQL counts and sums, beside a recount of the tables in Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from service.store.database import Database
from service.store.score_due import score_due
from service.store.score_sums import ScoreFilter, ScoreSums, list_scored_forecasts, sum_scores
from service.store.tables import forecasts, scores
from tests.service.forecast_log import keep, make_history, make_kept, observe, truth_of


@pytest.fixture
def filled(database: Database) -> Database:
    """Return a database with scores of two models, three versions, four series, some steps without a scale."""
    for number in range(12):
        history = make_history(number % 4, start=f"{2020 + number % 3}-03-01")
        if number == 5:
            history = history * 0.0
        kept = make_kept(history, horizon=6 + number, seed=number)
        model = "rain" if number % 3 == 0 else "temperatures"
        keep(
            database,
            f"f{number}",
            kept,
            model=model,
            version=str(1 + number % 2),
            series_id=f"s{number % 4}",
            made_at=number,
        )
        observe(database, f"s{number % 4}", truth_of(kept, number))
        score_due(database, number)
    return database


def recount(database: Database, key: Callable[[Any], tuple[str | int, ...]]) -> dict[tuple[str | int, ...], ScoreSums]:
    """Return the tallies of all scores, counted one by one."""
    found: dict[tuple[str | int, ...], ScoreSums] = {}
    with database.reading() as connection:
        for row in connection.execute(select(scores, forecasts).join(forecasts)):
            scaled = row.absolute_scaled_error is not None
            one = ScoreSums(
                1,
                int(scaled),
                row.absolute_scaled_error or 0.0,
                row.naive_scaled_error or 0.0,
                row.scaled_pinball or 0.0,
                int(bool(row.covered_80)),
                int(row.covered_80 is not None),
                int(bool(row.covered_95)),
                int(row.covered_95 is not None),
            )
            found[key(row)] = found.get(key(row), ScoreSums()) + one
    return found


def check(got: list[tuple[tuple[str | int, ...], ScoreSums]], expected: dict[tuple[str | int, ...], ScoreSums]) -> None:
    """Hold tallies against a recount; raises if they are not the same."""
    assert [key for key, _ in got] == sorted(expected)
    for key, one in got:
        want = expected[key]
        assert (one.scores, one.scaled) == (want.scores, want.scaled)
        assert (one.covered_80, one.intervals_80) == (want.covered_80, want.intervals_80)
        assert (one.covered_95, one.intervals_95) == (want.covered_95, want.intervals_95)
        for name in ("error", "naive_error", "pinball"):
            assert getattr(one, name) == pytest.approx(getattr(want, name), rel=1e-12)


def test_sums_by_any_key_are_those_of_a_recount(filled: Database) -> None:
    """Model, version, step and series, together or not at all."""
    check(
        sum_scores(filled, ScoreFilter(), ["model", "version", "step"]),
        recount(filled, lambda r: (r.model, r.version, r.step)),
    )
    check(sum_scores(filled, ScoreFilter(), ["series"]), recount(filled, lambda r: (r.series_id,)))
    check(sum_scores(filled, ScoreFilter(), []), recount(filled, lambda _: ()))
    assert any(one.scaled < one.scores for _, one in sum_scores(filled, ScoreFilter(), ["series"]))


@pytest.mark.parametrize(("period", "unit"), [("day", "D"), ("week", "W"), ("month", "M"), ("year", "Y")])
def test_periods_are_those_of_the_calendar(filled: Database, period: Any, unit: str) -> None:  # noqa: ANN401 (one of four words)
    """By the scored timestamp; a week is named by its Monday."""

    def name(row: Any) -> tuple[str]:  # noqa: ANN401 (a row)
        stamp = np.datetime64(row.timestamp, "us")
        if unit == "W":
            day = stamp.astype("M8[D]")
            stamp = day - (day.astype(int) + 3) % 7
        return (str(stamp.astype("M8[D]" if unit == "W" else f"M8[{unit}]")),)

    check(sum_scores(filled, ScoreFilter(), ["period"], period), recount(filled, name))


def test_a_moment_before_1970_has_its_period(database: Database) -> None:
    """Microseconds below zero are rounded down, not towards zero."""
    kept = make_kept(make_history(frequency="s", length=5, start="1969-12-31T23:59:54"), horizon=2, season_length=1)
    keep(database, "f", kept)
    observe(database, "s0", truth_of(kept))
    score_due(database, 0)

    assert [(key, one.scores) for key, one in sum_scores(database, ScoreFilter(), ["period"], "year")] == [
        (("1969",), 1),
        (("1970",), 1),
    ]


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        (ScoreFilter(model="rain"), lambda r: r.model == "rain"),
        (ScoreFilter(version="2", series="s1"), lambda r: (r.version, r.series_id) == ("2", "s1")),
        (ScoreFilter(steps=(2, 4)), lambda r: 2 <= r.step <= 4),
        (ScoreFilter(scored_since=8), lambda r: r.scored_at >= 8),
        (
            ScoreFilter(since=1_700_000_000_000_000, until=1_720_000_000_000_000),
            lambda r: 1_700_000_000_000_000 <= r.timestamp < 1_720_000_000_000_000,
        ),
    ],
)
def test_only_the_scores_that_are_meant_count(
    filled: Database, where: ScoreFilter, holds: Callable[[Any], bool]
) -> None:
    """Each filter is what a recount with the same condition finds, and finds something."""
    kept = recount(filled, lambda r: (int(holds(r)),))

    check(sum_scores(filled, where, []), {(): kept[(1,)]})


def test_rows_are_limited(filled: Database) -> None:
    """A million series do not make a million rows."""
    assert [key for key, _ in sum_scores(filled, ScoreFilter(), ["series"], limit=2)] == [("s0",), ("s1",)]


def test_the_forecasts_behind_the_scores_come_with_their_truth(filled: Database) -> None:
    """One of each series, those that are scored furthest first, the observations in order up to the last step."""
    found = list_scored_forecasts(filled, ScoreFilter(), 3)

    assert len({one.series_id for one in found}) == 3
    assert found[0].forecast_id == "f11"
    assert len(found[0].kept.timestamps) == 17
    assert found[0].timestamps[-1] == found[0].kept.timestamps[-1]
    assert (np.diff(found[0].timestamps) > np.timedelta64(0)).all()
    assert len(found[0].values) == len(found[0].timestamps)


def test_an_empty_ledger_has_no_scores(database: Database) -> None:
    """And adds up to nothing."""
    assert sum_scores(database, ScoreFilter(), ["model"]) == []
    assert sum_scores(database, ScoreFilter(), []) == [((), ScoreSums())]
    assert list_scored_forecasts(database, ScoreFilter(), 3) == []
