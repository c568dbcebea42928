"""Starter loader: serves the pretrained models of the package, which forecast any frequency before anything is registered."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, TypeVar

from models import starters
from models.calendar.zoned_grid import Frequency, parse_frequency
from models.errors import AlmanacError, ModelUnknown
from models.forecaster import Forecaster
from service.errors import ModelLoading, ModelRefused
from service.selector import LoadedModel, SelectedModel, Selector

logger = logging.getLogger("almanac")

T = TypeVar("T")

MAX_FORECASTERS = 1024
"""Frequencies whose forecasters stay in memory; all share a few networks."""


class StarterLoader:
    """Loads a starter in a thread when a frequency is first requested, and keeps it.

    Args:
        on_load: Is called with the name and the outcome of each attempt to load.
    """

    def __init__(self, on_load: Callable[[str, Literal["ok", "failed"]], None] = lambda _name, _outcome: None) -> None:
        """Load nothing yet."""
        self._on_load = on_load
        self._model: LoadedModel | None = None
        self._refused: ModelRefused | None = None
        self._forecasters: dict[str, Forecaster] = {}
        self._logged: set[str] = set()
        self._lock = asyncio.Lock()

    @property
    def model(self) -> LoadedModel | None:
        """Return the starter, or None before it is first needed."""
        return self._model

    def readiness_error(self) -> AlmanacError | None:
        """Return why the starter cannot answer, or None once it can."""
        if self._model is not None:
            return None
        return self._refused or ModelLoading("The starter is being loaded.", hint="Try again in a few seconds.")

    async def warm(self) -> LoadedModel | None:
        """Load the starter for series without a frequency, once; return None and log if the installation is broken."""
        if self._model is None and self._refused is None:
            async with self._lock:
                try:
                    await self._load_default()
                except ModelRefused as error:
                    self._refused = error
        return self._model

    async def select(self, selector: Selector, frequencies: Iterable[Frequency]) -> SelectedModel:
        """Return the starter with a forecaster for each frequency.

        Raises:
            ModelUnknown: If the selector names another version.
            ModelRefused: If a starter is missing or broken.
        """
        wanted = {frequency.name: frequency for frequency in frequencies}
        model = self._model
        if model is None or not wanted.keys() <= self._forecasters.keys():
            async with self._lock:
                model = await self._load_default()
                found = await self._load(wanted)
        else:
            found = {name: self._forecasters[name] for name in wanted}
        if selector.version not in {None, model.version}:
            raise ModelUnknown(
                f"The starter has no version {str(selector.version)[:100]!r}.",
                pointer="/model",
                hint=f"Its version is {model.version}; {starters.NAME!r} alone means it.",
            )
        return SelectedModel(model, None, found)

    async def _load_default(self) -> LoadedModel:
        """Return the starter with its version and its default forecaster; raises ModelRefused."""
        if self._model is None:
            default = parse_frequency(starters.DEFAULT)
            forecaster = (await self._load({default.name: default}))[default.name]
            version = await self._run(starters.version)
            self._model = LoadedModel(starters.NAME, version, None, forecaster, datetime.now(UTC))
            self._refused = None
        return self._model

    async def _load(self, wanted: Mapping[str, Frequency]) -> dict[str, Forecaster]:
        """Return the forecasters of some frequencies, loading those not in memory; raises ModelRefused."""
        found = {name: self._forecasters[name] for name in wanted if name in self._forecasters}
        missing = [frequency for name, frequency in wanted.items() if name not in found]
        if missing:
            loaded = await self._run(lambda: [starters.load_starter(frequency) for frequency in missing])
            found |= {frequency.name: forecaster for frequency, forecaster in zip(missing, loaded, strict=True)}
            kept = {} if len(self._forecasters) + len(found) > MAX_FORECASTERS else self._forecasters
            self._forecasters = {**kept, **found}
            self._on_load(starters.NAME, "ok")
        return found

    async def _run(self, work: Callable[[], T]) -> T:
        """Return the result of `work` in a thread; raises ModelRefused, logged once, if a starter is broken."""
        try:
            return await asyncio.to_thread(work)
        except AlmanacError as error:
            if error.detail not in self._logged:
                logger.error("the starter cannot be loaded: %s", error)  # noqa: TRY400 (the error is complete)
                self._logged.add(error.detail)
            self._on_load(starters.NAME, "failed")
            raise ModelRefused(
                f"The starter cannot be served: {error.detail}", pointer="/model", hint=error.hint
            ) from error
