"""Far dates: rows of a body so far from the rest of their series that their date is likelier a mistake, as in files."""

import numpy as np

from models.calendar.frequency import Frequency, fixed_frequency
from models.calendar.timestamps import Timestamps, to_local_times, write_exactly
from models.calendar.zoned_grid import infer_frequency, parse_frequency
from models.errors import AlmanacError, TimestampInvalid
from models.irregular.far_dates import FarDate, find_far_dates, may_have_far_dates
from models.irregular.repairs import Repair


def far_dates_of_series(
    stored: Timestamps, stamps: Timestamps, frequency: str | None, zone: str | None
) -> list[FarDate]:
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
    if not may_have_far_dates(dates):
        return []
    local = dates if zone is None else to_local_times(dates, zone)
    step = parse_frequency(frequency) if frequency else _usual_frequency(local)
    return [*find_far_dates(dates)] or [*find_far_dates(dates, step)]


def far_date_error(far: FarDate) -> TimestampInvalid:
    """Return the error of a row with a far date."""
    return TimestampInvalid(
        f"{write_exactly(far.date)} lies {far.distance} of the series.",
        pointer="timestamp",
        hint="Correct the date. If it is right, send it together with a later value; if a stored date is wrong, post null there.",
    )


def stored_far_date_repair(far: FarDate) -> Repair:
    """Return what is said of a stored value with a far date."""
    shown = write_exactly(far.date)
    detail = f"A stored value at {shown} lies {far.distance} of the series. If it is wrong, post null at {shown}."
    return Repair("DATE_STRAY", None, 1, detail)


def _usual_frequency(dates: Timestamps) -> Frequency:
    """Return the frequency of dates, with or without those at the ends, or else their shortest step."""
    for part in (slice(None), slice(None, -1), slice(1, None)):
        try:
            return infer_frequency(dates[part])
        except AlmanacError:
            continue
    return fixed_frequency(1_000 * max(int(np.diff(dates).min().astype(np.int64)), 1))
