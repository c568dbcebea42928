"""Inference: the frequency of timestamps, with or without gaps."""

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import MONTH_NAMES, RESAMPLE, WEEKDAY_NAMES, Frequency, StampPlace, fixed_frequency
from models.calendar.grid import positions
from models.calendar.timestamps import Timestamps
from models.errors import FrequencyNotInferred, TimestampsOffCalendar

FEWEST = 3
"""Fewest timestamps that a frequency is inferred from, as in pandas."""

LEAST_FILLED = 0.1
"""Share of the grid that must be observed, unless most neighbours are one step apart."""

_MICROSECONDS_A_DAY = 86_400_000_000
_SHORTEST_MONTH = 28
_SATURDAY = 5


def infer_frequency(timestamps: Timestamps) -> Frequency:
    """Return the frequency of rising timestamps, shape (length,), any of which may be missing.

    Months, quarters and years are recognized by the day of the month, weeks by the weekday, business days by missing
    weekends; all others are the greatest common divisor of the differences.

    Raises:
        FrequencyNotInferred: If there are fewer than three, they do not rise, too many would be missing, or the frequency
            is not supported.
    """
    if len(timestamps) < FEWEST:
        raise _refuse(f"A frequency cannot be inferred from {len(timestamps)} timestamps; {FEWEST} are needed.")
    gaps = np.diff(timestamps).astype(np.int64)
    if gaps.min() <= 0:
        raise _refuse("The timestamps do not rise.")
    if np.any(gaps % _MICROSECONDS_A_DAY):
        return _of_fixed_length(int(np.gcd.reduce(gaps)), gaps)
    days = timestamps.astype("M8[D]")
    return _monthly(timestamps, days) or _daily(days)


def _monthly(timestamps: Timestamps, days: Timestamps) -> Frequency | None:
    """Return a frequency of months, or None unless there is at most one timestamp a month, always in the same place."""
    months = days.astype("M8[M]").astype(np.int64)
    if np.diff(days).astype(np.int64).min() < _SHORTEST_MONTH or np.diff(months).min() < 1:
        return None
    step = int(np.gcd.reduce(np.diff(months)))
    places: tuple[StampPlace, ...] = ("end", "exact", "business_end", "business_start")
    for place in places:
        frequency = Frequency(_months_name(step, int(months[0]), days, place), place)
        try:
            positions(timestamps, frequency)
        except TimestampsOffCalendar:
            continue
        starts = place == "end" and days[0] == days[0].astype("M8[M]")
        return Frequency(frequency.name, "start") if starts else frequency
    return None


def _months_name(step: int, month: int, days: Timestamps, place: StampPlace) -> str:
    """Return the name of a step of months; the anchor of quarters and years is the month in which they end."""
    starts = place == "business_start" or (place == "end" and days[0] == days[0].astype("M8[M]"))
    last = (month - 1) % 12 if starts else month % 12
    if step % 12 == 0:
        return f"{_multiple(step // 12)}Y-{MONTH_NAMES[last]}"
    if step % 3 == 0:
        return f"{_multiple(step // 3)}Q-{MONTH_NAMES[last % 3 + 9]}"
    return f"{_multiple(step)}M"


def _refuse_nth_weekday(days: Timestamps, gaps: NDArray[np.int64]) -> None:
    """Raise FrequencyNotInferred for an nth weekday of each month, such as every second Tuesday or last Friday."""
    if gaps.min() < _SHORTEST_MONTH or len(np.unique(gaps)) == 1:
        return
    weeks = (days - days.astype("M8[M]")).astype(np.int64) // 7
    last = (days + np.timedelta64(7, "D")).astype("M8[M]") != days.astype("M8[M]")
    if np.all(weeks == weeks[0]) or np.all(last):
        raise FrequencyNotInferred(
            "The timestamps are the same weekday of each month, which is not a supported frequency.",
            pointer="/timestamps",
            hint=RESAMPLE,
        )


def _daily(days: Timestamps) -> Frequency:
    """Return days, weeks, or business days if no weekend is observed and fewer steps are missing then."""
    gaps = np.diff(days).astype(np.int64)
    weekdays = _weekday(days)
    step = int(np.gcd.reduce(gaps))
    if step % 7 == 0:
        _refuse_nth_weekday(days, gaps)
        return _checked(f"{_multiple(step // 7)}W-{WEEKDAY_NAMES[weekdays[0]]}", gaps // step, "end")
    if weekdays.max() < _SATURDAY:
        business_gaps = np.busday_count(days[:-1], days[1:])
        business_step = int(np.gcd.reduce(business_gaps))
        if business_gaps.sum() // business_step < gaps.sum() // step:
            return _checked(f"{_multiple(business_step)}B", business_gaps // business_step)
    return _checked(f"{_multiple(step)}D", gaps // step)


def _of_fixed_length(step: int, gaps: NDArray[np.int64]) -> Frequency:
    return _checked(fixed_frequency(step * 1000).name, gaps // step)


def _checked(name: str, steps: NDArray[np.int64], stamp: StampPlace = "exact") -> Frequency:
    """Return the frequency; raise FrequencyNotInferred if too much of its grid is missing. `steps` lie between neighbours."""
    if not _is_filled(steps):
        raise _refuse(f"The timestamps are too irregular: with the frequency {name} most steps would be missing.")
    return Frequency(name, stamp)


def _is_filled(steps: NDArray[np.int64]) -> bool:
    return bool(len(steps) >= LEAST_FILLED * steps.sum() or np.mean(steps == 1) >= 0.5)  # noqa: PLR2004 - most


def _multiple(count: int) -> str:
    return str(count) if count > 1 else ""


def _weekday(days: Timestamps) -> NDArray[np.int64]:
    """Return 0 for Monday to 6 for Sunday; day 0 of the epoch was a Thursday."""
    return np.asarray((days.astype(np.int64) + 3) % 7, dtype=np.int64)


def _refuse(detail: str) -> FrequencyNotInferred:
    return FrequencyNotInferred(
        detail, pointer="/timestamps", hint="Send a frequency such as 'M', 'D' or 'h', or resample the series to one."
    )
