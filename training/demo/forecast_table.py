"""A forecast as a table for the terminal, with its intervals drawn in characters."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

WIDTH = 40
BLOCKS = "▁▂▃▄▅▆▇█"
LAST_VALUES = 36


def forecast_table(history: Sequence[float], forecast: Mapping[str, Any]) -> Table:
    """Return a table of step, median, 80 % interval and a drawing of it; the title has the last values of the history."""
    median, interval = forecast["median"], forecast["intervals"]["80"]
    low, high = min(interval["lower"]), max(interval["upper"])
    table = Table(
        title=f"{sparkline([*history[-LAST_VALUES:], *median])}\nthe last {LAST_VALUES} values, then the forecast"
    )
    for heading in ("step", "median", "80 % interval"):
        table.add_column(heading, justify="right")
    table.add_column(f"{low:.1f}{f'{high:.1f}':>{WIDTH - len(f'{low:.1f}')}}")
    steps = forecast["timestamps"] or range(1, len(median) + 1)
    for step, middle, lower, upper in zip(steps, median, interval["lower"], interval["upper"], strict=True):
        line = interval_line(lower, middle, upper, low=low, high=high)
        table.add_row(str(step), f"{middle:.1f}", f"{lower:.1f} … {upper:.1f}", line)
    return table


def sparkline(values: Sequence[float]) -> str:
    """Return one block character per value, from `▁` for the lowest to `█` for the highest."""
    low, high = min(values), max(values)
    step = (high - low) / (len(BLOCKS) - 1) or 1.0
    return "".join(BLOCKS[round((value - low) / step)] for value in values)


def interval_line(lower: float, median: float, upper: float, *, low: float, high: float) -> str:
    """Return an interval on a line of `WIDTH` characters from `low` to `high`: `   ├──●────┤   `."""
    scale = (WIDTH - 1) / (high - low or 1.0)
    left, middle, right = (round((value - low) * scale) for value in (lower, median, upper))
    line = [" "] * WIDTH
    line[left : right + 1] = "─" * (right + 1 - left)
    line[left], line[right], line[middle] = "├", "┤", "●"
    return "".join(line)
