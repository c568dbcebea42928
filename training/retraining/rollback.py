"""Rollback: whether a fresh champion does so much worse than its predecessor did that the alias goes back; pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from training.evaluation.significance import uncertainty
from training.service_client.live_evidence import LiveEvidence

CONFIDENCE = 0.99
"""Of the two-sided interval around the difference of skills: a champion is looked at again with each period of truth, and
every look may err."""

FEWEST_PERIODS = 3
"""Of truth, of both versions: over fewer, nobody can tell a bad period from a bad model."""

FEWEST_SCORES = 30
"""Scored steps, of both versions."""


@dataclass(frozen=True, slots=True)
class Rollback:
    """Whether the champion goes back, why, and by which figures.

    Attributes:
        roll_back: The answer.
        reason: One sentence for a person.
        fresh: Version that is champion.
        predecessor: Version that was, and would be again.
        figures: What it was decided by.
    """

    roll_back: bool
    reason: str
    fresh: str
    predecessor: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the decision as plain data."""
        return asdict(self)


def decide_rollback(fresh: LiveEvidence, predecessor: LiveEvidence) -> Rollback:
    """Return whether a fresh champion's live skill is below its predecessor's by more than chance.

    The truths of the two lie in different periods, some of which are harder than others: so skill is compared, the error
    over that of seasonal naive on the same truths. Series that only one of them was scored on take no part; those of both
    are paired. Chance is that of series and of periods, `significance.uncertainty` over the residuals of both ratios.

    Args:
        fresh: Of the champion.
        predecessor: Of the version before it, over as many periods, at the same steps ahead.
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
        if lacking := _lacking(one):
            return Rollback(
                roll_back=False, reason=lacking, fresh=now.version, predecessor=before.version, figures=figures
            )
    loss = before.skill - now.skill
    found = uncertainty(now.residuals(), -before.residuals())
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
    told = f"version {now.version} is {now.skill:.3f}, that of version {before.version} was {before.skill:.3f}"
    reason = f"Live skill of {told}: {surely}"
    return Rollback(bool(lower > 0), reason, now.version, before.version, figures)


def _lacking(one: LiveEvidence) -> str:
    """Return what there is too little of, "" where there is enough."""
    if len(one.periods) >= FEWEST_PERIODS and one.scores.sum() >= FEWEST_SCORES and one.naive_errors.sum() > 0:
        return ""
    told = f"{int(one.scores.sum())} scores in {len(one.periods)} periods of version {one.version}"
    needed = f"{FEWEST_SCORES} in {FEWEST_PERIODS} are needed, on series that both versions were scored on"
    return f"Too little to tell: {told}; {needed}."
