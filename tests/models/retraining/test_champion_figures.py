from typing import Any

import pytest

from models.retraining.champion_figures import ChampionEvidence, Figure, count_new_observations, evidence_of
from models.retraining.live_figures import LiveFigures
from models.spec import ModelSpec

NEW = Figure(None, "not counted.")


def make_answer(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any figure of a row
    """Return an answer of GET /accuracy about versions 6 and 7."""
    row = {"version": "7", "scores": 240, "skill": 0.25, "coverage": {"80": 0.78, "95": None}}
    decay = {"version": "7", "scores": 240, "ratio": 1.5, "naive_ratio": 1.2}
    inputs = [
        {"version": "7", "feature": "level", "confirmed_index": 0.1, "confirmed_inputs": 512},
        {"version": "7", "feature": "scale", "confirmed_index": 0.4, "confirmed_inputs": 512},
        {"version": "7", "feature": "gap_share", "index": 5.0, "confirmed_index": None, "confirmed_inputs": 99},
        {"version": "6", "feature": "level", "confirmed_index": 9.0, "confirmed_inputs": 512},
    ]
    return {
        "rows": [{**row, "version": "6", "skill": -1.0}, {**row, **changes}],
        "drift": {"inputs": inputs, "errors": [{**decay, **changes}]},
    }


def evidence(version: str = "7", min_scores: int = 1, **changes: Any) -> ChampionEvidence:  # noqa: ANN401 - as above
    """Return the evidence of a version in such a response."""
    figures = LiveFigures.from_response(make_answer(**changes), version)
    return evidence_of(figures, version, min_scores=min_scores, new_observations=NEW)


def test_figures_are_those_of_the_version() -> None:
    """Skill, coverage, the feature that moved most, and decay with the naive's own ratio divided out; unconfirmed inputs are no evidence."""
    seen = evidence(min_scores=240)

    assert seen.skill == Figure(0.25, "over 240 scores")
    assert seen.coverage.value == 0.78
    assert seen.drift == Figure(0.4, "scale (512 inputs that observations confirm)")
    assert seen.decay.value == pytest.approx(1.5 / 1.2)
    assert seen.new_observations is NEW


def test_too_few_scores_tell_nothing() -> None:
    """A figure that may be chance does not count; the inputs are counted by themselves."""
    seen = evidence(scores=99, min_scores=100)

    assert [one.value for one in (seen.skill, seen.coverage, seen.decay)] == [None] * 3
    assert seen.skill.about == "99 scores in the window, 100 are needed."
    assert seen.drift.value == 0.4


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"skill": None}, "skill"),
        ({"coverage": {"80": None, "95": None}}, "coverage"),
        ({"ratio": None}, "decay"),
        ({"naive_ratio": None}, "decay"),
        ({"naive_ratio": 0.0}, "decay"),
    ],
)
def test_a_figure_that_the_service_does_not_have_says_so(changes: dict[str, Any], field: str) -> None:
    """Histories without a scale, forecasts without an interval, a backtest without the naive."""
    figure = getattr(evidence(**changes, min_scores=1), field)

    assert figure.value is None
    assert figure.about.endswith(".")


def test_a_version_that_the_service_never_served_has_no_figures() -> None:
    """Only versions 6 and 7 have rows."""
    seen = evidence(version="8", min_scores=100)

    assert [one.value for one in (seen.skill, seen.coverage, seen.drift, seen.decay)] == [None] * 4


def test_new_observations_are_those_after_the_training() -> None:
    """Where its data had dates."""
    spec = ModelSpec("sales", "lstm", "many_to_many", "M", 12, 24, 24, 12, trained_to="2024-05-31T00:00:00.000000")

    assert count_new_observations(40, spec) == Figure(40, "the champion's training data, up to 2024-05-31")
    assert count_new_observations(None, spec, "the service is down.") == Figure(None, "the service is down.")
    dateless = ModelSpec("sales", "lstm", "many_to_many", "M", 12, 24, 24, 12)
    assert count_new_observations(40, dateless).value is None


def test_a_figure_writes_itself_as_a_number() -> None:
    """Or as a dash."""
    assert f"{Figure(0.256, ''):.1%} {Figure(None, ''):.1%}" == "25.6% -"


@pytest.mark.parametrize(("observations", "known"), [(19, False), (20, True), (None, True)])
def test_few_observations_are_no_evidence(observations: int | None, *, known: bool) -> None:
    """One outlier is scored by every forecast that reaches it; a service that does not count them is believed."""
    figures = LiveFigures.from_response({**make_answer(), "observations": observations}, "7")

    seen = evidence_of(figures, "7", min_scores=100, new_observations=NEW)

    for figure in (seen.skill, seen.coverage, seen.decay):
        assert (figure.value is not None) is known
