"""Resources: what the process is short of shows in /health/ready and in a gauge, and forecasts go on."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext

import psutil
import pytest
from starlette.testclient import TestClient

from service import memory
from service.monitoring import resources
from service.monitoring.resources import Resources
from tests.service.home import ServiceHome
from tests.stand_in import stand_in

FORECAST = {"series": [{"values": [1, 2, 3]}], "horizon": 2}


@pytest.fixture
def quiet(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service with a model."""
    home.publish("temperatures", "1")
    return start()


def test_a_request_without_memory_gets_503_and_the_next_one_a_forecast(
    quiet: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no failure of the service; for a minute the state says so."""
    with monkeypatch.context() as patched:
        patched.setattr("service.forecasting.answer.parse_typed", lambda *_: bytearray(1 << 62))
        refused = quiet.post("/forecast", json=FORECAST)
    states, gauges = quiet.get("/health/ready").json(), quiet.get("/metrics").text
    served = quiet.post("/forecast", json=FORECAST)
    monkeypatch.setattr(resources, "SHORT_SECONDS", 0.0)

    assert (refused.status_code, refused.json()["code"]) == (503, "MEMORY_SHORT")
    assert refused.headers["retry-after"]
    assert (states["memory"], states["files"]) == ("short", "ok")
    assert 'almanac_resource_short{resource="memory"} 1.0' in gauges
    assert 'almanac_resource_short{resource="files"} 0.0' in gauges
    assert served.status_code == 200
    assert quiet.get("/health/ready").json()["memory"] == "ok"


@pytest.mark.parametrize(
    ("limit", "is_short"), [(lambda used: used + 5, True), (lambda used: used + 100, False), (lambda _used: -1, False)]
)
def test_files_are_short_near_the_limit_of_the_process(
    monkeypatch: pytest.MonkeyPatch, limit: Callable[[int], int], *, is_short: bool
) -> None:
    """And never without a limit."""
    monkeypatch.setattr("service.monitoring.resources.os", stand_in(os, listdir=lambda _: [""] * 40))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit(40), -1))

    assert Resources().are_short()["files"] is is_short


@pytest.mark.parametrize(
    ("limit", "refused"), [(resource.RLIM_INFINITY, False), (200 << 20, False), (110 << 20, True), (0, True)]
)
def test_work_without_room_below_the_limit_is_not_begun(
    monkeypatch: pytest.MonkeyPatch, limit: int, *, refused: bool
) -> None:
    """A process of 100 MiB, and 10 MiB more; a small request is not looked at."""
    monkeypatch.setattr(memory, "_taken", lambda: 100 << 20)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, -1))

    with pytest.raises(MemoryError) if refused else nullcontext():
        memory.check_memory(10 << 20)
    memory.check_memory(1_000)


def test_the_size_of_the_process_is_read() -> None:
    """As Linux counts it for `ulimit -v`."""
    assert memory._taken() == pytest.approx(psutil.Process().memory_info().vms, rel=0.1)


def test_files_are_short_if_they_cannot_be_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting them opens one."""

    def refuse(_: str) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("service.monitoring.resources.os", stand_in(os, listdir=refuse))
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))

    assert Resources().states() == {"files": "short", "memory": "ok", "clock": "ok"}


def test_the_files_of_another_process_are_counted() -> None:
    """One that has ended is not short of them, and memory is what it says."""
    found = Resources()
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found.pids = lambda: [other.pid]

    try:
        before = found.are_short()
        psutil.Process(other.pid).rlimit(psutil.RLIMIT_NOFILE, (10, 4096))
        during = found.are_short()
    finally:
        other.communicate()
    found.other_memory = lambda: [False, True]

    assert (before["files"], during["files"]) == (False, True)
    assert found.are_short() == {"files": False, "memory": True}


@pytest.mark.parametrize(("seconds", "word"), [(-86_400, "set back"), (86_400, "set forward"), (5, "ok")])
def test_a_clock_that_was_set_shows_until_it_is_right_again(
    quiet: TestClient, monkeypatch: pytest.MonkeyPatch, seconds: float, word: str
) -> None:
    """Or for an hour: then it was wrong before."""
    ahead = resources._ahead()
    monkeypatch.setattr(resources, "_ahead", lambda: ahead + seconds)

    state, gauges = quiet.get("/health/ready").json()["clock"], quiet.get("/metrics").text
    gauge = next(
        float(line.split()[1]) for line in gauges.splitlines() if line.startswith("almanac_clock_jump_seconds ")
    )
    monkeypatch.setattr(resources, "CLOCK_SECONDS", -1.0)
    later = quiet.get("/health/ready").json()["clock"]
    monkeypatch.setattr(resources, "_ahead", lambda: ahead + seconds + 3)

    assert state == word
    assert gauge == pytest.approx(0 if word == "ok" else seconds, abs=5)
    assert (later, quiet.get("/health/ready").json()["clock"]) == ("ok", "ok")
