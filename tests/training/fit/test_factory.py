from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.training.fakes import make_request
from training.config.training import CANDIDATES
from training.fit import factory
from training.fit.factory import make_candidate

if TYPE_CHECKING:
    from training.fit.request import FitRequest

MAKERS = {
    "starter": "train_starter",
    "starter_tuned": "tune_starter",
    "auto": "make_auto",
    "warm_start": "tune_champion",
}
"""What makes the candidates that are not networks trained from nothing."""


@pytest.mark.parametrize("architecture", CANDIDATES)
def test_every_candidate_of_a_configuration_has_its_maker(
    architecture: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The one of its name, or the training of networks; each is handed the request as it is."""
    asked: list[tuple[str, FitRequest, dict[str, Any]]] = []
    for name in ("train_candidate", *MAKERS.values()):
        monkeypatch.setattr(factory, name, lambda given, name=name, **more: asked.append((name, given, more)))
    request = make_request(tmp_path, architecture=architecture)

    make_candidate(request)

    ((maker, given, more),) = asked
    assert maker == MAKERS.get(architecture, "train_candidate")
    assert given is request
    assert (more.get("fit") is make_candidate) == (architecture == "auto")
