"""Faults: whatever the machine lacks, forecasts go on, and nothing that was acknowledged is lost."""

import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.prove.faults import DATABASE, FAULTS, Expected, can_mount, gone, small_disk
from tests.prove.figures import record
from tests.prove.test_overload import PAGE
from tests.service.home import Artifacts, ServiceHome, eventually, ready
from tests.service.server_process import NO_REGISTRY, PROGRAM, ServerProcess
from tests.system.programs import postgres

FORECASTS, GONE_SECONDS = 50, 60
MOST_APART = 0.5
"""Of a clock's gauge, which is no whole number."""
COLUMNS = ("forecasts", "observations meanwhile", "`/health/ready`", "gauge", "acknowledged, there afterwards")
Row = tuple[str, str, str, str, str]
CLAIM = (
    "A running service meets each of them, is asked for forecasts and gets observations; then the fault ends, a new champion is "
    "followed, and what was acknowledged (200) is looked for."
)
FOUND: dict[str, Row] = {}
"""What the tests of this run have measured, by the name of the fault: together they are one table."""


class Watched:
    """A service that is asked for forecasts, and given observations."""

    def __init__(self, server: ServerProcess) -> None:
        """Acknowledge nothing yet."""
        self.server = server
        self.sent = 0
        self.acknowledged: set[int] = set()

    def observe(self) -> int:
        """Post one observation, and return the status; remember it if it was acknowledged."""
        self.sent += 1
        day = f"2024-{self.sent // 28 + 1:02d}-{self.sent % 28 + 1:02d}"
        row = {"id": "a", "timestamp": day, "value": self.sent}
        status = self.server.client.post("/observations", json={"observations": [row], "frequency": "D"}).status_code
        if status == 200:
            self.acknowledged.add(self.sent)
        return status

    def forecast(self) -> Counter[int]:
        """Ask for forecasts, and return how often each status came."""
        body = {"series": [{"values": [1, 2, 3]}], "horizon": 2}
        return Counter(self.server.client.post("/forecast", json=body).status_code for _ in range(FORECASTS))

    def version(self) -> str:
        """Return the version that answers."""
        body = {"series": [{"values": [1, 2, 3]}], "horizon": 2}
        return str(self.server.client.post("/forecast", json=body).json()["model"]["version"])

    def stored(self) -> set[int]:
        """Return the values that are stored."""
        return {
            round(one) for one in self.server.client.get("/series/a?limit=1000").json()["values"] if one is not None
        }

    def gauge(self, name: str) -> float:
        """Return the value of a metric."""
        lines = self.server.client.get("/metrics").text.splitlines()
        return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"{name} "))

    def state(self, member: str) -> str:
        """Return a member of /health/ready."""
        return str(self.server.client.get("/health/ready").json()[member])


def row(watched: Watched, expected: Expected, statuses: Counter[int], meanwhile: int) -> Row:
    """Return what was measured during a fault and after it."""
    stored = watched.stored()
    assert watched.acknowledged <= stored
    shown = f"`{expected.member}` is `{expected.state}`" if expected.member else "no state"
    gauge = f"`{expected.gauge}` is {expected.value:.0f}" if expected.gauge else "none"
    kept = f"{len(watched.acknowledged)}, {len(watched.acknowledged & stored)}"
    return f"{statuses[200]} of {statuses.total()}", str(meanwhile), shown, gauge, kept


def run(folder: Path, home: ServiceHome, expected: Expected) -> Row:
    """Run a service through a fault."""
    (home.path / "offset").write_text("+0")
    environment = {name: text.replace("{home}", str(home.path)) for name, text in expected.environment.items()}
    program = NO_REGISTRY + expected.program + PROGRAM
    variables = {"ALMANAC_HOME": str(home.path), **environment}
    with ServerProcess(folder / "log", program=program, arguments=(), **variables) as server:
        ready(server.client)  # type: ignore[arg-type]
        watched = Watched(server)
        assert [watched.observe() for _ in range(10)] == [200] * 10
        with expected.fault(server, home.path):
            meanwhile = watched.observe()
            if expected.member:
                eventually(lambda: watched.state(expected.member) == expected.state, "the state does not show")
                assert abs(watched.gauge(expected.gauge) - expected.value) < MOST_APART
            statuses, end = watched.forecast(), time.monotonic() + expected.seconds
            while time.monotonic() < end:
                statuses += watched.forecast()
        eventually(lambda: watched.observe() == 200, "observations are not stored again")
        if expected.member and expected.member != "memory":  # short for a minute
            eventually(lambda: watched.state(expected.member) == "ok", "the state does not end")
        assert set(statuses) == {200}
        home.publish("temperatures", "2", shift=1.0)
        eventually(lambda: watched.version() == "2", "a new champion is not followed")
        return row(watched, expected, statuses, meanwhile)


@pytest.mark.skipif(not can_mount(), reason="Mounting a small disk needs root.")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FAULTS)
def test_forecasts_go_on_and_nothing_acknowledged_is_lost(tmp_path: Path, name: str) -> None:
    """And the state shows, in /health/ready and in a gauge."""
    with small_disk(tmp_path / "home") as disk:
        note(name, tmp_path, disk, FAULTS[name])


@pytest.mark.timeout(1800)
def test_forecasts_go_on_without_postgresql(tmp_path: Path) -> None:
    """It is killed, and started again after a minute."""
    with postgres() as database, ExitStack() as stack:
        url = database.url.replace("+psycopg", "")
        expected = Expected(
            gone(database, stack), *DATABASE, environment={"ALMANAC_DATABASE_URL": url}, seconds=GONE_SECONDS
        )
        note(f"PostgreSQL gone for {GONE_SECONDS} s", tmp_path, tmp_path / "home", expected)


def note(name: str, folder: Path, path: Path, expected: Expected) -> None:
    """Run a service with a model in a home through a fault, and write down what was measured."""
    home = ServiceHome(path, Artifacts(folder / "artifacts"))
    home.publish("temperatures", "1")
    FOUND[name] = run(folder, home, expected)
    record("Faults of the machine", CLAIM, FOUND, PAGE, COLUMNS)
