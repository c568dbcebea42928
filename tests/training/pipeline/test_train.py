import os
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from models import artifact
from models.errors import DataInvalid, TrainingError
from tests.training.conftest import MakeRuntime, copy_registry, in_this_process
from tests.training.fakes import VANISHED_LAYER, combine_graphs, make_fit, make_series, runs_of, write_csv
from training.config.training import BASELINES, TrainConfig
from training.evaluation import classical
from training.fit.candidate import Candidate, TrainingSet
from training.fit.request import FitRequest
from training.pipeline.compare import AS_BACKTESTED
from training.pipeline.task import Runtime
from training.pipeline.train import Outcome, train
from training.progress import Progress
from training.registry.client import Registry
from training.registry.descriptions import NOTE

pytestmark = pytest.mark.usefixtures("no_figures")

METRICS = {
    "backtest.mase",
    "backtest.smape",
    "backtest.coverage_80",
    "backtest.coverage_95",
    "backtest.crossings",
    "backtest.skill_seasonal_naive",
    "validation.mase",
    "train_seconds",
    "forecast_ms",
    "network_mb",
}


def make_config(data: Path, **changes: Any) -> TrainConfig:  # noqa: ANN401 - any field
    """Return a comparison of two architectures a year ahead."""
    plain = {"horizon": 12, "architecture": ("lstm", "wavenet"), "baselines": ("seasonal_naive",)}
    return TrainConfig(data, **{**plain, **changes})


@dataclass(frozen=True, slots=True)
class Trained:
    """One comparison with every baseline, and all that it left."""

    registry: Registry
    outcome: Outcome
    seen: list[TrainingSet]
    said: str
    started: list[int]


@pytest.fixture(scope="module")
def trained_once(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Return the first comparison in a home, for all tests that only read."""
    folder = tmp_path_factory.mktemp("trained")
    data = write_csv(folder / "weather.csv", [make_series(name, seed=seed) for seed, name in enumerate("abc")])
    registry, terminal, seen = copy_registry(empty_store, folder / "home"), StringIO(), list[TrainingSet]()
    fit = make_fit(seen=seen)
    runtime = Runtime(Progress(Console(file=terminal, width=200)), fit, folder / "scratch", combine=combine_graphs)
    started = list[int]()

    def start(count: int) -> AbstractContextManager[Executor]:
        started.append(count)
        return in_this_process(count)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classical, "worker_processes", start)
        outcome = train(make_config(data, baselines=BASELINES, unit="mm"), registry, runtime)
    return Trained(registry, outcome, seen, terminal.getvalue(), started)


@pytest.fixture
def trained(trained_once: Trained) -> Trained:
    """Return it with its registry opened anew: MLflow then means this one."""
    return replace(trained_once, registry=Registry(trained_once.registry.location))


def test_no_candidate_sees_the_held_out_points(trained: Trained) -> None:
    """Two origins of a year are held out of 96 months; only the winner, fitted again, sees their blocks."""
    lengths = [{len(one) for one in training_set.series} for training_set in trained.seen]

    assert lengths == [{96 - 24}, {96 - 24}, {96}]


def test_the_processes_of_the_baselines_are_started_once(trained: Trained) -> None:
    """For both origins, and no more of them than series."""
    assert trained.started == [min(os.cpu_count() or 1, 3)]


def test_the_winner_on_validation_is_registered_whatever_the_backtest_says(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """The held-out block is reported, never chosen by."""
    fit = make_fit(shifts={"wavenet": 3.0}, validation={"lstm": 0.9, "wavenet": 0.8})

    outcome = train(make_config(data_file), registry, make_runtime(fit))

    assert outcome.comparison.winner.architecture == "wavenet"
    assert outcome.version == "1"


def test_every_candidate_and_baseline_has_a_run_with_the_same_few_metrics(trained: Trained) -> None:
    """A person can sort candidates and baselines in MLflow's table by names that do not change."""
    runs = runs_of(trained.registry, "architecture")

    assert set(runs) == {"comparison", "lstm", "wavenet", "ensemble", *BASELINES}
    for name in ("lstm", "wavenet"):
        assert {key for key in runs[name].data.metrics if "/" not in key} == METRICS
        assert runs[name].data.tags["mlflow.parentRunId"] == trained.outcome.run_id
        assert runs[name].info.status == "FINISHED"
    costs = {"validation.mase", "train_seconds", "network_mb"}
    assert set(runs["climatology"].data.metrics) == METRICS - costs
    assert (
        runs["comparison"].inputs.dataset_inputs[0].dataset.digest == runs["comparison"].data.tags["data_digest"][:36]
    )


def test_a_network_is_compared_with_a_sampled_baseline_on_the_same_series(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """Run, JSON and card state the sample; whether a network beats it is asked on its series alone."""
    runtime = make_runtime(make_fit())
    config = make_config(data_file, architecture=("lstm",), baselines=("auto_theta",), baseline_series=1)

    outcome = train(config, registry, runtime)

    run, sample = runs_of(registry, "architecture")["auto_theta"].data, outcome.to_dict()["sample"]["auto_theta"]
    assert (run.params["sample.series"], run.params["sample.of"]) == ("1", "3")
    assert (sample["series"], sample["of"], sample["observations"]) == (1, 3, 84 + 72)
    winner, theta = outcome.comparison.winner, outcome.comparison.baselines["auto_theta"]
    assert sample["mase"]["lstm"] == pytest.approx(theta.same_rows(winner.scores).mase.mean())
    assert winner.candidate.forecaster.spec.architecture == "lstm"
    cards = outcome.comparison.cards(winner, "")
    assert cards["auto_theta"]["note"] == "auto_theta: 1 of 3 series (156 observations, seed 0)"
    assert set(cards) == {"model", "seasonal_naive", "auto_theta"}


def test_the_comparison_has_the_winners_metrics_a_table_and_a_figure(trained: Trained) -> None:
    """A person opens one run and sees who won, by how much, and how far the others are."""
    comparison, registry = trained.outcome.comparison, trained.registry
    run = registry._client.get_run(trained.outcome.run_id)

    table = registry.read_json(trained.outcome.run_id, "comparison.json") or {}
    errors = [row[table["columns"].index("MASE")] for row in table["data"]]
    assert (
        run.data.metrics["backtest.mase"]
        == runs_of(registry, "architecture")[comparison.winner.name].data.metrics["backtest.mase"]
    )
    assert {row[0] for row in table["data"]} == {"lstm", "wavenet", "ensemble", *BASELINES}
    assert [row[1] for row in table["data"]].count("winner") == 1
    assert errors == sorted(errors)
    assert registry._client.list_artifacts(trained.outcome.run_id, "figures")
    assert f"get-artifact?path=figures/comparison.png&run_uuid={trained.outcome.run_id}" in run.data.tags[NOTE]


def test_descriptions_say_data_winner_baselines_and_decision(trained: Trained) -> None:
    """Run, version and experiment are read by people who did not train; each link names a view that exists."""
    registry, outcome = trained.registry, trained.outcome
    experiment = registry._client.get_experiment_by_name("weather")
    note = registry.run(outcome.run_id).tags[NOTE]
    version = registry._client.get_model_version("weather", outcome.version).description

    for text in (note, version):
        assert f"**Winner**: `{outcome.comparison.winner.name}`, MASE" in text
        assert "seasonal_naive (" in text
        assert f"**Decision**: version {outcome.version} was promoted. First model" in text
        assert "**Data**: `weather.csv`: 3 series, 288 observations, frequency M" in text
    assert "| lstm | " in note
    for key in ("newest-comparison", "all-comparisons"):
        assert f"viewStateShareKey={key}" in experiment.tags[NOTE]
        assert outcome.run_id in experiment.tags["mlflow.sharedViewState.newest-comparison"]


def test_a_run_has_few_parameters(trained: Trained) -> None:
    """Those that differ between runs; packages are tags, and provenance.json has every setting."""
    for name, run in runs_of(trained.registry, "architecture").items():
        assert len(run.data.params) <= 14, name
        assert not [key for key in run.data.params if key.startswith("packages.")]


def test_curves_and_gradient_norms_are_logged_by_step(trained: Trained) -> None:
    """Each epoch leaves loss, validation error and the gradient norm of each layer at its optimizer step."""
    run_id = runs_of(trained.registry, "architecture")["lstm"].info.run_id

    for key in ("loss/all data", "validation_mase/all data", "gradient_norm/encoder"):
        assert [point.step for point in trained.registry._client.get_metric_history(run_id, key)] == [10, 20]


def test_the_card_keeps_the_figures_of_the_run_that_had_not_seen_the_block(trained: Trained, tmp_path: Path) -> None:
    """The specification has the backtest beside the baselines, and says that the network was trained again."""
    models, comparison = trained.registry.models, trained.outcome.comparison

    spec = artifact.load(models.download(models.resolve("weather@champion"), tmp_path / "fetched")).spec

    assert set(spec.backtest) == {"model", *BASELINES}
    assert spec.backtest["model"]["mase"] == pytest.approx(comparison.winner.scores.summary()["mase"])
    assert len(spec.backtest["model"]["mase_by_step"]) == 12
    assert "trained again on all data" in spec.backtest["model"]["note"]
    assert spec.run_id == comparison.winner.run_id
    assert spec.beats_baselines is comparison.beats_baselines(comparison.winner)


def test_a_candidate_that_fails_is_recorded_and_the_others_go_on(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """A NaN loss ends its run as FAILED with step and cause; the comparison is made without it."""
    runtime = make_runtime(make_fit(failing=("lstm",)))

    outcome = train(make_config(data_file), registry, runtime)

    run = runs_of(registry, "architecture")["lstm"]
    assert run.info.status == "FAILED"
    assert run.data.tags["failure.code"] == "LOSS_NOT_FINITE"
    assert run.data.tags["failure.step"] == "17"
    assert "NaN at step 17" in run.data.tags["failure.cause"]
    assert outcome.comparison.winner.architecture == "wavenet"


def test_a_comparison_in_which_all_fail_is_an_error(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """Nothing trained, nothing registered; the parent run is FAILED too."""
    runtime = make_runtime(make_fit(failing=("lstm", "wavenet")))

    with pytest.raises(TrainingError, match="Every candidate failed") as caught:
        train(make_config(data_file), registry, runtime)

    assert str(caught.value).count("became NaN") == 1

    assert runs_of(registry, "architecture")["comparison"].info.status == "FAILED"
    assert registry.models.names() == []


def test_a_second_training_that_fails_leaves_the_first_one(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """Where training on all data fails, the network that was backtested is registered."""
    fits = [make_fit(), make_fit(failing=("lstm",))]

    def fails_the_second_time(request: FitRequest) -> Candidate:
        return fits.pop(0)(request)

    outcome = train(make_config(data_file, architecture=("lstm",)), registry, make_runtime(fails_the_second_time))

    assert outcome.version == "1"


def test_without_refit_what_was_backtested_is_registered(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """Refitting can be turned off."""
    seen: list[TrainingSet] = []

    train(make_config(data_file, architecture=("lstm",), refit=False), registry, make_runtime(make_fit(seen=seen)))

    assert len(seen) == 1


def test_warnings_reach_the_person_and_the_run(trained: Trained) -> None:
    """A layer whose gradient vanished is named on the terminal and tagged."""
    assert runs_of(trained.registry, "architecture")["lstm"].data.tags["warnings"] == VANISHED_LAYER
    assert trained.outcome.to_dict()["warnings"] == [VANISHED_LAYER]
    assert f"lstm: {VANISHED_LAYER}" in trained.said
    assert f"lstm, all data: {VANISHED_LAYER}" in trained.said


def test_the_first_model_is_champion_and_an_equal_one_stays_challenger(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """Only evidence moves the alias once it is given; a champion that saw the block is compared as it was backtested."""
    config = make_config(data_file, architecture=("lstm",))
    first = train(config, registry, make_runtime(make_fit()))
    runtime = make_runtime(make_fit())

    second = train(config, registry, runtime)

    assert first.decision.promote
    assert not second.decision.promote
    assert second.decision.notes[0] == AS_BACKTESTED
    assert registry.models.resolve("weather@champion").version == "1"
    assert registry.models.resolve("weather@challenger").version == "2"


def test_a_better_challenger_takes_the_alias(registry: Registry, make_runtime: MakeRuntime, tmp_path: Path) -> None:
    """A clearly better version becomes champion, the old one previous."""
    path = write_csv(tmp_path / "weather.csv", [make_series(str(seed), seed=seed) for seed in range(8)])
    config = make_config(path, architecture=("lstm",))
    train(config, registry, make_runtime(make_fit(shifts={"lstm": 9.0})))
    runtime = make_runtime(make_fit())

    outcome = train(config, registry, runtime)

    assert outcome.decision.figures["lower"] > 0
    assert outcome.decision.figures["champion_version"] == "1"
    assert outcome.decision.figures["challenger_version"] == "2"
    assert outcome.decision.promote, outcome.decision.reason
    assert registry.models.resolve("weather@previous").version == "1"


def test_a_registered_version_knows_its_unit(trained: Trained) -> None:
    """Forecasts are drawn later, by who has only the version."""
    assert trained.registry.models.versions()[0].unit == "mm"


def test_force_is_recorded(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """A promotion by hand says so in the run."""
    config = make_config(data_file, architecture=("lstm",), promote=True)
    train(config, registry, make_runtime(make_fit()))
    runtime = make_runtime(make_fit())

    outcome = train(config, registry, runtime)

    assert outcome.decision.forced
    assert registry._client.get_run(outcome.run_id).data.tags["promotion.forced"] == "True"
    assert registry.models.resolve("weather").version == "2"


def test_a_champion_of_another_frequency_is_not_compared(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path, tmp_path: Path
) -> None:
    """Where the champion cannot forecast the data it stays, and the reason is said."""
    config = make_config(data_file, architecture=("lstm",))
    train(config, registry, make_runtime(make_fit()))
    days = tmp_path / "days.csv"
    rows = [f"a,2020-{1 + day // 28:02d}-{1 + day % 28:02d},{(day % 7) * 1.5 + day % 3}" for day in range(28)]
    days.write_text("\n".join(["unique_id,ds,y", *rows]) + "\n")

    outcome = train(
        make_config(days, architecture=("lstm",), name="weather", horizon=7), registry, make_runtime(make_fit())
    )

    assert not outcome.decision.promote
    assert "cannot be compared" in outcome.decision.reason


def test_data_too_short_to_hold_out_is_refused_before_anything_is_logged(
    registry: Registry, make_runtime: MakeRuntime, data_file: Path
) -> None:
    """A horizon longer than the data is an error of the data."""
    runtime = make_runtime(make_fit())

    with pytest.raises(DataInvalid, match="shorter horizon"):
        train(make_config(data_file, horizon=96), registry, runtime)

    assert registry._client.get_experiment_by_name("weather") is None


def test_ctrl_c_ends_runs_as_killed(registry: Registry, make_runtime: MakeRuntime, data_file: Path) -> None:
    """An interrupted training has not failed."""

    def interrupted(*_args: object, **_question: object) -> Candidate:
        raise KeyboardInterrupt

    runtime = make_runtime(interrupted)

    with pytest.raises(KeyboardInterrupt):
        train(make_config(data_file, architecture=("lstm",)), registry, runtime)

    client = registry._client
    runs = client.search_runs([client.get_experiment_by_name("weather").experiment_id])
    assert {run.info.status for run in runs} == {"KILLED"}
