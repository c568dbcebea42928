from dataclasses import replace
from pathlib import Path

import pytest

from models.names import CHAMPION, PREVIOUS
from models.retraining.live_promotion import ScoredSteps
from tests.training.fakes import make_series, write_csv
from training.evaluation.promotion import PromotionDecision
from training.pipeline.register import promote
from training.registry.client import Registry
from training.registry.location import Run
from training.retraining import live_stages, triggers
from training.retraining.job_context import JobContext
from training.retraining.rollback import Rollback
from training.service_client.client import Address

WORSE = Rollback(roll_back=True, reason="It does worse.", fresh="2", predecessor="1", figures={"p_value": 0.001})


@pytest.fixture
def job(registry: Registry, tmp_path: Path) -> JobContext:
    """Return a job at a registry in which version 2 of sales took the alias from version 1."""
    client = registry._client
    client.create_registered_model("sales")
    for version in ("1", "2"):
        run = registry.start("sales", f"run {version}", tags={})
        client.create_model_version("sales", str(tmp_path), run)
        registry.models.promote("sales", version)
    return JobContext(registry, "watch", tmp_path / "watch", address=Address("http://127.0.0.1:9"))


def aliases(registry: Registry) -> dict[str, str]:
    """Return which version champion and previous name."""
    return {alias: registry.models.resolve(f"sales@{alias}").version for alias in (CHAMPION, PREVIOUS)}


def see(monkeypatch: pytest.MonkeyPatch, found: Rollback | None) -> None:
    """Have live scores say this of every name."""
    monkeypatch.setattr(live_stages, "watch_live", lambda *_: found)


def test_a_fresh_champion_that_does_worse_is_taken_back_and_that_is_recorded(
    job: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The figures stand in the run of the version that was taken back; a second look finds it done."""
    see(monkeypatch, WORSE)
    fresh = job.registry.models.resolve("sales/2").run_id

    seen, again = live_stages.watch(job), live_stages.watch(job)

    assert aliases(job.registry) == {"champion": "1", "previous": "2"}
    assert seen["lines"] == ["sales version 1 is champion again. It does worse."]
    assert again["lines"] == []
    record = job.registry.read_json(fresh, "rollback.json")
    assert record is not None
    assert record["figures"] == {"p_value": 0.001}


@pytest.mark.parametrize("found", [None, replace(WORSE, roll_back=False), replace(WORSE, fresh="7")])
def test_a_champion_stays_without_evidence_against_it(
    job: JobContext, monkeypatch: pytest.MonkeyPatch, found: Rollback | None
) -> None:
    """Nothing to see, nothing worse, or another champion by now: the aliases stay."""
    see(monkeypatch, found)

    seen = live_stages.watch(job)

    assert aliases(job.registry) == {"champion": "2", "previous": "1"}
    assert seen["lines"] == []


def test_without_a_service_nothing_is_watched(job: JobContext) -> None:
    """There are no scores to go by."""
    assert live_stages.watch(replace(job, address=None)) == {"lines": [], "rollbacks": {}, "promotions": {}}


@pytest.fixture
def waiting(job: JobContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobContext:
    """Return a job at a registry in which version 3 is the challenger, better on backtests, and waits for 40 live scores."""
    see(monkeypatch, None)
    client = job.registry._client
    client.create_model_version("sales", str(tmp_path), job.registry.start("sales", "run 3", tags={}))
    job.registry.models.set_challenger("sales", "3")
    better = PromotionDecision(promote=True, reason="Better on backtests.")
    decision = promote(job.registry, "sales", "3", better, "2", live_scores=40)
    assert not decision.promote
    assert decision.reason.startswith("Better on backtests. It waits as challenger for 40 live scores")
    return job


@pytest.mark.parametrize(
    ("scored", "champion", "line"),
    [
        ((0.5, 4), "3", "sales version 3 is champion. Live error of version 3 is 0.5 MASE, that of version 2 1"),
        ((2.0, 4), "2", "sales version 3 is not promoted. Live error of version 3 is 2 MASE, that of version 2 1"),
        ((0.5, 3), "2", None),
    ],
)
def test_a_challenger_that_waits_for_live_scores_is_decided_once(
    waiting: JobContext, monkeypatch: pytest.MonkeyPatch, scored: tuple[float, int], champion: str, line: str | None
) -> None:
    """Promoted if it is not worse, kept out if it is, and as before while the scores are too few; its run says why."""

    def read(_: Address, __: str, version: str) -> ScoredSteps:
        found = scored if version == "3" else (1.0, scored[1])
        return {(series, f"2026-11-0{day}", 1): found for series in "abcde" for day in (1, 2)}

    monkeypatch.setattr(triggers, "read_scored_steps", read)

    seen = live_stages.watch(waiting)
    again = live_stages.watch(waiting)

    assert waiting.registry.models.resolve(f"sales@{CHAMPION}").version == champion
    assert [one[: len(line or "")] for one in seen["lines"]] == ([line] if line else [])
    assert again["lines"] == []
    record = waiting.registry.read_json(waiting.registry.models.resolve("sales/3").run_id, "live.json")
    assert (record or {}).get("allowed") == (None if line is None else champion == "3")
    assert ("sales" in again["promotions"]) == (line is None)


def test_a_jobs_run_says_why_and_the_job_says_where_it_is_shown(job: JobContext, tmp_path: Path) -> None:
    """The judgement beside the data; its experiment; a page only where a server shows it."""
    data = write_csv(tmp_path / "weather.csv", [make_series(str(seed), seed=seed) for seed in range(3)])
    config = {"data": str(data), "horizon": 12, "architecture": ["lstm"]}

    outcome = live_stages.read(job, {"name": "weather", "config": config, "judgement": {"retrain": True}})

    assert job.registry.read_json(outcome["run_id"], "judgement.json") == {"retrain": True}
    run = job.registry.run(outcome["run_id"])
    location = replace(job.registry.location, uri="http://mlflow:5000")
    assert (outcome["experiment_id"], outcome["run_url"]) == (run.experiment, None)
    assert (
        location.run_url(Run("r", experiment="3"))
        == "http://mlflow:5000/#/experiments/3/runs/r?workflowType=machine_learning"
    )


def test_a_job_is_made_of_the_environment(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registry, service and key; on one machine none of them needs to be said."""
    monkeypatch.setenv("ALMANAC_HOME", str(registry.location.home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("ALMANAC_SERVICE_URL", raising=False)
    monkeypatch.setenv("ALMANAC_API_KEY", "alm_key")

    job = live_stages.make_context("one", tmp_path, print)

    assert (job.job, job.registry.location.home) == ("one", registry.location.home)
    assert job.address == Address("http://127.0.0.1:8000", "alm_key")


def test_a_job_judges_by_its_own_thresholds(job: JobContext) -> None:
    """What the configuration says under [retrain] is what counts; a name without a training needs it."""
    outcome = live_stages.assess(job, {"name": "unknown", "config": {"retrain": {"skill_below": -1.0}}})

    assert outcome["retrain"]
    assert {one["code"] for one in outcome["reasons"] if one["holds"]} == {"NO_CHAMPION"}
