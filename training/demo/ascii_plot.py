"""A sketch: a forecast drawn with characters, for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

WIDTH = 40
BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """Return one block character per value, the lowest `▁`, the highest `█`; a constant series is drawn low."""
    low, high = min(values), max(values)
    step = (high - low) / (len(BLOCKS) - 1) or 1.0
    return "".join(BLOCKS[round((value - low) / step)] for value in values)


def interval_line(lower: float, median: float, upper: float, *, low: float, high: float) -> str:
    """Return an interval on a line `WIDTH` characters wide that spans `low` to `high`: `   ├──●────┤   `."""
    scale = (WIDTH - 1) / (high - low or 1.0)
    left, middle, right = (round((value - low) * scale) for value in (lower, median, upper))
    line = [" "] * WIDTH
    line[left : right + 1] = "─" * (right + 1 - left)
    line[left], line[right], line[middle] = "├", "┤", "●"
    return "".join(line)


def forecast_table(history: Sequence[float], forecast: Mapping[str, Any], level: str = "80") -> Table:
    """Return one entry of a forecast answer as a table: step, median, interval, sketch.

    Args:
        history: The values that were sent; their last three seasons are drawn in the title.
        forecast: `timestamps`, `median` and `intervals` as the service answers them.
        level: Which interval to show.
    """
    median, interval = forecast["median"], forecast["intervals"][level]
    low, high = min(interval["lower"]), max(interval["upper"])
    table = Table(title=f"{sparkline([*history[-36:], *median])}\nthe last 36 values, then the forecast")
    for heading in ("step", "median", f"{level} % interval"):
        table.add_column(heading, justify="right")
    table.add_column(f"{low:.1f}{f'{high:.1f}':>{WIDTH - len(f'{low:.1f}')}}")
    steps = forecast["timestamps"] or range(1, len(median) + 1)
    for step, middle, lower, upper in zip(steps, median, interval["lower"], interval["upper"], strict=True):
        line = interval_line(lower, middle, upper, low=low, high=high)
        table.add_row(str(step), f"{middle:.1f}", f"{lower:.1f} … {upper:.1f}", line)
    return table
