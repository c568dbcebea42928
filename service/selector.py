"""Choice: the words of a request that choose a model, and the version that they chose."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from models.errors import Finding
from models.forecaster import Forecaster
from models.series import Series
from models.starters import DEFAULT, NAME, season_unknown

CHAMPION = "champion"

FREQUENCY_ASSUMED = Finding(
    "FREQUENCY_ASSUMED",
    f"The series has no frequency: {DEFAULT} is assumed.",
    hint="Send start and frequency, or timestamps.",
)


@dataclass(frozen=True, slots=True)
class Selector:
    """The words that choose a model: a name, and an alias or a version of it; `starter` has neither."""

    name: str
    alias: str | None = CHAMPION
    version: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Selector":
        """Return what `name`, `name@alias` or `name/version` chooses; a bare name means its champion."""
        if text == NAME:
            return cls(NAME, None)
        if "/" in text:
            name, _, version = text.rpartition("/")
            return cls(name, None, version)
        name, at, alias = text.partition("@")
        return cls(name, alias if at else CHAMPION)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A version in memory."""

    name: str
    version: str
    run_id: str | None
    forecaster: Forecaster
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class SelectedModel:
    """The version that answers a request.

    Attributes:
        served: The version.
        alias: By which it was chosen; None where by its number, and for the starter.
        starters: Of the starter alone: the forecaster of each frequency in the request.
    """

    served: LoadedModel
    alias: str | None
    starters: Mapping[str, Forecaster] | None = field(default=None)

    def identity(self) -> dict[str, str | None]:
        """Return the `model` member of an answer."""
        served = self.served
        return {"name": served.name, "version": served.version, "alias": self.alias, "run_id": served.run_id}

    def forecasters(self) -> tuple[Forecaster, ...]:
        """Return every forecaster that a series of the request may be given to."""
        return (self.served.forecaster, *(self.starters or {}).values())

    def forecaster_for(self, series: Series) -> Forecaster:
        """Return the forecaster of one series: the model's, or of the starter that of the series' frequency."""
        if self.starters is None or series.frequency is None:
            return self.served.forecaster
        return self.starters[series.frequency.name]

    def remarks(self, series: Series) -> tuple[Finding, ...]:
        """Return what the choice itself assumes about a series."""
        if self.starters is None:
            return ()
        found = FREQUENCY_ASSUMED if series.frequency is None else season_unknown(series.frequency)
        return () if found is None else (found,)
