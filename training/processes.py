"""Child processes: programs that a command starts, waits for, and ends when it ends itself."""

import functools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import AlmanacError

if TYPE_CHECKING:
    import httpx

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.1
GRACE_SECONDS = 15.0
RESPONSE_SECONDS = 5.0
LOG_LINES = 12


class ChildFailed(AlmanacError):
    """The program ended, or did not respond in time."""

    code = "CHILD_FAILED"


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """A running program with its log, and the base URL of its HTTP server, "" if it has none."""

    name: str
    process: "subprocess.Popen[bytes]"
    address: str
    log: Path

    def check(self) -> None:
        """Raise ChildFailed with the end of the log if the program has ended."""
        if (code := self.process.poll()) is not None:
            raise ChildFailed(f"{self.name} ended with exit code {code}.\n{self.tail()}", hint=f"See {self.log}.")

    def tail(self) -> str:
        """Return the last lines of the log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-LOG_LINES:])

    def wait_until_ready(self, path: str, seconds: float) -> None:
        """Return once `GET {address}{path}` has status 2xx; raises ChildFailed."""
        import httpx

        deadline = time.monotonic() + seconds
        with httpx.Client(timeout=RESPONSE_SECONDS, follow_redirects=True) as client:
            while time.monotonic() < deadline:
                self.check()
                if _is_ok(client.get, self.address + path):
                    return
                time.sleep(POLL_SECONDS)
        raise ChildFailed(
            f"{self.name} did not respond at {self.address}{path} within {seconds:.0f} s.\n{self.tail()}",
            hint=f"See {self.log}.",
        )

    def stop(self) -> None:
        """End the program with SIGTERM, after a grace period with SIGKILL, and kill the processes that it started."""
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
) -> Iterator[ChildProcess]:
    """Start a program in its own process group and yield it; end it when the block ends."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (the callers' commands are fixed)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    child = ChildProcess(name, process, address, log)
    try:
        yield child
    finally:
        child.stop()


def is_up(url: str) -> bool:
    """Return whether a GET request to `url` has status 2xx."""
    import httpx

    return _is_ok(functools.partial(httpx.get, timeout=RESPONSE_SECONDS, follow_redirects=True), url)


def _is_ok(get: Callable[[str], "httpx.Response"], url: str) -> bool:
    import httpx

    try:
        return get(url).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def free_port(wanted: int, taken: Sequence[int] = ()) -> int:
    """Return `wanted`, or the next free port of the loopback interface; raises ChildFailed."""
    for port in range(wanted, min(wanted + 100, 65536)):
        if port not in taken and _is_free(port):
            return port
    raise ChildFailed(f"No free port between {wanted} and {wanted + 99}.", hint="Choose another one with --port.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
