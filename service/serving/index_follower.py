"""Index follower: the newest index of the registry, or the last known one if there is no news of it."""

import asyncio
import logging
import time
from dataclasses import replace
from datetime import UTC, datetime
from math import inf

from service.serving.artifact_cache import ArtifactCache
from service.serving.registry_index import RegistryIndex, RegistryState, keep_known

logger = logging.getLogger("almanac")

SILENT_POLLS, SILENT_SECONDS = 10, 60.0
"""After so many polls and seconds without a new index the last one is stale."""


def silence_of(poll_seconds: float) -> float:
    """Return the seconds without a new index after which the last one is stale."""
    return max(SILENT_SECONDS, SILENT_POLLS * poll_seconds)


class IndexFollower:
    """Reads the index whenever the registry process has written it."""

    def __init__(self, cache: ArtifactCache, silence: float = inf) -> None:
        """Read nothing yet; an index is stale after `silence` seconds without another one."""
        self._cache, self._silence = cache, silence
        self._state, self._heard, self._had_home = 0, time.monotonic(), False

    async def follow(self, known: RegistryIndex) -> RegistryIndex:
        """Return the index that follows `known`: that object itself if nothing has changed."""
        state = self._cache.changed()
        if not state and not known.checked:
            return await self._check_writing(known)
        if state == self._state:
            return self._without_news(known)
        index = await asyncio.to_thread(self._cache.read)
        if not index.checked and known.checked:  # removed or unreadable, as without file descriptors: it is read again
            return self._without_news(known)
        self._state, self._heard = state, time.monotonic()
        return keep_known(known, index)

    async def _check_writing(self, known: RegistryIndex) -> RegistryIndex:
        """Know that nothing is served from the registry if the cache cannot be written: the starter answers meanwhile."""
        home = self._cache.root.parent
        if self._had_home and not home.is_dir():
            detail = f"{home} does not exist any more."
        else:
            error = await asyncio.to_thread(self._cache.write_error)
            self._had_home = self._had_home or home.is_dir()
            if error is None:
                return known
            detail = f"the cache cannot be written ({error.strerror or error})."
        return RegistryIndex(state="unwritable", detail=detail, checked=datetime.now(UTC).isoformat(timespec="seconds"))

    def _without_news(self, known: RegistryIndex) -> RegistryIndex:
        """Return the index with the state that follows from silence; its models stay."""
        if not known.is_current:
            return known
        home = self._cache.root.parent
        if not home.is_dir():
            return _changed(known, "unreachable", f"{home} does not exist any more.")
        if time.monotonic() - self._heard > self._silence:
            return _changed(known, "stale", f"The registry process has not polled for {self._silence:.0f} seconds.")
        return known


def _changed(known: RegistryIndex, state: RegistryState, detail: str) -> RegistryIndex:
    logger.warning("registry %s: %s The models of %s stay in service.", state, detail, known.checked)
    return replace(known, state=state, detail=detail)
