"""Accuracy figures: MASE, skill and coverage from summed scores, and live errors compared with a backtest."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.store.scoring.rollups import ScoreSums

BUCKETS = ((1, 1), (2, 6), (7, 12), (13, 24), (25, 48), (49, None))
"""First and last step of each bucket, so that a label has few values however long the horizon is."""

StepKey = tuple[str, str, int]
"""Model, version and step."""


@dataclass(frozen=True, slots=True)
class BacktestFigures:
    """The backtest errors of a version by step, from the first step on; None where the backtest had no actual value.

    Attributes:
        mase: Of the model.
        naive_mase: Of seasonal naive on the same series.
    """

    mase: tuple[float | None, ...] = ()
    naive_mase: tuple[float | None, ...] = ()

    @classmethod
    def from_spec(cls, backtest: Mapping[str, Any]) -> "BacktestFigures":
        """Return the figures of a spec's `backtest`; empty ones if there was no backtest."""
        return cls(_by_step(backtest, "model"), _by_step(backtest, "seasonal_naive"))

    def at(self, step: int) -> dict[str, float | None]:
        """Return the figures of one step."""
        return {"mase": _at(self.mase, step), "naive_mase": _at(self.naive_mase, step)}


@dataclass(frozen=True, slots=True)
class ErrorDecay:
    """Live errors of a version and those of its backtest, over the steps that have both.

    Attributes:
        scores: Scored steps that are compared.
        mase: Live mean absolute scaled error.
        expected_mase: The backtest's; each step counts as often as it was scored.
        naive_ratio: The ratio of seasonal naive: above 1 the series have become harder; NaN if the backtest has none.
    """

    scores: int
    mase: float
    expected_mase: float
    naive_ratio: float

    @property
    def ratio(self) -> float:
        """Return live error / backtest error: above 1 is worse than the backtest."""
        return self.mase / self.expected_mase if self.expected_mase > 0 else math.nan


def bucket_of(step: int) -> str:
    """Return the label of a step's bucket: `1`, `2-6`, …, `49+`."""
    first, last = next(one for one in BUCKETS if one[1] is None or step <= one[1])
    if last is None:
        return f"{first}+"
    return str(first) if first == last else f"{first}-{last}"


def by_bucket(rows: Iterable[tuple[StepKey, ScoreSums]]) -> dict[tuple[str, str, str], ScoreSums]:
    """Return sums by model, version and bucket from those by model, version and step."""
    found: dict[tuple[str, str, str], ScoreSums] = defaultdict(ScoreSums)
    for (model, version, step), sums in rows:
        found[model, version, bucket_of(step)] += sums
    return dict(found)


def by_version(rows: Iterable[tuple[StepKey, ScoreSums]]) -> dict[tuple[str, str], dict[int, ScoreSums]]:
    """Return the sums of each version by step from those by model, version and step."""
    found: dict[tuple[str, str], dict[int, ScoreSums]] = defaultdict(dict)
    for (model, version, step), sums in rows:
        found[model, version][step] = sums
    return dict(found)


def accuracy_figures(sums: ScoreSums) -> dict[str, Any]:
    """Return the figures of summed scores, None where nothing was counted.

    `scores` counts steps; `mase`, `naive_mase` and `pinball` are scaled by each history's seasonal naive error; `skill` is
    1 - mase / naive_mase; `coverage` is the share of actual values in each interval.
    """
    return {
        "scores": sums.scores,
        "mase": _over(sums.error, sums.scaled),
        "naive_mase": _over(sums.naive_error, sums.scaled),
        "skill": skill(sums),
        "pinball": _over(sums.pinball, sums.scaled),
        "coverage": {"80": _over(sums.covered_80, sums.intervals_80), "95": _over(sums.covered_95, sums.intervals_95)},
    }


def compare_versions(
    rows: Iterable[tuple[StepKey, ScoreSums]], name: str, versions: Sequence[str]
) -> list[dict[str, Any]]:
    """Return `version`, `scores`, `mase` and `skill` of versions of a model, over the steps that all of them have scores of.

    A version that is scored for a short time has scores of few steps. Empty if one of them has none.
    """
    known = by_version(rows)
    steps = [known.get((name, one), {}) for one in versions]
    common = set.intersection(*(set(one) for one in steps)) if steps else set()
    if not common:
        return []
    sums = [sum((one[step] for step in sorted(common)), ScoreSums()) for one in steps]
    figures = zip(versions, map(accuracy_figures, sums), strict=True)
    return [{"version": version, **{key: one[key] for key in ("scores", "mase", "skill")}} for version, one in figures]


def skill(sums: ScoreSums) -> float | None:
    """Return 1 - MASE / MASE of seasonal naive: above 0 is better, 1 is perfect; None without a naive error."""
    quotient = _over(sums.error, sums.naive_error)
    return None if quotient is None else 1.0 - quotient


def compare_with_backtest(live: Mapping[int, ScoreSums], backtest: BacktestFigures) -> ErrorDecay | None:
    """Return live errors by step compared with the backtest's, or None if they have no step in common."""
    common = [step for step, one in live.items() if one.scaled and _at(backtest.mase, step) is not None]
    if not common:
        return None
    scores = sum(live[step].scaled for step in common)
    with_naive = [step for step in common if _at(backtest.naive_mase, step) is not None]
    naive = sum(live[step].naive_error for step in with_naive)
    expected_naive = _expected(live, backtest.naive_mase, with_naive)
    return ErrorDecay(
        scores,
        sum(live[step].error for step in common) / scores,
        _expected(live, backtest.mase, common) / scores,
        naive / expected_naive if expected_naive > 0 else math.nan,
    )


def _expected(live: Mapping[int, ScoreSums], backtest: Sequence[float | None], steps: Sequence[int]) -> float:
    """Return the sum of the backtest's errors if it had each step as often as it was scored."""
    return sum(live[step].scaled * (_at(backtest, step) or 0.0) for step in steps)


def _by_step(backtest: Mapping[str, Any], row: str) -> tuple[float | None, ...]:
    found = backtest.get(row)
    steps = found.get("mase_by_step") if isinstance(found, Mapping) else None
    return tuple(steps) if isinstance(steps, Sequence) else ()


def _at(by_step: Sequence[float | None], step: int) -> float | None:
    return by_step[step - 1] if step <= len(by_step) else None


def _over(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
