"""Promotion: whether a challenger has earned the champion alias, as pure functions over what was measured.

A name's first model takes the alias. From then on only evidence moves it: the challenger must forecast the same
held-out block better than the champion, by more than chance, without worse coverage or latency.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
"""One-sided: the share of bootstrap samples in which the challenger must be better."""

SAMPLES = 2000
"""Bootstrap samples: the estimated share is then known to about half a per cent at 95 %."""

COVERAGE_NOMINAL = 0.80
COVERAGE_SLACK = 0.05
"""How much further from 80 % the challenger's coverage may lie; with few held-out points less would be chance."""

LATENCY_RATIO = 1.25
LATENCY_SLACK_MS = 0.5
"""How much slower a forecast may be: timer and neighbours on a shared machine vary by about as much."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """How one version did on the held-out block.

    Attributes:
        scaled_errors: |error| over the seasonal scale, shape (series and origins, horizon), NaN at gaps.
        coverage_80: Share of truths within the 80 % interval.
        forecast_ms: Median time of one single-series forecast.
    """

    scaled_errors: Floats
    coverage_80: float
    forecast_ms: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """Champion's error minus challenger's on the same points: above 0 the challenger is better.

    Attributes:
        difference: Mean difference of MASE.
        lower: Bound that the true difference exceeds at the confidence of the test.
        share_better: Share of bootstrap samples in which the challenger is better.
        pairs: Series and origins compared.
        block_length: Steps in one bootstrap block.
    """

    difference: float
    lower: float
    share_better: float
    pairs: int
    block_length: int


@dataclass(frozen=True, slots=True)
class Decision:
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


def paired_test(challenger: Floats, champion: Floats, *, seed: int) -> PairedTest:
    """Compare two models' scaled errors on the same series, origins and steps.

    Series (with their origins) are drawn with replacement, and blocks of consecutive steps, the same for all series:
    errors follow each other in time, and neighbouring series share their weather. Drawing both ways is conservative.

    Args:
        challenger: Scaled absolute errors, shape (series and origins, horizon), NaN at gaps.
        champion: The same points.
        seed: Seed of the draws.

    Source: Künsch (1989), The jackknife and the bootstrap for general stationary observations, Annals of Statistics
        17(3), for the moving blocks; Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2), for
        drawing rows and columns independently.
    """
    differences = champion - challenger
    rows, horizon = differences.shape
    length = max(1, round(horizon ** (1 / 3)))
    generator = np.random.default_rng(seed)
    means = np.array([_resampled_mean(differences, length, generator) for _ in range(SAMPLES)])
    means = means[~np.isnan(means)]
    lower = float(np.quantile(means, 1 - CONFIDENCE)) if means.size else float("nan")
    share = float(np.mean(means > 0)) if means.size else 0.0
    return PairedTest(_row_mean(differences), lower, share, rows, length)


def decide_first(*, beats_baselines: bool) -> Decision:
    """Return the decision for a name's first model: it takes the alias, and says whether it beats the baselines."""
    does = "beats" if beats_baselines else "does not beat"
    return Decision(
        promote=True,
        reason=f"First model of this name; it {does} every baseline.",
        figures={"beats_baselines": beats_baselines},
    )


def decide(
    challenger: Evidence, champion: Evidence, *, seed: int, force: bool = False, notes: tuple[str, ...] = ()
) -> Decision:
    """Return whether the challenger takes the alias from the champion.

    Args:
        challenger: The new version on the held-out block.
        champion: The current one on the same points.
        seed: Seed of the bootstrap.
        force: Promote whatever the evidence says, and record that.
        notes: What weakens the evidence.
    """
    test = paired_test(challenger.scaled_errors, champion.scaled_errors, seed=seed)
    objections = [*_not_better(test), *_worse_coverage(challenger, champion), *_slower(challenger, champion)]
    figures = {
        **asdict(test),
        "confidence": CONFIDENCE,
        "mase_challenger": _row_mean(challenger.scaled_errors),
        "mase_champion": _row_mean(champion.scaled_errors),
        "coverage_80_challenger": challenger.coverage_80,
        "coverage_80_champion": champion.coverage_80,
        "forecast_ms_challenger": challenger.forecast_ms,
        "forecast_ms_champion": champion.forecast_ms,
    }
    if objections and not force:
        return Decision(promote=False, reason=" ".join(objections), figures=figures, notes=notes)
    better = f"Better than the champion by {test.difference:.4f} MASE, at {test.share_better:.1%} of the samples."
    reason = f"Promoted by hand. {' '.join(objections) or better}" if force else better
    return Decision(promote=True, reason=reason, forced=force, figures=figures, notes=notes)


def decide_incomparable(cause: str, *, force: bool) -> Decision:
    """Return the decision where the champion cannot forecast the held-out block: it stays, unless forced out."""
    reason = f"The champion cannot be compared: {cause}"
    return Decision(promote=force, reason=f"Promoted by hand. {reason}" if force else reason, forced=force)


def _resampled_mean(differences: Floats, length: int, generator: np.random.Generator) -> float:
    rows, horizon = differences.shape
    starts = generator.integers(0, horizon - length + 1, size=-(-horizon // length))
    steps = (starts[:, None] + np.arange(length)).ravel()[:horizon]
    return _row_mean(differences[generator.integers(0, rows, size=rows)][:, steps])


def _row_mean(values: Floats) -> float:
    """Return the mean over rows of each row's mean, rows without a value left out: mean MASE, for errors."""
    counts = np.sum(~np.isnan(values), axis=1)
    sums = np.nansum(values, axis=1)
    return float(np.mean(sums[counts > 0] / counts[counts > 0])) if (counts > 0).any() else float("nan")


def _not_better(test: PairedTest) -> list[str]:
    if test.lower > 0:
        return []
    bound = f"its {CONFIDENCE:.0%} lower bound {test.lower:+.4f}"
    return [f"Not better by more than chance: MASE differs by {test.difference:+.4f} in its favour, {bound}."]


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
