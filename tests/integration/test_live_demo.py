"""The live story in its short form: real programs, real temperatures, one small network, from the break to recovery."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from training.demo.live import CONFIG, EVENTS, MODEL, PICTURE
from training.registry.client import Registry
from training.registry.location import RegistryLocation

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
from pathlib import Path
from training.demo.demo import terminable
from training.demo.live import Stage, live
from training.demo.replay import Plan
from training.progress import plain_console

plan = Plan(first="1985-12", broken="1986-01", end="1988-12", settling=6, ticks_from="1988-01")
home, config = map(Path, sys.argv[1:])
with terminable():
    verdict = live(Stage(home, plain_console(stderr=True), port=18800, config=config, as_json=True), plan)
sys.exit(0 if verdict.recovered else 1)
"""
"""One month of the old world, two years of the new one, one tick of the schedule, six months with the new version."""

ORDER = ["forecast", "observed", "scored", "drift", "job_started", "promoted", "swapped", "recovered"]


@dataclass(frozen=True, slots=True)
class Played:
    """A story that was played, and what it left."""

    home: Path
    events: list[dict[str, Any]]
    told: str

    def first(self, kind: str) -> dict[str, Any]:
        """Return the first event of a kind."""
        return next(event for event in self.events if event["event"] == kind)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Return the story, played once; without a warm start, which would cost a quarter of the time."""
    home = tmp_path_factory.mktemp("live")
    config = home / "live.toml"
    config.write_text(CONFIG.read_text(encoding="utf-8") + "warm_start = false\n", encoding="utf-8")
    users_own = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "ALMANAC_JOBS_URL": "postgresql://127.0.0.1:9/x"}
    process = subprocess.Popen(  # noqa: S603 - fixed code
        [sys.executable, "-c", PROGRAM, str(home), str(config)],
        env={**os.environ, **users_own, "PYTHONPATH": str(ROOT)},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        told, shown = process.communicate()
    finally:
        process.terminate()  # where the test was broken off, the story ends its own children
        process.wait()
    assert process.returncode == 0, shown
    return Played(home, [json.loads(line) for line in told.splitlines()], shown)


def test_it_goes_from_forecast_to_recovery_in_order(played: Played) -> None:
    """Standard output holds events alone, and each kind comes first after the one that it follows from."""
    kinds = [event["event"] for event in played.events]

    assert set(kinds) == set(ORDER)
    assert all(kinds.index(one) < kinds.index(other) for one, other in pairwise(ORDER))
    assert all(event["month"] for event in played.events)


def test_the_version_in_the_answers_changes_with_the_promotion(played: Played) -> None:
    """Before the swap version 1 forecasts, from its month on version 2, and MLflow's alias says so too."""
    swap = played.first("swapped")
    forecasts = [event for event in played.events if event["event"] == "forecast"]

    assert {one["version"] for one in forecasts if one["month"] < swap["month"]} == {"1"}
    assert {one["version"] for one in forecasts if one["month"] >= swap["month"]} == {"2"}
    registry = Registry(RegistryLocation(played.home, f"sqlite:///{played.home / 'mlflow.db'}"))
    assert registry.models.resolve(MODEL).version == "2"


def test_the_error_after_the_swap_is_below_the_error_before_it(played: Played) -> None:
    """And below what the old version would have had in the same months."""
    end = played.first("recovered")

    assert end["error_after_swap"] < end["error_before_swap"]
    assert end["error_after_swap"] < end["error_of_old_version_after_swap"]


def test_the_job_had_a_reason_and_decided_on_evidence(played: Played) -> None:
    """Drift and decay are among the reasons, and the promotion was not forced."""
    started, promoted = played.first("job_started"), played.first("promoted")

    assert {"INPUT_DRIFT", "ERROR_DECAY"} <= set(started["reasons"])
    assert promoted["decision"]["promote"]
    assert not promoted["decision"]["forced"]
    assert promoted["decision"]["figures"]["p_value"] < 0.05


def test_picture_and_events_lie_in_the_home_and_in_the_jobs_run(played: Played) -> None:
    """The picture is a PNG; the events are those that were printed."""
    kept = (played.home / EVENTS).read_text(encoding="utf-8").splitlines()
    registry = Registry(RegistryLocation(played.home, f"sqlite:///{played.home / 'mlflow.db'}"))
    there = {item.path for item in registry._client.list_artifacts(played.first("promoted")["run_id"])}

    assert [json.loads(line) for line in kept] == played.events
    assert (played.home / PICTURE).read_bytes().startswith(b"\x89PNG")
    assert {PICTURE, EVENTS} <= there


def test_people_are_told_that_the_break_is_made_and_where_everything_lies(played: Played) -> None:
    """The timeline goes to standard error, where standard output is for programs."""
    assert "This break is made" in played.told
    assert f"All of this is written to {played.home}" in played.told
    assert "Recovered: MASE" in played.told
