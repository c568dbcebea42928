"""Exact frequency: the frequency on which all timestamps lie, with or without gaps."""

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import MONTH_NAMES, RESAMPLE, WEEKDAY_NAMES, Frequency, fixed_frequency
from models.calendar.frequency_names import StampPlace
from models.calendar.grid import positions
from models.calendar.timestamps import Timestamps
from models.errors import FrequencyNotInferred, TimestampsOffCalendar

FEWEST = 3
"""Fewest timestamps that a frequency is inferred from, as in pandas."""

LEAST_FILLED = 0.1
"""Share of the grid that must be observed, unless most neighbours are one step apart."""

FISCAL = {12: ({4, 5}, "months"), 4: ({12, 13, 14}, "quarters"), 1: ({52, 53}, "years")}
"""By periods in a year: the weeks of one, and what they are called."""

FEWEST_FISCAL, LEAST_FISCAL = 4, 0.8
"""Fewest differences that show fiscal periods, and the share of them that have the weeks of one: some years have a week more."""

_FISCAL_FREQUENCY = {12: "M", 4: "Q", 1: "Y"}

Inferred = tuple[Frequency, NDArray[np.int64]]
"""A frequency, and the steps between neighbours."""

_MICROSECONDS_A_DAY = 86_400_000_000
_SHORTEST_MONTH = 28
_SATURDAY = 5


class FiscalPeriods(FrequencyNotInferred):
    """Periods of whole weeks, such as months of 4, 4 and 5 weeks; `season_length` is their number in a year."""

    def __init__(self, detail: str, *, pointer: str = "", hint: str = "", season_length: int = 12) -> None:
        """Keep the season length, so that a command can name its option."""
        super().__init__(detail, pointer=pointer, hint=hint)
        self.season_length = season_length

    @property
    def period(self) -> str:
        """The calendar period that these periods resemble: month, quarter or year."""
        return FISCAL[self.season_length][1][:-1]


def common_frequency(timestamps: Timestamps) -> tuple[Frequency, NDArray[np.int64]]:
    """Return the frequency on which all rising timestamps lie, shape (length,), and the steps between neighbours.

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


def _monthly(timestamps: Timestamps, days: Timestamps) -> Inferred | None:
    """Return a frequency of months, or None unless there is at most one timestamp a month, always in the same place."""
    months = days.astype("M8[M]").astype(np.int64)
    if np.diff(days).astype(np.int64).min() < _SHORTEST_MONTH or np.diff(months).min() < 1:
        return None
    step = int(np.gcd.reduce(np.diff(months)))
    places: tuple[StampPlace, ...] = ("end", "exact", "business_end", "business_start")
    for place in places:
        frequency = Frequency(_months_name(step, int(months[0]), days, place), place)
        try:
            steps = np.diff(positions(timestamps, frequency))
        except TimestampsOffCalendar:
            continue
        starts = place == "end" and days[0] == days[0].astype("M8[M]")
        return Frequency(frequency.name, "start") if starts else frequency, steps
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


def refuse_fiscal(timestamps: Timestamps) -> None:
    """Raise FiscalPeriods for rising timestamps a month of 4 or 5 weeks apart, a quarter of 12 to 14, a year of 52 or 53."""
    gaps = np.diff(timestamps).astype(np.int64)
    days, rest = np.divmod(gaps, _MICROSECONDS_A_DAY)
    if len(gaps) and gaps.min() > 0 and not rest.any() and not (days % 7).any():
        _refuse_fiscal(days)


def _refuse_fiscal(gaps: NDArray[np.int64]) -> None:
    """Raise FiscalPeriods for differences in days, whole weeks; a few may be a week longer, or twice as long."""
    weeks = gaps // 7
    for season_length, (kinds, name) in FISCAL.items():
        usual, missing = np.isin(weeks, list(kinds)), np.isin(weeks, [one + other for one in kinds for other in kinds])
        known = usual | missing | (weeks == max(kinds) + 1)
        if len(gaps) >= FEWEST_FISCAL and len(set(weeks[usual])) > 1 and known.all() and usual.mean() >= LEAST_FISCAL:
            lies = " or ".join(map(str, sorted(set(weeks[usual]))))
            first = np.flatnonzero(missing)[:1]
            lacks = "".join(
                f" A {name[:-1]} is missing after timestamp {at + 1}: add it without a value." for at in first
            )
            raise FiscalPeriods(
                f"The timestamps lie {lies} weeks apart, as fiscal {name} do; no calendar frequency has such steps.{lacks}",
                pointer="/timestamps",
                hint=f"Send the first day of each calendar {name[:-1]}, or leave the timestamps out and send the frequency "
                f"{_FISCAL_FREQUENCY[season_length]!r}: the values are then read as {name} without dates.",
                season_length=season_length,
            )


def _daily(days: Timestamps) -> Inferred:
    """Return days, weeks, or business days if no weekend is observed and fewer steps are missing then."""
    gaps = np.diff(days).astype(np.int64)
    weekdays = _weekday(days)
    step = int(np.gcd.reduce(gaps))
    if step % 7 == 0:
        _refuse_nth_weekday(days, gaps)
        _refuse_fiscal(gaps)
        return _checked(f"{_multiple(step // 7)}W-{WEEKDAY_NAMES[weekdays[0]]}", gaps // step, "end")
    if weekdays.max() < _SATURDAY:
        business_gaps = np.busday_count(days[:-1], days[1:])
        business_step = int(np.gcd.reduce(business_gaps))
        if business_gaps.sum() // business_step < gaps.sum() // step:
            return _checked(f"{_multiple(business_step)}B", business_gaps // business_step)
    return _checked(f"{_multiple(step)}D", gaps // step)


def _of_fixed_length(step: int, gaps: NDArray[np.int64]) -> Inferred:
    return _checked(fixed_frequency(step * 1000).name, gaps // step)


def _checked(name: str, steps: NDArray[np.int64], stamp: StampPlace = "exact") -> Inferred:
    """Return both; raise FrequencyNotInferred if too much of its grid is missing. `steps` lie between neighbours."""
    if not _is_filled(steps):
        raise _refuse(f"The timestamps are too irregular: with the frequency {name} most steps would be missing.")
    return Frequency(name, stamp), steps


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
