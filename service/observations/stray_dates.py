"""Stray dates: rows of a body so far from the rest of their series that their date is likelier a mistake, as in files."""

import numpy as np

from models.calendar.frequency import Frequency, fixed_frequency
from models.calendar.on_calendar import infer_frequency, parse_frequency
from models.calendar.timestamps import Timestamps, to_local_times, write_exactly
from models.errors import AlmanacError, TimestampInvalid
from models.irregular.repairs import Repair
from models.irregular.strays import Stray, find_strays, may_stray


def find_stray_dates(stored: Timestamps, stamps: Timestamps, frequency: str | None, zone: str | None) -> list[Stray]:
    """Return the dates at the ends of a series that are far from all others.

    Args:
        stored: Timestamps of stored values, rising; a few of each end are enough.
        stamps: New timestamps in any order, at least one.
        frequency: That is stated or stored, or None.
        zone: IANA name if the timestamps are instants.
    """
    if len(stored) + len(stamps) < 3:  # noqa: PLR2004 - two others, and one that is far from them
        return []
    dates = np.unique(np.concatenate([stored, stamps]))
    if not may_stray(dates):
        return []
    local = dates if zone is None else to_local_times(dates, zone)
    step = parse_frequency(frequency) if frequency else _usual_frequency(local)
    return [*find_strays(dates)] or [*find_strays(dates, step)]


def stray_error(stray: Stray) -> TimestampInvalid:
    """Return the error of a row with a stray date."""
    return TimestampInvalid(
        f"{write_exactly(stray.date)} lies {stray.distance} of the series.",
        pointer="timestamp",
        hint="Correct the date. If it is right, send it together with a later value; if a stored date is wrong, post null there.",
    )


def stored_stray_repair(stray: Stray) -> Repair:
    """Return what is said of a stored value with a stray date."""
    shown = write_exactly(stray.date)
    detail = f"A stored value at {shown} lies {stray.distance} of the series. If it is wrong, post null at {shown}."
    return Repair("DATE_STRAY", None, 1, detail)


def _usual_frequency(dates: Timestamps) -> Frequency:
    """Return the frequency of dates, with or without those at the ends, or else their shortest step."""
    for part in (slice(None), slice(None, -1), slice(1, None)):
        try:
            return infer_frequency(dates[part])
        except AlmanacError:
            continue
    return fixed_frequency(1_000 * max(int(np.diff(dates).min().astype(np.int64)), 1))
