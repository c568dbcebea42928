"""The figure of the live demo: live error by month, with the break, the jobs and the swap."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.demo.events import Event
from training.demo.replay import Month, World, months_after
from training.demo.scenario import Replay
from training.evaluation.figures import FORECAST, MUTED, TRUTH

NAIVE, BROKEN, NEW, DECIDED = "#d1812c", "#b03030", "#2c7a3f", "#6b4a9e"
HEADROOM = 1.12
"""Height of the lower panel over its lines: the names of the marks are in between."""

CONTEXT_MONTHS = 12
"""Months drawn before the replay."""


def draw_replay(replay: Replay, station: str) -> Figure:
    """Return a figure of one station's values, and below it the live error of each version and of seasonal naive."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1.9))
    _draw_station(above, replay, station)
    _draw_errors(below, replay)
    _draw_marks((above, below), replay)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.legend(frameon=False, fontsize=8, loc="center left" if axes is below else "upper left")
    figure.suptitle(_title(replay), fontsize=12)
    return figure


def _draw_station(axes: Axes, replay: Replay, station: str) -> None:
    replayed = sorted({one.month for one in replay.scores})
    months = [months_after(replayed[0], back) for back in range(-CONTEXT_MONTHS, 0)] + replayed
    broken = [month for month in months if replay.world.is_broken(month)]
    _plot(axes, months, _values(replay.world, station, months), color=TRUTH, linewidth=1.2, label="reported")
    real = _values(World(replay.world.measured), station, broken)
    _plot(axes, broken, real, color=MUTED, linewidth=0.9, linestyle=":", label="without the break")
    axes.set_ylabel("°C", fontsize=9)
    axes.set_title(f"Values of station {station}", fontsize=10, loc="left")


def _draw_errors(axes: Axes, replay: Replay) -> None:
    old, swap = next(iter(replay.origins), ""), replay.swap
    scores = [one for one in replay.scores if one.version == old]
    months, errors = [one.month for one in scores], [one.mase for one in scores]
    served = len(months) if swap is None else sum(month < swap.month for month in months)
    _plot(axes, months, [one.naive_mase for one in scores], color=NAIVE, linewidth=1.2, label="seasonal naive")
    label = f"version {old}, as served"
    _plot(axes, months[:served], errors[:served], color=FORECAST, linewidth=2, label=label)
    if swap is not None:
        style: dict[str, Any] = {"color": FORECAST, "linewidth": 1.2, "linestyle": "--"}
        _plot(axes, months[served - 1 :], errors[served - 1 :], label=f"version {old}, for comparison", **style)
        new = {one.month: one.mase for one in replay.scores if one.version == swap.new}
        style = {"color": NEW, "linewidth": 2.2, "marker": "o", "markersize": 3}
        _plot(axes, list(new), list(new.values()), label=f"version {swap.new}, as served", **style)
    axes.set_ylabel("live error of the month, MASE", fontsize=9)
    axes.axhline(1.0, color=MUTED, linewidth=0.6)
    axes.set(ylim=(0, HEADROOM * axes.get_ylim()[1]))


def _draw_marks(panels: tuple[Axes, Axes], replay: Replay) -> None:
    """Mark break, reasons, jobs and swap in both panels, with their names in the lower one."""
    marks = [
        (replay.plan.broken, BROKEN, "-", "seasons are shifted\n(artificial break)"),
        *((month, NAIVE, ":", "inputs drift") for month in _reported(replay.events, "INPUT_DRIFT")),
        *((month, NAIVE, ":", "errors grow") for month in _reported(replay.events, "ERROR_DECAY")),
        *((one.month, DECIDED, "--", "job: challenger\nnot better") for one in replay.events if one.kind == "kept"),
        *(
            (one.month, NEW, "-", "job: challenger promoted,\nservice swaps")
            for one in replay.events
            if one.kind == "promoted"
        ),
    ]
    for month, color, line, name in marks:
        at = np.datetime64(month, "D")
        for axes in panels:
            axes.axvline(at, color=color, linewidth=1.2, linestyle=line)  # type: ignore[arg-type] # dates are valid
        panels[1].annotate(
            name, (at, 0.985), (4, 0), xycoords=panels[1].get_xaxis_transform(), textcoords="offset points",
            va="top", ha="left", fontsize=8, color=color,
        )  # fmt: skip


def _reported(events: Sequence[Event], code: str) -> list[Month]:
    """Return the month in which a reason was reported."""
    drift = [event for event in events if event.kind == "drift"]
    return [one.month for one in drift if code in {reason["code"] for reason in one.figures["reasons"]}]


def _title(replay: Replay) -> str:
    last = replay.events[-1]
    if last.kind != "recovered":
        return f"{replay.plan.horizon} months ahead: not recovered by {last.month}"
    before, between, after = (last.figures[f"error_{when}"] for when in ("before_break", "before_swap", "after_swap"))
    return f"MASE {before:.2f} before the break, {between:.2f} after it, {after:.2f} with the retrained version"


def _values(world: World, station: str, months: Sequence[Month]) -> list[float]:
    return [np.nan if (value := world.value(station, month)) is None else value for month in months]


def _plot(axes: Axes, months: Sequence[Month], values: Sequence[float], **style: Any) -> None:  # noqa: ANN401 (matplotlib's)
    axes.plot(np.array(months, dtype="M8[D]"), values, **style)
