"""`almanac serve --workers 2`: one service to its clients, also when one of its processes is killed."""

import os
import re
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.key_file import make_key, read_keys, write_keys
from tests.service.home import eventually
from tests.service.server_process import ServerProcess, command_of

REQUEST = {
    "series": [{"id": "a", "start": "2020-01", "frequency": "M", "values": [float(month % 12) for month in range(60)]}],
    "horizon": 3,
    "model": "starter",
}
POSTS = 30


def workers(server: ServerProcess) -> dict[int, int]:
    """Return the process ids of the workers by place."""
    tasks = Path(f"/proc/{server.process.pid}/task").glob("*/children")
    commands = {int(pid): command_of(int(pid)) for task in tasks for pid in task.read_text().split()}
    places = {pid: re.search(r'"place":(\d)', command) for pid, command in commands.items()}
    return {int(found[1]): pid for pid, found in places.items() if found}


def ask(server: ServerProcess, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401
    """Return the response to a request over a connection of its own, so that any of the workers may answer it."""
    with httpx.Client(base_url=server.client.base_url, timeout=30, verify=False) as client:  # noqa: S501 (plain HTTP)
        return client.request(method, path, **options)


def metric(server: ServerProcess, name: str, headers: dict[str, str]) -> set[float]:
    """Return the values of a metric that several scrapes return."""
    texts = [ask(server, "GET", "/metrics", headers=headers).text for _ in range(6)]
    return {float(line.rpartition(" ")[2]) for text in texts for line in text.splitlines() if line.startswith(name)}


@pytest.mark.system
def test_two_workers_are_one_service(tmp_path: Path) -> None:
    """Metrics, keys and ledger are those of one; a killed worker is replaced; SIGTERM writes every forecast."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    with ServerProcess(tmp_path / "home", arguments=("--workers", "2"), TMPDIR=str(folder)) as server:
        server.ready()
        eventually(lambda: len(workers(server)) == 2, server.log())
        for _ in range(POSTS):
            assert ask(server, "POST", "/forecast", json=REQUEST).status_code == 200

        secret, key = make_key("test", ("admin",), "2026-01-01T00:00:00+00:00")
        write_keys(tmp_path / "home" / "keys.json", (*read_keys(tmp_path / "home" / "keys.json"), key))
        assert {ask(server, "POST", "/forecast", json=REQUEST).status_code for _ in range(8)} == {401}
        headers = {"authorization": f"Bearer {secret}"}

        assert metric(server, "almanac_series_total", headers) == {POSTS}
        eventually(lambda: metric(server, "almanac_ledger_written_total", headers) == {POSTS}, "not written")
        killed = workers(server)[0]
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: workers(server).get(0, killed) != killed, "the worker was not replaced")
        posted = [ask(server, "POST", "/forecast", json=REQUEST, headers=headers) for _ in range(POSTS)]

        assert {one.status_code for one in posted} == {200}
        assert metric(server, "almanac_series_total", headers) == {2 * POSTS}
        assert "was killed by SIGKILL" in server.log()
        server.process.terminate()
        assert server.process.wait(60) == 0

    with closing(sqlite3.connect(tmp_path / "home" / "almanac.db")) as database:
        assert database.execute("SELECT count(*) FROM forecasts").fetchone() == (2 * POSTS,)
    assert list(folder.glob("almanac-*")) == []
