"""Events of the live demo, as JSON and as lines of text, and whether accuracy recovered."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.text import Text

from training.demo.replay import Month, months_after

Kind = Literal[
    "forecast", "observed", "scored", "drift", "job_started", "not_needed", "kept", "promoted", "swapped", "recovered",
    "not_recovered",
]  # fmt: skip
Figures = Mapping[str, Any]

LINES: Mapping[str, tuple[str, str]] = {
    "scored": (
        "version {version}: MASE {mase:.2f}, seasonal naive {naive_mase:.2f}, {coverage_80:.0%} within the 80 % interval",
        "",
    ),
    "drift": ("Reasons to retrain: {reasons}", "yellow"),
    "job_started": ("The schedule ticks; job {job} starts: {reasons}.", "bold cyan"),
    "not_needed": ("The schedule ticks; job {job} finds no reason to retrain version {version}.", "dim"),
    "kept": ("Version {version} stays champion after {seconds:.0f} s; {winner} is not better. {reason}", "bold cyan"),
    "promoted": ("{winner} is promoted as version {version} after {seconds:.0f} s. {reason}", "bold cyan"),
    "swapped": ("The service uses version {to_version}, {seconds:.1f} s after the promotion.", "bold cyan"),
    "recovered": (
        (
            "Recovered: MASE {error_before_break} before the break, {error_before_swap} between break and swap, "
            "{error_after_swap} after it. Version {from_version} would have had {error_of_old_version_after_swap}, seasonal "
            "naive {naive_error_after_swap}."
        ),
        "bold green",
    ),
    "not_recovered": ("Not recovered: {why}", "bold red"),
}
"""By kind, the text of an event and its style. `forecast` and `observed` have none: `scored` follows them."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the replay: its kind, its month and its own fields, as plain data."""

    kind: Kind
    month: Month
    figures: Figures = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the event as one line of JSON."""
        return json.dumps({"event": self.kind, "month": self.month, **self.figures}, ensure_ascii=False)

    def to_line(self) -> Text | None:
        """Return the event as a line of text, or None if its kind has none."""
        if self.kind not in LINES:
            return None
        text, style = LINES[self.kind]
        reasons = (one["sentence"] if isinstance(one, Mapping) else one for one in self.figures.get("reasons", ()))
        figures = {**self.figures, "reasons": " ".join(reasons)}
        return Text(f"{self.month}  ").append(text.format(**figures), style)


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of one version's forecasts for one month: number of steps, MASE, seasonal naive's, coverage."""

    month: Month
    version: str
    scores: int
    mase: float
    naive_mase: float
    coverage_80: float

    @classmethod
    def of(cls, month: Month, row: Figures) -> "Score":
        """Return the score in a row of GET /accuracy."""
        return cls(month, row["version"], row["scores"], row["mase"], row["naive_mase"], row["coverage"]["80"])

    def to_dict(self) -> dict[str, Any]:
        """Return the score as fields of an event; `skill` is 1 - MASE / MASE of seasonal naive."""
        skill = 1.0 - self.mase / self.naive_mase if self.naive_mase > 0 else math.nan
        figures = {"mase": self.mase, "naive_mase": self.naive_mase, "skill": skill, "coverage_80": self.coverage_80}
        rounded = {name: round(value, 4) for name, value in figures.items()}
        return {"version": self.version, "scores": self.scores, **rounded}


@dataclass(frozen=True, slots=True)
class Swap:
    """The change to another version: the first month that it forecast, the version before, and the new one."""

    month: Month
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Recovery:
    """Whether live accuracy recovered: mean errors around break and swap, and why it did not, "" if it did."""

    figures: Figures
    why: str = ""

    @property
    def recovered(self) -> bool:
        """Whether another version is served, and its error is below that of the old one between break and swap."""
        return not self.why


def assess_recovery(scores: Sequence[Score], broken: Month, swap: Swap | None, horizon: int) -> Recovery:
    """Return whether live accuracy recovered.

    The new version counts from the month in which it has forecasts of every step: the first months have near steps only.
    """
    if swap is None:
        before, after = mean_error(scores, until=broken), mean_error(scores, since=broken)
        return Recovery({"error_before_break": before, "error_after_break": after}, "No challenger was promoted.")
    settled = months_after(swap.month, horizon - 1)
    before = mean_error(scores, since=broken, until=swap.month, version=swap.old)
    after = mean_error(scores, since=settled, version=swap.new)
    why = ""
    if before is None or after is None:
        why = "There are too few months after the swap."
    elif not after < before:
        why = f"The error after the swap, {after:.3f}, is not below that between break and swap, {before:.3f}."
    figures = {
        "from_version": swap.old,
        "to_version": swap.new,
        "error_before_break": mean_error(scores, until=broken, version=swap.old),
        "error_before_swap": before,
        "error_after_swap": after,
        "error_of_old_version_after_swap": mean_error(scores, since=settled, version=swap.old),
        "naive_error_after_swap": mean_error(scores, since=settled, version=swap.new, naive=True),
    }
    return Recovery(figures, why)


def mean_error(
    scores: Sequence[Score],
    *,
    since: Month = "",
    until: Month = "9999",
    version: str | None = None,
    naive: bool = False,
) -> float | None:
    """Return the mean MASE of the scored steps from `since` to before `until`, or None if there are none."""
    chosen = [one for one in scores if since <= one.month < until and version in {None, one.version}]
    count = sum(one.scores for one in chosen)
    total = sum(one.scores * (one.naive_mase if naive else one.mase) for one in chosen)
    return round(total / count, 4) if count else None
