"""Live promotion: whether the scored forecasts of a challenger, made in the shadow or as a canary, let it become champion."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from models.json_values import to_json_value
from models.retraining.significance import estimate_uncertainty

CONFIDENCE = 0.95
"""Confidence of the two-sided interval around the difference of errors; if it lies above 0, the challenger is worse."""

PERIOD: Literal["day"] = "day"
"""Errors of the same day (of the observed value) are compared."""

ScoredSteps = Mapping[tuple[str, str, int], tuple[float, int]]
"""By series, day and step: mean absolute scaled error and number of scored forecasts."""


@dataclass(frozen=True, slots=True)
class LivePromotion:
    """Whether live scores let a challenger become champion, and what was compared."""

    allowed: bool
    reason: str
    challenger: str
    champion: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as plain data."""
        return asdict(self)

    @property
    def has_enough_scores(self) -> bool:
        """Whether there were scores enough to decide by errors."""
        return "lower" in self.figures


def decide_live_promotion(
    challenger: ScoredSteps, champion: ScoredSteps, *, versions: tuple[str, str], fewest: int
) -> LivePromotion:
    """Return whether a challenger has enough scores, and no significantly larger errors than the champion.

    Both are compared on the same series, days and steps: each such cell counts as often as the version that was scored
    less there. The residuals are those of a ratio of means, as in the comparison on backtests.

    Args:
        challenger: Errors of the challenger.
        champion: Errors of the champion.
        versions: Versions of the challenger and of the champion.
        fewest: Scored forecasts that both must have, of the same series, days and steps.
    """
    common = sorted(challenger.keys() & champion.keys())
    ours, theirs = (np.array([one[at][0] for at in common]) for one in (challenger, champion))
    weights = np.array([min(challenger[at][1], champion[at][1]) for at in common], dtype=np.float64)
    series, days = (sorted({at[place] for at in common}) for place in (0, 1))
    figures = {"scores": int(weights.sum()), "series": len(series), "days": len(days), "needed": fewest}
    compared = f"{figures['scores']} scored forecasts of both on {len(series)} series and {len(days)} days"
    if weights.sum() < max(fewest, 1):
        reason = f"Too few live scores: {compared}; {fewest} are needed, of the same series, days and steps."
        return LivePromotion(
            allowed=False, reason=reason, challenger=versions[0], champion=versions[1], figures=figures
        )
    weights /= weights.sum()
    loss, level = float(weights @ (ours - theirs)), float(weights @ (ours + theirs)) / 2
    share = loss / level if level > 0 else 0.0
    residuals = np.zeros((len(series), len(days)))
    rows, columns = ({one: at for at, one in enumerate(names)} for names in (series, days))
    cells = weights * (ours - theirs - share * (ours + theirs) / 2)
    np.add.at(residuals, ([rows[at[0]] for at in common], [columns[at[1]] for at in common]), cells)
    found = estimate_uncertainty(residuals)
    lower = found.lower(loss, CONFIDENCE)
    measured = {
        **figures,
        "mase_challenger": float(weights @ ours),
        "mase_champion": float(weights @ theirs),
        "loss": loss,
        "lower": lower,
        "p_value": found.p_value(loss),
        "confidence": CONFIDENCE,
    }
    allowed = bool(found.degrees) and lower <= 0
    return LivePromotion(
        allowed, f"{_describe(measured, versions)}, on {compared}.", *versions, to_json_value(measured)
    )


def _describe(measured: Mapping[str, Any], versions: tuple[str, str]) -> str:
    """Return both errors and what the test says of them."""
    errors = (
        f"Live error of version {versions[0]} is {measured['mase_challenger']:.4g} MASE, "
        f"that of version {versions[1]} {measured['mase_champion']:.4g}"
    )
    if np.isnan(measured["lower"]):
        return f"{errors}: one series on one day cannot be tested"
    if measured["lower"] > 0:
        return f"{errors}: larger by at least {measured['lower']:.4g} with {CONFIDENCE:.0%} confidence"
    return f"{errors}: not significantly larger ({CONFIDENCE:.0%} interval of the difference from {measured['lower']:+.4g})"
