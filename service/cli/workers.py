"""Workers: the parent process of `almanac serve --workers N`; it runs the registry process, and replaces workers that end."""

import asyncio
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from service.cli.listening import announce, bind_worker
from service.cli.timing import CLOSING_SECONDS
from service.processes.board import forget
from service.processes.link import ProcessOptions
from service.serving.artifact_cache import ArtifactCache
from service.serving.supervisor import LONGEST_DELAY_SECONDS, STABLE_SECONDS, Supervisor
from service.settings import Settings

logger = logging.getLogger("almanac")

FIRST_DELAY_SECONDS = 0.1
"""Before a worker is replaced; after each further end twice as long."""
KILL_SECONDS = 5.0
"""After the time for a shutdown a worker has so long before it is killed."""


class Workers:
    """The workers by place, the first of those that answer requests as leader, until the first signal.

    Args:
        settings: The settings of the whole service.
        host: Address that the sockets are bound to.
        reserved: Keeps the port for the workers' sockets.
        folder: Folder of the shared metrics and facts.
    """

    def __init__(self, settings: Settings, host: str, reserved: socket.socket, folder: Path) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._host = host
        self._reserved = reserved
        self._folder = folder
        self._cache = ArtifactCache.own(settings.cache)
        self._supervisor = Supervisor(settings, self._cache)
        self._running: dict[int, Process] = {}
        self._started: set[int] = set()
        self._answering: set[int] = set()
        self._leader: int | None = None
        self._stopping = asyncio.Event()
        self._has_failed = False
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Keep all workers running until SIGINT or SIGTERM, and return the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop, number)
        registry = asyncio.create_task(self._supervisor.run())
        await asyncio.gather(*(self._keep(place) for place in range(self._settings.workers)))
        registry.cancel()
        await asyncio.gather(registry, return_exceptions=True)
        return int(self._has_failed)

    async def _keep(self, place: int) -> None:
        """Keep the worker of a place running; return once the service stops."""
        delay, ends = FIRST_DELAY_SECONDS, 0
        while not self._stopping.is_set():
            began = time.monotonic()
            reason = await self._run_worker(place, is_replacement=ends > 0)
            if self._stopping.is_set():
                return
            ends += 1
            if place not in self._started:
                logger.error("server process %d %s before it answered a request; the service stops", place, reason)
                self._has_failed = True
                self._stop(signal.SIGTERM)
                return
            if time.monotonic() - began > STABLE_SECONDS:
                delay = FIRST_DELAY_SECONDS
            logger.error("server process %d %s; starting another in %.1f s", place, reason, delay)
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)

    async def _run_worker(self, place: int, *, is_replacement: bool) -> str:
        """Run a worker to its end, and return how it ended."""
        try:
            worker = await self._start(place, is_replacement=is_replacement)
        except OSError as error:  # such as no memory for another process
            return f"cannot be started ({error.strerror})"
        code = await self._watch(place, worker)
        reason = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"(pid {worker.pid}) {reason}"

    async def _start(self, place: int, *, is_replacement: bool) -> Process:
        own = bind_worker(self._reserved, self._host)
        options = ProcessOptions(
            place=place,
            workers=self._settings.workers,
            socket=own.fileno(),
            host=self._host,
            index=self._cache.index,
            folder=str(self._folder),
            is_replacement=is_replacement,
        )
        path = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
        with own:  # from now on the worker's only
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "service.cli.worker", options.to_json()),
                stdin=PIPE,
                stdout=PIPE,
                env={**os.environ, "PYTHONPATH": path},
                pass_fds=[own.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal reaches the parent only, which passes it on
            )
        self._running[place] = worker
        if self._stopping.is_set():
            _send_signal(worker, signal.SIGTERM)
        return worker

    async def _watch(self, place: int, worker: Process) -> int:
        """Act on what a worker sends; return its exit code once it has ended."""
        if worker.stdout is not None:
            async for line in worker.stdout:
                self._receive(place, line)
        code = await worker.wait()
        self._forget(place)
        return code

    def _forget(self, place: int) -> None:
        """Remove a worker that has ended; if it led, another one leads."""
        del self._running[place]
        self._answering.discard(place)
        forget(self._folder, place)
        if self._leader == place:
            self._leader = None
            self._elect()

    def _receive(self, place: int, line: bytes) -> None:
        if not line.endswith(b"\n"):
            return  # the worker ended while it wrote
        message = orjson.loads(line)
        if "started" in message:
            if not self._started:
                announce(self._host, self._reserved)
            self._started.add(place)
            self._answering.add(place)
            self._elect()
        if "fetch" in message:
            self._supervisor.fetch(*message["fetch"])
        if "ask" in message:
            self._asking.add(task := asyncio.create_task(self._ask(self._running[place], message)))
            task.add_done_callback(self._asking.discard)
        if "wake" in message and self._leader is not None:
            self._send(self._leader, {"wake": True})

    async def _ask(self, worker: Process, message: Mapping[str, Any]) -> None:
        """Ask the registry process for a worker; that there is no answer is sent, too."""
        answer = await self._supervisor.ask(message["ask"])
        _write(worker, {"answer": answer, "number": message["number"]})

    def _elect(self) -> None:
        """Make the first worker that answers requests the leader, unless there is one."""
        candidates = sorted(self._answering & self._running.keys())
        if self._leader is None and candidates and not self._stopping.is_set():
            self._leader = candidates[0]
            self._send(self._leader, {"lead": True})
            logger.info("server process %d scores forecasts and deletes old ones", self._leader)

    def _send(self, place: int, message: object) -> None:
        if (worker := self._running.get(place)) is not None:
            _write(worker, message)

    def _stop(self, number: int) -> None:
        """End all workers; at a second Ctrl-C, without waiting for requests in progress."""
        is_first = not self._stopping.is_set()
        self._stopping.set()
        self._reserved.close()
        for worker in self._running.values():
            _send_signal(worker, signal.SIGTERM if is_first else number)
        if is_first:
            seconds = self._settings.drain_seconds + CLOSING_SECONDS + KILL_SECONDS
            asyncio.get_running_loop().call_later(seconds, self._kill)

    def _kill(self) -> None:
        for place, worker in self._running.items():
            logger.error("server process %d did not end in time; it is killed", place)
            _send_signal(worker, signal.SIGKILL)


def _write(worker: Process, message: object) -> None:
    if worker.stdin is not None and not worker.stdin.is_closing():
        worker.stdin.write(orjson.dumps(message) + b"\n")


def _send_signal(worker: Process, number: int) -> None:
    with suppress(ProcessLookupError):
        worker.send_signal(number)


def run_workers(settings: Settings, host: str, reserved: socket.socket) -> int:
    """Serve with `settings.workers` processes until SIGINT or SIGTERM, and return the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="almanac-workers-"))
    try:
        return asyncio.run(_run(settings, host, reserved, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _run(settings: Settings, host: str, reserved: socket.socket, folder: Path) -> int:
    return await Workers(settings, host, reserved, folder).run()
