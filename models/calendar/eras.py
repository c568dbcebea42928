"""Eras: dates whose years are not counted as in the Gregorian calendar."""

from dataclasses import dataclass

import numpy as np

from models.calendar.timestamps import Timestamps, write_exactly
from models.errors import TimestampInvalid


@dataclass(frozen=True, slots=True)
class Era:
    """Another way to count years.

    Attributes:
        name: As in a sentence.
        first: Year from which on dates are taken to be of the era.
        end: Year up to which they are.
        ahead: Years that it is ahead; None if its months are others, too.
    """

    name: str
    first: int
    end: int
    ahead: int | None = None

    def detail(self, stamp: np.datetime64, text: str) -> str:
        """Return what is wrong with a timestamp of the era; `text` is how it is written."""
        return f"{text!r} is in the year {_year(stamp)}, which looks like one of {self.name}."

    def hint(self, stamp: np.datetime64) -> str:
        """Return what to write instead of its year."""
        if self.ahead is None:
            return "Write Gregorian dates, such as 2024-03-20."
        return f"Write Gregorian years, {self.ahead} less: {_year(stamp) - self.ahead}."


BUDDHIST = Era("the Buddhist era", 1900 + 543, 2101 + 543, 543)
"""Usual in Thailand."""

ISLAMIC = Era("the Persian or the Islamic calendar", 1340, 1480)
"""Of the first, the Gregorian years 1961 to 2101; of the second, those from 1921 on. Years alone are not taken for such."""


def era_of(stamps: Timestamps, *, are_years: bool | None = None) -> Era | None:
    """Return the era in which the years of all timestamps seem to be counted; None for the usual one, or without timestamps.

    Args:
        stamps: Wall clocks or instants, shape (length,).
        are_years: Whether they are years alone; None if it counts that all are the first of January.
    """
    if not stamps.size:
        return None
    first, last = _year(stamps.min()), _year(stamps.max())
    era = next((one for one in (BUDDHIST, ISLAMIC) if one.first <= first and last < one.end), None)
    if era is not ISLAMIC:
        return era
    if are_years is None:
        are_years = bool((stamps == stamps.astype("M8[Y]")).all())
    return None if are_years else era


def refuse_era(stamps: Timestamps, pointer: str, *, are_years: bool | None = None) -> None:
    """Raise TimestampInvalid, with a pointer to the first, for timestamps of another era: weekdays would be wrong."""
    era = era_of(stamps, are_years=are_years)
    if era is not None:
        stamp = stamps[0]
        raise TimestampInvalid(era.detail(stamp, write_exactly(stamp)), pointer=pointer, hint=era.hint(stamp))


def _year(stamp: np.datetime64) -> int:
    return int(stamp.astype("M8[Y]").astype(np.int64)) + 1970
