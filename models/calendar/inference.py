"""Inference: the frequency that timestamps follow, gaps or not."""

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import (
    MONTH_NAMES,
    WEEKDAY_NAMES,
    Frequency,
    StampPlace,
    fixed_frequency,
    parse_frequency,
)
from models.calendar.grid import positions
from models.calendar.timestamps import Timestamps
from models.errors import FrequencyNotInferred, TimestampsOffCalendar

FEWEST = 3
"""Timestamps below which any frequency is a guess (pandas asks for three too)."""

LEAST_FILLED = 0.1
"""Share of the grid that must be observed, unless most steps between neighbours are single."""

_MICROSECONDS_A_DAY = 86_400_000_000
_SHORTEST_MONTH = 28
_SATURDAY = 5


def infer_frequency(timestamps: Timestamps) -> Frequency:
    """Return the frequency of rising timestamps, shape (length,), of which any may be missing.

    Months, quarters and years are told by the day of the month, weeks by the weekday, business days by weekends that
    are absent; all else by the greatest common divisor of the differences.

    Raises:
        FrequencyNotInferred: If there are fewer than three, they do not rise, or no frequency is filled well enough.
    """
    if len(timestamps) < FEWEST:
        raise _refuse(f"{len(timestamps)} timestamps are too few to tell a frequency; {FEWEST} are needed.")
    gaps = np.diff(timestamps).astype(np.int64)
    if gaps.min() <= 0:
        raise _refuse("The timestamps do not rise.")
    if np.any(gaps % _MICROSECONDS_A_DAY):
        return _of_fixed_length(int(np.gcd.reduce(gaps)), gaps)
    days = timestamps.astype("M8[D]")
    frequency = _monthly(timestamps, days) or _half_monthly(timestamps, days)
    return frequency or _nth_weekday(days) or _daily(days)


def _monthly(timestamps: Timestamps, days: Timestamps) -> Frequency | None:
    """Return a frequency of months if there is one stamp a month at most, always in the same place."""
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
    """Return the name of a step of months; quarters and years are anchored where their period ends."""
    starts = place == "business_start" or (place == "end" and days[0] == days[0].astype("M8[M]"))
    last = (month - 1) % 12 if starts else month % 12
    if step % 12 == 0:
        return f"{_multiple(step // 12)}Y-{MONTH_NAMES[last]}"
    if step % 3 == 0:
        return f"{_multiple(step // 3)}Q-{MONTH_NAMES[last % 3 + 9]}"
    return f"{_multiple(step)}M"


def _half_monthly(timestamps: Timestamps, days: Timestamps) -> Frequency | None:
    """Return SM if the stamps lie on the 15th and the last, or on the 1st and the 15th, of most months."""
    numbers = set(_day_of_month(days).tolist())
    if len(numbers) < 2 or 15 not in numbers or np.diff(days).astype(np.int64).min() < 13:  # noqa: PLR2004
        return None
    for alias in ("SMS", "SM"):
        frequency = parse_frequency(alias)
        try:
            steps = positions(timestamps, frequency)
        except TimestampsOffCalendar:
            continue
        return frequency if _is_filled(np.diff(steps)) else None
    return None


def _nth_weekday(days: Timestamps) -> Frequency | None:
    """Return WOM or LWOM if the stamps are always, say, the second Tuesday or the last Friday of a month."""
    gaps = np.diff(days).astype(np.int64)
    if np.any(gaps % 7) or gaps.min() < _SHORTEST_MONTH or len(np.unique(gaps)) == 1:
        return None
    step = int(np.gcd.reduce(np.diff(days.astype("M8[M]").astype(np.int64))))
    multiple, weekday = _multiple(step), WEEKDAY_NAMES[_weekday(days)[0]]
    weeks = (_day_of_month(days) - 1) // 7
    if np.all(weeks == weeks[0]) and weeks[0] < 4:  # noqa: PLR2004 - a fifth week is not in every month
        return Frequency(f"{multiple}WOM-{weeks[0] + 1}{weekday}")
    lasts = (days + np.timedelta64(7, "D")).astype("M8[M]") != days.astype("M8[M]")
    return Frequency(f"{multiple}LWOM-{weekday}") if np.all(lasts) else None


def _daily(days: Timestamps) -> Frequency:
    """Return days, weeks, or business days where no weekend is observed and that leaves fewer steps empty."""
    gaps = np.diff(days).astype(np.int64)
    weekdays = _weekday(days)
    step = int(np.gcd.reduce(gaps))
    if step % 7 == 0:
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
    """Return the frequency if its grid is filled well enough to be believed; `steps` lie between neighbours."""
    if not _is_filled(steps):
        raise _refuse(f"The timestamps are too irregular to tell a frequency: {name} would leave most steps empty.")
    return Frequency(name, stamp)


def _is_filled(steps: NDArray[np.int64]) -> bool:
    return bool(len(steps) >= LEAST_FILLED * steps.sum() or np.mean(steps == 1) >= 0.5)  # noqa: PLR2004 - most


def _multiple(count: int) -> str:
    return str(count) if count > 1 else ""


def _weekday(days: Timestamps) -> NDArray[np.int64]:
    """Return 0 for Monday to 6 for Sunday; day 0 of the epoch was a Thursday."""
    return np.asarray((days.astype(np.int64) + 3) % 7, dtype=np.int64)


def _day_of_month(days: Timestamps) -> NDArray[np.int64]:
    return np.asarray((days - days.astype("M8[M]")).astype(np.int64) + 1)


def _refuse(detail: str) -> FrequencyNotInferred:
    return FrequencyNotInferred(detail, pointer="/timestamps", hint="Send a frequency such as 'M', 'D' or 'h'.")
