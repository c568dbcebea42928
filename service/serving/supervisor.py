"""Supervisor: keeps the registry's child process running, and passes it the versions that requests ask for."""

import asyncio
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import orjson

from service.serving.artifact_cache import ArtifactCache
from service.settings import Settings

logger = logging.getLogger("almanac")

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 60.0
SETTLED_SECONDS = 60.0
"""A child that lived this long starts the back-off anew when it ends."""
HUNG_SECONDS = 300.0
"""A child that has written no index for so long hangs in a call, and is replaced."""
FAREWELL_SECONDS = 2.0
SAME_WISH_SECONDS = 1.0


class Supervisor:
    """Starts the child, starts it again whenever it ends, each time waiting longer, and ends it with the server."""

    def __init__(self, settings: Settings, cache: ArtifactCache) -> None:
        """Nothing is started yet."""
        self._settings = settings
        self._cache = cache
        self._child: Process | None = None
        self._told: dict[tuple[str, str], float] = {}

    @property
    def pid(self) -> int | None:
        """Return the process id of the running child, if any."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    def fetch(self, name: str, version: str) -> None:
        """Have the child fetch a version, if one is running; told once a second however often it is asked."""
        now = time.monotonic()
        if self.pid is None or now - self._told.get((name, version), -SAME_WISH_SECONDS) < SAME_WISH_SECONDS:
            return
        self._told = {wish: told for wish, told in self._told.items() if now - told < SAME_WISH_SECONDS}
        self._told[name, version] = now
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.write(orjson.dumps({"name": name, "version": version}) + b"\n")

    async def run(self) -> None:
        """Keep a child running until cancelled; then end it and wait for its end."""
        delay = FIRST_DELAY_SECONDS
        try:
            while True:
                started = time.monotonic()
                self._child = await self._start()
                code = await self._watch(self._child)
                if code == os.EX_TEMPFAIL:
                    logger.info("the registry's file is another one; the child is started anew")
                    await asyncio.sleep(FIRST_DELAY_SECONDS)
                    continue
                if time.monotonic() - started > SETTLED_SECONDS:
                    delay = FIRST_DELAY_SECONDS
                logger.warning("registry child ended with code %s; starting it again in %.1f s", code, delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY_SECONDS)
        finally:
            await self._end()

    async def _start(self) -> Process:
        house = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [house, os.environ.get("PYTHONPATH")]))
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "service.serving.registry_process",
            str(self._cache.root),
            self._cache.index,
            str(self._settings.poll_seconds),
            stdin=PIPE,
            stdout=sys.stderr,
            env={**os.environ, "PYTHONPATH": path, "MLFLOW_TRACKING_URI": self._settings.tracking_uri},
            start_new_session=True,  # Ctrl-C in the terminal is for the server, which then closes the child's input
        )

    async def _watch(self, child: Process) -> int:
        """Return the child's exit code once it has ended, of itself or because it hung."""
        while True:
            before = self._cache.changed()
            try:
                return await asyncio.wait_for(child.wait(), max(HUNG_SECONDS, 10 * self._settings.poll_seconds))
            except TimeoutError:
                if self._cache.changed() == before:
                    child.kill()

    async def _end(self) -> None:
        """Close the child's input, which ends it; kill it if it does not."""
        child = self._child
        if child is None or child.returncode is not None:
            return
        if child.stdin is not None:
            child.stdin.close()
        try:
            await asyncio.wait_for(child.wait(), FAREWELL_SECONDS)
        except TimeoutError:
            child.kill()
            await child.wait()
