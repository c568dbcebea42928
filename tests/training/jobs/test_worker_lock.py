import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.jobs.errors import WorkerAlive
from training.jobs.worker_lock import lock_worker, running_workers

HOLD = """
import sys
from training.jobs.worker_lock import lock_worker
with lock_worker(sys.argv[1], "a"):
    print("held", flush=True)
    sys.stdin.read()
"""

HOLD_AS_BEFORE_FILELOCK = """
import fcntl, hashlib, sys
from pathlib import Path
folder = Path(sys.argv[1].removeprefix("sqlite:///")).parent / "workers"
folder.mkdir()
with (folder / f"{hashlib.sha256(b'a').hexdigest()[:16]}.lock").open("ab") as file:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.write(b"a")
    file.flush()
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the address of a SQLite file."""
    return f"sqlite:///{tmp_path / 'jobs.db'}"


def test_a_name_has_one_worker(url: str) -> None:
    """A second worker of the same name is refused; one of another name is not."""
    with lock_worker(url, "a"), lock_worker(url, "b"):
        with pytest.raises(WorkerAlive), lock_worker(url, "a"):
            pass

        assert running_workers(url) == ["a", "b"]
    assert running_workers(url) == []


@pytest.mark.parametrize("program", [HOLD, HOLD_AS_BEFORE_FILELOCK])
def test_a_lock_ends_with_its_process(url: str, program: str) -> None:
    """SIGKILL releases it, whether this release or an earlier one took it."""
    with subprocess.Popen(  # noqa: S603 (our own program)
        [sys.executable, "-c", program, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        running = running_workers(url)
        with pytest.raises(WorkerAlive), lock_worker(url, "a"):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()

    with lock_worker(url, "a") as lock:
        assert running == ["a"]
        assert lock.is_held()
