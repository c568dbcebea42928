"""A short live demo: real programs, real temperatures, one small network, from the break to recovery."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from training.demo.live import CONFIG, EVENTS, FIGURE, MODEL
from training.registry.client import Registry
from training.registry.location import RegistryLocation

pytestmark = [pytest.mark.prove, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
from pathlib import Path
from training.demo.demo import sigterm_as_interrupt
from training.demo.live import LiveDemo, run_live
from training.demo.replay import ReplayPlan
from training.progress import plain_console

plan = ReplayPlan(first="1985-12", broken="1986-01", end="1988-12", settling=6, ticks_from="1988-01")
home, config = map(Path, sys.argv[1:])
with sigterm_as_interrupt():
    demo = LiveDemo(home, plain_console(stderr=True), port=18800, config=config, as_json=True)
    recovery = run_live(demo, plan)
sys.exit(0 if recovery.recovered else 1)
"""
"""One month before the break, two years after it, one tick of the schedule, six months with the new version."""

ORDER = ["forecast", "observed", "scored", "drift", "job_started", "promoted", "swapped", "recovered"]


@dataclass(frozen=True, slots=True)
class FinishedDemo:
    """A finished demo: its home, its events and its lines of text."""

    home: Path
    events: list[dict[str, Any]]
    text: str

    def first(self, kind: str) -> dict[str, Any]:
        """Return the first event of a kind."""
        return next(event for event in self.events if event["event"] == kind)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FinishedDemo:
    """Return the demo, run once; without a warm start, which would take a quarter of the time."""
    home = tmp_path_factory.mktemp("live")
    config = home / "live.toml"
    config.write_text(CONFIG.read_text(encoding="utf-8") + "warm_start = false\n", encoding="utf-8")
    users_settings = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "ALMANAC_JOBS_URL": "postgresql://127.0.0.1:9/x"}
    process = subprocess.Popen(  # noqa: S603 - fixed code
        [sys.executable, "-c", PROGRAM, str(home), str(config)],
        env={**os.environ, **users_settings, "PYTHONPATH": str(ROOT)},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        output, text = process.communicate()
    finally:
        process.terminate()  # if the test was interrupted, the demo ends its own children
        process.wait()
    assert process.returncode == 0, text
    return FinishedDemo(home, [json.loads(line) for line in output.splitlines()], text)


def test_it_goes_from_forecast_to_recovery_in_order(finished: FinishedDemo) -> None:
    """Standard output has events only, in the expected order."""
    kinds = [event["event"] for event in finished.events]

    assert set(kinds) == set(ORDER)
    assert all(kinds.index(one) < kinds.index(other) for one, other in pairwise(ORDER))
    assert all(event["month"] for event in finished.events)


def test_the_served_version_changes_with_the_promotion(finished: FinishedDemo) -> None:
    """Version 1 forecasts before the swap, version 2 after it, and MLflow's alias agrees."""
    swap = finished.first("swapped")
    forecasts = [event for event in finished.events if event["event"] == "forecast"]

    assert {one["version"] for one in forecasts if one["month"] < swap["month"]} == {"1"}
    assert {one["version"] for one in forecasts if one["month"] >= swap["month"]} == {"2"}
    registry = Registry(RegistryLocation(finished.home, f"sqlite:///{finished.home / 'mlflow.db'}"))
    assert registry.models.resolve(MODEL).version == "2"


def test_the_error_after_the_swap_is_below_the_error_before_it(finished: FinishedDemo) -> None:
    """And below that of the old version in the same months."""
    end = finished.first("recovered")

    assert end["error_after_swap"] < end["error_before_swap"]
    assert end["error_after_swap"] < end["error_of_old_version_after_swap"]


def test_the_job_had_a_reason_and_decided_on_evidence(finished: FinishedDemo) -> None:
    """Drift and decay are among its reasons, and the promotion was not forced."""
    started, promoted = finished.first("job_started"), finished.first("promoted")

    assert {"INPUT_DRIFT", "ERROR_DECAY"} <= set(started["reasons"])
    assert promoted["decision"]["promote"]
    assert not promoted["decision"]["forced"]
    assert promoted["decision"]["figures"]["p_value"] < 0.05


def test_figure_and_events_are_in_the_home_and_in_the_jobs_run(finished: FinishedDemo) -> None:
    """The events are those that were printed."""
    lines = (finished.home / EVENTS).read_text(encoding="utf-8").splitlines()
    registry = Registry(RegistryLocation(finished.home, f"sqlite:///{finished.home / 'mlflow.db'}"))
    logged = {item.path for item in registry._client.list_artifacts(finished.first("promoted")["run_id"])}

    assert [json.loads(line) for line in lines] == finished.events
    assert (finished.home / FIGURE).read_bytes().startswith(b"\x89PNG")
    assert {FIGURE, EVENTS} <= logged
