import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.service.bulk import Poster, load_with_kills, make_part, serve, stored
from tests.service.home import eventually
from tests.service.server_process import ServerProcess
from tests.system.programs import postgres, revived

ROWS = 400


def post_until_killed(serving: ServerProcess, kill: Callable[[], None]) -> Poster:
    """Post part after part, kill a process meanwhile, and return the poster."""
    poster = Poster(10_000, ROWS, str(serving.client.base_url))
    thread = threading.Thread(target=poster.run)
    thread.start()
    eventually(lambda: len(poster.acknowledged) > 5, "no part is acknowledged")
    kill()
    thread.join()
    return poster


def assert_stored(poster: Poster, address: str) -> None:
    """Assert that every acknowledged part is stored, and the last one entirely or not at all."""
    found = stored(address)
    for part in poster.acknowledged:
        np.testing.assert_array_equal(found[f"s{part:05d}"], make_part(part, ROWS).column("y").to_numpy())
    assert {len(values) for values in found.values()} == {ROWS}
    assert len(found) - len(poster.acknowledged) in {0, 1}


def test_acknowledged_rows_survive_a_kill_of_the_service(tmp_path: Path) -> None:
    """SIGKILL during a load: no row that was answered with 200 is missing."""
    with serve(tmp_path) as serving:
        poster = post_until_killed(serving, lambda: os.kill(serving.process.pid, signal.SIGKILL))

    with serve(tmp_path) as again:
        assert_stored(poster, str(again.client.base_url))


@pytest.mark.system
def test_acknowledged_rows_survive_a_kill_of_postgresql(tmp_path: Path) -> None:
    """The service returns 503 until PostgreSQL is back, and reconnects by itself."""
    with postgres() as server, serve(tmp_path, server.url) as serving:
        poster = post_until_killed(serving, server.kill)
        refused = serving.client.get("/series")
        with revived(server):
            eventually(lambda: serving.client.get("/series").status_code == 200, "the service does not reconnect")

            assert_stored(poster, str(serving.client.base_url))

    assert refused.status_code == 503


@pytest.mark.system
def test_a_load_that_retries_is_complete(tmp_path: Path) -> None:
    """Service and PostgreSQL are killed meanwhile: the stored values are those of the load."""
    poster, _ = load_with_kills(tmp_path, 60, ROWS)

    assert poster.failures > 0
