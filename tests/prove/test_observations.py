"""A million observations, posted in bulk while the service and PostgreSQL are killed: nothing is lost."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.prove.figures import record
from tests.service.bulk import Poster, digest, sent, stored
from tests.service.home import eventually
from tests.service.server_process import ServerProcess
from tests.system.programs import postgres, revived

pytestmark = pytest.mark.prove
PARTS, ROWS = 40, 25_000


@pytest.mark.timeout(1800)
def test_a_million_observations_are_there_whatever_is_killed(tmp_path: Path) -> None:
    """On SQLite in peace; on PostgreSQL with SIGKILL of the service and of the database; the checksums are those of the load."""
    whole = digest(sent(PARTS, ROWS))
    with serve(tmp_path / "sqlite", "") as serving:
        poster = Poster(PARTS, ROWS, str(serving.client.base_url), retries=True)
        began = time.monotonic()
        poster.run()
        peaceful = time.monotonic() - began
        assert digest(stored(poster.address)) == whole

    with postgres() as server:
        with serve(tmp_path / "one", server.url) as first:
            poster = Poster(PARTS, ROWS, str(first.client.base_url), retries=True)
            began = time.monotonic()
            thread = threading.Thread(target=poster.run)
            thread.start()
            eventually(lambda: len(poster.acknowledged) > PARTS // 4, "the load does not begin")
            os.kill(first.process.pid, signal.SIGKILL)
        with serve(tmp_path / "two", server.url) as second:
            poster.address = str(second.client.base_url)
            eventually(lambda: len(poster.acknowledged) > PARTS // 2, "the load does not go on")
            server.kill()
            with revived(server):
                thread.join()
                killed = time.monotonic() - began

                assert digest(stored(poster.address)) == whole

    assert poster.failures > 0
    record(
        "A million observations",
        f"One client posts {PARTS} Parquet bodies of {ROWS:,} rows, one after the other, on a machine that other programs use "
        "too. The SHA-256 of the export equals that of the data sent.",
        {
            "SQLite": f"{peaceful:.0f} s, {PARTS * ROWS / peaceful:,.0f} a second",
            "PostgreSQL, service and database killed with SIGKILL once each": f"{killed:.0f} s, "
            f"{poster.failures} requests failed and were sent again",
        },
    )


def serve(home: Path, url: str) -> ServerProcess:
    """Run a service that has no registry."""
    return ServerProcess(home, MLFLOW_TRACKING_URI="http://127.0.0.1:1", ALMANAC_DATABASE_URL=url)
