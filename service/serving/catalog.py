"""Catalog: selects the model for a request, and follows the registry's champions."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from models import starters
from models.calendar.zoned_grid import Frequency
from models.errors import AlmanacError, ModelUnknown
from models.names import CHALLENGER, CHAMPION
from service.errors import DefaultUnknown, ModelLoading, ModelRefused
from service.selector import LoadedModel, SelectedModel, Selector
from service.serving import unavailable
from service.serving.artifact_cache import ArtifactCache
from service.serving.index_follower import IndexFollower
from service.serving.model_loader import Fetch, ModelLimits, ModelLoader, OnLoad
from service.serving.registry_index import ModelVersion, RegisteredModel, RegistryIndex
from service.serving.starter import StarterLoader

logger = logging.getLogger("almanac")

WATCH_SECONDS = 0.2
REASONS = {
    "unreachable": "The registry cannot be reached",
    "unwritable": f"The cache cannot be written ({unavailable.WRITABLE_HINT[:-1]})",
}
"""Why the starter answers although models may be registered, by the state of the registry."""


class Catalog:
    """Selects models; a new champion replaces the old one only after it has loaded."""

    def __init__(
        self,
        cache: ArtifactCache,
        *,
        default: str | None = None,
        limits: ModelLimits = ModelLimits(),  # noqa: B008 (frozen)
        fetch: Fetch = lambda _name, _version: None,
        on_load: OnLoad = lambda _name, _outcome: None,
    ) -> None:
        """Read nothing yet; `default` is ALMANAC_MODEL, and the others are as for ModelLoader."""
        self._follower = IndexFollower(cache, limits.silence)
        self._default = Selector.parse(default) if default else None
        self._limits = limits
        self._warning = ""
        self._first: str | None = None
        self.remembered: str | None = None
        self._champions: dict[str, LoadedModel] = {}
        self.loader = ModelLoader(cache, limits=limits, pinned=self._champions.values, fetch=fetch, on_load=on_load)
        self.starter = StarterLoader(on_load)
        self.index = RegistryIndex()

    @property
    def champions(self) -> dict[str, LoadedModel]:
        """Return the champions in memory, by name."""
        return self._champions

    @property
    def default(self) -> str | None:
        """Return the name that answers a request without `model`, or None if it is not known which one does.

        It is the one that is remembered from an earlier start, else the only name or the one that was registered first, and
        stays the same when others are registered.
        """
        if self._starter_is_default():
            return starters.NAME
        names = self.names()
        if self._first not in names and self.remembered in names:
            self._first = self.remembered
        if self._first not in names:
            created = {name: self.index.models.get(name, RegisteredModel()).created for name in names}
            is_known = len(names) == 1 or (names and all(created.values()))
            self._first = min(names, key=lambda name: (created[name], name)) if is_known else None
        return self._first

    def remember(self, name: str | None) -> None:
        """Take the default of an earlier start, if it has a champion."""
        self.remembered, self._first = name, None

    def names(self) -> list[str]:
        """Return the names with a champion, in the registry or still in memory."""
        return list(dict.fromkeys([*self._registered_champions(), *self._champions]))

    def champion_error(self, name: str) -> ModelLoading | None:
        """Return why the champion of a name is not in memory although it may have one, or None if it has none."""
        if name in self.names():
            return ModelLoading(f"The champion of {name} is being loaded.", hint="Try again soon.")
        if not self.index.checked:
            return unavailable.pending("Try again in a few seconds.")
        if not self.index.is_current:
            return unavailable.unreachable(self.index, "Check MLFLOW_TRACKING_URI and that server.")
        return None

    def readiness_error(self) -> AlmanacError | None:
        """Return why this process cannot answer a request without `model`, or None once it can."""
        if self._starter_is_default():
            return self.starter.readiness_error()
        if self._default is None:
            return None if self._champions else self._no_champion()
        try:
            found = self._find(self._default)
        except ModelUnknown as error:
            return unavailable.unknown_default(self._default, error)
        except AlmanacError as error:
            return error
        return None if isinstance(found, SelectedModel) else self._not_loaded(self._default.name, found)

    async def select(self, text: str | None, frequencies: Callable[[], Iterable[Frequency]] = tuple) -> SelectedModel:
        """Return the version for a request, loading it if it is in the cache but not in memory.

        Args:
            text: The request's `model`, or None.
            frequencies: Returns the frequencies of the request's series; called for the starter only.

        Raises:
            ModelRequired: If the request names no model, and it is not known which of several was registered first.
            ModelUnknown: If there is no such name, alias or version.
            DefaultUnknown: If the request names no model and ALMANAC_MODEL is not registered.
            ModelLoading: If the version is still being fetched.
            ModelRefused: If it cannot be loaded.
            NoModel: If the request needs a champion and there is none.
        """
        selector = self._selector(text)
        if self._is_starter(selector):
            return await self.starter.select(selector, frequencies())
        try:
            found = self._find(selector)
        except ModelUnknown as error:
            raise (error if text is not None else unavailable.unknown_default(selector, error)) from error
        if isinstance(found, SelectedModel):
            return found
        try:
            return SelectedModel(await self._load(selector.name, found), selector.alias)
        except ModelRefused as error:
            if text is not None:
                raise
            raise unavailable.refused_champion(selector.name, found, error.detail) from error

    def challenger(self, name: str) -> SelectedModel | None:
        """Return the challenger of a model if it is in memory and is not the champion."""
        number = self.index.models.get(name, RegisteredModel()).aliases.get(CHALLENGER)
        champion = self._champions.get(name)
        if number is None or champion is None or champion.version == number:
            return None
        model = self._in_memory(name, number)
        return None if model is None else SelectedModel(model, CHALLENGER)

    async def load_challenger(self, name: str) -> None:
        """Load the challenger of a model if there is one; the loader counts and logs what fails."""
        number = self.index.models.get(name, RegisteredModel()).aliases.get(CHALLENGER)
        champion = self._champions.get(name)
        if number is not None and champion is not None and champion.version != number:
            with suppress(Exception):  # as in `_promote`
                self._in_memory(name, number) or await self._load(name, number)

    async def watch(self) -> None:
        """Follow the index until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(WATCH_SECONDS)

    async def refresh(self) -> None:
        """Read the index if it has changed, and load every new champion; the old one stays if the new one fails.

        A champion leaves memory only for another champion or another registry, not if the cache or the registry is emptied.
        """
        await self._follow_index()
        if self._starter_is_default():
            await self.starter.warm()
        self._warn()

    async def _follow_index(self) -> None:
        index = await self._follower.follow(self.index)
        if index is self.index:
            return
        is_other_registry = self.index.source not in {"", index.source}
        self.index = index
        self.loader.count_refused(index.models)
        if is_other_registry:
            for name in self._champions.keys() - set(self._registered_champions()):
                del self._champions[name]
        for name in self._preloaded():
            await self._promote(name)

    def _warn(self) -> None:
        """Log once that the default is not registered or cannot be loaded, or that the starter answers because nothing is."""
        error = self.readiness_error()
        is_said = isinstance(error, DefaultUnknown) or (
            isinstance(error, ModelRefused) and not self._starter_is_default()
        )
        warning = f"{error.detail} {error.hint}" if error is not None and is_said else ""
        if self._default is None and error is None and self._starter_is_default():
            reason = REASONS.get(self.index.state, "No model is registered")
            warning = f"{reason}: the starter answers requests that name no model."
        if warning and warning != self._warning:
            logger.warning(warning)
        self._warning = warning

    def _registered_champions(self) -> list[str]:
        return [name for name, model in self.index.models.items() if model.has_champion()]

    def _preloaded(self) -> list[str]:
        """Return the names whose champions are loaded before any request: the default first, up to the limit."""
        first = self._default.name if self._default else ""
        return sorted(self._registered_champions(), key=lambda name: name != first)[: self._limits.versions]

    async def _promote(self, name: str) -> None:
        """Load the version that the alias points to, and let it answer; on failure the old champion stays."""
        number = self.index.models[name].aliases[CHAMPION]
        current = self._champions.get(name)
        if current is not None and current.version == number and self._is_current(current):
            return
        try:
            model = self._in_memory(name, number) or await self._load(name, number)
        except Exception:  # noqa: BLE001 (counted and logged by the loader; other models are followed regardless)
            return
        if current is not None and self.loader.is_too_slow(model, current):
            return
        self._champions[name] = model
        logger.info("%s/%s is now the champion", name, number)

    def _is_starter(self, selector: Selector) -> bool:
        """Return whether a selector means the package's starter, not a registered model of the same name."""
        if selector.name != starters.NAME or selector.alias is not None:
            return False
        return selector.version not in self.index.models.get(starters.NAME, RegisteredModel()).versions

    def _starter_is_default(self) -> bool:
        """Return whether the starter answers requests without `model`: it is set as default, or nothing is registered."""
        if self._default is not None:
            return self._is_starter(self._default)
        return not self._champions and self._no_champion() is None

    def _not_loaded(self, name: str, number: str) -> AlmanacError:
        """Return why a version that is not in memory cannot answer requests without `model`."""
        version = self._registered(name, number)
        if version is not None and version.error:
            return unavailable.refused_champion(name, number, unavailable.refused(name, number, version.error).detail)
        if version is not None and (detail := self.loader.load_error(version.digest)):
            return unavailable.refused_champion(name, number, detail)
        return unavailable.loading(f"model {name}")

    def _no_champion(self) -> AlmanacError | None:
        return unavailable.no_champion(self.index, self.loader.load_error)

    def _selector(self, text: str | None) -> Selector:
        if text is not None:
            return Selector.parse(text)
        if self._default is not None:
            return self._default
        if self._first in self._champions:
            return Selector(self._first)
        names, first = self.names(), self.default
        if first is None and names:
            raise unavailable.several_models(names)
        if not names and (error := self._no_champion()) is not None:
            raise error
        return Selector(first) if names and first is not None else Selector.parse(starters.NAME)

    def _find(self, selector: Selector) -> SelectedModel | str:
        """Return the selected version if it is in memory, else the number to load; raises ModelUnknown or NoModel."""
        if selector.alias == CHAMPION and selector.name in self._champions:
            return SelectedModel(self._champions[selector.name], CHAMPION)
        number = self._version(selector)
        model = self._in_memory(selector.name, number)
        return number if model is None else SelectedModel(model, selector.alias)

    def _version(self, selector: Selector) -> str:
        """Return the version number that a selector means; raises ModelUnknown or NoModel."""
        model, names = self.index.models.get(selector.name), self.names()
        if model is None and not names and not self.index.models:
            raise self._no_champion() or unavailable.nothing_registered(self.index)
        number = None if model is None else model.find(selector.alias, selector.version)
        if number is None:
            raise unavailable.unknown(selector, model, names)
        return number

    def _in_memory(self, name: str, number: str) -> LoadedModel | None:
        """Return a version if it is in memory and belongs to the registered run: a new registry counts from 1 again."""
        model = self.loader.find(name, number)
        return model if model is not None and self._is_current(model) else None

    def _is_current(self, model: LoadedModel) -> bool:
        registered = self._registered(model.name, model.version)
        return registered is None or registered.run_id == model.run_id

    def _registered(self, name: str, number: str) -> ModelVersion | None:
        return self.index.models.get(name, RegisteredModel()).versions.get(number)

    async def _load(self, name: str, number: str) -> LoadedModel:
        return await self.loader.load(name, number, self._registered(name, number))
