"""Accuracy: the live accuracy_figures of each version, beside seasonal naive and beside what its backtest promised."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.store.score_sums import ScoreSums

BUCKETS = ((1, 1), (2, 6), (7, 12), (13, 24), (25, 48), (49, None))
"""Steps ahead that are shown as one: a label has few values however long the horizon."""

StepKey = tuple[str, str, int]
"""Model, version and step."""


@dataclass(frozen=True, slots=True)
class BacktestFigures:
    """What a backtest said of a version, step by step; None where it had no truth.

    Attributes:
        mase: Of the model, from the first step on.
        naive_mase: Of seasonal naive on the same series.
    """

    mase: tuple[float | None, ...] = ()
    naive_mase: tuple[float | None, ...] = ()

    @classmethod
    def of(cls, backtest: Mapping[str, Any]) -> "BacktestFigures":
        """Return what a spec's `backtest` promises; nothing where it was never backtested."""
        return cls(_by_step(backtest, "model"), _by_step(backtest, "seasonal_naive"))


@dataclass(frozen=True, slots=True)
class ErrorDecay:
    """Live errors beside the backtest's, over the steps that both know.

    Attributes:
        scores: Scaled steps that are compared.
        mase: Live mean absolute scaled error.
        expected_mase: The backtest's, each step weighed as often as it was scored.
        naive_ratio: The same quotient of seasonal naive: above 1 the series themselves have become harder; NaN where the
            backtest has none.
    """

    scores: int
    mase: float
    expected_mase: float
    naive_ratio: float

    @property
    def ratio(self) -> float:
        """Return live error / backtest error: above 1 is worse than promised."""
        return self.mase / self.expected_mase if self.expected_mase > 0 else math.nan


def bucket_of(step: int) -> str:
    """Return the bucket of a step as its label: `1`, `2-6`, …, `49+`."""
    first, last = next(one for one in BUCKETS if one[1] is None or step <= one[1])
    if last is None:
        return f"{first}+"
    return str(first) if first == last else f"{first}-{last}"


def by_bucket(rows: Iterable[tuple[StepKey, ScoreSums]]) -> dict[tuple[str, str, str], ScoreSums]:
    """Return tallies by model, version and step as tallies by model, version and bucket."""
    found: dict[tuple[str, str, str], ScoreSums] = defaultdict(ScoreSums)
    for (model, version, step), sum_scores in rows:
        found[model, version, bucket_of(step)] += sum_scores
    return dict(found)


def by_version(rows: Iterable[tuple[StepKey, ScoreSums]]) -> dict[tuple[str, str], dict[int, ScoreSums]]:
    """Return tallies by model, version and step as those of each version by step."""
    found: dict[tuple[str, str], dict[int, ScoreSums]] = defaultdict(dict)
    for (model, version, step), sum_scores in rows:
        found[model, version][step] = sum_scores
    return dict(found)


def accuracy_figures(sum_scores: ScoreSums) -> dict[str, Any]:
    """Return what a sum_scores says, None where it cannot tell.

    `scores` are steps; `mase`, `naive_mase` and `pinball` are scaled by each history's seasonal naive error; `skill` is
    1 - mase / naive_mase; `coverage` is the share of truths within each interval.
    """
    return {
        "scores": sum_scores.scores,
        "mase": _over(sum_scores.error, sum_scores.scaled),
        "naive_mase": _over(sum_scores.naive_error, sum_scores.scaled),
        "skill": skill(sum_scores),
        "pinball": _over(sum_scores.pinball, sum_scores.scaled),
        "coverage": {
            "80": _over(sum_scores.covered_80, sum_scores.intervals_80),
            "95": _over(sum_scores.covered_95, sum_scores.intervals_95),
        },
    }


def skill(sum_scores: ScoreSums) -> float | None:
    """Return 1 - MASE / MASE of seasonal naive: above 0 is better, 1 is perfect; None without a naive error."""
    quotient = _over(sum_scores.error, sum_scores.naive_error)
    return None if quotient is None else 1.0 - quotient


def compare_with_backtest(live: Mapping[int, ScoreSums], promise: BacktestFigures) -> ErrorDecay | None:
    """Return a version's live errors beside its backtest's, or None where no step is known to both."""
    common = [step for step, one in live.items() if one.scaled and _at(promise.mase, step) is not None]
    if not common:
        return None
    scores = sum(live[step].scaled for step in common)
    told = [step for step in common if _at(promise.naive_mase, step) is not None]
    naive = sum(live[step].naive_error for step in told)
    naive_expected = _expected(live, promise.naive_mase, told)
    return ErrorDecay(
        scores,
        sum(live[step].error for step in common) / scores,
        _expected(live, promise.mase, common) / scores,
        naive / naive_expected if naive_expected > 0 else math.nan,
    )


def backtest_at(promise: BacktestFigures, step: int) -> dict[str, float | None]:
    """Return what the backtest said of one step."""
    return {"mase": _at(promise.mase, step), "naive_mase": _at(promise.naive_mase, step)}


def _expected(live: Mapping[int, ScoreSums], promised: Sequence[float | None], steps: Sequence[int]) -> float:
    """Return the sum of errors that the backtest would have made of each step as often as it was scored."""
    return sum(live[step].scaled * (_at(promised, step) or 0.0) for step in steps)


def _by_step(backtest: Mapping[str, Any], row: str) -> tuple[float | None, ...]:
    found = backtest.get(row)
    steps = found.get("mase_by_step") if isinstance(found, Mapping) else None
    return tuple(steps) if isinstance(steps, Sequence) else ()


def _at(promised: Sequence[float | None], step: int) -> float | None:
    return promised[step - 1] if step <= len(promised) else None


def _over(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
