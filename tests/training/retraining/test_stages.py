"""Stages of a retraining: JSON in, JSON out, each of them safe to repeat."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from models import artifact
from models.errors import AlmanacError, ArtifactIncomplete, DataInvalid, TrainingError
from tests.training.conftest import copy_registry
from tests.training.fakes import combine_graphs, make_fit, make_series, write_csv
from training.fit.candidate import Candidate, TrainingSet
from training.fit.request import FitRequest
from training.pipeline.champion import spec_in
from training.pipeline.reproduce import reproduce
from training.registry.client import Registry
from training.registry.model_versions import ModelVersions
from training.retraining import stages
from training.retraining.job_context import JOB, PART, JobContext

pytestmark = pytest.mark.usefixtures("no_figures")

Plain = dict[str, Any]
MakeJob = Callable[..., JobContext]


@pytest.fixture
def make_job(registry: Registry, tmp_path: Path) -> MakeJob:
    """Return what makes the context of a job around a training."""
    return job_maker(registry, tmp_path)


def job_maker(registry: Registry, folder: Path) -> MakeJob:
    """Return what makes the context of a job, whose files are in a folder."""

    def make(fit: Callable[..., Candidate] | None = None, *, name: str = "job-1", machine: str = "here") -> JobContext:
        return JobContext(registry, name, folder / machine / name, fit=fit or make_fit(), combine=combine_graphs)

    return make


@dataclass(frozen=True, slots=True)
class FirstJob:
    """The database that a first job left, and what its stages answered."""

    database: Path
    outcome: Plain


@pytest.fixture(scope="module")
def first_job(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> FirstJob:
    """Return a job that made a champion, 9 off the truth: version 1 of most tests, trained once."""
    folder = tmp_path_factory.mktemp("first")
    registry = copy_registry(empty_store, folder / "home")
    job = job_maker(registry, folder)(make_fit(shifts={"lstm": 9.0}), name="one")
    outcome = run_job(job, make_request(write_many(folder), retrain={}))
    return FirstJob(folder / "home" / "mlflow.db", outcome)


@pytest.fixture
def make_later_job(first_job: FirstJob, tmp_path: Path) -> MakeJob:
    """Return what makes the context of a job over a registry of its own, in which the first job has made version 1."""
    return job_maker(copy_registry(first_job.database, tmp_path / "home"), tmp_path)


def make_request(data: Path, **config: Any) -> Plain:  # noqa: ANN401 - any setting
    """Return a request for one network of weather a year ahead, as JSON."""
    retrain = {"warm_start": False}
    plain = {"data": str(data), "horizon": 12, "architecture": ["lstm"], "baselines": ["seasonal_naive"]}
    settings = {**plain, "retrain": retrain, **config}
    return {"name": "weather", "config": settings, "reason": "manual"}


def as_json(outcome: Plain) -> Plain:
    """Return what another process would be handed."""
    again: Plain = json.loads(json.dumps(outcome, allow_nan=False))
    assert again == outcome
    return again


def run_job(job: JobContext, request: Plain) -> Plain:
    """Go through all stages and return what each answered, by name."""
    read = as_json(stages.read(job, request))
    fits: list[Plain] = []
    for name in read["candidates"]:
        fits.append(as_json(stages.fit(job, request, read, name, fits)))
    compared = as_json(stages.compare(job, request, read, fits))
    refitted = as_json(stages.refit(job, request, read, compared))
    registered = as_json(stages.register(job, request, read, compared, refitted))
    promoted = as_json(stages.promote(job, request, read, compared, registered))
    return {"read": read, "fits": fits, "compared": compared, "refitted": refitted, "promoted": promoted}


def test_what_is_wrong_with_the_data_is_said_of_the_file_that_was_given(make_job: MakeJob, tmp_path: Path) -> None:
    """It is the one to mend; the job's copy of it is gone with the job."""
    path = tmp_path / "wrong.csv"
    path.write_text("ds,y\n2024-01-01,1\n2024-01-02,much\n")
    job = make_job()

    with pytest.raises(AlmanacError) as refused:
        stages.read(job, make_request(path))

    assert str(path) in str(refused.value)
    assert str(path) in refused.value.detail
    assert str(job.folder) not in str(refused.value)


def test_a_horizon_that_no_series_can_be_fitted_for_is_told_before_a_run_begins(make_job: MakeJob, many: Path) -> None:
    """96 months hold 60 out; the 36 before them are less than the 84 to learn from and to validate on."""
    job = make_job()

    with pytest.raises(DataInvalid, match=r"longest of 8 series has 36 points .* horizon of 60 needs 84"):
        stages.read(job, make_request(many, horizon=60))

    assert job.registry.runs("weather", {JOB: job.job}) == []


def test_what_validation_is_on_is_found_by_a_job_too(make_job: MakeJob, tmp_path: Path) -> None:
    """As a training says it: here of three series that ended two years before the others."""
    going = [make_series(f"going {seed}", seed=seed) for seed in range(5)]
    ended = [replace(one, id=f"ended {seed}", values=one.values[:-24]) for seed, one in enumerate(going[:3])]

    read = stages.read(make_job(), make_request(write_csv(tmp_path / "weather.csv", [*going, *ended])))

    said = {one["code"]: one["detail"] for one in read["findings"]}
    assert "Validation is on 5 of 8 series" in said["VALIDATION_CURRENT"]


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Return a file of eight series, enough for evidence."""
    return write_many(tmp_path)


def write_many(folder: Path) -> Path:
    """Write eight series of eight years."""
    return write_csv(folder / "weather.csv", [make_series(str(seed), seed=seed) for seed in range(8)])


def test_a_first_job_makes_a_champion_and_a_later_one_needs_evidence(
    make_later_job: MakeJob, first_job: FirstJob, many: Path
) -> None:
    """The first version takes the alias, an equal one stays challenger, a better one takes it; previous is the one before."""
    request = make_request(many, retrain={})
    first = first_job.outcome
    worse = make_fit(shifts={"lstm": 9.0, "warm_start": 9.0})
    second = run_job(make_later_job(worse, name="two"), request)
    job = make_later_job(make_fit(), name="three")

    third = run_job(job, request)

    assert first["promoted"]["promoted"]
    assert job.registry.run(first["read"]["run_id"]).tags["almanac.reason"] == "MANUAL"
    assert first["read"]["left_out"] == {"warm_start": "There is no champion yet."}
    assert not second["promoted"]["promoted"]
    assert second["promoted"]["champion"] == "1"
    assert third["promoted"]["promoted"], third["promoted"]["reason"]
    named = {
        alias: job.registry.models.resolve(f"weather@{alias}").version
        for alias in ("champion", "previous", "challenger")
    }
    assert named == {"champion": "3", "previous": "1", "challenger": "3"}


def test_candidates_see_nothing_of_any_origin_and_the_last_training_everything(
    make_later_job: MakeJob, many: Path
) -> None:
    """Three origins a year apart are held out of 96 months; the champion tuned is a candidate beside the new network."""
    seen: list[TrainingSet] = []

    outcome = run_job(make_later_job(make_fit(seen=seen), name="two"), make_request(many, retrain={}))

    lengths = [{len(one) for one in training_set.series} for training_set in seen]
    assert outcome["read"]["candidates"] == ["warm_start", "lstm", "ensemble"]
    assert outcome["read"]["origins"]["count"] == 2
    assert "over a third of 96 points" in outcome["read"]["origins"]["notes"][0]
    assert lengths[:2] == [{72}, {72}]
    assert lengths[2] == {96}
    assert outcome["compared"]["decision"]["figures"]["pairs"] == 8 * 2


def test_stages_that_are_run_again_register_and_promote_once(make_job: MakeJob, many: Path) -> None:
    """A stage is run again if the process is killed before its result is kept: one version, one move of the alias."""
    job, request = make_job(), make_request(many)

    def twice(stage: Callable[..., Plain], *arguments: Any) -> Plain:  # noqa: ANN401 - a stage's
        stage(job, request, *arguments)
        return as_json(stage(job, request, *arguments))

    read = twice(stages.read)
    fits = [twice(stages.fit, read, "lstm")]
    compared = twice(stages.compare, read, fits)
    refitted = twice(stages.refit, read, compared)
    registered = twice(stages.register, read, compared, refitted)
    promoted = twice(stages.promote, read, compared, registered)

    assert [one.version for one in job.registry.models.versions("weather")] == ["1"]
    assert (promoted["promoted"], promoted["champion"]) == (True, "1")
    assert states_of(job) == {
        part: "FINISHED" if "given up" not in part else "KILLED"
        for part in ("job", "job (given up)", "lstm", "lstm (given up)", "seasonal_naive", "seasonal_naive (given up)")
    }


def test_a_job_goes_on_on_another_machine_stage_by_stage(make_job: MakeJob, many: Path) -> None:
    """Each stage finds all that it needs in MLflow, though no folder and no data file are left."""
    request = make_request(many, architecture=["lstm", "gru"])
    read = stages.read(make_job(machine="a"), request)
    many.unlink()
    fits: list[Plain] = []
    for name in read["candidates"]:
        fits.append(stages.fit(make_job(machine=name), request, read, name, fits))

    compared = stages.compare(make_job(machine="b"), request, read, fits)
    refitted = stages.refit(make_job(machine="c"), request, read, compared)
    registered = stages.register(make_job(machine="d"), request, read, compared, refitted)
    promoted = stages.promote(make_job(machine="e"), request, read, compared, registered)

    assert read["candidates"] == ["lstm", "gru", "ensemble"]
    assert set(compared["models"]) == {"lstm", "gru", "ensemble", "seasonal_naive"}
    assert promoted["champion"] == "1"


def test_a_candidate_that_fails_is_told_and_a_job_in_which_all_fail_ends_with_the_causes(
    make_job: MakeJob, many: Path
) -> None:
    """A NaN loss is an answer of the stage; only where nothing is left does the comparison refuse."""
    job = make_job(make_fit(failing=("lstm",)))
    request = make_request(many)
    read = stages.read(job, request)

    outcome = stages.fit(job, request, read, "lstm")

    assert (outcome["code"], outcome["step"]) == ("LOSS_NOT_FINITE", 17)
    with pytest.raises(TrainingError, match=r"Every candidate failed\. lstm: The loss became NaN"):
        stages.compare(job, request, read, [outcome])
    run_id = stages.fail(job, request, "all failed")["run_id"]
    assert job.registry._client.get_run(run_id).info.status == "FAILED"
    assert job.registry.run(run_id).tags["failure.cause"] == "all failed"


def test_a_fit_that_was_killed_halfway_is_done_anew(make_job: MakeJob, many: Path) -> None:
    """The half-made run is given up and keeps its record; the new one takes its part."""

    def killed(_request: FitRequest) -> Candidate:
        raise KeyboardInterrupt

    request = make_request(many)
    read = stages.read(make_job(), request)
    with pytest.raises(KeyboardInterrupt):
        stages.fit(make_job(killed), request, read, "lstm")

    outcome = stages.fit(make_job(), request, read, "lstm")

    registry = make_job().registry
    left = registry.runs("weather", {"almanac.part": "lstm (given up)"})
    assert outcome["cause"] is None
    assert len(left) == 1
    assert left[0].run_id != outcome["run_id"]


def states_of(job: JobContext) -> dict[str, str]:
    """Return how the runs of a job stand, by part."""
    registry = job.registry
    found = registry.runs("weather", {JOB: job.job})
    return {one.tags[PART]: registry._client.get_run(one.run_id).info.status for one in found}


def fit_killed(_request: FitRequest) -> Candidate:
    """End as a child does whose worker ends it: nothing more is said."""
    raise KeyboardInterrupt


@pytest.mark.parametrize("status", ["FAILED", "KILLED"])
def test_a_job_that_is_given_up_leaves_no_run_running(make_job: MakeJob, many: Path, status: str) -> None:
    """The run of the candidate that was being fitted ends as the job's own does, with the cause; what had ended stays so."""
    request = make_request(many, architecture=["lstm", "gru"])
    read = stages.read(make_job(), request)
    stages.fit(make_job(), request, read, "lstm")
    with pytest.raises(KeyboardInterrupt):
        stages.fit(make_job(fit_killed), request, read, "gru")
    job = make_job()

    outcome = [stages.fail(job, request, "The job was cancelled.", status) for _ in "ab"]

    assert states_of(job) == {"job": status, "lstm": "FINISHED", "gru": status}
    tags = {one.tags[PART]: one.tags.get("failure.cause") for one in job.registry.runs("weather", {JOB: job.job})}
    assert tags == {"job": "The job was cancelled.", "lstm": None, "gru": "The job was cancelled."}
    assert [one["run_id"] for one in outcome] == [read["run_id"]] * 2


def test_a_candidate_whose_child_was_killed_has_its_run_closed_by_the_comparison(make_job: MakeJob, many: Path) -> None:
    """It could not close its run itself; the run says what it was killed for, and the others go on."""
    request = make_request(many, architecture=["lstm", "gru"])
    read = stages.read(make_job(), request)
    fits = [stages.fit(make_job(), request, read, "lstm")]
    with pytest.raises(KeyboardInterrupt):
        stages.fit(make_job(fit_killed), request, read, "gru")
    job, lost = make_job(), {"run_id": "", "step": 0, "seconds": 0.0, "validation_mase": None}

    stages.compare(job, request, read, [*fits, {"name": "gru", "cause": "killed: 1 s", "code": "CHILD_KILLED", **lost}])

    states = states_of(job)
    assert (states["job"], states["lstm"], states["gru"]) == ("RUNNING", "FINISHED", "FAILED")
    (run,) = job.registry.runs("weather", {JOB: job.job, PART: "gru"})
    assert (run.tags["failure.code"], run.tags["failure.cause"]) == ("CHILD_KILLED", "killed: 1 s")


def test_a_model_uploaded_without_a_version_is_replaced(
    make_job: MakeJob, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between upload and version, the stage uploads anew; the job has one version, which answers."""
    job, request = make_job(), make_request(many)
    read = stages.read(job, request)
    fits = [stages.fit(job, request, read, "lstm")]
    compared = stages.compare(job, request, read, fits)
    refitted = stages.refit(job, request, read, compared)

    def killed(*_args: object, **_tags: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ModelVersions, "register", killed)
        with pytest.raises(KeyboardInterrupt):
            stages.register(job, request, read, compared, refitted)
    assert job.registry.models.names() == []

    registered = stages.register(job, request, read, compared, refitted)

    assert registered == {"version": "1"}
    there = job.registry._client.search_logged_models(
        [job.registry._client.get_experiment_by_name("weather").experiment_id]
    )
    assert len(there) == 1
    assert (
        artifact.load(job.registry.models.download(job.registry.models.versions()[0], job.emptied("x"))).spec.name
        == "weather"
    )


def test_the_alias_moves_once_whoever_moves_it_afterwards(make_later_job: MakeJob, many: Path) -> None:
    """A promotion that is repeated after a rollback leaves the rollback alone, though its answer was never kept."""
    request = make_request(many)
    job = make_later_job(name="two")
    outcome = run_job(job, request)
    registry = job.registry
    registry.models.rollback("weather")

    again = stages.promote(job, request, outcome["read"], outcome["compared"], {"version": "2"})

    assert again["champion"] == "1"
    assert registry.models.resolve("weather@previous").version == "2"


def test_a_champion_that_changed_meanwhile_is_not_replaced(make_later_job: MakeJob, many: Path) -> None:
    """What was compared with another champion than there is now says nothing of the one there is."""
    request = make_request(many)
    job = make_later_job(name="late")
    read = stages.read(job, request)
    fits = [stages.fit(job, request, read, name) for name in read["candidates"]]
    compared = stages.compare(job, request, read, fits)
    run_job(make_later_job(name="quick"), request)

    refitted = stages.refit(job, request, read, compared)
    registered = stages.register(job, request, read, compared, refitted)
    outcome = stages.promote(job, request, read, compared, registered)

    assert compared["decision"]["promote"]
    assert not outcome["promoted"]
    assert outcome["champion"] == "2"
    assert "now version 2, not version 1" in outcome["reason"]
    assert outcome["decision"]["notes"][-1] == outcome["reason"]


def test_a_decision_names_both_sides_and_one_to_keep_says_if_the_champion_changed_meanwhile(
    make_later_job: MakeJob, many: Path
) -> None:
    """The figures have champion and challenger; kept against version 1, while version 3 is champion by then."""
    request = make_request(many)
    job = make_later_job(make_fit(shifts={"lstm": 9.0}), name="late")
    read = stages.read(job, request)
    fits = [stages.fit(job, request, read, name) for name in read["candidates"]]
    compared = stages.compare(job, request, read, fits)
    refitted = stages.refit(job, request, read, compared)
    registered = stages.register(job, request, read, compared, refitted)
    quick = run_job(make_later_job(name="quick"), request)

    outcome = stages.promote(job, request, read, compared, registered)

    figures = outcome["decision"]["figures"]
    sides = {key: figures[key] for key in ("champion_version", "challenger_version", "challenger_run_id")}
    assert sides == {"champion_version": "1", "challenger_version": "2", "challenger_run_id": compared["winner_run_id"]}
    assert job.registry.read_json(read["run_id"], "decision.json") == outcome["decision"]
    assert (outcome["promoted"], outcome["champion"], quick["promoted"]["champion"]) == (False, "3", "3")
    assert outcome["decision"]["notes"][-1].startswith("The champion is now version 3, not version 1")


def test_a_version_that_does_not_answer_is_never_champion(
    make_later_job: MakeJob, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the files of the new version are damaged the job stops, and the alias stays where it is."""
    request = make_request(many)
    job = make_later_job(name="two")
    plain = ModelVersions.download

    def damaged(models: ModelVersions, version: Any, directory: Path) -> Path:  # noqa: ANN401 - handed on
        folder = plain(models, version, directory)
        if version.version == "2":
            (folder / artifact.GOLDEN).write_text("{}")
        return folder

    monkeypatch.setattr(ModelVersions, "download", damaged)

    with pytest.raises(ArtifactIncomplete):
        run_job(job, request)

    assert job.registry.models.resolve("weather@champion").version == "1"


def test_a_champion_that_saw_the_block_is_compared_as_it_was_before(make_later_job: MakeJob, tmp_path: Path) -> None:
    """A new month or year leaves origins that it saw, so the network that was backtested stands in; three years do not."""
    found = {}
    for months in (1, 12, 36):
        series = [make_series(str(seed), seed=seed, length=96 + months) for seed in range(8)]
        path = write_csv(tmp_path / f"{months}.csv", series)
        found[months] = stages.read(make_later_job(name=f"after-{months}"), make_request(path))

    outcome = {months: (read["champion"]["as"], read["origins"]["count"]) for months, read in found.items()}
    assert outcome == {1: ("backtested", 2), 12: ("backtested", 3), 36: ("served", 3)}


def test_a_jobs_run_is_done_again_over_its_origins_and_from_its_champion(make_later_job: MakeJob, many: Path) -> None:
    """Even if the champion changes, the warm start goes on from the version that it went on from."""
    request = make_request(many, retrain={})
    better = make_fit(validation={"warm_start": 0.5})
    job = make_later_job(better, name="two")
    outcome = run_job(job, request)
    seen: list[TrainingSet] = []
    runtime = replace(job.runtime("again"), fit=make_fit(validation={"warm_start": 0.5}, seen=seen))

    found = reproduce(outcome["read"]["run_id"], job.registry, runtime, data=many)

    assert outcome["promoted"]["champion"] == "2"
    assert found.figures["backtest.mase"][0] == outcome["compared"]["models"]["warm_start"]["backtest.mase"]
    assert found.same_figures
    assert any(one.start for one in seen)
    fetched = next((runtime.scratch / "champion" / "served").rglob("spec.json"))
    assert spec_in(fetched.parent).run_id == outcome["read"]["champion"]["run_id"]


def test_without_what_it_was_before_a_champion_is_compared_on_what_is_new_or_the_decision_says_so(
    make_later_job: MakeJob, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year since its training is one origin that it has not seen; without it, it has seen the whole block."""
    request = make_request(many)
    monkeypatch.setattr(Registry, "fetch", fetching_all_but_champions(Registry.fetch))
    year = write_csv(tmp_path / "year.csv", [make_series(str(seed), seed=seed, length=108) for seed in range(8)])

    later = stages.read(make_later_job(name="year"), make_request(year))
    again = run_job(make_later_job(name="again"), request)

    assert (later["champion"]["as"], later["origins"]["count"]) == ("served", 1)
    assert "the champion was trained on the blocks of the others" in later["origins"]["notes"][-1]
    assert "16 of 16 series and origins" in again["compared"]["decision"]["notes"][-1]


def fetching_all_but_champions(fetch: Callable[..., Path | None]) -> Callable[..., Path | None]:
    """Return a fetch that finds nothing kept of a champion."""

    def fetched(registry: Registry, run_id: str, folder: str, directory: Path) -> Path | None:
        return None if directory.parent.name == "champion" else fetch(registry, run_id, folder, directory)

    return fetched
