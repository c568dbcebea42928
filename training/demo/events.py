"""Events: what happened in a replay, in order, with its figures; and whether all of it ended in recovery."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from training.demo.replay import Month, months_after

Kind = Literal[
    "forecast",
    "observed",
    "scored",
    "drift",
    "job_started",
    "not_needed",
    "kept",
    "promoted",
    "swapped",
    "recovered",
    "not_recovered",
]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: What.
        month: Replayed month in which it did.
        figures: Its own, as plain data.
    """

    kind: Kind
    month: Month
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the event as one line of JSON."""
        return json.dumps({"event": self.kind, "month": self.month, **self.figures}, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Score:
    """How one version's forecasts of one month came out.

    Attributes:
        month: Of the truths.
        version: That forecast.
        scores: Forecast steps.
        mase: Mean absolute scaled error.
        naive_mase: Of seasonal naive from the same histories.
        coverage_80: Share of truths within the 80 % interval.
    """

    month: Month
    version: str
    scores: int
    mase: float
    naive_mase: float
    coverage_80: float

    @classmethod
    def of(cls, month: Month, row: Mapping[str, Any]) -> "Score":
        """Return the score that a row of GET /accuracy tells."""
        return cls(month, row["version"], row["scores"], row["mase"], row["naive_mase"], row["coverage"]["80"])

    @property
    def skill(self) -> float:
        """1 - MASE / MASE of seasonal naive: above 0 is better."""
        return 1.0 - self.mase / self.naive_mase if self.naive_mase > 0 else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Return the score as an event tells it."""
        return {
            "version": self.version,
            "scores": self.scores,
            "mase": round(self.mase, 4),
            "naive_mase": round(self.naive_mase, 4),
            "skill": round(self.skill, 4),
            "coverage_80": round(self.coverage_80, 4),
        }


@dataclass(frozen=True, slots=True)
class Swap:
    """The moment at which another version began to answer.

    Attributes:
        month: First month that it forecast.
        old: The version before it.
        new: It.
    """

    month: Month
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the story ended well.

    Attributes:
        recovered: Whether another version answers, and errs less than the old one did between break and swap.
        figures: Mean errors before the break, before the swap and after it, and of the others in the same months.
        why: What did not happen, one sentence; empty where it recovered.
    """

    recovered: bool
    figures: Mapping[str, Any]
    why: str = ""


def settled_from(swap: Swap, horizon: int) -> Month:
    """Return the first month of which the new version has forecasts of every step ahead."""
    return months_after(swap.month, horizon - 1)


def judge_recovery(scores: Sequence[Score], broken: Month, swap: Swap | None, horizon: int) -> Verdict:
    """Return whether live accuracy recovered: by every step ahead, so that a new version's near steps do it no favour.

    Args:
        scores: Of every month and version.
        broken: First month of the other season.
        swap: The last one, None where the version never changed.
        horizon: Steps ahead.
    """
    if swap is None:
        told = {
            "error_before_break": mean_error(scores, until=broken),
            "error_after_break": mean_error(scores, since=broken),
        }
        return Verdict(recovered=False, figures=told, why="No challenger was promoted, so the version never changed.")
    settled = settled_from(swap, horizon)
    figures: dict[str, Any] = {
        "from_version": swap.old,
        "to_version": swap.new,
        "error_before_break": mean_error(scores, until=broken, version=swap.old),
        "error_before_swap": mean_error(scores, since=broken, until=swap.month, version=swap.old),
        "error_after_swap": mean_error(scores, since=settled, version=swap.new),
        "error_of_old_version_after_swap": mean_error(scores, since=settled, version=swap.old),
        "naive_error_after_swap": mean_error(scores, since=settled, version=swap.new, naive=True),
    }
    before, after = figures["error_before_swap"], figures["error_after_swap"]
    if before is None or after is None:
        return Verdict(recovered=False, figures=figures, why="Too few months followed the swap to judge by.")
    if not after < before:
        why = f"The error after the swap, {after:.3f}, is not below {before:.3f}, the error between break and swap."
        return Verdict(recovered=False, figures=figures, why=why)
    return Verdict(recovered=True, figures=figures)


def mean_error(
    scores: Sequence[Score],
    *,
    since: Month = "",
    until: Month = "9999-12",
    version: str | None = None,
    naive: bool = False,
) -> float | None:
    """Return the mean MASE over scored steps of some months (the last left out), or None where none was scored."""
    chosen = [one for one in scores if since <= one.month < until and version in {None, one.version}]
    count = sum(one.scores for one in chosen)
    total = sum(one.scores * (one.naive_mase if naive else one.mase) for one in chosen)
    return round(total / count, 4) if count else None
