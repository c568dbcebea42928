"""Promotion: whether a challenger has earned the champion alias, as pure functions over what was measured.

A name's first model takes the alias. From then on only evidence moves it: the challenger must forecast the same
held-out block better than the champion, by more than chance, without worse coverage or latency.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.accuracy import known_mean, row_means
from models.json_values import to_json_value
from training.evaluation.significance import uncertainty

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
"""Of the two-sided interval around the difference, which must lie above 0: a challenger that is no better comes to that in
one comparison of forty."""

COVERAGE_NOMINAL = 0.80
COVERAGE_SLACK = 0.05
"""How much further from 80 % the challenger's coverage may lie; with few held-out points less would be chance."""

LATENCY_RATIO = 1.25
LATENCY_SLACK_MS = 0.5
"""How much slower a forecast may be: timer and neighbours on a shared machine vary by about as much."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How one version did on the held-out blocks.

    Attributes:
        scaled_errors: |error| over the seasonal scale, shape (series and origins, horizon), NaN at gaps.
        coverage_80: Share of truths within the 80 % interval.
        forecast_ms: Median time of one single-series forecast.
        groups: The series of each row, a series' newest origin before its older ones; empty where each row is a series.
    """

    scaled_errors: Floats
    coverage_80: float
    forecast_ms: float
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Champion's error minus challenger's on the same points: above 0 the challenger is better.

    Attributes:
        difference: Of their mean MASE.
        lower: Lower end of its interval; NaN where the points are too few to tell.
        p_value: How likely a difference as high is where the challenger is no better, one-sided.
        pairs: Series and origins compared.
        series: Series among them.
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
    """Whether the challenger becomes champion, why, and by which figures.

    Attributes:
        promote: The answer.
        reason: One sentence for a person.
        forced: Whether a person asked for it whatever the evidence.
        figures: What it was decided by.
        notes: What weakens the evidence, such as a champion that has seen the held-out block.
    """

    promote: bool
    reason: str
    forced: bool = False
    figures: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as plain data."""
        return asdict(self)

    def with_figures(self, **figures: str | None) -> "PromotionDecision":
        """Return this decision with further figures, such as whom it was made between."""
        return replace(self, figures={**self.figures, **figures})


def paired_test(challenger: Floats, champion: Floats, *, groups: Sequence[str] = ()) -> PairedTest:
    """Compare two models' scaled errors on the same series, origins and steps.

    Rows count alike, as they do in mean MASE. Residuals are those of the ratio of means: what is left of each difference
    once the challenger is taken to be as many per cent better everywhere; so errors that grow with the step, and series
    that are harder than others, are no noise. `significance.uncertainty` says how far chance may carry their sum.

    Args:
        challenger: Scaled absolute errors, shape (series and origins, horizon), NaN at gaps.
        champion: The same points.
        groups: The series of each row, a series' newest origin first; by default each row is a series.

    Source: Cochran (1977), Sampling techniques, chapter 6, for the residuals of a ratio; see `significance` for the test.
        docs/retraining.md has its measured rates of false and of missed promotions.
    """
    names = tuple(groups) or tuple(str(row) for row in range(len(champion)))
    difference, level = champion - challenger, (champion + challenger) / 2
    weights = _weights(~np.isnan(difference))
    estimate, mean = (float(np.nansum(weights * values)) for values in (difference, level))
    share = estimate / mean if mean > 0 else 0.0
    weighed = _in_time(weights, names)
    residuals = _in_time(np.nan_to_num(weights * (difference - share * level)), names)[weighed.any(axis=1)]
    found = uncertainty(residuals)
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
    """Return what each point counts in the mean over rows of each row's mean, shape of `known`, 0 at gaps."""
    counts = known.sum(axis=1, keepdims=True)
    return np.where(known, 1 / np.maximum(counts, 1) / max((counts > 0).sum(), 1), 0.0)


def _in_time(rows: Floats, names: Sequence[str]) -> Floats:
    """Return rows of series and origins, a series' newest first, as a row for each series, the oldest step first."""
    places = {name: place for place, name in enumerate(dict.fromkeys(names))}
    seen: Counter[str] = Counter()
    origins = np.zeros(len(names), dtype=int)
    for row, name in enumerate(names):
        origins[row] = seen[name]
        seen[name] += 1
    laid = np.zeros((len(places), max(seen.values(), default=1), rows.shape[1]))
    laid[[places[name] for name in names], -1 - origins] = rows
    return laid.reshape(len(places), -1)


def decide_first(*, beats_baselines: bool) -> PromotionDecision:
    """Return the decision for a name's first model: it takes the alias, and says whether it beats the baselines."""
    does = "beats" if beats_baselines else "does not beat"
    return PromotionDecision(
        promote=True,
        reason=f"First model of this name; it {does} every baseline.",
        figures={"beats_baselines": beats_baselines},
    )


def decide(
    challenger: Evidence, champion: Evidence, *, force: bool = False, notes: tuple[str, ...] = ()
) -> PromotionDecision:
    """Return whether the challenger takes the alias from the champion.

    Args:
        challenger: The new version on the held-out block.
        champion: The current one on the same points.
        force: Promote whatever the evidence says, and record that.
        notes: What weakens the evidence.
    """
    test = paired_test(challenger.scaled_errors, champion.scaled_errors, groups=challenger.groups)
    objections = [*_not_better(test), *_worse_coverage(challenger, champion), *_slower(challenger, champion)]
    figures = {
        **to_json_value(asdict(test)),
        "confidence": CONFIDENCE,
        "mase_challenger": known_mean(row_means(challenger.scaled_errors)),
        "mase_champion": known_mean(row_means(champion.scaled_errors)),
        "coverage_80_challenger": challenger.coverage_80,
        "coverage_80_champion": champion.coverage_80,
        "forecast_ms_challenger": challenger.forecast_ms,
        "forecast_ms_champion": champion.forecast_ms,
    }
    if objections and not force:
        return PromotionDecision(promote=False, reason=" ".join(objections), figures=figures, notes=notes)
    better = f"Better than the champion by {test.difference:.4f} MASE, at least {test.lower:.4f} with {CONFIDENCE:.0%} confidence."
    reason = f"Promoted by hand. {' '.join(objections) or better}" if force else better
    return PromotionDecision(promote=True, reason=reason, forced=force, figures=figures, notes=notes)


def decide_incomparable(cause: str, *, force: bool) -> PromotionDecision:
    """Return the decision where the champion cannot forecast the held-out block: it stays, unless forced out."""
    reason = f"The champion cannot be compared: {cause}"
    return PromotionDecision(promote=force, reason=f"Promoted by hand. {reason}" if force else reason, forced=force)


def _not_better(test: PairedTest) -> list[str]:
    if test.lower > 0:
        return []
    if not test.degrees:
        return [f"Not better by more than chance: {test.pairs} series and origins are too few points to tell."]
    bound = f"its {CONFIDENCE:.0%} interval begins at {test.lower:+.4f}"
    word = "worse" if test.difference < 0 else "better"
    return [f"Not better by more than chance: MASE is {word} by {abs(test.difference):.4f}, {bound}."]


def _worse_coverage(challenger: Evidence, champion: Evidence) -> list[str]:
    off, allowed = (abs(one.coverage_80 - COVERAGE_NOMINAL) for one in (challenger, champion))
    if off <= allowed + COVERAGE_SLACK:
        return []
    return [
        f"Coverage of the 80 % interval is {challenger.coverage_80:.2f}, the champion's {champion.coverage_80:.2f}."
    ]


def _slower(challenger: Evidence, champion: Evidence) -> list[str]:
    if challenger.forecast_ms <= champion.forecast_ms * LATENCY_RATIO + LATENCY_SLACK_MS:
        return []
    return [f"A forecast takes {challenger.forecast_ms:.2f} ms, the champion's {champion.forecast_ms:.2f} ms."]
