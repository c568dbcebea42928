import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.jobs.errors import WorkerAlive
from training.jobs.worker_lock import holding, living

HOLD = """
import sys
from training.jobs.worker_lock import holding
with holding(sys.argv[1], "a"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the address of a SQLite file."""
    return f"sqlite:///{tmp_path / 'jobs.db'}"


def test_a_name_has_one_holder(url: str) -> None:
    """A second worker of the same name is refused, and told what to do; one of another name is not."""
    with holding(url, "a"), holding(url, "b"):
        with pytest.raises(WorkerAlive, match="ALMANAC_WORKER_ID"), holding(url, "a"):
            pass

        assert living(url) == ["a", "b"]
    assert living(url) == []


def test_a_killed_holder_lets_go(url: str) -> None:
    """SIGKILL leaves nothing behind that somebody would have to tidy up."""
    with subprocess.Popen(  # noqa: S603 (our own program)
        [sys.executable, "-c", HOLD, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        held = living(url)
        process.send_signal(signal.SIGKILL)
        process.wait()

    with holding(url, "a") as again:
        assert held == ["a"]
        assert again.still_held()
