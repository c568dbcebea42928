"""Promotion: whether a challenger becomes champion, decided by pure functions of the measured scores.

The first model of a name becomes champion. Each later one must forecast the same held-out points significantly better
than the champion, without worse coverage or latency.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.accuracy import known_mean, row_means
from models.json_values import to_json_value
from models.retraining.significance import estimate_uncertainty

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
"""Confidence of the two-sided interval around the difference, which must lie above 0: a challenger that is no better passes in
one comparison of forty."""

COVERAGE_NOMINAL = 0.80
COVERAGE_SLACK = 0.05
"""How much further from 80 % than the champion's the challenger's coverage may be; smaller differences are often chance."""


@dataclass(frozen=True, slots=True)
class LatencyGate:
    """How much slower a challenger may be; measurements on a shared machine vary by nearly as much.

    Attributes:
        share: Share of the champion's time, 0.25 for a quarter.
        milliseconds: Time that is allowed if the share is less.
        repeats: Turns in which champion and challengers are measured; their median counts.
    """

    share: float = 0.25
    milliseconds: float = 1.0
    repeats: int = 7

    def allowed(self, champion_ms: float) -> float:
        """Return the longest time of a challenger's forecast, in milliseconds."""
        return champion_ms + max(self.share * champion_ms, self.milliseconds)

    def describe(self, challenger_ms: float, champion_ms: float) -> str:
        """Return both times, how they were measured and what is allowed, as one sentence."""
        return (
            f"A forecast takes {challenger_ms:.2f} ms, the champion's {champion_ms:.2f} ms (medians of {self.repeats} "
            f"measurements in turn); up to {self.allowed(champion_ms):.2f} ms is allowed: {self.share:.0%} or "
            f"{self.milliseconds:g} ms more, whichever is more."
        )


GATE = LatencyGate()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of one version on the held-out blocks.

    Attributes:
        scaled_errors: |error| over the seasonal scale, shape (rows, horizon), NaN at gaps; a row is a series at an origin.
        coverage_80: Share of observed values within the 80 % interval.
        forecast_ms: Median time of a forecast of one series.
        groups: The series of each row, the newest origin of a series first; empty if each row is another series.
    """

    scaled_errors: Floats
    coverage_80: float
    forecast_ms: float
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Champion's error minus challenger's on the same points: above 0 the challenger is better.

    Attributes:
        difference: Difference of mean MASE.
        lower: Lower end of its confidence interval; NaN if there are too few points.
        p_value: One-sided p-value of the null hypothesis that the challenger is no better.
        pairs: Number of compared rows, each a series at an origin.
        series: Number of series among them.
        degrees: Degrees of freedom of Student's t.
    """

    difference: float
    lower: float
    p_value: float
    pairs: int
    series: int
    degrees: float


@dataclass(frozen=True, slots=True)
class PromotionDecision:
    """Whether the challenger becomes champion, and why; `notes` are limits of the evidence."""

    promote: bool
    reason: str
    forced: bool = False
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as plain data."""
        return asdict(self)

    def with_figures(self, **figures: str | None) -> "PromotionDecision":
        """Return this decision with additional figures."""
        return replace(self, figures={**self.figures, **figures})


def paired_test(challenger: Floats, champion: Floats, *, groups: Sequence[str] = ()) -> PairedTest:
    """Return the paired test of two models' scaled errors on the same series, origins and steps.

    Every row has the same weight, as in mean MASE. The residuals are those of a ratio of means: the part of each difference
    that a constant percentage improvement does not explain. So larger errors at later steps, or of harder series, do not
    count as noise. `significance.estimate_uncertainty` returns the standard error of their sum.

    Args:
        challenger: Scaled absolute errors, shape (rows, horizon), NaN at gaps; a row is a series at an origin.
        champion: Those of the champion on the same points.
        groups: The series of each row, the newest origin of a series first; by default each row is another series.

    Source: Cochran (1977), Sampling techniques, chapter 6, for the residuals of a ratio; see `significance` for the test.
        docs/retraining.md has its measured rates of false and of missed promotions.
    """
    names = tuple(groups) or tuple(str(row) for row in range(len(champion)))
    difference, level = champion - challenger, (champion + challenger) / 2
    weights = _weights(~np.isnan(difference))
    estimate, mean = (float(np.nansum(weights * values)) for values in (difference, level))
    share = estimate / mean if mean > 0 else 0.0
    weights_in_time = _in_time(weights, names)
    residuals = _in_time(np.nan_to_num(weights * (difference - share * level)), names)[weights_in_time.any(axis=1)]
    found = estimate_uncertainty(residuals)
    pairs = int(weights.any(axis=1).sum())
    return PairedTest(
        difference=estimate if pairs else float("nan"),
        lower=found.lower(estimate, CONFIDENCE),
        p_value=found.p_value(estimate),
        pairs=pairs,
        series=len(residuals),
        degrees=found.degrees,
    )


def _weights(known: NDArray[np.bool_]) -> Floats:
    """Return the weight of each point in the mean of row means, shape of `known`, 0 at gaps."""
    counts = known.sum(axis=1, keepdims=True)
    return np.where(known, 1 / np.maximum(counts, 1) / max((counts > 0).sum(), 1), 0.0)


def _in_time(rows: Floats, names: Sequence[str]) -> Floats:
    """Return rows of series and origins, a series' newest first, as one row for each series, the oldest step first."""
    index = {name: row for row, name in enumerate(dict.fromkeys(names))}
    count: Counter[str] = Counter()
    origins = np.zeros(len(names), dtype=int)
    for row, name in enumerate(names):
        origins[row] = count[name]
        count[name] += 1
    in_time = np.zeros((len(index), max(count.values(), default=1), rows.shape[1]))
    in_time[[index[name] for name in names], -1 - origins] = rows
    return in_time.reshape(len(index), -1)


def decide_first(*, beats_baselines: bool) -> PromotionDecision:
    """Return the decision for the first model of a name: it becomes champion whether or not it beats the baselines."""
    does = "beats" if beats_baselines else "does not beat"
    return PromotionDecision(
        promote=True,
        reason=f"First model of this name; it {does} every baseline.",
        figures={"beats_baselines": beats_baselines},
    )


def decide(
    challenger: Evidence,
    champion: Evidence,
    *,
    force: bool = False,
    notes: tuple[str, ...] = (),
    gate: LatencyGate = GATE,
) -> PromotionDecision:
    """Return whether the challenger replaces the champion."""
    test = paired_test(challenger.scaled_errors, champion.scaled_errors, groups=challenger.groups)
    latency = gate.describe(challenger.forecast_ms, champion.forecast_ms)
    slower = [latency] if challenger.forecast_ms > gate.allowed(champion.forecast_ms) else []
    objections = [*_not_better(test), *_worse_coverage(challenger, champion), *slower]
    measured = {
        **asdict(test),
        "confidence": CONFIDENCE,
        "mase_challenger": known_mean(row_means(challenger.scaled_errors)),
        "mase_champion": known_mean(row_means(champion.scaled_errors)),
        "coverage_80_challenger": challenger.coverage_80,
        "coverage_80_champion": champion.coverage_80,
        "forecast_ms_challenger": challenger.forecast_ms,
        "forecast_ms_champion": champion.forecast_ms,
        "forecast_ms_allowed": gate.allowed(champion.forecast_ms),
        "latency_repeats": gate.repeats,
    }
    figures = to_json_value(measured)
    if objections and not force:
        return PromotionDecision(promote=False, reason=" ".join(objections), figures=figures, notes=notes)
    better = f"Better than the champion by {test.difference:.4f} MASE, at least {test.lower:.4f} with {CONFIDENCE:.0%} confidence. {latency}"
    reason = f"Promoted by hand. {' '.join(objections) or better}" if force else better
    return PromotionDecision(promote=True, reason=reason, forced=force, figures=figures, notes=notes)


def decide_incomparable(cause: str, *, force: bool) -> PromotionDecision:
    """Return the decision if the champion cannot forecast the held-out block: it stays, unless the user forces it."""
    reason = f"The champion cannot be compared: {cause}"
    return PromotionDecision(promote=force, reason=f"Promoted by hand. {reason}" if force else reason, forced=force)


def _not_better(test: PairedTest) -> list[str]:
    if test.lower > 0:
        return []
    if not test.degrees:
        return [f"Not significantly better: {test.pairs} series and origins are too few points."]
    bound = f"its {CONFIDENCE:.0%} interval begins at {test.lower:+.4f}"
    word = "worse" if test.difference < 0 else "better"
    return [f"Not significantly better: MASE is {word} by {abs(test.difference):.4f}, {bound}."]


def _worse_coverage(challenger: Evidence, champion: Evidence) -> list[str]:
    off, allowed = (abs(one.coverage_80 - COVERAGE_NOMINAL) for one in (challenger, champion))
    if off <= allowed + COVERAGE_SLACK:
        return []
    return [
        f"Coverage of the 80 % interval is {challenger.coverage_80:.2f}, the champion's {champion.coverage_80:.2f}."
    ]
