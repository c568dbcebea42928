import csv
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ConfigInvalid
from training.demo.live import TEMPERATURES
from training.demo.replay import ReplayPlan, World, months_after, months_between, read_world, write_measured

MEASURED = {"a": {"1986-06": 20.0, "1986-07": 22.0, "1986-12": 1.0, "1987-01": -1.0}, "b": {"1986-12": 3.0}}


def test_from_the_break_on_stations_report_their_values_of_half_a_year_before() -> None:
    """January has July's temperature; before the break nothing changes."""
    world = World(MEASURED, "1987-01")

    assert world.value("a", "1986-12") == 1.0
    assert world.value("a", "1987-01") == 22.0
    assert World(MEASURED).value("a", "1987-01") == -1.0


def test_a_missing_measurement_has_no_row() -> None:
    """Its station does not count as reporting."""
    world = World(MEASURED)

    assert list(world.rows(["a", "b"], ["1987-01"])) == [{"id": "a", "timestamp": "1987-01", "value": -1.0}]
    assert world.reporting(["1986-12", "1987-01"]) == ("a",)
    assert world.reporting(["1986-12"]) == ("a", "b")


def test_measurements_before_the_replay_are_written(tmp_path: Path) -> None:
    """In the columns unique_id, ds and y."""
    count = write_measured(World(MEASURED, "1987-01"), ["a"], "1986-12", tmp_path / "early.csv")

    with (tmp_path / "early.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert count == 2
    assert rows == [
        {"unique_id": "a", "ds": "1986-06-01", "y": "20.0"},
        {"unique_id": "a", "ds": "1986-07-01", "y": "22.0"},
    ]


def test_months_cross_years_both_ways() -> None:
    """Forwards and backwards."""
    assert months_after("1986-11", 3) == "1987-02"
    assert months_after("1987-02", -6) == "1986-08"
    assert months_between("1986-11", "1987-02") == ["1986-11", "1986-12", "1987-01"]


def test_the_schedule_ticks_once_a_year() -> None:
    """Not before there are forecasts; the history ends before the replay."""
    plan = ReplayPlan(first="1985-01", broken="1986-01", end="1987-01", known=3, tick_month=1)

    assert plan.history == ["1984-10", "1984-11", "1984-12"]
    assert [month for month in plan.months if plan.ticks(month)] == ["1986-01"]
    assert not replace(plan, ticks_from="1986-02").ticks("1986-01")


def test_a_break_outside_the_replay_is_refused() -> None:
    """The demo needs one."""
    with pytest.raises(ConfigInvalid, match="break"):
        ReplayPlan(first="1985-01", broken="1991-01", end="1991-01")


def test_four_real_series_report_every_month_of_the_demo() -> None:
    """The months that the break shifts included; the sea is not a station."""
    plan = ReplayPlan()
    world = read_world(TEMPERATURES, plan.broken)

    stations = world.reporting([*plan.history[-plan.horizon :], *plan.months])

    assert stations == ("clemson_max", "clemson_min", "melbourne_max", "melbourne_min")
