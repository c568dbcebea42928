from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from models.spec import ModelSpec
from tests.training.live import Answers, make_row, serving
from training import judging
from training.judging import judge
from training.live import Address
from training.place import Version
from training.registry import Registry
from training.retrain_config import RetrainConfig

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = ModelSpec("sales", "lstm", "many_to_many", "M", 12, 24, 24, 12, trained_to="2024-05-31")
CHAMPION = Version("sales", "10", ("champion",), "run", "lstm", 0, {}, "")


class Served(Answers):
    """A service that has scored version 10, and counts."""

    def answer(self, question: dict[str, str]) -> dict[str, Any]:
        """Return scores below seasonal naive, or a count."""
        if "after" in question:
            return {"observations": 40, "series": 4}
        rows = [make_row(version="10", skill=-0.2, scores=240)]
        return {**super().answer(question), "rows": rows}


@pytest.fixture
def registered(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return a registry with a champion of `sales`."""
    monkeypatch.setattr(registry, "resolve", lambda _: CHAMPION)
    monkeypatch.setattr(judging, "_spec_of", lambda *_: SPEC)
    return registry


@pytest.fixture
def served() -> Iterator[tuple[Served, str]]:
    """Return a service and its address."""
    answers = Served()
    with serving(answers) as url:
        yield answers, url


def test_live_evidence_is_a_reason(registered: Registry, served: tuple[Served, str]) -> None:
    """The champion's own figures, of two seasons, and what was observed since its training."""
    answers, url = served

    judgement = judge("sales", RetrainConfig(new_observations=41), Address(url, "alm_key"), registered, NOW)

    assert judgement.retrain
    assert {one.code: one.value for one in judgement.reasons if one.holds} == {
        "SKILL_BELOW_ZERO": -0.2,
        "INPUT_DRIFT": 0.31,
    }
    assert {one.code: one.value for one in judgement.reasons}["NEW_OBSERVATIONS"] == 40
    assert (judgement.name, judgement.version, judgement.at) == ("sales", "10", "2026-01-01T00:00:00+00:00")
    asked = {key: answers.questions[0][key] for key in ("model", "version", "by", "window")}
    assert asked == {"model": "sales", "version": "10", "by": "version", "window": "24"}
    assert answers.questions[1] == {"after": "2024-05-31", "frequency": "M"}
    assert answers.keys == ["Bearer alm_key"] * 2


def test_data_without_dates_is_not_counted(
    registered: Registry, served: tuple[Served, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can say what is newer."""
    monkeypatch.setattr(judging, "_spec_of", lambda *_: replace(SPEC, trained_to=None))

    judgement = judge("sales", RetrainConfig(), Address(served[1]), registered, NOW)

    assert [one.known for one in judgement.reasons if one.code == "NEW_OBSERVATIONS"] == [False]
    assert len(served[0].questions) == 1


def test_a_service_that_is_down_kills_nothing(registered: Registry, served: tuple[Served, str]) -> None:
    """It answers an error, or nobody says where it is: five reasons are unknown, none holds."""
    served[0].status = 500

    for address, why in ((Address(served[1]), "answers 500"), (None, "ALMANAC_SERVICE_URL")):
        judgement = judge("sales", RetrainConfig(), address, registered, NOW)

        assert not judgement.retrain
        assert [why in one.sentence for one in judgement.reasons if not one.known] == [True] * 5


def test_a_name_that_nobody_trained_is_a_reason(registry: Registry) -> None:
    """The registry has no champion of it; no service is asked."""
    judgement = judge("sales", RetrainConfig(), None, registry, NOW)

    assert [one.code for one in judgement.reasons if one.holds] == ["NO_CHAMPION"]
