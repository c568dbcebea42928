"""Rollback: whether a new champion is so much worse than its predecessor that the alias goes back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from models.retraining.significance import estimate_uncertainty
from training.service_client.live_evidence import LiveEvidence

CONFIDENCE = 0.99
"""Confidence of the two-sided interval around the difference of skills: each new period is another test, and each test may
err."""

FEWEST_PERIODS = 3
"""Scored periods needed of both versions: with fewer, a bad period looks like a bad model."""

FEWEST_SCORES = 30
"""Scored steps needed of both versions."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Whether the alias goes back from a fresh champion to its predecessor, and what the decision is based on."""

    roll_back: bool
    reason: str
    fresh: str
    predecessor: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as plain data."""
        return asdict(self)


def decide_rollback(fresh: LiveEvidence, predecessor: LiveEvidence) -> Rollback:
    """Return whether a new champion's live skill is below its predecessor's by more than chance.

    The two are scored in different periods, some of which are harder than others. So their skills are compared: the error
    divided by that of seasonal naive on the same values. Only series that both were scored on are compared, as pairs.
    `significance.uncertainty` over the residuals of both ratios gives the interval.

    Args:
        fresh: Scores of the champion.
        predecessor: Scores of the version before it, over as many periods and at the same steps ahead.
    """
    common = sorted({*fresh.series} & {*predecessor.series})
    now, before = fresh.only(common), predecessor.only(common)
    figures: dict[str, Any] = {
        "series": len(common),
        "periods": len(now.periods),
        "periods_before": len(before.periods),
        "scores": int(now.scores.sum()),
        "scores_before": int(before.scores.sum()),
    }
    for one in (now, before):
        if lacking := _missing_scores(one):
            return Rollback(
                roll_back=False, reason=lacking, fresh=now.version, predecessor=before.version, figures=figures
            )
    loss = before.skill - now.skill
    found = estimate_uncertainty(now.residuals(), -before.residuals())
    lower = found.lower(loss, CONFIDENCE)
    figures |= {
        "skill": now.skill,
        "skill_before": before.skill,
        "loss": loss,
        "lower": lower,
        "p_value": found.p_value(loss),
        "confidence": CONFIDENCE,
    }
    surely = (
        f"lower by at least {lower:.3f} with {CONFIDENCE:.0%} confidence."
        if lower > 0
        else f"not lower by more than chance ({CONFIDENCE:.0%} interval of the loss from {lower:+.3f})."
    )
    skills = f"version {now.version} is {now.skill:.3f}, that of version {before.version} was {before.skill:.3f}"
    reason = f"Live skill of {skills}: {surely}"
    return Rollback(bool(lower > 0), reason, now.version, before.version, figures)


def _missing_scores(one: LiveEvidence) -> str:
    """Return which scores are missing, or "" if there are enough."""
    if len(one.periods) >= FEWEST_PERIODS and one.scores.sum() >= FEWEST_SCORES and one.naive_errors.sum() > 0:
        return ""
    found = f"{int(one.scores.sum())} scores in {len(one.periods)} periods of version {one.version}"
    needed = f"{FEWEST_SCORES} in {FEWEST_PERIODS} are needed, on series that both versions were scored on"
    return f"Too few scores: {found}; {needed}."
