"""Eras: dates whose years are not counted as in the Gregorian calendar."""

from dataclasses import dataclass

import numpy as np

from models.calendar.timestamps import Timestamps, write_exactly
from models.errors import Finding, TimestampInvalid


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
        return f"{text!r} {self.what(stamp)}."

    def what(self, stamp: np.datetime64) -> str:
        """Return what is wrong with a timestamp of the era, to stand after it."""
        return f"is in the year {_year(stamp)}, which looks like one of {self.name}"

    def hint(self, stamp: np.datetime64) -> str:
        """Return what to write instead of its year."""
        if self.ahead is None:
            return "Write Gregorian dates, such as 2024-03-20."
        return f"Write Gregorian years, {self.ahead} less: {_year(stamp) - self.ahead}."


BUDDHIST = Era("the Buddhist era", 1900 + 543, 2101 + 543, 543)
"""Usual in Thailand."""

ISLAMIC = Era("the Persian or the Islamic calendar", 1340, 1480)
"""Of the first, the Gregorian years 1961 to 2101; of the second, those from 1921 on."""

STATE_HINT = " If the years are right, state the frequency."


NEAR_YEARS = 250
"""Stored timestamps this near show that the years of a series are right; eras lie farther apart."""


def may_have_era(stamps: Timestamps) -> bool:
    """Return whether a timestamp is as early or as late as those of another era; if not, no series needs a look."""
    return bool(stamps.size) and (_year(stamps.min()) < ISLAMIC.end or _year(stamps.max()) >= BUDDHIST.first)


def is_settled(stamps: Timestamps, stored: Timestamps) -> bool:
    """Return whether stored timestamps of a series are so near that new ones are of their era, too; False without either."""
    if not stamps.size or not stored.size:
        return False
    apart = max(_year(stored.min()) - _year(stamps.max()), _year(stamps.min()) - _year(stored.max()))
    return apart < NEAR_YEARS


def era_of(stamps: Timestamps, *, are_years: bool | None = None) -> Era | None:
    """Return the era in which the years of all timestamps seem to be counted; None for the usual one, or without timestamps.

    Years alone, as old prices have them, are of no Persian or Islamic year.

    Args:
        stamps: Wall clocks or instants, shape (length,).
        are_years: Whether they are years alone, or one for each year; None if it counts that all are first or last days of years.
    """
    if not stamps.size:
        return None
    first, last = _year(stamps.min()), _year(stamps.max())
    era = next((one for one in (BUDDHIST, ISLAMIC) if one.first <= first and last < one.end), None)
    if era is not ISLAMIC:
        return era
    return None if are_years or (are_years is None and _are_ends_of_years(stamps)) else era


def _are_ends_of_years(stamps: Timestamps) -> bool:
    days = stamps.astype("M8[D]")
    return any(bool((one.astype("M8[Y]") == one).all()) for one in (days, days + np.timedelta64(1, "D")))


def refuse_era(
    stamps: Timestamps, pointer: str, *, stated: str = "", are_years: bool | None = None
) -> tuple[Finding, ...]:
    """Return what is said of timestamps that look like those of another era: weekdays would be wrong.

    Args:
        stamps: In their order, shape (length,).
        pointer: To the first.
        stated: Unit of the frequency that is stated: dates of ISO 8601 with a frequency are read as Gregorian ones; "" if none is.
        are_years: As for `era_of`.

    Raises:
        TimestampInvalid: If the frequency is not stated, or it is the Buddhist era.
    """
    era = era_of(stamps, are_years=True if stated == "Y" else are_years)
    if era is None:
        return ()
    detail, hint = era.detail(stamps[0], write_exactly(stamps[0])), era.hint(stamps[0])
    if era is ISLAMIC and stated:
        return (Finding("ERA_UNCLEAR", f"{detail.removesuffix('.')}; it is read as Gregorian.", pointer, hint),)
    raise TimestampInvalid(detail, pointer=pointer, hint=hint + (STATE_HINT if era is ISLAMIC else ""))


def _year(stamp: np.datetime64) -> int:
    return int(stamp.astype("M8[Y]").astype(np.int64)) + 1970
