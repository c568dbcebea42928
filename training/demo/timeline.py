"""Story lines: what happened in a replay as a person reads it, a line an event."""

from collections.abc import Callable, Mapping
from typing import Any

from rich.text import Text

from training.demo.events import Event

BAR_WIDTH = 24
BAR_MASE = 10.0
"""Error at which a bar is as long as it gets."""

EIGHTHS = "▏▎▍▌▋▊▉█"

Figures = Mapping[str, Any]


def line_of(event: Event) -> Text | None:
    """Return an event as a line, or None for one that the line of its month's scores tells too."""
    describe = _LINES.get(event.kind)
    if describe is None:
        return None
    text, style = describe(event.figures)
    return Text(f"{event.month}  ").append(text, style)


def break_line(month: str) -> Text:
    """Return the line that says what is made here, and that it is."""
    return Text(f"{month}  ").append(
        "The world shifts. This break is made: from now on every station reports what it measured half a year before, "
        "as if it had been carried to the other hemisphere.",
        "bold red",
    )


def bar(mase: float) -> str:
    """Return an error as a bar of blocks, cut at `BAR_MASE`."""
    eighths = round(min(mase, BAR_MASE) / BAR_MASE * BAR_WIDTH * 8)
    return "█" * (eighths // 8) + (EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")


def _scored(figures: Figures) -> tuple[str, str]:
    told = (
        f"version {figures['version']}: MASE {figures['mase']:5.2f}, seasonal naive {figures['naive_mase']:5.2f}, "
        f"{figures['coverage_80']:4.0%} within the 80 % interval  {bar(figures['mase'])}"
    )
    return told, "green" if figures["skill"] > 0 else ""


def _drift(figures: Figures) -> tuple[str, str]:
    return "Reasons to retrain: " + " ".join(one["sentence"] for one in figures["reasons"]), "yellow"


def _job_started(figures: Figures) -> tuple[str, str]:
    reasons = ", ".join(figures["reasons"])
    return f"The schedule ticks; job {figures['job']} starts: {reasons}.", "bold cyan"


def _not_needed(figures: Figures) -> tuple[str, str]:
    return f"The schedule ticks; job {figures['job']} finds no reason to retrain version {figures['version']}.", "dim"


def _kept(figures: Figures) -> tuple[str, str]:
    told = f"Version {figures['version']} stays, not challenger {figures['winner']}, {figures['seconds']:.0f} s: "
    return told + figures["reason"], "bold cyan"


def _promoted(figures: Figures) -> tuple[str, str]:
    told = f"Challenger {figures['winner']} is promoted as version {figures['version']}, {figures['seconds']:.0f} s: "
    return told + figures["reason"], "bold cyan"


def _swapped(figures: Figures) -> tuple[str, str]:
    told = f"The service answers with version {figures['to_version']}, {figures['seconds']:.1f} s after the promotion."
    return told, "bold cyan"


def _recovered(figures: Figures) -> tuple[str, str]:
    told = (
        f"Recovered: MASE {_told(figures['error_before_break'])} before the break, "
        f"{_told(figures['error_before_swap'])} between break and swap, {_told(figures['error_after_swap'])} after it, "
        f"when version {figures['from_version']} would still have had "
        f"{_told(figures['error_of_old_version_after_swap'])} and seasonal naive "
        f"{_told(figures['naive_error_after_swap'])}."
    )
    return told, "bold green"


def _not_recovered(figures: Figures) -> tuple[str, str]:
    return f"Not recovered: {figures['why']}", "bold red"


def _told(number: float | None) -> str:
    return "unknown" if number is None else f"{number:.2f}"


_LINES: dict[str, Callable[[Figures], tuple[str, str]]] = {
    "scored": _scored,
    "drift": _drift,
    "job_started": _job_started,
    "not_needed": _not_needed,
    "kept": _kept,
    "promoted": _promoted,
    "swapped": _swapped,
    "recovered": _recovered,
    "not_recovered": _not_recovered,
}
"""How the kinds of events are told: text and style."""


def progress_line(step: Figures) -> Text:
    """Return a step of a job that has ended as a line."""
    seconds = "" if step["seconds"] is None else f", {step['seconds']:.1f} s"
    failed = f": {step['error']['detail']}" if step["error"] else ""
    return Text(f"         {step['name']}{seconds}{failed}", "red" if failed else "dim")
