"""Far dates: rows of a body so far from the rest of their series that their date is likelier a mistake, as in files."""

import numpy as np

from models.calendar.frequency import Frequency, fixed_frequency
from models.calendar.timestamps import Timestamps, to_local_times, write_exactly
from models.calendar.zoned_grid import infer_frequency, parse_frequency
from models.errors import AlmanacError, TimestampInvalid
from models.irregular.far_dates import (
    NEAR,
    FarDate,
    find_far_dates,
    find_lone_dates,
    may_have_far_dates,
    may_have_lone_dates,
)
from models.irregular.repairs import Repair
from service.observations.series_view import write_timestamps


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
    return [*find_far_dates(dates)] or [*find_far_dates(dates, _step(dates, frequency, zone))]


def lone_dates_of_series(
    stored: Timestamps, stamps: Timestamps, frequency: str | None, zone: str | None
) -> list[FarDate]:
    """Return the newest and the oldest date of a series where it may be of a wrong year; arguments as above."""
    dates = np.unique(np.concatenate([stored, stamps]))
    near = 1 if len(stored) else NEAR
    if not may_have_lone_dates(dates, near):
        return []
    return [*find_lone_dates(dates, _step(dates, frequency, zone), near)]


def _step(dates: Timestamps, frequency: str | None, zone: str | None) -> Frequency:
    if frequency:
        return parse_frequency(frequency)
    return _usual_frequency(dates if zone is None else to_local_times(dates, zone))


def far_date_error(far: FarDate) -> TimestampInvalid:
    """Return the error of a row with a far date."""
    return TimestampInvalid(
        f"{write_exactly(far.date)} lies {far.distance} of the series.",
        pointer="timestamp",
        hint="Correct the date. If it is right, send it together with a later value; if a stored date is wrong, post null there.",
    )


def stored_far_date_repair(far: FarDate, zone: str | None, *, posted: bool = False) -> Repair:
    """Return what is said of a far date that is stored, or is posted and accepted."""
    shown = write_exactly(far.date) if zone is None else write_timestamps(np.array([far.date], "M8[us]"), zone)[0]
    value = "The value" if posted else "A stored value"
    detail = f"{value} at {shown} lies {far.distance} of the series. If it is wrong, post null at {shown}."
    return Repair("DATE_STRAY", None, 1, detail)


def _usual_frequency(dates: Timestamps) -> Frequency:
    """Return the frequency of dates, with or without those at the ends, or else their shortest step."""
    for part in (slice(None), slice(None, -1), slice(1, None)):
        try:
            return infer_frequency(dates[part])
        except AlmanacError:
            continue
    return fixed_frequency(1_000 * max(int(np.diff(dates).min().astype(np.int64)), 1))
