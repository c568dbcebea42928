"""An ensemble over REST."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from service.serving.model_loader import SESSION_MEGABYTES, _megabytes
from service.serving.registry_index import ModelVersion, RegisteredModel
from tests.artifacts import make_blended
from tests.service.home import ServiceHome
from tests.training.fakes import combine_graphs
from tests.training.fit.test_ensemble import make_candidate
from training.fit.ensemble import make_ensemble
from training.fit.ensemble_weights import EnsembleWeights


def test_an_ensemble_is_served_like_a_network(
    home: ServiceHome, start: Callable[..., TestClient], tmp_path: Path
) -> None:
    """Its forecast is the mean of its members, beyond their horizon too, and its card lists them."""
    members = {f"lstm/{seed}": make_candidate(tmp_path / str(seed), shift=2.0 * seed, seed=seed) for seed in (0, 1)}
    halves = EnsembleWeights("equal", dict.fromkeys(members, 0.5), {})
    make_ensemble(members, tmp_path / "whole", combine_graphs, halves)
    with home.cache.download() as folder:
        shutil.copytree(tmp_path / "whole", folder / "artifact")
        digest = home.cache.store(folder)
    home.set_models(
        {"temperatures": RegisteredModel({"1": ModelVersion(run_id="run-1", digest=digest)}, {"champion": "1"})}
    )
    client = start()
    season = [float(month) for month in range(12)]

    answer = client.post("/forecast", json={"series": [{"values": season * 3}], "horizon": 24})

    assert answer.status_code == 200, answer.text
    median = answer.json()["forecasts"][0]["median"]
    assert median == pytest.approx([one + 1.0 for one in season] + [one + 2.0 for one in season])
    spec = client.get("/models/temperatures").json()["spec"]
    assert spec["architecture"] == "ensemble"
    assert [(one["name"], one["weight"]) for one in spec["options"]["members"]] == [("lstm/0", 0.5), ("lstm/1", 0.5)]


def test_a_blended_model_is_served_like_a_network(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """The whole of it is found in what was downloaded, and forecasts; it takes the memory of two."""
    with home.cache.download() as folder:
        make_blended(folder / "artifact", weight=0.3)
        digest = home.cache.store(folder)
    home.set_models(
        {"temperatures": RegisteredModel({"1": ModelVersion(run_id="run-1", digest=digest)}, {"champion": "1"})}
    )

    answer = start().post("/forecast", json={"series": [{"values": list(range(12)) * 3}], "horizon": 12})

    assert answer.status_code == 200, answer.text
    assert _megabytes(home.cache.path(digest)) > 2 * SESSION_MEGABYTES
    assert answer.json()["forecasts"][0]["median"] == pytest.approx([month + 3.0 for month in range(12)])
