from typing import Any

import pytest

from training.config.training import CANDIDATES
from training.fit import factory
from training.fit.candidate import TrainingSet
from training.fit.factory import make_candidate

MAKERS = {
    "starter": "train_starter",
    "starter_tuned": "tune_starter",
    "auto": "make_auto",
    "warm_start": "tune_champion",
}
"""What makes the candidates that are not networks trained from nothing."""


@pytest.mark.parametrize("architecture", CANDIDATES)
def test_every_candidate_of_a_configuration_has_its_maker(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one of its name, or the training of networks; each is handed the question as it is."""
    asked: list[tuple[str, dict[str, Any]]] = []
    for name in ("train_candidate", *MAKERS.values()):
        monkeypatch.setattr(factory, name, lambda _set, name=name, **question: asked.append((name, question)))

    make_candidate(TrainingSet([], "M", 12, ""), architecture=architecture, seed=4)

    ((maker, question),) = asked
    assert maker == MAKERS.get(architecture, "train_candidate")
    assert question["seed"] == 4
    assert question.get("architecture") == (architecture if architecture not in MAKERS else None)
    assert (question.get("fit") is make_candidate) == (architecture == "auto")
