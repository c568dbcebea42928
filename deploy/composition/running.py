"""The containers of a composition while they run: started in the order of health, killed, stopped and restarted."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.composition.compose import Container
from deploy.composition.places import Places
from deploy.composition.sandbox import environment, sandbox

POLL_SECONDS = 0.5
CHECK_SECONDS = 30.0
SLOW = 3.0
"""A busy machine may take this many times as long to become healthy as docker-compose.yml allows."""

HEALTHY, COMPLETED = "service_healthy", "service_completed_successfully"


class CompositionFailed(Exception):
    """A container ended, or did not become healthy."""


@dataclass(slots=True)
class Composition:
    """The running containers.

    Attributes:
        containers: All of them, by name.
        places: Where they are.
        processes: Those that have been started.
        healthy_after: Seconds that each took to become healthy, or to complete, the last time.
    """

    containers: Mapping[str, Container]
    places: Places
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    healthy_after: dict[str, float] = field(default_factory=dict)

    def start_all(self, names: Sequence[str], tell: Callable[[str], None] = lambda _: None) -> None:
        """Start containers, each when what it needs is healthy or has completed; raises CompositionFailed."""
        for name in ordered(self.containers, names):
            for needed, condition in self.containers[name].needs.items():
                for one in self._of(needed, names):
                    self.wait(one, condition)
            tell(name)
            self.start(name)
        for name in names:
            self.wait(name, HEALTHY if self.containers[name].health else COMPLETED)

    def start(self, name: str) -> None:
        """Start one container."""
        container = self.containers[name]
        with self.log(name).open("ab") as output:
            self.processes[name] = subprocess.Popen(
                sandbox(container, self.places, container.command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(container, self.places),
                start_new_session=True,
            )
        self.healthy_after.pop(name, None)

    def run(self, name: str, arguments: Sequence[str], timeout: float = 900) -> str:
        """Run a container's image once with other arguments, as `docker compose run --rm` does, and return its output."""
        container = self.containers[name]
        result = self._run(container, [*container.image.entrypoint, *arguments], timeout)
        if result.returncode:
            raise CompositionFailed(
                f"{name} {' '.join(arguments)}: exit code {result.returncode}\n{result.stderr[-3000:]}"
            )
        return result.stdout.strip()

    def wait(self, name: str, condition: str = HEALTHY) -> None:
        """Return once a container is healthy, or has completed; raises CompositionFailed."""
        if name in self.healthy_after:
            return
        began, container = time.monotonic(), self.containers[name]
        allowed = SLOW * (container.health.seconds if container.health else 120.0)
        while not (self._completed(name) if condition == COMPLETED else self.is_healthy(name)):
            code = self.processes[name].poll()
            if code is not None and (code or condition != COMPLETED):
                raise CompositionFailed(f"{name} ended with exit code {code}.\n{self.tail(name)}")
            if time.monotonic() - began > allowed:
                raise CompositionFailed(f"{name} is not healthy after {allowed:.0f} s.\n{self.tail(name)}")
            time.sleep(POLL_SECONDS)
        self.healthy_after[name] = time.monotonic() - began

    def is_healthy(self, name: str) -> bool:
        """Run a container's health check."""
        container = self.containers[name]
        if container.health is None:
            return self.processes[name].poll() is None
        with suppress(subprocess.TimeoutExpired):
            return self._run(container, container.health.command, CHECK_SECONDS).returncode == 0
        return False

    def kill(self, name: str) -> None:
        """End a container and all its processes with SIGKILL, as a power failure would."""
        process = self.processes[name]
        process.kill()  # bubblewrap: the kernel then kills every process in its container
        process.wait()
        self.healthy_after.pop(name, None)

    def stop(self, name: str) -> tuple[int | None, float]:
        """Send a container its stop signal; return its exit code (None: it had to be killed) and the seconds that it took."""
        process, container, began = self.processes[name], self.containers[name], time.monotonic()
        for child in _children(process.pid):
            with suppress(ProcessLookupError):
                os.kill(child, signal.Signals[container.stop_signal])
        try:
            code: int | None = process.wait(container.grace)
        except subprocess.TimeoutExpired:
            code = None
        self.kill(name)
        return code, time.monotonic() - began

    def log(self, name: str) -> Path:
        """Return the file of a container's output."""
        return self.places.folder / f"{name}.log"

    def tail(self, name: str, lines: int = 25) -> str:
        """Return the last lines of a container's log."""
        return "\n".join(self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def _run(self, container: Container, command: Sequence[str], timeout: float) -> "subprocess.CompletedProcess[str]":
        """Return the result of a command in a sandbox as the container's."""
        return subprocess.run(
            sandbox(container, self.places, command),
            env=environment(container, self.places),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )

    def _of(self, service: str, names: Sequence[str]) -> list[str]:
        return [name for name in names if self.containers[name].service == service]

    def _completed(self, name: str) -> bool:
        return self.processes[name].poll() == 0


@contextmanager
def composition(containers: Mapping[str, Container], places: Places) -> Iterator[Composition]:
    """Yield a composition whose containers are not started yet; at the end every container is killed."""
    running = Composition(containers, places)
    try:
        yield running
    finally:
        for name in running.processes:
            running.kill(name)


def ordered(containers: Mapping[str, Container], names: Sequence[str]) -> list[str]:
    """Return names in an order in which each comes after those that it needs."""
    placed: list[str] = []
    waiting = list(names)
    while waiting:
        services = {containers[name].service for name in waiting}
        ready = [name for name in waiting if not services & set(containers[name].needs)]
        if not ready:
            raise CompositionFailed(f"{', '.join(waiting)} wait for one another.")
        placed += ready
        waiting = [name for name in waiting if name not in ready]
    return placed


def _children(pid: int) -> list[int]:
    """Return the child processes of bubblewrap: the first process of the container."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except FileNotFoundError:
        return []  # it has ended
    return [int(word) for word in text.split()]
