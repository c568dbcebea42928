import io

from rich.console import Console

from training.demo.forecast_table import WIDTH, forecast_table, interval_line, sparkline


def draw(table: object) -> str:
    """Return a table as a terminal of 80 columns shows it."""
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    console.print(table)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_sparkline_goes_from_the_lowest_to_the_highest_block() -> None:
    """A constant series has the lowest block."""
    assert sparkline([0.0, 7.0, 3.0]) == "▁█▄"
    assert sparkline([5.0, 5.0]) == "▁▁"


def test_an_interval_spans_its_bounds_with_the_median_inside() -> None:
    """The median is visible even on a bound."""
    line = interval_line(0.0, 5.0, 10.0, low=0.0, high=10.0)

    assert (len(line), line[0], line[-1], line.count("●")) == (WIDTH, "├", "┤", 1)
    assert "●" in interval_line(3.0, 3.0, 3.0, low=0.0, high=10.0)


def test_the_table_fits_eighty_columns_and_shows_each_step() -> None:
    """Nothing is cut; without dates steps are counted from 1."""
    forecast = {
        "timestamps": ["1940-01", "1940-02"],
        "median": [3.9, 4.2],
        "intervals": {"80": {"lower": [-2.0, 2.5], "upper": [5.0, 16.0]}},
    }

    text, bare = (draw(forecast_table([1.0, 2.0, 3.0], one)) for one in (forecast, {**forecast, "timestamps": None}))

    assert "1940-01" in text
    assert "-2.0 … 5.0" in text
    assert text.count("●") == 2
    assert "…" not in text.replace(" … ", "")
    assert " 1 │" in bare
