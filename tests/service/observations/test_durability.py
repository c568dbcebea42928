import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.service.bulk import Poster, digest, make_part, sent, stored
from tests.service.house import eventually
from tests.service.server_process import Serving
from tests.system.programs import postgres, revived

ROWS = 400


def serve(home: Path, url: str = "") -> Serving:
    """Run a service that has no registry."""
    return Serving(home, MLFLOW_TRACKING_URI="http://127.0.0.1:1", ALMANAC_DATABASE_URL=url)


def post_until_killed(serving: Serving, kill: Callable[[], None]) -> Poster:
    """Post part after part, kill something in the middle, and return what was acknowledged by then."""
    poster = Poster(10_000, ROWS, str(serving.client.base_url))
    thread = threading.Thread(target=poster.run)
    thread.start()
    eventually(lambda: len(poster.acknowledged) > 5, "nothing is acknowledged")
    kill()
    thread.join()
    return poster


def assert_kept(poster: Poster, address: str) -> None:
    """Every acknowledged part is there whole; another is there whole or not at all."""
    found = stored(address)
    for part in poster.acknowledged:
        np.testing.assert_array_equal(found[f"s{part:05d}"], make_part(part, ROWS).column("y").to_numpy())
    assert {len(values) for values in found.values()} == {ROWS}
    assert len(found) - len(poster.acknowledged) in {0, 1}


def test_what_was_acknowledged_survives_the_death_of_the_service(tmp_path: Path) -> None:
    """SIGKILL in the middle of a load: nothing that was answered with 200 is missing, and nothing is there by half."""
    with serve(tmp_path) as serving:
        poster = post_until_killed(serving, lambda: os.kill(serving.process.pid, signal.SIGKILL))

    with serve(tmp_path) as again:
        assert_kept(poster, str(again.client.base_url))


@pytest.mark.system
def test_what_was_acknowledged_survives_the_death_of_postgresql(tmp_path: Path) -> None:
    """SIGKILL of the whole cluster: the service says 503, finds it again by itself, and everything is there."""
    with postgres() as server, serve(tmp_path, server.url) as serving:
        poster = post_until_killed(serving, server.kill)
        refused = serving.client.get("/series")
        with revived(server):
            eventually(lambda: serving.client.get("/series").status_code == 200, "the database is not found again")

            assert_kept(poster, str(serving.client.base_url))

    assert refused.status_code == 503


@pytest.mark.system
def test_a_load_that_is_repeated_where_it_broke_is_whole(tmp_path: Path) -> None:
    """Service and PostgreSQL are killed while a patient client posts: in the end the checksum is that of what was sent."""
    parts = 60
    with postgres() as server:
        with serve(tmp_path, server.url) as first:
            poster = Poster(parts, ROWS, str(first.client.base_url), patient=True)
            thread = threading.Thread(target=poster.run)
            thread.start()
            eventually(lambda: len(poster.acknowledged) > 10, "nothing is acknowledged")
            os.kill(first.process.pid, signal.SIGKILL)
        with serve(tmp_path, server.url) as second:
            poster.address = str(second.client.base_url)
            eventually(lambda: len(poster.acknowledged) > 25, "the load does not go on")
            server.kill()
            with revived(server):
                thread.join(60)

                assert digest(stored(poster.address)) == digest(sent(parts, ROWS))
    assert poster.failures > 0
