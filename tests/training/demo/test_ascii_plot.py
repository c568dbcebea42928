"""Sketch: what a forecast looks like in a terminal."""

import io

from rich.console import Console

from training.demo.ascii_plot import WIDTH, forecast_table, interval_line, sparkline


def draw(table: object, width: int) -> str:
    """Return what a terminal of that width shows."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(table)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_sparkline_goes_from_the_lowest_to_the_highest_block() -> None:
    """One character a value, low to high."""
    assert sparkline([0.0, 7.0, 3.0]) == "▁█▄"


def test_a_constant_series_draws_low() -> None:
    """No spread, no division by zero."""
    assert sparkline([5.0, 5.0]) == "▁▁"


def test_an_interval_spans_its_bounds_with_the_median_inside() -> None:
    """The whole range fills the line."""
    line = interval_line(0.0, 5.0, 10.0, low=0.0, high=10.0)

    assert len(line) == WIDTH
    assert line[0] == "├"
    assert line[-1] == "┤"
    assert line.count("●") == 1


def test_a_median_on_a_bound_is_still_drawn() -> None:
    """The dot wins over the end of the line."""
    assert "●" in interval_line(3.0, 3.0, 3.0, low=0.0, high=10.0)


def test_the_table_fits_eighty_columns_and_shows_each_step() -> None:
    """Nothing is wrapped or cut on the narrowest usual terminal."""
    forecast = {
        "timestamps": ["1940-01", "1940-02"],
        "median": [3.9, 4.2],
        "intervals": {"80": {"lower": [-2.0, 2.5], "upper": [5.0, 16.0]}},
    }

    text = draw(forecast_table([1.0, 2.0, 3.0], forecast), width=80)

    assert "1940-01" in text
    assert "-2.0 … 5.0" in text
    assert text.count("●") == 2
    assert "…" not in text.replace(" … ", "")


def test_steps_are_counted_where_there_are_no_dates() -> None:
    """A bare series has steps counted from 1."""
    forecast = {"timestamps": None, "median": [3.9], "intervals": {"80": {"lower": [3.0], "upper": [5.0]}}}

    assert " 1 │" in draw(forecast_table([1.0], forecast), width=80)
