"""Catalog: the models that this process can answer with, and which of them a request means."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Literal

from models import artifact, starters
from models.calendar.on_calendar import Frequency
from models.errors import AlmanacError, ArtifactIncomplete, ModelUnknown
from models.forecaster import Forecaster
from service.errors import DefaultUnknown, ModelLoading, ModelRefused, ModelRequired, NoModel
from service.selector import CHAMPION, LoadedModel, SelectedModel, Selector
from service.serving.artifact_cache import ArtifactCache
from service.serving.registry_index import RegisteredModel, RegistryIndex
from service.serving.starter import Starter

logger = logging.getLogger("almanac")

WATCH_SECONDS = 0.2
LISTED_VERSIONS = 10
SHOWN_LENGTH = 100

ALWAYS = f'"model": "{starters.NAME}" is always answered.'
"""Said to whoever asks for a model that is not there."""

Key = tuple[str, str]


class Catalog:
    """Loads versions from the cache, champions ahead of any request, and swaps one only for another that works.

    Args:
        cache: What the registry's child process fills.
        default: `ALMANAC_MODEL`, or None.
        limit: Versions held in memory.
        fetch: Has a version brought into the cache, later.
        on_load: Told the name and the outcome of each attempt to load.
    """

    def __init__(
        self,
        cache: ArtifactCache,
        *,
        default: str | None = None,
        limit: int = 64,
        fetch: Callable[[str, str], None] = lambda _name, _version: None,
        on_load: Callable[[str, Literal["ok", "failed"]], None] = lambda _name, _outcome: None,
    ) -> None:
        """Nothing is read yet."""
        self._cache = cache
        self._default = Selector.parse(default) if default else None
        self._limit = limit
        self._fetch = fetch
        self._on_load = on_load
        self._seen = 0
        self._loaded: OrderedDict[Key, LoadedModel] = OrderedDict()
        self._champions: dict[str, LoadedModel] = {}
        self._refused: dict[str, AlmanacError] = {}
        self._missed: set[str] = set()
        self._warned = ""
        self._loading: dict[Key, asyncio.Task[LoadedModel]] = {}
        self.starter = Starter(on_load)
        self.index = RegistryIndex()

    @property
    def champions(self) -> dict[str, LoadedModel]:
        """Return the versions that bare names are answered with, by name."""
        return self._champions

    def loaded(self) -> list[LoadedModel]:
        """Return every version in memory."""
        return list(self._loaded.values())

    def names(self) -> list[str]:
        """Return the names that have a champion of Almanac's making: registered, or in memory still."""
        registered = [name for name, model in self.index.models.items() if _has_champion(model)]
        return list(dict.fromkeys([*registered, *self._champions]))

    def why_unknown(self, name: str) -> ModelLoading | None:
        """Return why this process cannot tell whether a name without a champion in memory has one, or None if it has none."""
        if name in self.names():
            return ModelLoading(f"The champion of {name} is being loaded.", hint="Ask again soon.")
        if not self.index.checked:
            return _unanswered("Ask again in a few seconds.")
        return self._unreachable("Check MLFLOW_TRACKING_URI and that server.") if self._is_unreachable() else None

    def why_refused(self, digest: str | None) -> str:
        """Return why this process would not load an artifact, "" where it has not refused it."""
        refused = self._refused.get(digest or "")
        return refused.detail if refused else ""

    def why_not_ready(self) -> AlmanacError | None:
        """Return what keeps this process from answering a request that names no model, or None once it can."""
        if self._starter_answers():
            return self.starter.why_not_ready()
        if self._default is None:
            return None if self._champions else self._why_none()
        try:
            found = self._find(self._default)
        except ModelUnknown as error:
            return _unknown_default(self._default, error)
        except AlmanacError as error:
            return error
        return None if isinstance(found, SelectedModel) else _loading(self._default.name)

    @property
    def default(self) -> str | None:
        """Return the name that answers a request that names no model, or None where none does or it must name one."""
        if self._starter_answers():
            return starters.NAME
        names = self.names()
        return names[0] if len(names) == 1 else None

    async def choose(self, text: str | None, frequencies: Callable[[], Iterable[Frequency]] = tuple) -> SelectedModel:
        """Return the version for a request's `model`, loading it if it is in the cache but not in memory.

        Args:
            text: What the request says, or None.
            frequencies: Those of the request's series; asked for only where the starter answers.

        Raises:
            ModelRequired: If the request names no model and there are several.
            ModelUnknown: If there is no such name, alias or version.
            DefaultUnknown: If the request names no model, and there is none such as ALMANAC_MODEL says.
            ModelLoading: If the version is still being fetched.
            ModelRefused: If it cannot be loaded.
            NoModel: If what the request means is a champion, and none is registered.
        """
        selector = self._selector(text)
        if self._is_starter(selector):
            return await self.starter.choose(selector, frequencies())
        try:
            found = self._find(selector)
        except ModelUnknown as error:
            raise (error if text is not None else _unknown_default(selector, error)) from error
        if isinstance(found, SelectedModel):
            return found
        return SelectedModel(await self._load(selector.name, found), selector.alias)

    async def watch(self) -> None:
        """Follow the index until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(WATCH_SECONDS)

    async def refresh(self) -> None:
        """Read the index if it has changed, and bring every champion up to it; one that fails leaves its predecessor.

        Only another champion takes one out of memory, or another registry: neither a cache nor a registry that is emptied
        does. The starter is loaded where it is what answers.
        """
        await self._follow()
        if self._starter_answers():
            await self.starter.warm()
        self._warn()

    async def _follow(self) -> None:
        """Read the index if it has changed, and bring every champion up to it."""
        changed = self._cache.changed()
        if changed == self._seen:
            return
        self._seen = changed
        index = await asyncio.to_thread(self._cache.read)
        if not index.checked and self.index.checked:
            return  # removed or unreadable: the child writes it anew
        if self.index.source not in {"", index.source}:
            registered = {name for name, model in index.models.items() if _has_champion(model)}
            self._champions = {name: served for name, served in self._champions.items() if name in registered}
        self.index = index
        for name in self._ahead():
            await self._promote(name)

    def _warn(self) -> None:
        """Say it in the log, once, if the default is not registered, or nothing is and the starter answers instead."""
        error = self.why_not_ready()
        wrong = f"{error.detail} {error.hint}" if isinstance(error, DefaultUnknown) else ""
        if self._default is None and error is None and self._starter_answers():
            state = "The registry cannot be reached" if self._is_unreachable() else "No model is registered"
            wrong = f"{state}: the starter answers requests that name no model."
        if wrong and wrong != self._warned:
            logger.warning(wrong)
        self._warned = wrong

    def _is_starter(self, selector: Selector) -> bool:
        """Return whether a selector means the starter of the package, not a registered model that is called so too."""
        registered = self.index.models.get(starters.NAME, RegisteredModel()).versions
        return selector.name == starters.NAME and selector.alias is None and selector.version not in registered

    def _starter_answers(self) -> bool:
        """Return whether the starter answers requests that name no model: it is the default, or nothing is registered."""
        if self._default is not None:
            return self._is_starter(self._default)
        return not self._champions and self._why_none() is None

    def _ahead(self) -> list[str]:
        """Return the names whose champions are loaded ahead of any request: the default's first, as far as memory goes."""
        first = self._default.name if self._default else ""
        registered = [name for name, model in self.index.models.items() if _has_champion(model)]
        return sorted(registered, key=lambda name: name != first)[: self._limit]

    async def _promote(self, name: str) -> None:
        """Make the version that the alias points to the one that answers, once it is loaded and has proved itself."""
        version = self.index.models[name].aliases[CHAMPION]
        current = self._champions.get(name)
        if current is not None and current.version == version and self._is_current(current):
            return
        try:
            served = self._in_memory(name, version) or await self._load(name, version)
        except AlmanacError:
            return  # counted and logged where it failed; the predecessor goes on answering
        self._champions[name] = served
        logger.info("%s/%s answers as champion", name, version)

    def _selector(self, text: str | None) -> Selector:
        if text is not None:
            return Selector.parse(text)
        if self._default is not None:
            return self._default
        names = self.names()
        if len(names) > 1:
            raise ModelRequired(
                f"Several models are registered: {', '.join(names)}.",
                pointer="/model",
                hint=f'Send "model": one of them, or "{starters.NAME}".',
            )
        reason = None if names else self._why_none()
        if reason is not None:
            raise reason
        return Selector(names[0]) if names else Selector.parse(starters.NAME)

    def _find(self, selector: Selector) -> SelectedModel | str:
        """Return the choice if it is in memory, else the version to load."""
        if selector.alias == CHAMPION and selector.name in self._champions:
            return SelectedModel(self._champions[selector.name], CHAMPION)
        version = self._version(selector)
        served = self._in_memory(selector.name, version)
        if served is None:
            return version
        self._loaded.move_to_end((selector.name, version))
        return SelectedModel(served, selector.alias)

    def _in_memory(self, name: str, version: str) -> LoadedModel | None:
        """Return a version if it is in memory and of the registered run: a registry made anew counts from 1 again."""
        served = self._loaded.get((name, version))
        return served if served is not None and self._is_current(served) else None

    def _is_current(self, served: LoadedModel) -> bool:
        registered = self.index.models.get(served.name, RegisteredModel()).versions.get(served.version)
        return registered is None or registered.run_id == served.run_id

    def _version(self, selector: Selector) -> str:
        """Return the number of the version that a selector means; raises ModelUnknown or NoModel."""
        model = self.index.models.get(selector.name)
        if model is None:
            names = self.names()
            if not names and not self.index.models:
                raise self._why_none() or self._nothing_registered()
            raise ModelUnknown(
                f"There is no model {_cut(selector.name)}.",
                pointer="/model",
                hint=f"Registered: {', '.join(names) or 'none with a champion'}. {ALWAYS}",
            )
        if selector.alias is not None:
            version = model.aliases.get(selector.alias)
            if version is None:
                raise ModelUnknown(
                    f"The model {selector.name!r} has no alias {_cut(selector.alias)}.",
                    pointer="/model",
                    hint=f"Its aliases: {', '.join(model.aliases) or 'none; `almanac promote NAME VERSION` sets champion'}.",
                )
            return version
        if selector.version is None or selector.version not in model.versions:
            newest = ", ".join(list(model.versions)[-LISTED_VERSIONS:])
            raise ModelUnknown(
                f"The model {selector.name!r} has no version {_cut(selector.version)}.",
                pointer="/model",
                hint=f"Its newest versions: {newest}.",
            )
        return selector.version

    async def _load(self, name: str, version: str) -> LoadedModel:
        """Return a version loaded from the cache; many who ask at once wait for one load."""
        key = (name, version)
        if key not in self._loading:
            task = asyncio.create_task(self._load_once(name, version))
            task.add_done_callback(lambda done: self._settle(key, done))
            self._loading[key] = task
        return await asyncio.shield(self._loading[key])

    def _settle(self, key: Key, task: "asyncio.Task[LoadedModel]") -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # retrieved, though nobody may be waiting any more

    async def _load_once(self, name: str, version: str) -> LoadedModel:
        entry = self.index.models[name].versions.get(version)
        if entry is not None and entry.error:
            raise ModelRefused(f"{name}/{version} cannot be served: {entry.error}", pointer="/model")
        if entry is None or entry.digest is None:
            self._fetch(name, version)
            raise _loading(f"{name}/{version}")
        if entry.digest in self._refused:
            raise self._refused[entry.digest]
        forecaster = await self._open(name, version, entry.digest)
        served = LoadedModel(name, version, entry.run_id, forecaster, datetime.now(UTC))
        self._keep(served)
        self._on_load(name, "ok")
        return served

    async def _open(self, name: str, version: str, digest: str) -> Forecaster:
        """Return the forecaster of an artifact that is what was downloaded and answers as on the day it was saved."""
        try:
            folder = await asyncio.to_thread(self._cache.verified, digest)
        except ArtifactIncomplete as error:
            if digest not in self._missed:
                logger.warning("%s/%s: %s", name, version, error)
            self._missed.add(digest)
            self._fetch(name, version)
            raise _loading(f"{name}/{version}") from error
        self._missed.discard(digest)
        try:
            return await asyncio.to_thread(artifact.load, folder)
        except AlmanacError as error:
            logger.error("%s/%s refused: %s", name, version, error)  # noqa: TRY400 (the error says all)
            self._on_load(name, "failed")
            refused = ModelRefused(
                f"{name}/{version} cannot be served: {error.detail}", pointer="/model", hint=error.hint
            )
            self._refused[digest] = refused
            raise refused from error

    def _keep(self, served: LoadedModel) -> None:
        """Hold a version in memory; beyond the limit the least recently asked for goes, but no champion."""
        self._loaded[served.name, served.version] = served
        champions = {(one.name, one.version) for one in self._champions.values()}
        for key in [key for key in self._loaded if key not in champions and key != (served.name, served.version)]:
            if len(self._loaded) <= self._limit:
                return
            del self._loaded[key]

    def _why_none(self) -> AlmanacError | None:
        """Return why no registered model answers although one may be meant to; None where there is none at all."""
        if not self.index.checked:
            return _unanswered(f"Ask again in a few seconds. {ALWAYS}")
        models = self.index.models
        if any(_has_champion(model) for model in models.values()):
            refused = next(iter(self._refused.values()), None)
            return refused or _loading("the champion")
        ours = [name for name, model in models.items() if not any(one.error for one in model.versions.values())]
        if ours:
            return NoModel(
                f"No registered model has a champion: {', '.join(ours[:LISTED_VERSIONS])}.",
                hint=f"`almanac promote NAME VERSION` sets one. {ALWAYS}",
            )
        return None

    def _nothing_registered(self) -> AlmanacError:
        """Return what is said of a model that is asked for by its name where none is registered."""
        if self._is_unreachable():
            return self._unreachable(f"Check MLFLOW_TRACKING_URI and that server. {ALWAYS}")
        return NoModel("No model is registered yet.", hint=f"Run `almanac train` or `almanac demo`. {ALWAYS}")

    def _is_unreachable(self) -> bool:
        return self.index.state == "unreachable"

    def _unreachable(self, hint: str) -> ModelLoading:
        return ModelLoading(f"The registry cannot be reached: {self.index.detail}", hint=hint)


def _cut(text: str | None) -> str:
    """Return what a request calls a model, quoted, and not the whole of it where it is long."""
    text = text or ""
    return repr(text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…")


def _has_champion(model: RegisteredModel) -> bool:
    version = model.versions.get(model.aliases.get(CHAMPION, ""))
    return version is not None and not version.error


def _unknown_default(default: Selector, error: ModelUnknown) -> DefaultUnknown:
    """Return an unknown model as what is wrong with the setting: the request, which names none, is sound."""
    return DefaultUnknown(
        f"ALMANAC_MODEL names {default.name!r}: {error.detail}",
        hint=f"{error.hint} Set ALMANAC_MODEL to one of them, or unset it; or send a `model` with the request.",
    )


def _unanswered(hint: str) -> ModelLoading:
    return ModelLoading("The registry has not answered yet.", hint=hint)


def _loading(what: str) -> ModelLoading:
    return ModelLoading(f"The model {what} is being loaded.", pointer="/model", hint="Ask again in a few seconds.")
