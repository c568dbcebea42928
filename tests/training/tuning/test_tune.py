import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from almanac.command_line import almanac
from models import artifact
from models.errors import ConfigInvalid, LossNotFinite, TrainingError
from models.series import Series
from tests.artifacts import make_artifact
from tests.training.conftest import MakeRuntime
from tests.training.fakes import make_epoch
from training.config.toml import read_config
from training.config.training import train_config
from training.engines.local import LocalEngine
from training.fit.candidate import Candidate, TrainingSet
from training.fit.request import FitRequest
from training.pipeline import candidates
from training.pipeline.candidates import fit_with_keras
from training.progress import Progress
from training.registry.client import Registry
from training.registry.provenance import CHOICES
from training.tuning.search import Budget, Search
from training.tuning.search_space import read_space
from training.tuning.study import open_study
from training.tuning.tune import tune

SPACE = {
    "architecture": ["lstm", "gru"],
    "fit": {"units": [8, 16, 32, 64], "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}},
}
EPOCHS = 5


class FakeFit:
    """A training in no time whose error is known: best with 16 units and a rate near 0.01; the test block is in `seen`."""

    def __init__(self, *, stop_at: int = 10**9, failing: str = "") -> None:
        """Be interrupted at a call, or fail one architecture."""
        self.stop_at, self.failing = stop_at, failing
        self.seen: list[TrainingSet] = []
        self.asked: list[tuple[str, int, float]] = []
        self.epochs: list[int] = []

    def __call__(self, request: FitRequest) -> Candidate:
        """Train: report epochs that fall to the error, then return it."""
        config, directory = request.config, request.directory
        self.seen.append(request.training_set)
        self.asked.append((request.architecture, config.units, config.learning_rate))
        self.epochs.append(0)
        if request.architecture == self.failing:
            raise LossNotFinite("The loss became NaN at step 1.", step=1, hint="Lower the rate.")
        error = 0.5 + abs(np.log2(config.units / 16)) + abs(np.log10(config.learning_rate / 0.01))
        for number in range(1, EPOCHS + 1):
            if len(self.asked) == self.stop_at and number == 3:
                raise KeyboardInterrupt
            self.epochs[-1] = number
            request.on_epoch(replace(make_epoch(number), validation_mase=error + EPOCHS - number))
        request.on_epoch(replace(make_epoch(EPOCHS + 1), validation_mase=float("nan"), stage="all data"))
        make_artifact(directory, horizon=request.training_set.horizon)
        return Candidate(directory, artifact.load(directory), (), {"mase": error}, 1.5)


@pytest.fixture
def make_search(data_file: Path, tmp_path: Path) -> Callable[..., Search]:
    """Return what makes a search of twelve trials on three series."""

    def make(trials: int = 12, **changes: Any) -> Search:  # noqa: ANN401 - any setting
        settings = {"data": str(data_file), "horizon": 12, "fit": {"max_steps": 50}, **changes}
        budget = Budget(trials, changes.pop("max_seconds", 600.0))
        settings.pop("max_seconds", None)
        space = read_space(SPACE, settings)
        return Search(settings, space, budget, tmp_path / "studies", "weather", tmp_path / "best.toml")

    return make


def runs_of(registry: Registry) -> list[Any]:
    """Return all runs of the experiment, oldest first."""
    client = registry._client
    experiment = client.get_experiment_by_name("weather")
    return list(client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"]))


def said(progress: Progress) -> str:
    """Return what was printed."""
    return str(progress.console.file.getvalue())  # type: ignore[attr-defined]


def test_the_best_trial_becomes_a_configuration_that_train_takes(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search], data_file: Path
) -> None:
    """What is written has the least validation error of all, and the settings that all trials shared."""
    fit = FakeFit()

    found = tune(make_search(), registry, make_runtime(fit))

    config = train_config(read_config(found.output))
    assert found.trials["complete"] + found.trials["pruned"] == 12
    assert config.architecture == (found.best["architecture"],)
    assert (config.fit.units, config.fit.max_steps, config.data) == (found.best["fit.units"], 50, data_file)
    errors = [0.5 + abs(np.log2(units / 16)) + abs(np.log10(rate / 0.01)) for _, units, rate in fit.asked]
    assert found.validation_mase == pytest.approx(min(errors))


def test_no_trial_sees_the_held_out_block(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search], series: list[Series]
) -> None:
    """Every value that reaches a fit lies before the cutoff. The defaults are tried first, so that no search ends below them."""
    fit = FakeFit()

    tune(make_search(trials=1), registry, make_runtime(fit))

    assert fit.asked == [("lstm", 64, 3e-3)]
    for training_set in fit.seen:
        for one, whole in zip(training_set.series, series, strict=True):
            np.testing.assert_allclose(one.values, whole.values[:-12])


def test_every_trial_is_a_run_under_one_parent(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search]
) -> None:
    """Settings, curve and error in each; picture, configuration and counts in the parent. No more trials, the same answer."""
    runtime = make_runtime(FakeFit())

    found = tune(make_search(trials=4), registry, runtime)

    parent, *trials = runs_of(registry)
    assert parent.info.run_id == found.run_id
    assert len(trials) == 4
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {found.run_id}
    assert trials[0].data.params["fit.units"] == "64"
    assert trials[0].data.metrics["validation.mase"] == pytest.approx(0.5 + 2 + np.log10(0.01 / 3e-3))
    assert parent.data.metrics["trials.complete"] == found.trials["complete"]
    assert parent.data.params["space.fit.units"] == "one of 8, 16, 32, 64"
    assert registry.read_json(trials[0].info.run_id, CHOICES) is not None
    client = registry._client
    assert [item.path for item in client.list_artifacts(found.run_id, "figures")] == ["figures/search.png"]
    best = Path(client.download_artifacts(found.run_id, "configuration/best.toml")).read_text()
    assert best == found.output.read_text()
    fit = FakeFit()

    again = tune(make_search(trials=4), registry, make_runtime(fit))

    assert fit.asked == []
    assert again.best == found.best


def test_hopeless_trials_are_pruned_by_their_epochs(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search]
) -> None:
    """A trial above the median of the others ends early, and its run says so; epochs with nothing held out have no error to tell."""
    fit, search = FakeFit(), make_search(trials=16)

    found = tune(search, registry, make_runtime(fit))

    assert found.trials["pruned"] > 0
    assert sum(count < EPOCHS for count in fit.epochs) == found.trials["pruned"]
    states = [run.data.tags.get("trial.state") for run in runs_of(registry)[1:]]
    assert states.count("pruned") == found.trials["pruned"]
    assert {run.info.status for run in runs_of(registry)} == {"FINISHED"}
    with open_study(search.folder, search.study, seed=0) as study:
        reported = [value for one in study.trials for value in one.intermediate_values.values()]
    assert np.isfinite(reported).all()


def test_an_engine_fits_the_same_trials(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search]
) -> None:
    """Settings and errors are those of a search without an engine; of an interrupted round only the rest is fitted again."""
    alone, interrupted, rounds, search = FakeFit(), FakeFit(stop_at=2), FakeFit(), make_search(trials=3)
    expected = tune(search, registry, make_runtime(alone))
    search = replace(search, study="rounds")
    with pytest.raises(KeyboardInterrupt):
        tune(search, registry, make_runtime(interrupted), LocalEngine(1))

    found = tune(search, registry, make_runtime(rounds), LocalEngine(1))

    assert (interrupted.asked, rounds.asked) == (alone.asked[:2], alone.asked[1:])
    assert (found.best, found.validation_mase, found.trials) == (
        expected.best,
        expected.validation_mase,
        expected.trials,
    )


def test_an_interrupted_search_goes_on_where_it_was(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search]
) -> None:
    """Ctrl-C keeps what was found; the same command again begins with the trial that was cut off, in the same run."""
    interrupted = FakeFit(stop_at=4)
    with pytest.raises(KeyboardInterrupt):
        tune(make_search(trials=6), registry, make_runtime(interrupted))
    assert make_search().output.exists()
    fit = FakeFit()
    runtime = make_runtime(fit)

    found = tune(make_search(trials=6), registry, runtime)

    assert fit.asked[0] == interrupted.asked[3]
    assert len(fit.asked) == 3
    assert sum(found.trials.values()) == 6
    assert [run.data.tags["almanac.kind"] for run in runs_of(registry)].count("search") == 1
    assert sorted(run.info.status for run in runs_of(registry)) == ["FINISHED"] * 7 + ["KILLED"]


def test_a_search_whose_process_was_killed_goes_on(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search]
) -> None:
    """An unfinished trial is begun again, and counts once."""
    search = make_search(trials=3)
    tune(replace(search, budget=Budget(1)), registry, make_runtime(FakeFit()))
    with open_study(search.folder, search.study, seed=0) as study:
        trial = study.ask()
        trial.suggest_categorical("architecture", ["lstm", "gru"])
    fit = FakeFit()

    found = tune(search, registry, make_runtime(fit))

    assert len(fit.asked) == 2
    assert fit.asked[0][0] == trial.params["architecture"]
    assert found.trials == {"complete": 3, "pruned": 0, "failed": 0}


def test_seconds_end_a_search_between_trials(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search], progress: Progress
) -> None:
    """With no time at all one trial is still not begun, and what was found before stands."""
    tune(make_search(trials=1), registry, make_runtime(FakeFit()))
    fit = FakeFit()

    found = tune(make_search(trials=5, max_seconds=1e-9), registry, make_runtime(fit))

    assert fit.asked == []
    assert sum(found.trials.values()) == 1
    assert "used up after 1 of 5 trials" in said(progress)


def test_a_study_is_not_taken_up_for_another_question(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search]
) -> None:
    """Errors of other settings are not comparable."""
    tune(make_search(trials=1), registry, make_runtime(FakeFit()))

    for changes in ({"seed": 3}, {"fit": {"max_steps": 60}}):
        with pytest.raises(ConfigInvalid, match=r"begun with other settings\. Name another study"):
            tune(make_search(trials=2, **changes), registry, make_runtime(FakeFit()))


def test_two_processes_do_not_share_a_study(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search]
) -> None:
    """The second says so, and trains nothing."""
    search = make_search()

    with (
        open_study(search.folder, search.study, seed=0),
        pytest.raises(ConfigInvalid, match="Another process works on study weather"),
    ):
        tune(search, registry, make_runtime(FakeFit()))


def test_a_failed_trial_is_recorded_and_the_search_goes_on(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search], progress: Progress
) -> None:
    """One architecture that cannot be trained costs its trials only."""
    runtime = make_runtime(FakeFit(failing="lstm"))

    found = tune(make_search(trials=8), registry, runtime)

    assert found.trials["failed"] > 0
    assert found.best["architecture"] == "gru"
    assert "failed: The loss became NaN" in said(progress)
    assert [run.info.status for run in runs_of(registry)].count("FAILED") == found.trials["failed"]


def test_a_search_in_which_all_fail_is_an_error(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search]
) -> None:
    """It names the cause, and writes no configuration."""
    search = make_search(trials=2, architecture=["lstm"])
    search = replace(search, space=read_space({**SPACE, "architecture": ["lstm"]}, search.settings))

    with pytest.raises(TrainingError, match=r"No trial of study weather completed\. The loss became NaN"):
        tune(search, registry, make_runtime(FakeFit(failing="lstm")))
    assert not search.output.exists()


@pytest.mark.parametrize("budget", [(0, 10.0), (3, 0.0)])
def test_a_budget_that_allows_nothing_is_refused(budget: tuple[int, float]) -> None:
    """At least one trial, and some time."""
    with pytest.raises(ConfigInvalid, match="Received: 0"):
        Budget(*budget)


def test_the_command_prints_what_it_found(
    empty_store: Path, data_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table in the configuration is the space; JSON stands alone on standard output; the file is train's."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    monkeypatch.setenv("ALMANAC_HOME", str(home))
    monkeypatch.setattr(candidates, "fit_with_keras", FakeFit())
    config = tmp_path / "c.toml"
    config.write_text(
        f'data = "{data_file.name}"\nhorizon = 12\nseeds = 2\npick = "lstm"\n[space.fit]\nunits = [8, 16]\n'
    )

    found = CliRunner().invoke(almanac, ["tune", str(config), "--architecture", "gru", "--trials", "2", "--json"])

    assert found.exit_code == 0, found.output
    printed = json.loads(found.stdout)
    assert printed["best"] == {"architecture": "gru", "fit.units": printed["best"]["fit.units"]}
    assert printed["output"] == str(home / "studies" / "weather.toml")
    assert "fit.units: one of 8, 16" in found.stderr
    best = train_config(read_config(Path(printed["output"])))
    assert (best.architecture, best.seeds, best.pick) == (("gru",), 2, "")


def test_a_study_needs_a_name_that_can_name_a_file(data_file: Path) -> None:
    """A path would leave the studies' folder."""
    found = CliRunner().invoke(almanac, ["tune", "--data", str(data_file), "--horizon", "12", "--study", "../x"])

    assert isinstance(found.exception, ConfigInvalid)


@pytest.mark.prove
@pytest.mark.usefixtures("graphs")
def test_a_tiny_search_trains_real_networks(
    registry: Registry, make_runtime: MakeRuntime, make_search: Callable[..., Search]
) -> None:
    """Two trials of two real networks, the second measured by the same validation origins as the first."""
    tiny = {
        "max_steps": 4,
        "steps_per_epoch": 2,
        "context_length": 24,
        "encoder_length": 13,
        "transform": "none",
        "calendar": True,
        "synthetic_share": 0.0,
        "batch_size": 8,
        "layers": 1,
    }
    search = make_search(trials=2, fit=tiny)
    search = replace(search, space=read_space({"architecture": ["lstm"], "fit": {"units": [4]}}, search.settings))

    found = tune(search, registry, make_runtime(fit_with_keras))

    assert found.trials == {"complete": 2, "pruned": 0, "failed": 0}
    assert found.best == {"architecture": "lstm", "fit.units": 4}
    assert np.isfinite(found.validation_mase)
