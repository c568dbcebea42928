import json
from dataclasses import replace
from typing import Any

import pytest

from models.errors import ConfigInvalid
from models.retraining.champion_figures import ChampionEvidence, Figure, unknown_evidence
from models.retraining.reasons import Reason, RetrainAssessment, assess_retraining
from models.retraining.thresholds import Thresholds

AT = "2026-01-01T00:00:00+00:00"

SOUND = ChampionEvidence(
    "3",
    skill=Figure(0.3, "over 240 scores"),
    coverage=Figure(0.82, "over 240 scores"),
    drift=Figure(0.05, "level (512 inputs)"),
    decay=Figure(1.02, "over 240 scores"),
    new_observations=Figure(40, "the champion's training data, up to 2024-05"),
)
CODES = [
    "NO_CHAMPION",
    "SKILL_BELOW_ZERO",
    "COVERAGE_OFF",
    "INPUT_DRIFT",
    "ERROR_DECAY",
    "NEW_OBSERVATIONS",
    "SCHEDULE",
    "MANUAL",
]


def of(assessment: RetrainAssessment, code: str) -> Reason:
    """Return one reason of an assessment."""
    return next(one for one in assessment.reasons if one.code == code)


def test_every_reason_is_listed_for_a_good_model() -> None:
    """None holds, and all are known."""
    assessment = assess_retraining("sales", SOUND, Thresholds(), AT)

    assert not assessment.retrain
    assert [one.code for one in assessment.reasons] == CODES
    assert all(one.known and not one.holds and one.sentence.endswith(".") for one in assessment.reasons)
    assert of(assessment, "SKILL_BELOW_ZERO").value == 0.3
    assert (assessment.name, assessment.version, assessment.at) == ("sales", "3", AT)


def evidence_with(field: str, value: float) -> ChampionEvidence:
    """Return the evidence for a good model, with one other figure."""
    figures: dict[str, Any] = {field: Figure(value, "over 240 scores")}
    return replace(SOUND, **figures)


@pytest.mark.parametrize(
    ("field", "holding", "not_holding", "code"),
    [
        ("skill", -0.001, 0.0, "SKILL_BELOW_ZERO"),
        ("coverage", 0.8 - 0.1, 0.71, "COVERAGE_OFF"),
        ("coverage", 0.9, 0.89, "COVERAGE_OFF"),
        ("drift", 0.26, 0.25, "INPUT_DRIFT"),
        ("decay", 1.31, 1.3, "ERROR_DECAY"),
        ("new_observations", 500, 499, "NEW_OBSERVATIONS"),
    ],
)
def test_each_reason_holds_from_its_threshold_on(field: str, holding: float, not_holding: float, code: str) -> None:
    """No other reason is met with it."""
    thresholds = Thresholds(new_observations=500)

    held, left = (
        assess_retraining("sales", evidence_with(field, value), thresholds, AT) for value in (holding, not_holding)
    )

    assert [one.code for one in held.reasons if one.holds] == [code]
    assert (of(held, code).value, of(held, code).known) == (holding, True)
    assert f"{of(held, code).threshold:g}" in {"0", "0.1", "0.25", "1.3", "500"}
    assert not left.retrain


def test_thresholds_are_configurable() -> None:
    """The same evidence is a reason with strict thresholds."""
    strict = Thresholds(skill_below=0.4, coverage_off=0.02, drift=0.04, decay=1.01, new_observations=40)

    assessment = assess_retraining("sales", SOUND, strict, AT)

    assert [one.code for one in assessment.reasons if one.holds] == CODES[1:6]


def test_new_observations_are_no_reason_by_default() -> None:
    """Their number is reported."""
    reason = of(
        assess_retraining("sales", replace(SOUND, new_observations=Figure(10**6, "May")), Thresholds(), AT), CODES[5]
    )

    assert (reason.holds, reason.known, reason.value, reason.threshold) == (False, True, 10**6, None)
    assert "1,000,000" in reason.sentence


def test_an_unknown_figure_is_no_reason() -> None:
    """Its sentence has the cause."""
    assessment = assess_retraining(
        "sales", unknown_evidence("3", "no service answers."), Thresholds(new_observations=1), AT
    )

    assert not assessment.retrain
    assert [one.code for one in assessment.reasons if not one.known] == CODES[1:6]
    assert "no service answers." in of(assessment, "ERROR_DECAY").sentence
    assert of(assessment, "ERROR_DECAY").value is None


def test_a_name_without_a_champion_is_a_reason() -> None:
    """There is nothing else to serve."""
    assessment = assess_retraining("sales", None, Thresholds(), AT)

    assert assessment.retrain
    assert assessment.version is None
    assert [one.code for one in assessment.reasons if one.holds] == ["NO_CHAMPION"]


def test_an_assessment_is_plain_data() -> None:
    """REST and MLflow use it."""
    data = json.loads(json.dumps(assess_retraining("sales", SOUND, Thresholds(), AT).to_dict(), allow_nan=False))

    assert list(data) == ["name", "version", "retrain", "at", "reasons"]
    assert data["retrain"] is False
    assert list(data["reasons"][1]) == ["code", "holds", "known", "value", "threshold", "sentence"]


def test_thresholds_are_read_from_the_retrain_table() -> None:
    """Other settings are ignored, invalid thresholds refused."""
    assert Thresholds.of({"decay": 2, "origins": 5, "warm_start": False}) == Thresholds(decay=2)
    for table in ({"decay": "2"}, {"decay": True}, {"window": 1.5}, {"min_scores": None}, {"drift": float("nan")}):
        with pytest.raises(ConfigInvalid, match=f"retrain.{next(iter(table))}"):
            Thresholds.of(table)


def test_the_window_is_two_seasons_or_the_horizon() -> None:
    """A configured window replaces both."""
    assert Thresholds().steps(12, 12) == 24
    assert Thresholds().steps(1, 6) == 6
    assert Thresholds(window=5).steps(12, 12) == 5
