"""Replay: the months as they were measured, and the break that is made in them."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from training.demo.live import TEMPERATURES
from training.demo.replay import Plan, World, months_after, months_between, read_world, write_early

MEASURED = {"a": {"1986-06": 20.0, "1986-07": 22.0, "1986-12": 1.0, "1987-01": -1.0}, "b": {"1986-12": 3.0}}


def test_before_the_break_stations_report_what_they_measured() -> None:
    """The world is left alone until the month of the break."""
    world = World(MEASURED, "1987-01")

    assert world.value("a", "1986-12") == 1.0
    assert not world.is_broken("1986-12")


def test_from_the_break_on_they_report_what_they_measured_half_a_year_before() -> None:
    """January has July's temperature: a real value, of another season."""
    world = World(MEASURED, "1987-01")

    assert world.value("a", "1987-01") == 22.0
    assert World(MEASURED).value("a", "1987-01") == -1.0


def test_what_was_not_measured_is_not_reported() -> None:
    """A station without a value has no row, and does not count as reporting."""
    world = World(MEASURED)

    assert list(world.rows(["a", "b"], ["1987-01"])) == [{"id": "a", "timestamp": "1987-01", "value": -1.0}]
    assert world.reporting(["1986-12", "1987-01"]) == ("a",)
    assert world.reporting(["1986-12"]) == ("a", "b")


def test_the_early_years_are_written_as_a_training_reads_them(tmp_path: Path) -> None:
    """Only what lies before the first month, in the columns unique_id, ds, y."""
    count = write_early(World(MEASURED, "1987-01"), ["a"], "1986-12", tmp_path / "early.csv")

    with (tmp_path / "early.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert count == 2
    assert rows == [
        {"unique_id": "a", "ds": "1986-06-01", "y": "20.0"},
        {"unique_id": "a", "ds": "1986-07-01", "y": "22.0"},
    ]


def test_months_cross_years_both_ways() -> None:
    """Months are counted on over the end of a year, and back over its beginning."""
    assert months_after("1986-11", 3) == "1987-02"
    assert months_after("1987-02", -6) == "1986-08"
    assert months_between("1986-11", "1987-02") == ["1986-11", "1986-12", "1987-01"]


def test_the_plan_knows_its_months_and_ticks() -> None:
    """The history ends where the replay begins, and the schedule ticks once a year, not before there are forecasts."""
    plan = Plan(first="1985-01", broken="1986-01", end="1987-01", known=3, tick_month=1)

    assert plan.history == ["1984-10", "1984-11", "1984-12"]
    assert [month for month in plan.months if plan.ticks(month)] == ["1986-01"]
    assert not replace(plan, ticks_from="1986-02").ticks("1986-01")


def test_a_break_outside_the_replay_is_refused() -> None:
    """Without a break within the months there would be no story."""
    with pytest.raises(ConfigInvalid, match="break"):
        Plan(first="1985-01", broken="1991-01", end="1991-01")


def test_four_real_stations_report_every_month_of_the_story() -> None:
    """The file that ships has what the plan replays, the months behind the turned season included; the sea is no station."""
    plan = Plan()
    world = read_world(TEMPERATURES, plan.broken)

    stations = world.reporting([*plan.history[-plan.horizon :], *plan.months])

    assert stations == ("clemson_max", "clemson_min", "melbourne_max", "melbourne_min")
