"""The figure of `almanac accuracy`: error by step, coverage over time, and forecasts with observed values."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from models.calendar.timestamps import parse_timestamp
from models.json_values import nan_if_none
from training.evaluation.figures import FORECAST, MUTED, TRUTH
from training.service_client.client import Row
from training.service_client.live_accuracy import LiveAccuracy

NAIVE = "#d1812c"
OUTER = "#5a9e54"
PANELS = 6
MOST_PERIOD_LABELS = 12


def draw_accuracy(found: LiveAccuracy) -> Figure:
    """Return a figure of error by step, coverage over time, and up to six forecasts with observed values."""
    shown = found.forecasts[:PANELS]
    rows = -(-len(shown) // 2)
    figure = Figure(figsize=(11, 4.2 + 2.7 * rows), layout="constrained")
    grid = figure.add_gridspec(1 + rows, 2, height_ratios=[1.5, *[1.0] * rows])
    _draw_steps(figure.add_subplot(grid[0, 0]), found.steps)
    _draw_coverage(figure.add_subplot(grid[0, 1]), found.periods)
    for index, one in enumerate(shown):
        axes = figure.add_subplot(grid[1 + index // 2, index % 2])
        _draw_forecast(axes, one)
        if index == 0:
            axes.legend(frameon=False, fontsize=7)
    figure.suptitle(
        f"{found.name} {found.version}: {sum(row['scores'] for row in found.steps):,} forecast steps scored"
    )
    return figure


def _draw_steps(axes: Axes, rows: Sequence[Row]) -> None:
    steps = [row["step"] for row in rows]
    backtests = [row["backtest"] or {} for row in rows]
    for values, color, line, label in (
        (_numbers(row["naive_mase"] for row in rows), NAIVE, "-", "seasonal naive, live"),
        (_numbers(row.get("naive_mase") for row in backtests), NAIVE, ":", "seasonal naive, backtest"),
        (_numbers(row["mase"] for row in rows), FORECAST, "-", "forecasts, live"),
        (_numbers(row.get("mase") for row in backtests), FORECAST, ":", "forecasts, backtest"),
    ):
        if any(not math.isnan(value) for value in values):
            axes.plot(
                steps, values, color=color, linestyle=line, marker="." if len(steps) < PANELS else "", label=label
            )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="step ahead", ylabel="mean absolute scaled error", ylim=(0, None))
    axes.set_title("Error by step", fontsize=10)
    _finish(axes)


def _draw_coverage(axes: Axes, rows: Sequence[Row]) -> None:
    positions = list(range(len(rows)))
    for level, color in (("80", FORECAST), ("95", OUTER)):
        shares = [100 * value for value in _numbers(row["coverage"][level] for row in rows)]
        if any(not math.isnan(share) for share in shares):
            axes.plot(positions, shares, color=color, marker=".", label=f"within {level} %")
            axes.axhline(float(level), color=color, linewidth=0.8, linestyle=":")
    every = -(-len(rows) // MOST_PERIOD_LABELS) if rows else 1
    axes.set_xticks(positions[::every], [row["period"] for row in rows][::every], rotation=45, ha="right")
    axes.set(ylabel="observed values within the interval, %", ylim=(0, 102))
    axes.set_title("Coverage over time", fontsize=10)
    _finish(axes)


def _draw_forecast(axes: Axes, one: Row) -> None:
    ahead, observed = _stamps(one["timestamps"]), _stamps(one["observed"]["timestamps"])
    axes.plot(observed, np.asarray(one["observed"]["values"], float), color=TRUTH, linewidth=1.2, label="observed")
    if one["lower"] is not None and one["upper"] is not None:
        axes.fill_between(
            ahead, one["lower"], one["upper"], color=FORECAST, alpha=0.22, linewidth=0, label="80 % interval"
        )
    axes.plot(ahead, one["median"], color=FORECAST, linewidth=1.6, label="forecast (median)")
    axes.axvline(ahead[0], color=MUTED, linewidth=0.8, linestyle=":")
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_title(one["id"], fontsize=9)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _finish(axes: Axes) -> None:
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=7)


def _stamps(texts: Sequence[str]) -> NDArray[Any]:
    """Return timestamps of the service as datetime64[us]."""
    return np.array([parse_timestamp(text).instant for text in texts], dtype="M8[us]")


def _numbers(values: Any) -> list[float]:  # noqa: ANN401 (numbers or None)
    return [nan_if_none(value) for value in values]
