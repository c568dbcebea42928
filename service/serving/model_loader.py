"""Model loader: loads versions from the cache, and keeps a limited number in memory."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import Literal

from models import artifact
from models.errors import AlmanacError, ArtifactIncomplete
from models.forecaster import Forecaster
from service.errors import ModelRefused
from service.selector import LoadedModel
from service.serving.artifact_cache import ArtifactCache
from service.serving.registry_index import ModelVersion
from service.serving.unavailable import loading

logger = logging.getLogger("almanac")

Key = tuple[str, str]
"""Name and version number."""
Fetch = Callable[[str, str], None]
OnLoad = Callable[[str, Literal["ok", "failed"]], None]


class ModelLoader:
    """Loads each version once, however many requests need it at the same time."""

    def __init__(
        self,
        cache: ArtifactCache,
        *,
        limit: int,
        pinned: Callable[[], Collection[LoadedModel]],
        fetch: Fetch,
        on_load: OnLoad,
    ) -> None:
        """Load nothing yet; `pinned` returns the versions to keep in memory whatever the limit is."""
        self._cache = cache
        self._limit = limit
        self._pinned = pinned
        self._fetch = fetch
        self._on_load = on_load
        self._loaded: OrderedDict[Key, LoadedModel] = OrderedDict()
        self._loading: dict[Key, asyncio.Task[LoadedModel]] = {}
        self._refused: dict[str, ModelRefused] = {}
        self._damaged: set[str] = set()

    def loaded(self) -> list[LoadedModel]:
        """Return every version in memory."""
        return list(self._loaded.values())

    def refusals(self) -> Iterable[ModelRefused]:
        """Return the error of each artifact that could not be loaded."""
        return self._refused.values()

    def load_error(self, digest: str | None) -> str:
        """Return why an artifact could not be loaded, "" if it did not fail."""
        refused = self._refused.get(digest or "")
        return refused.detail if refused else ""

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
        """
        key = (name, number)
        if key not in self._loading:
            task = asyncio.create_task(self._load(name, number, version))
            task.add_done_callback(lambda done: self._finish(key, done))
            self._loading[key] = task
        return await asyncio.shield(self._loading[key])

    def _finish(self, key: Key, task: "asyncio.Task[LoadedModel]") -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio warns if every waiting request was cancelled

    async def _load(self, name: str, number: str, version: ModelVersion | None) -> LoadedModel:
        if version is not None and version.error:
            raise ModelRefused(f"{name}/{number} cannot be served: {version.error}", pointer="/model")
        if version is None or version.digest is None:
            self._fetch(name, number)
            raise loading(f"model {name}/{number}")
        if version.digest in self._refused:
            raise self._refused[version.digest]
        forecaster = await self._open(name, number, version.digest)
        model = LoadedModel(name, number, version.run_id, forecaster, datetime.now(UTC))
        self._keep(model)
        self._on_load(name, "ok")
        return model

    async def _open(self, name: str, number: str, digest: str) -> Forecaster:
        """Return the forecaster of an artifact with the right digest that reproduces its golden forecasts."""
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
            return await asyncio.to_thread(artifact.load, folder)
        except AlmanacError as error:
            logger.error("%s/%s cannot be loaded: %s", name, number, error)  # noqa: TRY400 (the error is complete)
            self._on_load(name, "failed")
            detail = f"{name}/{number} cannot be served: {error.detail}"
            self._refused[digest] = ModelRefused(detail, pointer="/model", hint=error.hint)
            raise self._refused[digest] from error

    def _keep(self, model: LoadedModel) -> None:
        """Keep a version in memory; above the limit, drop the least recently used ones that are not pinned."""
        new = (model.name, model.version)
        self._loaded[new] = model
        pinned = {(one.name, one.version) for one in self._pinned()}
        for key in [key for key in self._loaded if key not in pinned and key != new]:
            if len(self._loaded) <= self._limit:
                return
            del self._loaded[key]
