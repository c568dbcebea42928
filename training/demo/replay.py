"""The data of the live demo: months of real temperatures, with an artificial break."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ConfigInvalid

HALF_A_YEAR = 6

SEA = ("nino_1_2",)
"""Series of sea surface temperatures: no station that could be moved."""

Month = str
"""Such as `1987-01`."""


@dataclass(frozen=True, slots=True)
class World:
    """Measurements of stations, with shifted seasons from a month on.

    From the break on every station reports its value of six months before, as if it had been moved to the other hemisphere.
    No value is invented.

    Attributes:
        measured: °C by station and month.
        broken: First month of the shifted seasons; None for no break.
    """

    measured: Mapping[str, Mapping[Month, float]]
    broken: Month | None = None

    def value(self, station: str, month: Month) -> float | None:
        """Return the value that a station reports for a month, °C, or None if it has none."""
        return self.measured[station].get(months_after(month, -HALF_A_YEAR) if self.is_broken(month) else month)

    def is_broken(self, month: Month) -> bool:
        """Return whether the seasons of a month are shifted."""
        return self.broken is not None and month >= self.broken

    def rows(self, stations: Sequence[str], months: Iterable[Month]) -> Iterator[dict[str, Any]]:
        """Yield the reported values as rows of POST /observations."""
        for month in months:
            for station in stations:
                if (value := self.value(station, month)) is not None:
                    yield {"id": station, "timestamp": month, "value": value}

    def reporting(self, months: Sequence[Month]) -> tuple[str, ...]:
        """Return the stations that report every one of some months."""
        return tuple(
            station
            for station in self.measured
            if station not in SEA and all(self.value(station, month) is not None for month in months)
        )


def read_world(file: Path, broken: Month | None) -> World:
    """Return the world of a long monthly CSV file with columns `unique_id`, `ds` and `y`."""
    measured: dict[str, dict[Month, float]] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            measured.setdefault(row["unique_id"], {})[row["ds"][:7]] = float(row["y"])
    return World(measured, broken)


def write_measured(world: World, stations: Sequence[str], before: Month, file: Path) -> int:
    """Write all measurements before a month to a long CSV file, and return their number."""
    rows = [
        (station, f"{month}-01", value)
        for station in stations
        for month, value in sorted(world.measured[station].items())
        if month < before
    ]
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("unique_id", "ds", "y"), *rows])
    return len(rows)


def months_after(month: Month, count: int) -> Month:
    """Return the month `count` months later, or earlier if it is negative."""
    return str(np.datetime64(month, "M") + count)


def months_between(first: Month, end: Month) -> list[Month]:
    """Return the months from the first to the one before the end."""
    return [str(month) for month in np.arange(np.datetime64(first, "M"), np.datetime64(end, "M"))]


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """The months of a replay.

    Attributes:
        first: First replayed month; the first model is trained on the months before it.
        broken: First month of the shifted seasons.
        end: Month after the last one.
        horizon: Months forecast each month.
        known: Months of history that the service gets before the first.
        tick_month: Month of the year in which the schedule ticks, 1 to 12.
        ticks_from: The schedule does not tick before this month, nor before there are forecasts.
        settling: Months of the new version before its error is assessed.
        seed: Seed of the trainings and of the tests.

    Raises:
        ConfigInvalid: If the break is outside the replay.
    """

    first: Month = "1985-01"
    broken: Month = "1986-01"
    end: Month = "1989-01"
    horizon: int = 6
    known: int = 120
    tick_month: int = 1
    ticks_from: Month = ""
    settling: int = 12
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.first < self.broken < self.end:
            raise ConfigInvalid(f"The break must be within the replay. Received: {self}.")

    @property
    def months(self) -> list[Month]:
        """The months of the replay."""
        return months_between(self.first, self.end)

    @property
    def history(self) -> list[Month]:
        """The months that the service gets before the first."""
        return months_between(months_after(self.first, -self.known), self.first)

    def ticks(self, month: Month) -> bool:
        """Return whether the schedule ticks at the beginning of a month."""
        return max(self.ticks_from, months_after(self.first, 1)) <= month and int(month[5:]) == self.tick_month
