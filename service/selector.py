"""Selector: which model a request asks for, and the loaded version that was selected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from models.errors import Finding
from models.forecaster import Forecaster
from models.names import CHAMPION
from models.series import Series
from models.starters import DEFAULT, NAME, season_warning

FREQUENCY_ASSUMED = Finding(
    "FREQUENCY_ASSUMED",
    f"The series has no frequency: {DEFAULT} is assumed.",
    hint="Send start and frequency, or timestamps.",
)


@dataclass(frozen=True, slots=True)
class Selector:
    """A parsed `model` field: a name with an alias or a version; the starter has neither."""

    name: str
    alias: str | None = CHAMPION
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the selector of `name`, `name@alias`, `name/version` or `starter`; a name alone means its champion."""
        if text == NAME:
            return cls(NAME, None)
        if "/" in text:
            name, _, version = text.rpartition("/")
            return cls(name, None, version)
        name, at, alias = text.partition("@")
        return cls(name, alias if at else CHAMPION)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A version in memory.

    Attributes:
        name: Its model.
        version: Its number.
        run_id: The run that trained it.
        forecaster: What forecasts.
        loaded_at: When it was loaded.
        seconds: How long its network takes for the golden inputs.
        megabytes: About how much memory it takes, in 10⁶ bytes.
    """

    name: str
    version: str
    run_id: str | None
    forecaster: Forecaster
    loaded_at: datetime
    seconds: float = 0.0
    megabytes: float = 0.0


@dataclass(frozen=True, slots=True)
class SelectedModel:
    """The version that answers a request.

    Attributes:
        model: The version.
        alias: The alias in the request, or None for a version number and for the starter.
        starters: For the starter only: the forecaster of each frequency in the request.
    """

    model: LoadedModel
    alias: str | None
    starters: Mapping[str, Forecaster] | None = None

    def identity(self) -> dict[str, str | None]:
        """Return the `model` object of a response."""
        model = self.model
        return {"name": model.name, "version": model.version, "alias": self.alias, "run_id": model.run_id}

    def forecasters(self) -> tuple[Forecaster, ...]:
        """Return every forecaster that the request may need."""
        return (self.model.forecaster, *(self.starters or {}).values())

    def forecaster_for(self, series: Series) -> Forecaster:
        """Return the model's forecaster, or the starter's for the frequency of the series."""
        if self.starters is None or series.frequency is None:
            return self.model.forecaster
        return self.starters[series.frequency.name]

    def warnings(self, series: Series) -> tuple[Finding, ...]:
        """Return warnings about the selection: the starter assumes a frequency or a season."""
        if self.starters is None:
            return ()
        found = FREQUENCY_ASSUMED if series.frequency is None else season_warning(series.frequency)
        return () if found is None else (found,)
