"""Reasons: whether a model should be trained again, and why, from the evidence about its champion."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from models.retraining.champion_figures import ChampionEvidence, Figure
from models.retraining.thresholds import Thresholds

COVERAGE_NOMINAL = 0.80
"""Nominal coverage of the interval that is checked."""

ALIKE = 1e-9
"""Coverages closer than this to a threshold are equal to it, because 0.9 - 0.8 is below 0.1 in float64."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One possible reason to train again.

    Attributes:
        code: Stable, upper-case name such as `SKILL_BELOW_ZERO`.
        holds: Whether it is a reason now.
        known: Whether it could be evaluated.
        value: The figure; None if it is unknown or there is none.
        threshold: The threshold; None if there is none.
        sentence: An explanation for people.
    """

    code: str
    holds: bool
    known: bool
    value: float | None
    threshold: float | None
    sentence: str


@dataclass(frozen=True, slots=True)
class RetrainAssessment:
    """Whether a model should be trained again, with every reason that was evaluated."""

    name: str
    version: str | None
    at: str
    reasons: tuple[Reason, ...]

    @property
    def retrain(self) -> bool:
        """Whether any reason is met."""
        return any(one.holds for one in self.reasons)

    def to_dict(self) -> dict[str, Any]:
        """Return the assessment as plain data."""
        return {
            "name": self.name,
            "version": self.version,
            "retrain": self.retrain,
            "at": self.at,
            "reasons": [asdict(one) for one in self.reasons],
        }


def assess_retraining(name: str, seen: ChampionEvidence | None, thresholds: Thresholds, at: str) -> RetrainAssessment:
    """Return whether a model should be trained again."""
    if seen is None:
        first = Reason("NO_CHAMPION", True, True, None, None, f"{name} has no champion yet.")  # noqa: FBT003
        return RetrainAssessment(name, None, at, (first, _not_requested("SCHEDULE"), _not_requested("MANUAL")))
    reasons = (
        Reason("NO_CHAMPION", False, True, None, None, f"{name} has a champion, version {seen.version}."),  # noqa: FBT003
        _skill(seen.skill, thresholds.skill_below),
        _coverage(seen.coverage, thresholds.coverage_off),
        _drift(seen.drift, thresholds.drift),
        _decay(seen.decay, thresholds.decay),
        _new(seen.new_observations, thresholds.new_observations),
        _not_requested("SCHEDULE"),
        _not_requested("MANUAL"),
    )
    return RetrainAssessment(name, seen.version, at, reasons)


def _skill(figure: Figure, threshold: float) -> Reason:
    sentence = f"Live skill against the seasonal naive is {figure:.3f} {figure.about}; below {threshold:g} is a reason."
    return _reason("SKILL_BELOW_ZERO", figure, threshold, sentence, lambda value: value < threshold)


def _coverage(figure: Figure, threshold: float) -> Reason:
    covered = f"The 80 % interval covers {figure:.1%} of the observations {figure.about}"
    sentence = f"{covered}; {100 * threshold:g} points or more from 80 % are a reason."
    least = threshold - ALIKE
    return _reason("COVERAGE_OFF", figure, threshold, sentence, lambda value: abs(value - COVERAGE_NOMINAL) >= least)


def _drift(figure: Figure, threshold: float) -> Reason:
    drifted = (
        f"The inputs differ most from the training data in {figure.about}: population stability index {figure:.2f}"
    )
    return _reason(
        "INPUT_DRIFT",
        figure,
        threshold,
        f"{drifted}; above {threshold:g} is a reason.",
        lambda value: value > threshold,
    )


def _decay(figure: Figure, threshold: float) -> Reason:
    sentence = (
        f"Live errors are {figure:.2f} times the backtest's {figure.about}, relative to the same ratio of the seasonal "
        f"naive; above {threshold:g} is a reason."
    )
    return _reason("ERROR_DECAY", figure, threshold, sentence, lambda value: value > threshold)


def _new(figure: Figure, threshold: int | None) -> Reason:
    needed = "no number is set as a reason" if threshold is None else f"{threshold:,} or more are a reason"
    sentence = f"{figure:,.0f} observations are newer than {figure.about}; {needed}."
    return _reason(
        "NEW_OBSERVATIONS", figure, threshold, sentence, lambda value: threshold is not None and value >= threshold
    )


def _reason(
    code: str, figure: Figure, threshold: float | None, sentence: str, is_reason: Callable[[float], bool]
) -> Reason:
    if figure.value is None:
        return Reason(code, False, False, None, threshold, f"Unknown: {figure.about}")  # noqa: FBT003
    return Reason(code, is_reason(figure.value), True, figure.value, threshold, sentence)  # noqa: FBT003


_NOT_REQUESTED = {
    "SCHEDULE": "No schedule requests a training by itself.",
    "MANUAL": "No person requests a training regardless of the evidence.",
}


def _not_requested(code: str) -> Reason:
    return Reason(code, False, True, None, None, _NOT_REQUESTED[code])  # noqa: FBT003
