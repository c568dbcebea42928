"""`almanac train` and a retraining job apply one promotion rule."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import MakeRuntime
from tests.training.fakes import combine_graphs, make_fit, make_series, write_csv
from training.config.training import TrainConfig, train_config
from training.evaluation import scores
from training.pipeline import compare
from training.pipeline.train import train
from training.registry.client import Registry
from training.retraining import stages
from training.retraining.job_context import JobContext

SETTINGS = {"horizon": 12, "architecture": ["lstm", "gru"], "baselines": ["seasonal_naive"], "pick": ""}


pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(autouse=True)
def constant_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each network a fixed latency, since a measured one differs from run to run."""
    slow = {"gru": 50.0, "ensemble": 50.0}
    measured = lambda networks, *_: [slow.get(one.spec.architecture, 1.0) for one in networks]  # noqa: E731
    monkeypatch.setattr(scores, "measure_latencies", measured)
    monkeypatch.setattr(compare, "measure_latencies", measured)


@pytest.mark.parametrize(
    ("shifts", "promoted"),
    [
        pytest.param({"lstm": 0.0, "gru": 0.0}, True, id="better, and the most accurate one is too slow"),
        pytest.param({"lstm": 9.0, "gru": 9.0}, False, id="no better"),
    ],
)
def test_train_and_a_job_decide_alike(
    registry: Registry, make_runtime: MakeRuntime, tmp_path: Path, shifts: dict[str, float], *, promoted: bool
) -> None:
    """On the same data with the same champion: origins, winner, figures, notes and the decision are the same."""
    path = write_csv(tmp_path / "weather.csv", [make_series(str(seed), seed=seed) for seed in range(8)])
    config = train_config({**SETTINGS, "data": str(path)})
    train(replace(config, architecture=("lstm",)), registry, make_runtime(make_fit(shifts={"lstm": 9.0})))
    fit = make_fit(shifts=shifts, validation={"gru": 0.5})

    job = JobContext(registry, "job", tmp_path / "job", fit=fit, combine=combine_graphs)
    compared = compare_in_a_job(job, config)
    trained = train(config, registry, make_runtime(fit)).to_dict()

    assert trained["decision"]["promote"] == compared["decision"]["promote"] == promoted
    assert trained["winner"] == compared["winner"] == "lstm"
    assert without_ids(trained["decision"]) == without_ids(compared["decision"])
    assert {name: row["backtest.mase"] for name, row in trained["models"].items()} == {
        name: row["backtest.mase"] for name, row in compared["models"].items()
    }


def compare_in_a_job(job: JobContext, config: TrainConfig) -> dict[str, Any]:
    """Return what the stages of a job come to, up to the decision."""
    settings = {**SETTINGS, "data": str(config.data), "retrain": {"warm_start": False}}
    request = {"name": config.name, "config": settings}
    read = stages.read(job, request)
    fits: list[dict[str, Any]] = []
    for name in read["candidates"]:
        fits.append(stages.fit(job, request, read, name, fits))
    return stages.compare(job, request, read, fits)


def without_ids(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return a decision without the ids that each run makes anew."""
    own = {"challenger_run_id", "challenger_version"}
    figures = {key: value for key, value in decision["figures"].items() if key not in own}
    return {**decision, "figures": figures, "notes": list(decision["notes"])}
