"""Story picture: live error month by month before and after a break, its job and the swap, as one figure."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.demo.events import Event, Score
from training.demo.live_scenario import Story
from training.demo.replay import Month, World, months_after
from training.evaluation.figures import FORECAST, MUTED, TRUTH

NAIVE, BROKEN, NEW, DECIDED = "#d1812c", "#b03030", "#2c7a3f", "#6b4a9e"
HEADROOM = 1.12
"""Height of the lower panel over what is drawn in it: its marks are named in between."""

CONTEXT_MONTHS = 12
"""Months drawn before the first that was replayed."""


def draw_story(story: Story, world: World, station: str) -> Figure:
    """Return what one station reported, and below it the live error of old and new version beside seasonal naive's."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.9))
    _draw_station(above, story, world, station)
    _draw_errors(below, story)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    _mark(above, below, story)
    below.legend(frameon=False, fontsize=8, loc="center left")
    figure.suptitle(_title(story), fontsize=12)
    return figure


def _draw_station(axes: Axes, story: Story, world: World, station: str) -> None:
    """Draw what a station reported, and what it would have reported without the break."""
    first, last = story.scores[0].month, story.scores[-1].month
    months = [months_after(first, back) for back in range(-CONTEXT_MONTHS, 0)]
    months += sorted({one.month for one in story.scores if first <= one.month <= last})
    untouched = World(world.measured)
    broken = [month for month in months if world.is_broken(month)]
    axes.plot(_days(months), _values(world, station, months), color=TRUTH, linewidth=1.2, label="reported")
    axes.plot(
        _days(broken),
        _values(untouched, station, broken),
        color=MUTED,
        linewidth=0.9,
        linestyle=":",
        label="without the break",
    )
    axes.set_ylabel("°C", fontsize=9)
    axes.set_title(f"What station {station} reports", fontsize=10, loc="left")
    axes.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)


def _draw_errors(axes: Axes, story: Story) -> None:
    """Draw the error of every version's forecasts, and of seasonal naive from the same histories."""
    swap = story.swap
    old = next(iter(story.asked), "")
    naive = _of(story.scores, old)
    axes.plot(
        _days([one.month for one in naive]),
        [one.naive_mase for one in naive],
        color=NAIVE,
        linewidth=1.2,
        label="seasonal naive",
    )
    served = [one for one in naive if swap is None or one.month < swap.month]
    axes.plot(
        _days([one.month for one in served]), [one.mase for one in served], color=FORECAST, linewidth=2,
        label=f"version {old}, as served",
    )  # fmt: skip
    if swap is None:
        return
    after = [one for one in naive if one.month >= served[-1].month]
    axes.plot(
        _days([one.month for one in after]), [one.mase for one in after], color=FORECAST, linewidth=1.2, linestyle="--",
        label=f"version {old}, asked beside the new one",
    )  # fmt: skip
    new = _of(story.scores, swap.new)
    axes.plot(
        _days([one.month for one in new]), [one.mase for one in new], color=NEW, linewidth=2.2, marker="o", markersize=3,
        label=f"version {swap.new}, as served",
    )  # fmt: skip


def _mark(above: Axes, below: Axes, story: Story) -> None:
    """Mark break, reasons, jobs and swap over both panels, named in the lower one."""
    below.set(ylim=(0, HEADROOM * below.get_ylim()[1]))
    below.set_ylabel("live error of the month, MASE", fontsize=9)
    below.axhline(1.0, color=MUTED, linewidth=0.6)
    marks = [
        (story.plan.broken, BROKEN, "-", "the season turns\n(this break is made)"),
        *((event.month, NAIVE, ":", "inputs drift") for event in _first_with(story.events, "INPUT_DRIFT")),
        *((event.month, NAIVE, ":", "errors decay") for event in _first_with(story.events, "ERROR_DECAY")),
        *((event.month, DECIDED, "--", "job: no better\nchallenger") for event in _kinds(story.events, "kept")),
        *(
            (event.month, NEW, "-", "job: challenger promoted,\nservice swaps")
            for event in _kinds(story.events, "promoted")
        ),
    ]
    for month, color, line, name in marks:
        at = _days([month])[0]
        for axes in (above, below):
            axes.axvline(at, color=color, linewidth=1.2, linestyle=line)
        below.annotate(
            name, (at, 0.985), (4, 0), xycoords=below.get_xaxis_transform(), textcoords="offset points",
            va="top", ha="left", fontsize=8, color=color,
        )  # fmt: skip


def _first_with(events: Sequence[Event], code: str) -> list[Event]:
    """Return the first event of drift that has a reason, if there is one."""
    found = [event for event in _kinds(events, "drift") if code in {one["code"] for one in event.figures["reasons"]}]
    return found[:1]


def _title(story: Story) -> str:
    last = story.events[-1]
    if last.kind != "recovered":
        return f"{story.plan.horizon} months ahead, {story.scores[-1].month}: not recovered"
    figures = last.figures
    return (
        f"A model that retrains for a reason: MASE {figures['error_before_break']:.2f} before the break, "
        f"{figures['error_before_swap']:.2f} after it, {figures['error_after_swap']:.2f} with the new version"
    )


def _kinds(events: Sequence[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


def _of(scores: Sequence[Score], version: str) -> list[Score]:
    return sorted((one for one in scores if one.version == version), key=lambda one: one.month)


def _values(world: World, station: str, months: Sequence[Month]) -> list[float]:
    return [np.nan if (value := world.value(station, month)) is None else value for month in months]


def _days(months: Sequence[Month]) -> NDArray[np.datetime64]:
    return np.array(months, dtype="M8[D]") if months else np.array([], dtype="M8[D]")
