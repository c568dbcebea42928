"""Model loader: loads versions from the cache, and keeps a limited number in memory."""

import asyncio
import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from models import artifact
from models.errors import AlmanacError, ArtifactIncomplete
from models.forecaster import Forecaster
from service.errors import ModelRefused
from service.selector import LoadedModel
from service.serving.artifact_cache import ArtifactCache
from service.serving.registry_index import ModelVersion, RegisteredModel
from service.serving.unavailable import loading, refused

logger = logging.getLogger("almanac")

SESSION_MEGABYTES, SIZES_IN_MEMORY = 2.0, 3.0
"""What an onnxruntime session takes beside its weights, and how often it has these: in the graph, packed, and while it loads."""

LEAST_SLOW_SECONDS = 0.005
"""A network that takes less for four series is never too slow."""

Key = tuple[str, str]
"""Name and version number."""
Fetch = Callable[[str, str], None]
OnLoad = Callable[[str, Literal["ok", "failed"]], None]


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """Limits of models.

    Attributes:
        versions: Most versions in memory, champions beside them.
        megabytes: Memory that they may take, in 10⁶ bytes.
        slowdown: A champion that takes more than so many times as long as the one before does not replace it.
        silence: Seconds without news of the registry after which its state is `stale`; the models stay.
    """

    versions: int = 64
    megabytes: float = math.inf
    slowdown: float = math.inf
    silence: float = math.inf


class ModelLoader:
    """Loads each version once, however many requests need it at the same time."""

    def __init__(
        self,
        cache: ArtifactCache,
        *,
        limits: ModelLimits,
        pinned: Callable[[], Collection[LoadedModel]],
        fetch: Fetch,
        on_load: OnLoad,
    ) -> None:
        """Load nothing yet; `pinned` returns the versions to keep in memory whatever the limits are."""
        self._cache = cache
        self._limits = limits
        self._pinned = pinned
        self._fetch = fetch
        self._on_load = on_load
        self._loaded: OrderedDict[Key, LoadedModel] = OrderedDict()
        self._loading: dict[Key, asyncio.Task[LoadedModel]] = {}
        self._refused: dict[str, ModelRefused] = {}
        self._not_stored: set[tuple[str, str, str]] = set()
        self._damaged: set[str] = set()
        self._too_slow: set[Key] = set()
        self._failures: set[tuple[str, str, str]] = set()

    def loaded(self) -> list[LoadedModel]:
        """Return every version in memory."""
        return list(self._loaded.values())

    def load_error(self, digest: str | None) -> str:
        """Return why an artifact could not be loaded, "" if it did not fail."""
        refused = self._refused.get(digest or "")
        return refused.detail if refused else ""

    def count_refused(self, models: Mapping[str, RegisteredModel]) -> None:
        """Count each version that the registry process has refused, and logged, as one that could not be loaded, once."""
        found = {(name, *refusal) for name, model in models.items() for refusal in model.refused.items()}
        for name, _number, _error in found - self._not_stored:
            self._on_load(name, "failed")
        self._not_stored = found

    def find(self, name: str, number: str) -> LoadedModel | None:
        """Return a version if it is in memory, and mark it as recently used."""
        model = self._loaded.get((name, number))
        if model is not None:
            self._loaded.move_to_end((name, number))
        return model

    async def load(self, name: str, number: str, version: ModelVersion | None) -> LoadedModel:
        """Return a version loaded from the cache.

        Raises:
            ModelLoading: If it is not in the cache; its download is requested.
            ModelRefused: If it cannot be served.
            Exception: If this machine fails, such as without memory or file descriptors; it is logged and counted once, and the
                next call tries again.
        """
        key = (name, number)
        if key not in self._loading:
            task = asyncio.create_task(self._load_or_report(name, number, version))
            task.add_done_callback(lambda done: self._finish(key, done))
            self._loading[key] = task
        return await asyncio.shield(self._loading[key])

    def _finish(self, key: Key, task: "asyncio.Task[LoadedModel]") -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio warns if every waiting request was cancelled

    async def _load_or_report(self, name: str, number: str, version: ModelVersion | None) -> LoadedModel:
        """Return a version as `load` does; report what is neither a refusal nor a download."""
        try:
            return await self._load(name, number, version)
        except AlmanacError:
            raise
        except Exception as error:
            failure = (name, number, type(error).__name__)
            if failure not in self._failures:
                self._failures.add(failure)
                logger.exception("%s/%s cannot be loaded now; it is tried again", name, number)
                self._on_load(name, "failed")
            raise

    async def _load(self, name: str, number: str, version: ModelVersion | None) -> LoadedModel:
        if version is not None and version.error:
            raise refused(name, number, version.error)
        if version is None or version.digest is None:
            self._fetch(name, number)
            raise loading(f"model {name}/{number}")
        if version.digest in self._refused:
            raise _again(self._refused[version.digest])
        forecaster, seconds = await self._open(name, number, version.digest)
        megabytes = await asyncio.to_thread(_megabytes, self._cache.path(version.digest))
        model = LoadedModel(name, number, version.run_id, forecaster, datetime.now(UTC), seconds, megabytes)
        self._keep(model)
        self._on_load(name, "ok")
        return model

    async def _open(self, name: str, number: str, digest: str) -> tuple[Forecaster, float]:
        """Return the forecaster of an artifact with the right digest that reproduces its golden forecasts, and its seconds."""
        try:
            folder = await asyncio.to_thread(self._cache.verify, digest)
        except ArtifactIncomplete as error:
            if digest not in self._damaged:
                logger.warning("%s/%s: %s", name, number, error)
            self._damaged.add(digest)
            self._fetch(name, number)
            raise loading(f"model {name}/{number}") from error
        self._damaged.discard(digest)
        try:
            return await asyncio.to_thread(_load_and_time, folder)
        except AlmanacError as error:
            logger.error("%s/%s cannot be loaded: %s", name, number, error)  # noqa: TRY400 (the error is complete)
            self._on_load(name, "failed")
            detail = f"{name}/{number} cannot be served: {error.detail}"
            self._refused[digest] = ModelRefused(detail, pointer="/model", hint=error.hint)
            raise _again(self._refused[digest]) from error

    def is_too_slow(self, model: LoadedModel, current: LoadedModel) -> bool:
        """Return whether a new champion is too slow to replace the one in memory; it is logged and counted once."""
        if model.seconds <= max(self._limits.slowdown * current.seconds, LEAST_SLOW_SECONDS):
            return False
        key = (model.name, model.version)
        if key not in self._too_slow:
            self._too_slow.add(key)
            self._on_load(model.name, "failed")
            logger.error(
                "%s/%s does not become the champion: it takes %.1f ms for the golden inputs, %s/%s takes %.1f ms; at most %g times "
                "as long is allowed (ALMANAC_MAX_SLOWDOWN)",
                *(
                    *key,
                    1e3 * model.seconds,
                    current.name,
                    current.version,
                    1e3 * current.seconds,
                    self._limits.slowdown,
                ),
            )
        return True

    def _keep(self, model: LoadedModel) -> None:
        """Keep a version in memory; above a limit, drop the least recently used ones that are not pinned."""
        new = (model.name, model.version)
        self._loaded[new] = model
        pinned = {(one.name, one.version) for one in self._pinned()}
        for key in [key for key in self._loaded if key not in pinned and key != new]:
            megabytes = sum(one.megabytes for one in self._loaded.values())
            if len(self._loaded) <= self._limits.versions and megabytes <= self._limits.megabytes:
                return
            del self._loaded[key]


def _again(error: ModelRefused) -> ModelRefused:
    """Return an error anew: one that is raised again and again holds the frames of each request that it was raised in."""
    return ModelRefused(error.detail, pointer=error.pointer, hint=error.hint)


def _load_and_time(folder: Path) -> tuple[Forecaster, float]:
    """Return the forecaster of an artifact, warmed up, and how long it takes for the golden inputs."""
    forecaster = artifact.load(folder)
    return forecaster, artifact.forecast_seconds(forecaster)


def _megabytes(folder: Path) -> float:
    """Return about how much memory the networks of an artifact take, in 10⁶ bytes."""
    count = len(artifact.served_files(folder)) // len(artifact.SERVED)
    return count * SESSION_MEGABYTES + SIZES_IN_MEMORY * artifact.network_mb(folder)
