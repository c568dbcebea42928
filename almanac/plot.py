"""Plot: the ends of series with their forecasts and intervals, for a notebook or a file."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from almanac.errors import ExtraMissing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OBSERVED, FORECAST = "#555555", "#2f6db3"
MOST_BEFORE, TIMES_HORIZON = 120, 4
"""Values of the history that are shown: so many horizons, and at most so many."""
DOTS = 110


class Plot:
    """A plot, which a notebook shows.

    Attributes:
        figure: The figure of matplotlib.
    """

    def __init__(self, figure: "Figure") -> None:
        """Keep the figure."""
        self.figure = figure

    def save(self, path: str) -> None:
        """Write the plot to a file, such as `forecast.png` or `forecast.svg`."""
        self.figure.savefig(path, dpi=DOTS)

    def _repr_png_(self) -> bytes:
        """Return the plot as a notebook shows it."""
        content = io.BytesIO()
        self.figure.savefig(content, format="png", dpi=DOTS)
        return content.getvalue()


def draw(
    entries: Sequence[Mapping[str, Any]], histories: Mapping[str, tuple[Sequence[str], Sequence[float | None]]]
) -> Plot:
    """Return a plot with a panel for each forecast.

    Args:
        entries: Forecasts as `POST /forecast` responds.
        histories: Timestamps and values of each series, by id.

    Raises:
        ExtraMissing: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        from service.install import install_command

        raise ExtraMissing(
            "Plots need matplotlib.", hint=f"It comes with the train extra: {install_command()}"
        ) from error
    figure = Figure(figsize=(9, 2.9 * len(entries)), layout="constrained")
    for axes, entry in zip(figure.subplots(len(entries), squeeze=False)[:, 0], entries, strict=True):
        _draw(axes, entry, *histories[entry["id"]])
    return Plot(figure)


def _draw(axes: "Axes", entry: Mapping[str, Any], stamps: Sequence[str] | None, values: Sequence[float | None]) -> None:
    steps = len(entry["median"])
    count = min(len(values), max(TIMES_HORIZON * steps, 1), MOST_BEFORE)
    history = np.array([np.nan if one is None else one for one in values[-count:]], np.float64)
    before, after = _positions(stamps, entry["timestamps"], count, steps)
    axes.plot(before, history, color=OBSERVED, linewidth=1.2, label="observed")
    for level, side in sorted(entry["intervals"].items(), key=lambda item: -float(item[0])):
        axes.fill_between(
            after, side["lower"], side["upper"], color=FORECAST, alpha=0.2, linewidth=0, label=f"{level} %"
        )
    axes.plot(after, entry["median"], color=FORECAST, linewidth=1.8, label="median")
    axes.set_title(entry["id"], loc="left")
    axes.legend(frameon=False, loc="upper left", ncols=4, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)


def _positions(stamps: Sequence[str] | None, ahead: Sequence[str] | None, count: int, steps: int) -> tuple[Any, Any]:
    """Return where values and forecasts are on the axis: dates, or steps if there are none."""
    if not stamps or not ahead:
        return np.arange(1 - count, 1), np.arange(1, steps + 1)
    return _dates(stamps[-count:]), _dates(ahead)


def _dates(stamps: Sequence[str]) -> Any:  # noqa: ANN401 - an array
    return np.array([text[:19].rstrip("Z") for text in stamps], "M8[s]")
