"""Holidays: public holidays of a country in each step of a series, counted from its dates."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import MONTHS_IN
from models.calendar.grid import month_place
from models.calendar.timestamps import to_local_times
from models.calendar.zoned_grid import Frequency, Timestamps, timestamps_from
from models.errors import ConfigInvalid
from models.series import Series
from models.values import Values

Days = NDArray[np.datetime64]

_NEVER = np.array([], dtype="M8[D]")


def country_codes(countries: Iterable[str]) -> tuple[str, ...]:
    """Return country codes in upper case, `de` as `DE`; a text that is not a code stays as it is."""
    return tuple(one.upper() if one.upper() in _codes().values() else one for one in countries)


def check_countries(countries: Iterable[str]) -> None:
    """Refuse unknown countries; load the holidays of the others, so that no forecast waits for it.

    Raises:
        ConfigInvalid: If a country is not an ISO 3166 code of the `holidays` package; the hint names similar ones.
    """
    for country in countries:
        known = _codes()
        if country in known.values():
            _holidays_in(country, 2000)
            continue
        near = get_close_matches(country.lower(), known, n=3)
        hint = (
            f"Did you mean {' or '.join(sorted({known[one] for one in near}))}?"
            if near
            else "Use an ISO 3166 code such as DE."
        )
        raise ConfigInvalid(f"Unknown country {country!r}.", hint=hint)


def count_holidays(country: str, series: Series, skip: int, count: int) -> Values:
    """Return the holidays in each of `count` steps of a series after its first `skip`, shape (count,), in days.

    A step of a day or less has 1 if its local day is a holiday, else 0.

    Args:
        country: ISO 3166 code, such as `DE`.
        series: Steps may lie after its last value; without dates every count is NaN.
        skip: Steps to leave out.
        count: Steps to count.

    Raises:
        TimestampInvalid: If a step leaves the years 1 to 9999.
    """
    if series.start is None or series.frequency is None or not count:
        return np.full(count, np.nan)
    stamps = timestamps_from(series.start, series.frequency, count, series.timezone, skip=skip)
    local = stamps if series.timezone is None else to_local_times(stamps, series.timezone)
    first, after = _days_of(local, series.frequency)
    days = _holidays_between(country, first.min(), after.max())
    counts = np.searchsorted(days, after) - np.searchsorted(days, first)
    return counts.astype(np.float64)


def _days_of(stamps: Timestamps, frequency: Frequency) -> tuple[Days, Days]:
    """Return the first local day of each step and the day after its last, each shape (count,)."""
    days = stamps.astype("M8[D]")
    if frequency.unit in MONTHS_IN:
        months = MONTHS_IN[frequency.unit] * frequency.multiple
        last = month_place(days[0], frequency.stamp) in {"end", "business_end"} and months > 1
        first = days.astype("M8[M]") - np.timedelta64(months - 1 if last else 0, "M")
        return first.astype("M8[D]"), (first + np.timedelta64(months, "M")).astype("M8[D]")
    back, ahead = 0, 1
    if frequency.unit == "W":  # the stamp is the last day
        back = 7 * frequency.multiple - 1
    if frequency.unit == "D":
        ahead = frequency.multiple
    return np.subtract(days, np.timedelta64(back, "D")), np.add(days, np.timedelta64(ahead, "D"))


def _holidays_between(country: str, first: np.datetime64, after: np.datetime64) -> Days:
    """Return the holidays of all years from the first day to the last, rising."""
    years = range(int(str(first)[:4]), int(str(after)[:4]) + 1)
    return np.concatenate([_NEVER, *(_holidays_in(country, year) for year in years)])


@lru_cache(maxsize=4096)
def _holidays_in(country: str, year: int) -> Days:
    """Return the holidays of one year, rising."""
    import holidays  # takes 0.2 s, so only when needed

    found = holidays.country_holidays(country, years=year)
    return np.array(sorted(day for day in found if day.year == year), dtype="M8[D]")


@lru_cache(maxsize=1)
def _codes() -> dict[str, str]:
    """Return the two-letter codes of countries by name and by code, in lower case."""
    from holidays.registry import COUNTRIES

    known: dict[str, str] = {}
    for name, (_, code, *others) in COUNTRIES.items():
        known |= {key.lower(): code for key in (name, code, *others)}
    return known
