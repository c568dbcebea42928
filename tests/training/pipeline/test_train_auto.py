"""Starters and `auto` go through comparison, registration, last training and reproduction as networks do."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import artifact
from models.errors import ConfigInvalid
from tests.training.conftest import MakeRuntime
from tests.training.fakes import combine_graphs, make_fit, runs_of
from training.config.fit import FitConfig
from training.config.training import TrainConfig
from training.data.series_set import read_series
from training.fit.auto import make_auto
from training.fit.candidate import Candidate
from training.fit.request import Fit, FitRequest
from training.pipeline.backtest import BacktestRequest, run_backtest, to_dict
from training.pipeline.reproduce import reproduce
from training.pipeline.train import train
from training.registry.client import Registry
from training.registry.provenance import CHOICES

pytestmark = pytest.mark.usefixtures("no_figures")

Asked = list[tuple[str, int, int]]

APART = {"lstm": 1.0, "wavenet": -1.0, "starter_tuned": 9.0, "starter": 9.0}
"""What members err by: two balance each other, the starters are far off."""


def fitting(asked: Asked, errors: dict[str, float] | None = None) -> Fit:
    """Return a training as `training.fit.factory` is, its networks made up, that keeps what was trained on how much."""
    errors = errors or APART
    plain = make_fit(shifts=errors, validation=errors)

    def fit(request: FitRequest) -> Candidate:
        if request.architecture == "auto":
            return make_auto(request, fit=fit, combine=combine_graphs)
        asked.append((request.architecture, request.seed, len(request.training_set.series[0])))
        return plain(request)

    return fit


def make_config(data: Path, **changes: Any) -> TrainConfig:  # noqa: ANN401 - any field
    """Return a comparison of one architecture a year ahead."""
    return TrainConfig(data, 12, **{"architecture": ("auto",), "baselines": ("seasonal_naive",), **changes})


def test_auto_is_one_row_and_one_version(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path, tmp_path: Path
) -> None:
    """Its members are trained again on all data, keep their weights, and stand in its run."""
    asked: Asked = []
    runtime = make_runtime(fitting(asked))

    outcome = train(make_config(data_file), registry, runtime)

    printed = outcome.to_dict()
    assert list(printed["models"]) == ["auto", "seasonal_naive"]
    assert printed["mixture"]["weights"] == {"lstm": 0.5, "wavenet": 0.5}
    assert printed["mixtures"]["auto"]["losses"]["lstm+wavenet"] < printed["mixtures"]["auto"]["losses"]["lstm"]
    assert asked[4:] == [("lstm", 0, 96), ("wavenet", 0, 96)]
    spec = artifact.load(registry.models.download(registry.models.resolve("weather@champion"), tmp_path / "x")).spec
    assert [one.name for one in spec.options.members] == ["lstm", "wavenet"]
    params = runs_of(registry)["auto"].data.params
    assert params["architecture"] == "auto"
    assert params["ensemble.weight.lstm"] == "0.5"
    assert not [key for key in params if key.startswith("ensemble.member")]  # choices.json has them


def test_a_single_member_is_trained_again_alone(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path, tmp_path: Path
) -> None:
    """And registered as what it is."""
    asked: Asked = []
    runtime = make_runtime(fitting(asked, {"lstm": 9.0, "wavenet": 0.1, "starter_tuned": 9.0, "starter": 9.0}))

    train(make_config(data_file), registry, runtime)

    version = registry.models.resolve("weather@champion")
    assert asked[4:] == [("wavenet", 0, 96)]
    assert version.architecture == "wavenet"
    assert artifact.load(registry.models.download(version, tmp_path / "x")).spec.backtest


def test_auto_joins_no_ensemble(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """It is an average itself; the others have theirs, and a pick finds it by its name."""
    runtime = make_runtime(fitting([]))
    config = make_config(data_file, architecture=("lstm", "wavenet", "auto"), pick="auto", refit=False)

    outcome = train(config, registry, runtime)

    printed = outcome.to_dict()
    assert list(printed["models"]) == ["lstm", "wavenet", "auto", "ensemble", "seasonal_naive"]
    assert list(printed["mixtures"]["ensemble"]["weights"]) == ["lstm", "wavenet"]
    assert printed["mixture"] == printed["mixtures"]["ensemble"]
    assert printed["winner"] == "auto"
    for architecture, there in {("lstm", "auto"): "there is one: lstm", ("auto",): "there is none"}.items():
        with pytest.raises(ConfigInvalid, match=there):
            make_config(data_file, architecture=architecture, pick="ensemble")


def test_the_ensemble_is_picked_beside_an_auto(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """Both are ensembles by architecture; a name is meant."""
    runtime = make_runtime(fitting([]))
    config = make_config(data_file, architecture=("auto", "lstm", "wavenet"), pick="ensemble", refit=False)

    assert train(config, registry, runtime).to_dict()["winner"] == "ensemble"


def test_the_starter_has_one_row_however_many_seeds(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """No seed is in it; the tuned one has its own."""
    asked: Asked = []
    runtime = make_runtime(fitting(asked))

    outcome = train(
        make_config(data_file, architecture=("starter", "starter_tuned"), seeds=2, refit=False), registry, runtime
    )

    assert asked == [("starter", 0, 72), ("starter_tuned", 0, 72), ("starter_tuned", 1, 72)]
    assert list(outcome.to_dict()["models"])[:3] == ["starter", "starter_tuned/0", "starter_tuned/1"]


def test_auto_is_made_again_from_its_record(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """Of the members that it was made of alone, with what each chose; then and now the same weights and figures."""
    asked: Asked = []
    runtime = make_runtime(fitting([]))
    first = train(make_config(data_file, seed=3), registry, runtime)
    run_id = first.comparison.winner.run_id

    found = reproduce(run_id, registry, make_runtime(fitting(asked)))

    chosen = registry.read_json(run_id, CHOICES)
    assert chosen is not None
    assert list(chosen["members"]) == ["lstm", "wavenet"]
    assert asked == [("lstm", 3, 72), ("wavenet", 3, 72), ("lstm", 3, 96), ("wavenet", 3, 96)]
    assert set(found.weights) == {"backtested", "served"}
    assert found.same_weights
    assert found.same_figures


def test_a_backtest_has_a_row_for_each_seed_of_auto(data_file: Path, make_runtime: MakeRuntime) -> None:
    """And their mean; what each was made of stands in the JSON, and no ensemble is made of averages."""
    config = make_config(data_file, architecture=("auto", "starter"), seeds=2, baselines=("seasonal_naive",))
    data, request = read_series(data_file), BacktestRequest(config)

    found = run_backtest(data, request, make_runtime(fitting([])))

    printed = to_dict(found, data, request)
    assert list(printed["models"]) == ["auto", "auto/0", "auto/1", "starter", "starter/0", "seasonal_naive"]
    assert printed["mixtures"] == []
    assert [list(one["weights"]) for one in printed["chosen"]["auto/1"]] == [["lstm", "wavenet"]]


def test_a_starter_that_could_not_be_validated_is_registered(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """Where there is no other; an unknown figure is left out of what is printed."""
    fit = fitting([])

    def unvalidated(request: FitRequest) -> Candidate:
        unknown = {"mase": math.nan, "smape": math.nan, "coverage_80": math.nan}
        return replace(fit(request), forecasts=None, validation=unknown)

    outcome = train(make_config(data_file, architecture=("starter",)), registry, make_runtime(unvalidated))

    printed = json.loads(json.dumps(outcome.to_dict(), allow_nan=False))
    assert printed["winner"] == "starter"
    assert "validation.mase" not in printed["models"]["starter"]


def test_a_starter_of_another_shape_is_refused() -> None:
    """Before anything is trained; auto does without."""
    fit = FitConfig(shape="many_to_many_equal")

    with pytest.raises(ConfigInvalid, match="A starter has the shape many_to_many"):
        make_config(Path("weather.csv"), architecture=("starter_tuned",), fit=fit)

    assert make_config(Path("weather.csv"), fit=fit).contenders[0].name == "auto"
