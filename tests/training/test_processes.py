"""Child processes become ready, are watched, and end with the block."""

import os
import socket
import sys
from pathlib import Path

import pytest

from training.processes import LOOPBACK, ChildFailed, free_port, is_up, running

SERVER = """
import http.server, sys
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""

WITH_GRANDCHILD = """
import signal, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def is_running(pid: int) -> bool:
    """Return whether a process runs and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_line(log: Path) -> str:
    """Return the first line of a log once it is written (the test's timeout bounds the wait)."""
    while not (text := log.read_text(encoding="utf-8")).endswith("\n"):
        os.sched_yield()
    return text.splitlines()[0]


def test_a_child_runs_while_the_block_lasts(tmp_path: Path) -> None:
    """It responds inside the block and has ended after it."""
    port = free_port(18200)
    address = f"http://{LOOPBACK}:{port}"

    with running("web", [sys.executable, "-c", SERVER, str(port)], address=address, log=tmp_path / "log") as child:
        child.wait_until_ready("/", 30)
        assert is_up(address)

    assert not is_up(address)
    assert child.process.poll() is not None


def test_a_child_that_dies_says_why(tmp_path: Path) -> None:
    """The error has the exit code, the end of the log and its path."""
    command = [sys.executable, "-c", "raise SystemExit('the disk is full')"]

    with (
        running("web", command, address="http://127.0.0.1:9", log=tmp_path / "log") as child,
        pytest.raises(ChildFailed, match="exit code 1") as caught,
    ):
        child.wait_until_ready("/", 30)

    assert "the disk is full" in str(caught.value)
    assert str(tmp_path / "log") in str(caught.value)


def test_waiting_for_a_child_ends(tmp_path: Path) -> None:
    """A child that never responds raises an error after the given time."""
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    address = f"http://{LOOPBACK}:{free_port(18300)}"

    with (
        running("web", command, address=address, log=tmp_path / "log") as child,
        pytest.raises(ChildFailed, match="did not respond"),
    ):
        child.wait_until_ready("/", 0.3)


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    """A grandchild that ignores SIGTERM is killed."""
    log = tmp_path / "log"

    with running("parent", [sys.executable, "-c", WITH_GRANDCHILD], address="http://127.0.0.1:9", log=log):
        grandchild = int(wait_for_line(log))
        assert is_running(grandchild)

    while is_running(grandchild):
        os.sched_yield()


def test_a_free_port_is_the_wanted_one_or_the_next() -> None:
    """A port in use is skipped."""
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 0))
        holder.listen()
        held = holder.getsockname()[1]

        assert free_port(held) > held
        assert free_port(held + 1, taken=(held + 1,)) > held + 1


def test_no_port_at_all_is_an_error() -> None:
    """Ports end at 65535."""
    with pytest.raises(ChildFailed, match="No free port"):
        free_port(65535, taken=(65535,))
