"""Row errors: what is wrong with the timestamp of a posted row."""

import numpy as np

from models.calendar.frequency import Frequency
from models.calendar.timestamps import Timestamps, write_exactly
from models.errors import FrequencyMismatch, TimestampInvalid, TimestampsDuplicated, TimestampsOffCalendar
from service.observations.calendar_fit import MAX_DISTANCE, GridFit, neighbours, written

YEARS = MAX_DISTANCE.astype("m8[D]").astype(np.int64) // 365


def skipped(wall: Timestamps, zone: str) -> TimestampInvalid:
    """Return the error of a local time that a change of clocks skips."""
    return TimestampInvalid(
        f"{written(wall)[0]} does not exist in {zone}: clocks went forward.",
        pointer="timestamp",
        hint="Send the time with its offset.",
    )


def mismatch(known: str, frequency: str) -> FrequencyMismatch:
    """Return the error of another frequency than the stored one."""
    return FrequencyMismatch(
        f"The series has the frequency {known}, not {frequency}.",
        pointer="id",
        hint=f"Leave the frequency out, use another id, or post null at its values: a series without values takes "
        f"{frequency}.",
    )


def wrong_frequency(fitting: int, rows: int, frequency: Frequency) -> TimestampsOffCalendar:
    """Return the error of a frequency that most timestamps do not have."""
    return TimestampsOffCalendar(
        f"Only {fitting} of {rows} timestamps of the series lie on steps of {frequency.name}.",
        pointer="timestamp",
        hint="Send the frequency of the timestamps, or leave it out.",
    )


def too_far(stamp: np.datetime64) -> TimestampInvalid:
    """Return the error of a timestamp centuries away."""
    return TimestampInvalid(
        f"{written(np.array([stamp]))[0]} lies more than {YEARS} years from the rest of the series.",
        pointer="timestamp",
        hint="Correct the year; or post null at the stored values, if they are wrong.",
    )


def doubled(one: np.datetime64, other: np.datetime64, fit: GridFit) -> TimestampsDuplicated:
    """Return the error of two timestamps of one step."""
    return TimestampsDuplicated(
        f"{write_exactly(one)} and {write_exactly(other)} both belong to one step of {fit.frequency.name}.",
        pointer="timestamp",
        hint="Send one value for each step.",
    )


def doubtful_month(stamp: np.datetime64, month: np.datetime64) -> TimestampsOffCalendar:
    """Return the error of the other end of a stored month, or of the next, in a series without a frequency."""
    text, stored = (written(np.array([one]))[0] for one in (stamp, month))
    return TimestampsOffCalendar(
        f"{text} may be the month that the series writes as {stored}, or a date of its own.",
        pointer="timestamp",
        hint="State the `frequency`: M if it is the month, D if it is a date of its own.",
    )


def off_grid(fit: GridFit, stamp: np.datetime64) -> TimestampsOffCalendar:
    """Return the error of a timestamp between two steps."""
    text, start = (written(np.array([one]))[0] for one in (stamp, fit.start))
    return TimestampsOffCalendar(
        f"{text} is not a step of {fit.frequency.name} from {start}, the grid of the series.",
        pointer="timestamp",
        hint=f"The steps beside it are {' and '.join(neighbours(fit, stamp)) or 'others'}.",
    )
