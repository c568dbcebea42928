"""ServerProcess: the real server in a process of its own, as `almanac serve` starts it."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Self
from uuid import uuid4

import httpx

from service.serving.artifact_cache import ArtifactCache
from tests.service.home import eventually

ROOT = Path(__file__).parents[2]
PROGRAM = "from service.cli.serve import serve; serve()"

NO_REGISTRY = """
import asyncio
from service.serving.supervisor import Supervisor
Supervisor.run = lambda self: asyncio.Event().wait()
"""
"""Begins the program of a server without a registry process, which takes seconds to import mlflow."""


class ServerProcess:
    """A running server with a client."""

    def __init__(self, home: Path, *, program: str = PROGRAM, arguments: tuple[str, ...] = (), **environ: str) -> None:
        """Start it on a free port, and wait until it listens."""
        home.mkdir(parents=True, exist_ok=True)
        self._log = home / f"server-{uuid4().hex}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ALMANAC_", "MLFLOW_"))}
        self._command = [sys.executable, "-c", program, "--port", "0", *arguments]
        self._environment = {**inherited, "ALMANAC_HOME": str(home), "ALMANAC_POLL_SECONDS": "0.1", **environ}
        self.start()
        self.cache = ArtifactCache(home / "cache", f"index-{socket.gethostname()}-{self.process.pid}.json")

    def start(self) -> None:
        """Start it, with an empty log, and wait until it listens."""
        with self._log.open("w") as log:
            self.process = subprocess.Popen(  # noqa: S603 (our own server)
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        try:
            eventually(
                lambda: "listens on" in self.log() or self.process.poll() is not None, "the server did not start"
            )
            found = re.search(r"listens on (http://\S+)", self.log())
            assert found is not None, self.log()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        self.client = httpx.Client(base_url=found[1], timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, if it still runs."""
        self.client.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise

    def log(self) -> str:
        """Return its output so far."""
        return self._log.read_text()

    def ready(self) -> Self:
        """Wait until it is ready."""
        eventually(lambda: self.client.get("/health/ready").status_code == 200, f"not ready: {self.log()}")
        return self

    def child(self) -> int | None:
        """Return the process id of the registry process, or None."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        children = [int(pid) for task in tasks for pid in task.read_text().split()]
        return next((pid for pid in children if "service.serving.registry_process" in command_of(pid)), None)


def command_of(pid: int) -> str:
    """Return the command line of a process, "" if there is no such process or it is a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
