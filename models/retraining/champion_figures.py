"""Champion figures: what is known about a champion, and what each figure is based on."""

import re
from dataclasses import dataclass

from models.retraining.live_figures import LiveFigures
from models.spec import ModelSpec

MIN_OBSERVATIONS = 20
"""Fewest observations behind live figures: every forecast that reaches an outlier is scored with it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and what it is based on, or why there is none.

    Attributes:
        value: The number; None if it is not known.
        about: What it is based on, such as `over 240 scores`; if it is not known, one sentence that says why.
    """

    value: float | None
    about: str

    def __format__(self, spec: str) -> str:
        """Return the number in a format of floats, `-` if it is not known."""
        return "-" if self.value is None else format(self.value, spec)


@dataclass(frozen=True, slots=True)
class ChampionEvidence:
    """What is known about a champion.

    Attributes:
        version: The champion.
        skill: Live, against seasonal naive.
        coverage: Live share of actual values in the 80 % interval.
        drift: The greatest population stability index of its input features, of inputs that observations confirm.
        decay: Live error / backtest error over the same of seasonal naive: how much the model itself has aged.
        new_observations: Observations newer than its training data.
    """

    version: str
    skill: Figure
    coverage: Figure
    drift: Figure
    decay: Figure
    new_observations: Figure


def unknown_evidence(version: str, why: str) -> ChampionEvidence:
    """Return evidence in which nothing is known, and why."""
    nothing = Figure(None, why)
    return ChampionEvidence(version, nothing, nothing, nothing, nothing, nothing)


def evidence_of(figures: LiveFigures, version: str, *, min_scores: int, new_observations: Figure) -> ChampionEvidence:
    """Return what live figures say about a version."""
    drift = figures.drift
    return ChampionEvidence(
        version,
        skill=_enough(figures, figures.scores, figures.skill, min_scores),
        coverage=_enough(figures, figures.scores, figures.coverage_80, min_scores),
        drift=Figure(None, "observations confirm too few of the inputs of this version since the service started.")
        if drift is None
        else Figure(drift.index, f"{drift.feature} ({drift.inputs:,} inputs that observations confirm)"),
        decay=_decay(figures, min_scores),
        new_observations=new_observations,
    )


def count_new_observations(count: int | None, spec: ModelSpec, why: str = "") -> Figure:
    """Return the number of observations that are newer than a model's training data."""
    if spec.trained_to is None:
        return Figure(None, "the champion's training data had no dates.")
    until = re.sub(r"T00:00:00(\.0+)?$", "", spec.trained_to)
    return Figure(None, why) if count is None else Figure(count, f"the champion's training data, up to {until}")


def _enough(figures: LiveFigures, scores: int, value: float | None, min_scores: int) -> Figure:
    if scores < min_scores:
        return Figure(None, f"{scores:,} scores in the window, {min_scores:,} are needed.")
    if figures.observations is not None and figures.observations < min(MIN_OBSERVATIONS, min_scores):
        return Figure(
            None,
            f"the scores in the window rest on {figures.observations} observations, {MIN_OBSERVATIONS} are needed.",
        )
    if value is None:
        return Figure(None, f"it cannot be computed from the {scores:,} scores in the window.")
    return Figure(value, f"over {scores:,} scores")


def _decay(figures: LiveFigures, min_scores: int) -> Figure:
    if not figures.compared_scores:
        return Figure(None, "no scored step has a backtest error to compare it with.")
    if figures.error_ratio is None or not figures.naive_ratio:
        return Figure(None, "the backtest has no error of the model or of seasonal naive to compare with.")
    return _enough(figures, figures.compared_scores, figures.error_ratio / figures.naive_ratio, min_scores)
