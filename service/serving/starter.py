"""Starter: answers for any frequency with the models that come with the package, before anything is registered."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Literal, TypeVar

from models import starters
from models.calendar.on_calendar import Frequency, parse_frequency
from models.errors import AlmanacError, ModelUnknown
from models.forecaster import Forecaster
from service.errors import ModelLoading, ModelRefused
from service.selector import LoadedModel, SelectedModel, Selector

logger = logging.getLogger("almanac")

Loaded = TypeVar("Loaded")

KEPT = 1024
"""Frequencies whose forecasters are at hand; all share the few networks."""


class Starter:
    """Loads a starter when a frequency is first asked for, in a thread, and keeps it.

    Args:
        on_load: Told the name and the outcome of each attempt to load.
    """

    def __init__(self, on_load: Callable[[str, Literal["ok", "failed"]], None] = lambda _name, _outcome: None) -> None:
        """Nothing is loaded yet."""
        self._on_load = on_load
        self._served: LoadedModel | None = None
        self._refused: ModelRefused | None = None
        self._forecasters: dict[str, Forecaster] = {}
        self._logged: set[str] = set()
        self._lock = asyncio.Lock()

    @property
    def served(self) -> LoadedModel | None:
        """Return the starter, or None until it is first needed."""
        return self._served

    def why_not_ready(self) -> AlmanacError | None:
        """Return what keeps the starter from answering, or None once it can."""
        if self._served is not None:
            return None
        return self._refused or ModelLoading("The starter is being loaded.", hint="Ask again in a few seconds.")

    async def warm(self) -> LoadedModel | None:
        """Load what answers series without a frequency, once; None where the installation is broken, which is logged."""
        if self._served is None and self._refused is None:
            async with self._lock:
                try:
                    await self._begin()
                except ModelRefused as error:
                    self._refused = error
        return self._served

    async def choose(self, selector: Selector, frequencies: Iterable[Frequency]) -> SelectedModel:
        """Return the starter with a forecaster for each frequency.

        Raises:
            ModelUnknown: If the selector names another version.
            ModelRefused: If a starter is missing or broken.
        """
        wanted = {frequency.name: frequency for frequency in frequencies}
        served = self._served
        if served is None or not wanted.keys() <= self._forecasters.keys():
            async with self._lock:
                served = await self._begin()
                found = await self._load(wanted)
        else:
            found = {name: self._forecasters[name] for name in wanted}
        if selector.version not in {None, served.version}:
            raise ModelUnknown(
                f"The starter has no version {str(selector.version)[:100]!r}.",
                pointer="/model",
                hint=f"Its version is {served.version}; {starters.NAME!r} alone means it.",
            )
        return SelectedModel(served, None, found)

    async def _begin(self) -> LoadedModel:
        """Return the starter, its version known and its default loaded; raises ModelRefused."""
        if self._served is None:
            default = parse_frequency(starters.DEFAULT)
            forecaster = (await self._load({default.name: default}))[default.name]
            version = await self._attempt(starters.version)
            self._served = LoadedModel(starters.NAME, version, None, forecaster, datetime.now(UTC))
            self._refused = None
        return self._served

    async def _load(self, wanted: Mapping[str, Frequency]) -> dict[str, Forecaster]:
        """Return the forecasters of some frequencies, loading those that are not at hand; raises ModelRefused."""
        found = {name: self._forecasters[name] for name in wanted if name in self._forecasters}
        missing = [frequency for name, frequency in wanted.items() if name not in found]
        if missing:
            loaded = await self._attempt(lambda: [starters.load_starter(frequency) for frequency in missing])
            found |= {frequency.name: forecaster for frequency, forecaster in zip(missing, loaded, strict=True)}
            kept = {} if len(self._forecasters) + len(found) > KEPT else self._forecasters
            self._forecasters = {**kept, **found}
            self._on_load(starters.NAME, "ok")
        return found

    async def _attempt(self, work: Callable[[], Loaded]) -> Loaded:
        """Return what `work` does in a thread; raises ModelRefused, and logs it once, where a starter is broken."""
        try:
            return await asyncio.to_thread(work)
        except AlmanacError as error:
            if error.detail not in self._logged:
                logger.error("the starter is refused: %s", error)  # noqa: TRY400 (the error says all)
                self._logged.add(error.detail)
            self._on_load(starters.NAME, "failed")
            raise ModelRefused(
                f"The starter cannot be served: {error.detail}", pointer="/model", hint=error.hint
            ) from error
