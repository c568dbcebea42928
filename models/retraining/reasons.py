"""Reasons: whether a model should be trained again, and why, from what is known of the one that is served."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from models.retraining.evidence import ChampionEvidence, Figure
from models.retraining.thresholds import Thresholds

COVERAGE_NOMINAL = 0.80
"""Of the interval whose coverage is judged."""

ALIKE = 1e-9
"""Coverages nearer than this to a threshold are at it: 0.8 - 0.1 is no more than 0.1 off in float64."""

Trigger = Literal["schedule", "manual"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason to train again, whether it holds or not.

    Attributes:
        code: Stable, upper-case name such as `SKILL_BELOW_ZERO`.
        holds: Whether it is met.
        known: Whether it could be told.
        value: What was seen; None where that is unknown or no number.
        threshold: What it was held against; None where there is none.
        sentence: All of it for a person; of one that is unknown, why.
    """

    code: str
    holds: bool
    known: bool
    value: float | None
    threshold: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class RetrainAssessment:
    """Whether a model should be trained again, and every reason that was looked at.

    Attributes:
        name: Registered name.
        version: The champion's; None where there is none.
        at: When it was judged, ISO 8601.
        reasons: All of them, those that hold, those that do not and those that could not be told.
    """

    name: str
    version: str | None
    at: str
    reasons: tuple[Reason, ...]

    @property
    def retrain(self) -> bool:
        """Whether any reason holds."""
        return any(one.holds for one in self.reasons)

    def asked(self, trigger: Trigger) -> "RetrainAssessment":
        """Return this judgement of a training that a schedule's tick or a person asks for whatever the evidence says."""
        reasons = [_asked(one.code) if one.code == trigger.upper() else one for one in self.reasons]
        return replace(self, reasons=tuple(reasons))

    def to_dict(self) -> dict[str, Any]:
        """Return the judgement as plain data."""
        return {
            "name": self.name,
            "version": self.version,
            "retrain": self.retrain,
            "at": self.at,
            "reasons": [asdict(one) for one in self.reasons],
        }


def assess_retraining(name: str, seen: ChampionEvidence | None, thresholds: Thresholds, at: str) -> RetrainAssessment:
    """Return whether a model should be trained again.

    Args:
        name: Registered name.
        seen: What is known of its champion; None where the name has none.
        thresholds: When that is a reason.
        at: The time, ISO 8601.
    """
    if seen is None:
        first = Reason("NO_CHAMPION", True, True, None, None, f"{name} has no champion: there is nothing to serve yet.")  # noqa: FBT003
        return RetrainAssessment(name, None, at, (first, _not_asked("SCHEDULE"), _not_asked("MANUAL")))
    reasons = (
        Reason("NO_CHAMPION", False, True, None, None, f"{name} has a champion, version {seen.version}."),  # noqa: FBT003
        _skill(seen.skill, thresholds.skill_below),
        _coverage(seen.coverage, thresholds.coverage_off),
        _drift(seen.drift, thresholds.drift),
        _decay(seen.decay, thresholds.decay),
        _new(seen.new_observations, thresholds.new_observations),
        _not_asked("SCHEDULE"),
        _not_asked("MANUAL"),
    )
    return RetrainAssessment(name, seen.version, at, reasons)


def _skill(figure: Figure, threshold: float) -> Reason:
    return _reason(
        "SKILL_BELOW_ZERO",
        figure,
        threshold,
        holds=figure.value is not None and figure.value < threshold,
        sentence=f"Live skill against seasonal naive is {figure:.3f} {figure.about}; below {threshold:g} is a reason.",
    )


def _coverage(figure: Figure, threshold: float) -> Reason:
    return _reason(
        "COVERAGE_OFF",
        figure,
        threshold,
        holds=figure.value is not None and abs(figure.value - COVERAGE_NOMINAL) >= threshold - ALIKE,
        sentence=f"The 80 % interval held {figure:.1%} of the truths {figure.about}; "
        f"{100 * threshold:g} points or more from 80 % are a reason.",
    )


def _drift(figure: Figure, threshold: float) -> Reason:
    return _reason(
        "INPUT_DRIFT",
        figure,
        threshold,
        holds=figure.value is not None and figure.value > threshold,
        sentence=f"The inputs differ most from the training's in {figure.about}: "
        f"population stability index {figure:.2f}; above {threshold:g} is a reason.",
    )


def _decay(figure: Figure, threshold: float) -> Reason:
    return _reason(
        "ERROR_DECAY",
        figure,
        threshold,
        holds=figure.value is not None and figure.value > threshold,
        sentence=f"Live errors are {figure:.2f} times the backtest's {figure.about}, what seasonal naive's own rose by "
        f"divided out; above {threshold:g} is a reason.",
    )


def _new(figure: Figure, threshold: int | None) -> Reason:
    needed = "no number is set as a reason" if threshold is None else f"{threshold:,} or more are a reason"
    return _reason(
        "NEW_OBSERVATIONS",
        figure,
        threshold,
        holds=figure.value is not None and threshold is not None and figure.value >= threshold,
        sentence=f"{figure:,.0f} observations are newer than {figure.about}; {needed}.",
    )


def _reason(code: str, figure: Figure, threshold: float | None, *, holds: bool, sentence: str) -> Reason:
    if figure.value is None:
        return Reason(code, False, False, None, threshold, f"Not known: {figure.about}")  # noqa: FBT003
    return Reason(code, holds, True, figure.value, threshold, sentence)  # noqa: FBT003


_TRIGGERS = {
    "SCHEDULE": ("A schedule's tick asks for it.", "No schedule's tick asks for it by itself."),
    "MANUAL": ("A person asks for it.", "No person asks for it whatever the evidence says."),
}


def _asked(code: str) -> Reason:
    return Reason(code, True, True, None, None, _TRIGGERS[code][0])  # noqa: FBT003


def _not_asked(code: str) -> Reason:
    return Reason(code, False, True, None, None, _TRIGGERS[code][1])  # noqa: FBT003
