"""Eras: dates whose years are not counted as in the Gregorian calendar."""

import numpy as np

from models.calendar.timestamps import Timestamps, write_exactly
from models.errors import TimestampInvalid

BUDDHIST = 543
"""Years that the Buddhist era, usual in Thailand, is ahead."""

FIRST, END = (np.datetime64(f"{year + BUDDHIST}-01-01", "us") for year in (1900, 2101))
"""From the first to the second, dates are taken to be of that era."""


def look_buddhist(stamps: Timestamps) -> bool:
    """Return whether all timestamps look as if their years were those of the Buddhist era; not if there are none."""
    return bool(stamps.size and stamps.min() >= FIRST and stamps.max() < END)


def refuse_buddhist(stamps: Timestamps, pointer: str) -> None:
    """Raise TimestampInvalid, with a pointer to the first, for timestamps that look Buddhist: weekdays would be wrong."""
    if look_buddhist(stamps):
        raise TimestampInvalid(
            buddhist_detail(stamps[0], write_exactly(stamps[0])), pointer=pointer, hint=buddhist_hint(stamps[0])
        )


def buddhist_detail(stamp: np.datetime64, text: str) -> str:
    """Return what is wrong with such a timestamp; `text` is how it is written."""
    return f"{text!r} is in the year {_year(stamp)}, which looks like one of the Buddhist era."


def buddhist_hint(stamp: np.datetime64) -> str:
    """Return what to write instead of its year."""
    return f"Write Gregorian years, {BUDDHIST} less: {_year(stamp) - BUDDHIST}."


def _year(stamp: np.datetime64) -> int:
    return int(stamp.astype("M8[Y]").astype(np.int64)) + 1970
