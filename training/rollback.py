"""Rollback: whether a fresh champion does so much worse than its predecessor did that the alias goes back; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from training.significance import uncertainty

Floats = NDArray[np.float64]

CONFIDENCE = 0.99
"""Of the two-sided interval around the difference of skills: a champion is looked at again with each period of truth, and
every look may err."""

FEWEST_PERIODS = 3
"""Of truth, of both versions: over fewer, nobody can tell a bad period from a bad model."""

FEWEST_SCORES = 30
"""Scored steps, of both versions."""


@dataclass(frozen=True, slots=True, eq=False)
class LiveEvidence:
    """How one version's served forecasts came out.

    Attributes:
        version: Which.
        series: Ids of the rows.
        periods: Of the truths, rising: the columns.
        errors: Sums of absolute scaled errors, shape (series, periods), 0 where nothing was scored.
        naive_errors: The same of seasonal naive from the same histories.
        scores: Scored steps behind them.
    """

    version: str
    series: tuple[str, ...]
    periods: tuple[str, ...]
    errors: Floats
    naive_errors: Floats
    scores: Floats

    @classmethod
    def of(cls, version: str, rows: Iterable[Mapping[str, Any]]) -> Self:
        """Return the evidence in rows of GET /accuracy by series and period; those without a scaled error are left out."""
        known = [row for row in rows if row["mase"] is not None and row["naive_mase"] is not None]
        series = tuple(sorted({row["series"] for row in known}))
        periods = tuple(sorted({row["period"] for row in known}))
        found = np.zeros((3, len(series), len(periods)))
        for row in known:
            values = np.array([row["mase"], row["naive_mase"], 1.0]) * row["scores"]
            found[:, series.index(row["series"]), periods.index(row["period"])] = values
        return cls(version, series, periods, *found)

    def only(self, series: Iterable[str]) -> Self:
        """Return the part of some series, in their order, and of the periods in which one of them was scored."""
        rows = np.array([self.series.index(one) for one in series], dtype=np.int64)
        kept = np.flatnonzero(self.scores[rows].any(axis=0))
        parts = (one[np.ix_(rows, kept)] for one in (self.errors, self.naive_errors, self.scores))
        return type(self)(
            self.version, tuple(self.series[row] for row in rows), tuple(self.periods[k] for k in kept), *parts
        )

    @property
    def skill(self) -> float:
        """1 - error / seasonal naive's error; NaN where that made none."""
        return 1 - self.errors.sum() / self.naive_errors.sum() if self.naive_errors.sum() > 0 else float("nan")

    def residuals(self) -> Floats:
        """Return what each series and period adds to the chance in the skill, shape (series, periods), 0 in sum."""
        return np.asarray((self.errors - (1 - self.skill) * self.naive_errors) / self.naive_errors.sum())


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
