import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from models import artifact
from models.errors import ConfigInvalid, TrainingError
from models.networks.errors import NetworkError
from tests.training.conftest import MakeRuntime
from tests.training.fakes import make_fit, runs_of
from training.cli.tables import comparison_table, describe_outcome
from training.config.training import TrainConfig
from training.fit.candidate import Candidate, TrainingSet
from training.fit.request import FitRequest
from training.pipeline.train import train
from training.registry.client import Registry

pytestmark = pytest.mark.usefixtures("no_figures")

BALANCED = {"lstm": 1.0, "wavenet": -1.0}
"""What two networks are off by, on validation as on the held-out block: as much on either side, so only both are right."""


def make_config(data: Path, **changes: Any) -> TrainConfig:  # noqa: ANN401 - any field
    """Return a comparison of two architectures a year ahead."""
    plain = {"horizon": 12, "architecture": ("lstm", "wavenet"), "baselines": ("seasonal_naive",), "refit": False}
    return TrainConfig(data, **{**plain, **changes})


def test_several_networks_are_one_version(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path, tmp_path: Path
) -> None:
    """Where validation says so: one graph, one specification that names its members; spread and cost beside accuracy."""
    runtime = make_runtime(make_fit(shifts=BALANCED, validation=BALANCED))

    outcome = train(make_config(data_file), registry, runtime)

    version = registry.models.resolve("weather@champion")
    spec = artifact.load(registry.models.download(version, tmp_path / "fetched")).spec
    assert outcome.to_dict()["winner"] == version.architecture == spec.architecture == "ensemble"
    assert [one.name for one in spec.options.members] == ["lstm", "wavenet"]
    assert spec.backtest["model"]["mase"] == pytest.approx(spec.backtest["seasonal_naive"]["mase"])
    assert spec.run_id == runs_of(registry)["ensemble"].info.run_id
    run, rows = runs_of(registry)["ensemble"].data, outcome.to_dict()["models"]
    assert run.metrics["ensemble.spread"] == rows["ensemble"]["ensemble.spread"] == pytest.approx(1.0)
    assert run.params["ensemble.combination"] == outcome.to_dict()["mixture"]["combination"] == "equal"
    assert float(run.params["ensemble.weight.lstm"]) == 0.5
    assert {"ensemble.pinball_equal", "ensemble.pinball_greedy"} <= set(run.metrics)
    assert rows["ensemble"]["network_mb"] > 1.9 * rows["lstm"]["network_mb"]
    assert rows["ensemble"]["forecast_ms"] > 0
    printed = StringIO()
    Console(file=printed, width=160).print(comparison_table(outcome.comparison, outcome.compared.winner))
    assert {"forecast ms", "MB"} <= {cell.strip() for cell in re.split("[┃│]", printed.getvalue())}


def test_each_seed_is_a_candidate_of_its_own(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """Named by architecture and seed, in runs, rows and specification."""
    seeds: list[int] = []
    fit = make_fit()

    def keeps_seeds(request: FitRequest) -> Candidate:
        seeds.append(request.seed)
        return fit(request)

    runtime = make_runtime(keeps_seeds)

    outcome = train(make_config(data_file, architecture=("lstm",), seeds=3, seed=5), registry, runtime)

    assert seeds == [5, 6, 7]
    assert list(outcome.to_dict()["models"]) == ["lstm/5", "lstm/6", "lstm/7", "ensemble", "seasonal_naive"]
    run = runs_of(registry)["lstm/6"].data
    assert (run.params["seed"], run.tags["architecture"], run.tags["candidate"]) == ("6", "lstm", "lstm/6")


def test_every_member_is_trained_again_with_its_weight(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path, tmp_path: Path
) -> None:
    """On all data, with the choices of its first training; the weights are those that validation chose."""
    seen: list[TrainingSet] = []
    fits = [
        make_fit(seen=seen, shifts=BALANCED, validation=BALANCED),
        make_fit(seen=seen, validation={"lstm": 0.1, "wavenet": 9.0}),
    ]

    def fit(request: FitRequest) -> Candidate:
        return fits[len(seen) > 1](request)

    runtime = make_runtime(fit)

    train(make_config(data_file, refit=True), registry, runtime)

    assert [len(one.series[0]) for one in seen] == [72, 72, 96, 96]
    spec = artifact.load(
        registry.models.download(registry.models.resolve("weather@champion"), tmp_path / "fetched")
    ).spec
    assert [(one.name, one.weight) for one in spec.options.members] == [("lstm", 0.5), ("wavenet", 0.5)]
    assert "trained again on all data" in spec.backtest["model"]["note"]
    assert spec.trained_to is not None
    assert spec.trained_to.startswith("2007-12")


def test_an_ensemble_of_one_member_is_fitted_again_as_that_member(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """Weights that leave the LSTM alone make an ensemble that is the LSTM, and the last training is on all data."""
    seen: list[TrainingSet] = []
    shifts = {"lstm": 0.0, "wavenet": 90.0}
    runtime = make_runtime(make_fit(seen=seen, shifts=shifts, validation=shifts))

    found = train(make_config(data_file, refit=True, pick="ensemble"), registry, runtime)

    assert [len(one.series[0]) for one in seen] == [72, 72, 96]
    assert found.compared.winner.candidate.forecaster.spec.architecture == "lstm"
    assert registry.run(found.run_id).tags["refit"] == "True"


@pytest.mark.parametrize(
    ("pick", "winner"), [("", "lstm/1"), ("wavenet", "wavenet/0"), ("lstm/0", "lstm/0"), ("ensemble", "ensemble")]
)
def test_a_person_may_pick(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path, pick: str, winner: str
) -> None:
    """An architecture, of whose seeds the best is taken, one seed, or the ensemble; and it is said that it was picked."""
    mases = {("lstm", 0): 0.9, ("lstm", 1): 0.7, ("wavenet", 0): 0.8, ("wavenet", 1): 0.85}

    def fit(request: FitRequest) -> Candidate:
        name = request.architecture
        return make_fit(validation={name: mases[name, request.seed]})(request)

    runtime = make_runtime(fit)

    outcome = train(make_config(data_file, seeds=2, pick=pick), registry, runtime)

    printed = outcome.to_dict()
    assert (printed["winner"], printed["validation_winner"], printed["picked"]) == (winner, "lstm/1", bool(pick))
    tags = registry._client.get_run(outcome.run_id).data.tags
    assert (tags["winner"], tags["picked"]) == (winner, str(bool(pick)))
    assert ("picked by hand" in " ".join(describe_outcome(outcome))) is bool(pick)


def test_a_pick_that_is_no_candidate_is_refused_before_anything_is_trained() -> None:
    """With the nearest name; one network alone makes no ensemble."""
    with pytest.raises(ConfigInvalid, match="Did you mean ensemble") as caught:
        make_config(Path("weather.csv"), pick="ensembel")

    assert "ensembel" in caught.value.detail
    with pytest.raises(ConfigInvalid, match="there is one: lstm"):
        make_config(Path("weather.csv"), architecture=("lstm",), pick="ensemble")
    with pytest.raises(ConfigInvalid, match="seeds must be at least 1"):
        make_config(Path("weather.csv"), seeds=0)


def test_a_pick_that_failed_is_an_error(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """Another one is not registered in its place."""
    runtime = make_runtime(make_fit(failing=("lstm",)))

    with pytest.raises(TrainingError, match=r"'lstm'\. lstm: The loss became NaN") as caught:
        train(make_config(data_file, pick="lstm"), registry, runtime)

    assert "register wavenet" in caught.value.hint
    assert registry.models.names() == []


def test_an_ensemble_that_cannot_be_made_is_recorded_and_the_networks_stay(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is FAILED with the cause; the best network is registered."""

    def refuses(*_args: object) -> None:
        raise NetworkError("The members do not fit.")

    monkeypatch.setattr("tests.training.fakes.merge_graphs", refuses)
    runtime = make_runtime(make_fit(shifts=BALANCED, validation=BALANCED))

    outcome = train(make_config(data_file), registry, runtime)

    assert runs_of(registry)["ensemble"].data.tags["failure.cause"] == "The members do not fit."
    assert outcome.comparison.winner.name == "lstm"
