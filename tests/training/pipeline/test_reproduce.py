import json
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from models.errors import DataInvalid, ModelUnknown, RegistryError
from models.series import Series
from tests.training.conftest import MakeRuntime, copy_registry
from tests.training.fakes import combine_graphs, make_fit, make_request, make_series, recording, write_csv
from training.config.fit import FitConfig
from training.config.training import TrainConfig
from training.fit.candidate import Candidate, TrainingSet
from training.fit.ensemble import combine_with_keras
from training.fit.request import FitRequest
from training.pipeline.candidates import fit_with_keras
from training.pipeline.reproduce import fit_as_chosen, read_provenance, reproduce
from training.pipeline.task import Runtime
from training.pipeline.train import Outcome, train
from training.progress import Progress
from training.registry.client import Registry
from training.registry.provenance import CHOICES, FILE, RunEnvironment

pytestmark = pytest.mark.usefixtures("no_figures")

TINY = FitConfig(
    max_seconds=7_200,
    units=4,
    layers=1,
    context_length=25,
    encoder_length=13,
    transform="none",
    synthetic_share=0.0,
    batch_size=8,
    max_steps=9,
    steps_per_epoch=2,
    steps=4,
    calendar=True,
)


def make_comparison(data: Path, registry: Registry, runtime: Runtime, **changes: Any) -> Outcome:  # noqa: ANN401 - any field of a configuration
    """Train two architectures a year ahead."""
    return train(
        TrainConfig(
            data, 12, **{"architecture": ("lstm", "wavenet"), "baselines": ("seasonal_naive",), "seed": 3, **changes}
        ),
        registry,
        runtime,
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison, and its data, which lie elsewhere by now."""

    registry: Registry
    outcome: Outcome
    data: Path


@pytest.fixture(scope="module")
def compared_once(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """Return a comparison that tests read, or do again: neither changes it."""
    folder = tmp_path_factory.mktemp("compared")
    data = write_csv(folder / "weather.csv", [make_series(name, seed=seed) for seed, name in enumerate("abc")])
    registry = copy_registry(empty_store, folder / "home")
    runtime = Runtime(Progress(Console(file=StringIO())), make_fit(), folder / "scratch", combine=combine_graphs)
    outcome = make_comparison(data, registry, runtime)
    return Compared(registry, outcome, data.rename(folder / "moved.csv"))


@pytest.fixture
def compared(compared_once: Compared) -> Compared:
    """Return it with its registry opened anew: MLflow then means this one."""
    return replace(compared_once, registry=Registry(compared_once.registry.location))


@pytest.mark.prove
@pytest.mark.usefixtures("graphs")
def test_a_network_trained_again_from_its_record_is_the_same(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """Weights bit by bit and every figure, of the network that was backtested and of the one that is served."""
    first = make_comparison(data_file, registry, make_runtime(fit_with_keras), architecture=("lstm",), fit=TINY)

    found = reproduce(first.comparison.winner.run_id, registry, make_runtime(fit_with_keras))

    assert set(found.weights) == {"backtested", "served"}
    assert found.weights["backtested"] != found.weights["served"]
    assert found.same_weights
    assert found.same_figures
    assert {"backtest.mase", "backtest.coverage_95", "validation.mase"} <= set(found.figures)


@pytest.mark.prove
@pytest.mark.usefixtures("graphs")
def test_what_the_clock_allowed_of_each_training_is_done_again(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """A backtested network that had no time for its last training, and a served one that had."""

    def hurry_the_first(request: FitRequest) -> Candidate:
        last = None if "refit" in request.directory.parts else 1
        return fit_with_keras(replace(request, config=replace(request.config, last_steps=last)))

    first = make_comparison(data_file, registry, make_runtime(hurry_the_first), architecture=("lstm",), fit=TINY)

    found = reproduce(first.comparison.winner.run_id, registry, make_runtime(fit_with_keras))

    assert set(found.weights) == {"backtested", "served"}
    assert found.same_weights


@pytest.mark.prove
@pytest.mark.usefixtures("graphs")
def test_another_seed_is_another_network(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """The comparison of weights can fail: a record that names another seed gives other weights and figures."""
    first = make_comparison(
        data_file, registry, make_runtime(fit_with_keras), architecture=("lstm",), fit=TINY, refit=False
    )
    run_id = first.comparison.winner.run_id
    registry.log_json(run_id, {**(registry.read_json(run_id, FILE) or {}), "seed": 4}, FILE)

    found = reproduce(run_id, registry, make_runtime(fit_with_keras))

    assert not found.same_weights
    assert not found.same_figures


@pytest.mark.prove
@pytest.mark.usefixtures("graphs")
def test_an_ensemble_trained_again_from_its_record_is_the_same(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """All its networks are trained, combined by Keras and ONNX, and give the same weights and figures."""
    runtime = replace(make_runtime(fit_with_keras), combine=combine_with_keras)
    first = make_comparison(data_file, registry, runtime, fit=TINY, pick="ensemble", refit=False)
    again = replace(make_runtime(fit_with_keras), combine=combine_with_keras)

    found = reproduce(first.comparison.winner.run_id, registry, again)

    assert first.comparison.winner.name == "ensemble"
    assert set(found.weights) == {"backtested"}
    assert found.same_weights
    assert found.same_figures


def test_one_seed_of_several_is_trained_alone(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """With its own seed, whatever the comparison around it was."""
    asked: list[tuple[str, int]] = []
    fit = make_fit()

    def keeps_questions(request: FitRequest) -> Candidate:
        asked.append((request.architecture, request.seed))
        return fit(request)

    first = make_comparison(data_file, registry, make_runtime(make_fit()), seeds=2, pick="lstm/4", refit=False)
    run_id = next(one.run_id for one in first.comparison.results if one.name == "wavenet/4")

    found = reproduce(run_id, registry, make_runtime(keeps_questions))

    assert asked == [("wavenet", 4)]
    assert found.same_weights


@pytest.mark.prove
@pytest.mark.usefixtures("graphs")
def test_choices_are_taken_from_the_record_and_not_made_again(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """How far schedules grow depends on the clock; a run that had less time than we do gives the same weights all the same."""
    free = replace(TINY, steps=None, calendar=None, transform="auto", context_length=None, encoder_length=None)
    first = make_comparison(
        data_file, registry, make_runtime(fit_with_keras), architecture=("lstm",), fit=free, refit=False
    )
    asked: list[FitConfig] = []

    def watched(request: FitRequest) -> Candidate:
        asked.append(request.config)
        return fit_with_keras(request)

    found = reproduce(first.run_id, registry, make_runtime(watched))

    (config,) = asked
    assert None not in {config.steps, config.calendar, config.context_length, config.encoder_length}
    assert config.transform != "auto"
    assert config.max_seconds > free.max_seconds
    assert found.same_weights
    assert found.same_figures


def test_each_member_of_an_ensemble_keeps_its_own_choices(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """Two seeds that chose different schedules go through different schedules again."""
    first = make_comparison(data_file, registry, make_runtime(make_fit()), architecture=("lstm",), seeds=2)
    runtime = make_runtime(make_fit())
    ours = [one for one in first.comparison.results if one.name != "ensemble"]
    for steps, one in zip((100, 300), ours, strict=True):
        report = {**(registry.read_json(one.run_id, CHOICES) or {}), "steps": steps}
        registry.log_json(one.run_id, report, CHOICES)
    asked: dict[int, int | None] = {}

    def watched(request: FitRequest) -> Candidate:
        asked[request.seed] = request.config.steps
        return make_fit()(request)

    reproduce(
        next(one.run_id for one in first.comparison.results if one.name == "ensemble"),
        registry,
        replace(runtime, fit=watched),
    )

    assert asked == {3: 100, 4: 300}


def test_a_candidate_is_trained_alone_and_nothing_is_registered(compared: Compared, make_runtime: MakeRuntime) -> None:
    """One architecture with its own seed, on what lies before the cutoff; no version is added."""
    seen: list[TrainingSet] = []
    registry, first = compared.registry, compared.outcome.comparison
    loser = next(one for one in first.results if one is not first.winner)

    found = reproduce(loser.run_id, registry, make_runtime(make_fit(seen=seen)), data=compared.data)

    assert [len(one.series[0]) for one in seen] == [96 - 24]
    assert len(registry.models.versions()) == 1
    tags = registry.run(found.new_run_id).tags
    assert (tags["reproduces"], tags["same_figures"]) == (loser.run_id, "True")


def test_of_a_comparison_all_is_trained_and_its_winner_compared(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """The parent's figures are the winner's, and so are the weights."""
    seen: list[TrainingSet] = []
    first = make_comparison(data_file, registry, make_runtime(make_fit(validation={"wavenet": 0.5})))

    found = reproduce(first.run_id, registry, make_runtime(make_fit(validation={"wavenet": 0.5}, seen=seen)))

    assert len(seen) == 3  # two candidates, and the winner once more on all data
    assert found.same_weights
    assert found.figures["validation.mase"] == (0.5, 0.5)


def test_every_candidate_carries_how_it_was_made(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """Command, whole configuration, seed, data, packages and commit, in the run and in the JSON; of a failed one too."""
    runtime = replace(make_runtime(make_fit(failing=("wavenet",))), environment=RunEnvironment.gather(["train", "x"]))

    outcome = make_comparison(data_file, registry, runtime)

    client = registry._client
    runs = client.search_runs([client.get_experiment_by_name("weather").experiment_id])
    candidates = [run for run in runs if run.data.tags.get("almanac.kind") == "candidate"]
    assert {run.data.params["architecture"] for run in candidates} == {"lstm", "wavenet"}
    for run in candidates:
        report = read_provenance(run.info.run_id, registry)
        assert report["command"] == run.data.tags["command"] == "almanac train x"
        assert run.data.params["fit.units"] == str(report["config"]["fit"]["units"])
        assert run.data.tags["packages.keras"] == report["packages"]["keras"]
        assert run.data.params["seed"] == "3"
        assert run.data.tags["data_digest"] == report["data_digest"]
        assert run.data.tags.get("mlflow.source.git.commit") == report["commit"]
    printed = json.loads(json.dumps(outcome.to_dict()))["provenance"]
    assert printed["config"]["architecture"] == ["lstm", "wavenet"]


def test_changed_data_is_refused(
    compared: Compared, make_runtime: MakeRuntime, series: list[Series], tmp_path: Path
) -> None:
    """Figures from other data say nothing; the error has both digests."""
    changed = write_csv(tmp_path / "weather.csv", [series[0] * 2, *series[1:]])

    with pytest.raises(DataInvalid, match="the run was made with"):
        reproduce(compared.outcome.run_id, compared.registry, make_runtime(make_fit()), data=changed)


def test_runs_that_nobody_knows_and_runs_without_a_record_are_refused(
    compared: Compared, make_runtime: MakeRuntime
) -> None:
    """A baseline's run has nothing to train."""
    registry, runtime = compared.registry, make_runtime(make_fit())
    client = registry._client
    runs = client.search_runs([client.get_experiment_by_name("weather").experiment_id])
    baseline = next(run for run in runs if run.data.tags["almanac.kind"] == "baseline")

    with pytest.raises(RegistryError, match="has no provenance"):
        reproduce(baseline.info.run_id, registry, runtime)
    with pytest.raises(ModelUnknown, match="0123"):
        reproduce("0123456789abcdef0123456789abcdef", registry, runtime)


def test_data_that_moved_are_read_where_they_are_and_what_is_about_no_one_network_is_refused(
    compared: Compared, make_runtime: MakeRuntime
) -> None:
    """What counts is what the file says, not where it lies; a run that did a comparison again has no winner of its own."""
    registry, seen = compared.registry, list[TrainingSet]()

    again = reproduce(compared.outcome.run_id, registry, make_runtime(make_fit()), data=compared.data)

    assert again.same_figures
    with pytest.raises(RegistryError, match="not about one network"):
        reproduce(again.new_run_id, registry, make_runtime(make_fit(seen=seen)), data=compared.data)
    assert not seen


def test_what_is_not_as_it_was_is_said(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """Another version of a package explains another figure."""
    then = replace(make_runtime(make_fit()), environment=RunEnvironment(packages={"keras": "3.0"}))
    first = make_comparison(data_file, registry, then)
    runtime = replace(make_runtime(make_fit()), environment=RunEnvironment(packages={"keras": "3.1"}))

    found = reproduce(first.comparison.winner.run_id, registry, runtime)

    assert found.differences == ("keras was 3.0, is 3.1.",)
    assert isinstance(runtime.progress.console.file, StringIO)
    assert "keras was 3.0, is 3.1." in runtime.progress.console.file.getvalue()


@pytest.mark.parametrize(
    ("recorded", "share"), [({"steps": 4}, 0.0), ({"steps": 4, "synthetic_share": 0.5}, 0.5), ({}, None)]
)
def test_a_run_from_before_a_choice_is_not_given_it(
    recorded: dict[str, Any], share: float | None, tmp_path: Path
) -> None:
    """Synthetic windows were no choice once, so a run that says nothing of them had none; what chose nothing yet may choose."""
    seen: list[FitRequest] = []
    again = fit_as_chosen(recording(make_fit(), seen), {("lstm", 3): recorded}, combine_with_keras)

    again(make_request(tmp_path, seed=3))

    assert seen[0].config.synthetic_share == share
