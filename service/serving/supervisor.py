"""Supervisor: keeps the registry process running, sends it the versions that requests need, and asks it to move champions."""

import asyncio
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from service.processes.answers import Answers, Message
from service.serving.artifact_cache import ArtifactCache
from service.settings import Settings

logger = logging.getLogger("almanac")

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 60.0
STABLE_SECONDS = 60.0
"""A child that ran this long resets the back-off when it ends."""
HUNG_SECONDS = 300.0
"""A child that has not written the index for this long hangs, and is replaced."""
STOP_SECONDS = 2.0
REPEAT_SECONDS = 1.0
"""The same version is requested at most this often."""


class Supervisor:
    """Starts the child process, restarts it with a growing delay, and stops it with the server."""

    def __init__(self, settings: Settings, cache: ArtifactCache) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._cache = cache
        self._child: Process | None = None
        self._requested: dict[tuple[str, str], float] = {}
        self._answers = Answers()

    @property
    def pid(self) -> int | None:
        """Return the process id of the running child, or None."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    def fetch(self, name: str, version: str) -> None:
        """Ask the running child to fetch a version, at most once a second."""
        now = time.monotonic()
        if self.pid is None or now - self._requested.get((name, version), -REPEAT_SECONDS) < REPEAT_SECONDS:
            return
        self._requested = {key: at for key, at in self._requested.items() if now - at < REPEAT_SECONDS}
        self._requested[name, version] = now
        self._send({"name": name, "version": version})

    async def ask(self, question: Message) -> Message | None:
        """Return the child's answer, or None if it does not run, ends, or does not answer in time."""
        if self.pid is None:
            return None
        return await self._answers.ask(lambda number: self._send({**question, "number": number}))

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.write(orjson.dumps(message) + b"\n")

    async def run(self) -> None:
        """Keep a child running until cancelled; then stop it and wait for its end."""
        delay = FIRST_DELAY_SECONDS
        with suppress(OSError):  # the catalog reports it; later the child does not create a home that has vanished
            self._settings.home.mkdir(parents=True, exist_ok=True)
        try:
            while True:
                started = time.monotonic()
                self._child = await self._start()
                code = await self._watch(self._child)
                if code == os.EX_TEMPFAIL:
                    logger.info("the registry's file was replaced; restarting the registry process")
                    await asyncio.sleep(FIRST_DELAY_SECONDS)
                    continue
                if time.monotonic() - started > STABLE_SECONDS:
                    delay = FIRST_DELAY_SECONDS
                logger.warning("registry process ended with code %s; restarting it in %.1f s", code, delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY_SECONDS)
        finally:
            await self._stop()

    async def _start(self) -> Process:
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "service.serving.registry_process",
            str(self._cache.root),
            self._cache.index,
            str(self._settings.poll_seconds),
            stdin=PIPE,
            stdout=PIPE,
            env={
                **os.environ,
                "PYTHONPATH": path,
                "MLFLOW_TRACKING_URI": self._settings.tracking_uri,
                "ALMANAC_HOME": str(self._settings.home),
            },
            start_new_session=True,  # Ctrl-C in the terminal reaches the server only, which then closes the child's input
        )

    async def _watch(self, child: Process) -> int:
        """Pass on the child's answers; return its exit code once it has ended, and kill it if it hangs."""
        receiving = asyncio.create_task(self._receive(child))
        try:
            while True:
                before = self._cache.changed()
                try:
                    async with asyncio.timeout(max(HUNG_SECONDS, 10 * self._settings.poll_seconds)):
                        return await child.wait()
                except TimeoutError:
                    if self._cache.changed() == before:
                        child.kill()
        finally:
            receiving.cancel()
            self._answers.abandon()

    async def _receive(self, child: Process) -> None:
        if child.stdout is not None:
            async for line in child.stdout:
                message = orjson.loads(line)
                self._answers.receive(message["number"], message["answer"])

    async def _stop(self) -> None:
        """Close the child's input, which ends it; kill it if it does not end."""
        child = self._child
        if child is None or child.returncode is not None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
