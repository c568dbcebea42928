"""Children: the programs that a command starts beside itself, waits for, and ends when it ends."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from models.errors import AlmanacError

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.1
GRACE_SECONDS = 15.0
LOG_LINES = 12


class ChildFailed(AlmanacError):
    """A program that ended, or did not answer in time."""

    code = "CHILD_FAILED"


@dataclass(frozen=True, slots=True)
class Child:
    """A running program: its name for people, its process, the address it answers at, and where it writes."""

    name: str
    process: "subprocess.Popen[bytes]"
    address: str
    log: Path

    def check(self) -> None:
        """Raise ChildFailed, with the end of its log, if the program has ended."""
        if (code := self.process.poll()) is not None:
            raise ChildFailed(f"{self.name} ended with exit code {code}.\n{self.tail()}", hint=f"See {self.log}.")

    def tail(self) -> str:
        """Return the last lines that the program wrote."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_LINES:])

    def wait_until_answers(self, path: str, seconds: float) -> None:
        """Return once `GET {address}{path}` is answered with 2xx.

        Raises:
            ChildFailed: If the program ends, or `seconds` pass.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            if answers(self.address + path):
                return
            time.sleep(POLL_SECONDS)
        raise ChildFailed(
            f"{self.name} did not answer {self.address}{path} within {seconds:.0f} s.\n{self.tail()}",
            hint=f"See {self.log}.",
        )

    def stop(self) -> None:
        """End the program and all that it started: first asked, then told."""
        for signum, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, GRACE_SECONDS)):
            if self.process.poll() is None:
                self.process.send_signal(signum)
                try:
                    self.process.wait(seconds)
                except subprocess.TimeoutExpired:
                    continue
        _kill_group(self.process.pid)


@contextmanager
def running(
    name: str, command: Sequence[str], *, address: str, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Child]:
    """Start a program in a process group of its own, and end it when the block ends.

    Args:
        name: How people call it.
        command: Program and arguments.
        address: Where it will answer, such as `http://127.0.0.1:8000`.
        log: File that takes its standard output and error.
        environment: Variables beside (or instead of) this process's own.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 the callers' commands are fixed
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    child = Child(name, process, address, log)
    try:
        yield child
    finally:
        child.stop()


def answers(url: str, timeout_seconds: float = 5.0) -> bool:
    """Return whether a GET of `url` is answered with 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_seconds) as response:  # noqa: S310 our own loopback address
            return 200 <= int(response.status) < 300  # noqa: PLR2004 what 2xx means
    except (urllib.error.URLError, OSError):
        return False


def free_port(wanted: int, taken: Sequence[int] = ()) -> int:
    """Return `wanted`, or the next port of the loopback interface that nobody holds.

    Raises:
        ChildFailed: If a hundred ports from there on are all held.
    """
    for port in range(wanted, min(wanted + 100, 65536)):
        if port not in taken and _is_free(port):
            return port
    raise ChildFailed(f"No free port between {wanted} and {wanted + 99}.", hint="Choose another with --port.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _kill_group(group: int) -> None:
    """End what a program left behind in its process group."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
