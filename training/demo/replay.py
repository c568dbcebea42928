"""Replay: months of real temperatures as they would have come in, and a break that is made in them."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ConfigInvalid

HALF_A_YEAR = 6

SEA = ("nino_1_2",)
"""Series of the sea's surface, where no thermometer stands that could be moved."""

Month = str
"""Such as `1987-01`."""


@dataclass(frozen=True, slots=True)
class World:
    """What stations measured, and from a month on what they would have measured half a year earlier.

    The break is made: from its month on every station reports the value of six months before, as if it had been carried to
    the other hemisphere. No value is invented; only the season turns.

    Attributes:
        measured: °C by station and month.
        broken: First month of the other season; None leaves the world as it was.
    """

    measured: Mapping[str, Mapping[Month, float]]
    broken: Month | None = None

    def value(self, station: str, month: Month) -> float | None:
        """Return what a station reports of a month, °C, or None where nothing was measured."""
        return self.measured[station].get(months_after(month, -HALF_A_YEAR) if self.is_broken(month) else month)

    def is_broken(self, month: Month) -> bool:
        """Return whether a month is of the other season."""
        return self.broken is not None and month >= self.broken

    def rows(self, stations: Sequence[str], months: Iterable[Month]) -> Iterator[dict[str, Any]]:
        """Yield what stations report, as POST /observations takes it."""
        for month in months:
            for station in stations:
                if (value := self.value(station, month)) is not None:
                    yield {"id": station, "timestamp": month, "value": value}

    def reporting(self, months: Sequence[Month]) -> tuple[str, ...]:
        """Return the stations that report every one of some months; a stretch of sea cannot be carried anywhere."""
        return tuple(
            station
            for station in self.measured
            if station not in SEA and all(self.value(station, one) is not None for one in months)
        )


def read_world(file: Path, broken: Month | None) -> World:
    """Return the world of a long CSV file `unique_id, ds, y` of months."""
    measured: dict[str, dict[Month, float]] = {}
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            measured.setdefault(row["unique_id"], {})[row["ds"][:7]] = float(row["y"])
    return World(measured, broken)


def write_early(world: World, stations: Sequence[str], before: Month, file: Path) -> int:
    """Write all that stations measured before a month as a long CSV file, and return how many values these are."""
    rows = [
        (station, f"{month}-01", value)
        for station in stations
        for month, value in sorted(world.measured[station].items())
        if month < before
    ]
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("unique_id", "ds", "y"))
        writer.writerows(rows)
    return len(rows)


def months_after(month: Month, count: int) -> Month:
    """Return the month so many months later; earlier where `count` is negative."""
    return str(np.datetime64(month, "M") + count)


def months_between(first: Month, end: Month) -> list[Month]:
    """Return every month from the first to the one before the end."""
    return [str(month) for month in np.arange(np.datetime64(first, "M"), np.datetime64(end, "M"))]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is replayed, and when.

    Attributes:
        first: First replayed month; the first model learns from all that lies before it.
        broken: First month of the other season.
        end: Month after the last that may be replayed.
        horizon: Months forecast each month.
        known: Months of history that the service is told before the first.
        tick_month: Month of the year in which the schedule ticks, 1 to 12.
        ticks_from: Month before which it does not; it never does before there are forecasts.
        settling: Months that the new version is watched before its error is judged.
        seed: Of the networks and of the tests on evidence.

    Raises:
        ConfigInvalid: If the months do not follow each other.
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
        """Refuse a break outside the replay."""
        if not self.first < self.broken < self.end:
            raise ConfigInvalid(f"The break must lie within the replay. Received: {self}.")

    @property
    def months(self) -> list[Month]:
        """Every month that may be replayed."""
        return months_between(self.first, self.end)

    @property
    def history(self) -> list[Month]:
        """The months that the service is told before the first."""
        return months_between(months_after(self.first, -self.known), self.first)

    def ticks(self, month: Month) -> bool:
        """Return whether the schedule ticks at the beginning of a month."""
        return max(self.ticks_from, months_after(self.first, 1)) <= month and int(month[5:]) == self.tick_month
