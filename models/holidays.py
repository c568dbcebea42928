"""Holidays: how many public holidays of a country fall into each step of a series, counted from its dates."""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import MONTHS_IN
from models.calendar.grid import month_place
from models.calendar.on_calendar import Frequency, Timestamps, timestamps_from
from models.calendar.timestamps import to_local_times
from models.errors import ConfigInvalid
from models.series import Series
from models.values import Values

Days = NDArray[np.datetime64]

_NEVER = np.array([], dtype="M8[D]")


def country_codes(countries: Iterable[str]) -> tuple[str, ...]:
    """Return countries as their codes are written, `de` as `DE`; what is no code stays as it is, to be refused."""
    return tuple(one.upper() if one.upper() in _codes().values() else one for one in countries)


def check_countries(countries: Iterable[str]) -> None:
    """Refuse countries whose holidays nobody knows here; load the others', so that no forecast waits for them.

    Raises:
        ConfigInvalid: If a country is not an ISO 3166 code of the `holidays` package, with near matches.
    """
    for country in countries:
        known = _codes()
        if country in known.values():
            _holidays_in(country, 2000)
            continue
        near = get_close_matches(country.lower(), known, n=3)
        hint = (
            f"Did you mean {' or '.join(sorted({known[one] for one in near}))}?" if near else "Use a code such as DE."
        )
        raise ConfigInvalid(f"No holidays are known for the country {country!r}.", hint=hint)


def count_holidays(country: str, series: Series, skip: int, count: int) -> Values:
    """Return the holidays in `count` steps of a series, its first `skip` left out, shape (count,), in days.

    A step of a day or less has 1 where its local day is a holiday, else 0; a longer one as many as fall into it.

    Args:
        country: ISO 3166 code, such as `DE`.
        series: Its dates are read, which may go on past its last value; without dates every count is NaN.
        skip: Steps left out.
        count: Steps counted.

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
    """Return the first day of each step and the day after its last, by the local calendar, each shape (count,)."""
    days = stamps.astype("M8[D]")
    if frequency.unit in MONTHS_IN:
        months = MONTHS_IN[frequency.unit] * frequency.multiple
        last = month_place(days[0], frequency.stamp) in {"end", "business_end"} and months > 1
        first = days.astype("M8[M]") - np.timedelta64(months - 1 if last else 0, "M")
        return first.astype("M8[D]"), (first + np.timedelta64(months, "M")).astype("M8[D]")
    back, ahead = 0, 1
    if frequency.unit == "W":  # stamped with the day that ends it
        back = 7 * frequency.multiple - 1
    if frequency.unit == "D":
        ahead = frequency.multiple
    return np.subtract(days, np.timedelta64(back, "D")), np.add(days, np.timedelta64(ahead, "D"))


def _holidays_between(country: str, first: np.datetime64, after: np.datetime64) -> Days:
    """Return the holidays of every year that a span of days touches, rising."""
    years = range(int(str(first)[:4]), int(str(after)[:4]) + 1)
    return np.concatenate([_NEVER, *(_holidays_in(country, year) for year in years)])


@lru_cache(maxsize=4096)
def _holidays_in(country: str, year: int) -> Days:
    """Return the days of one year that are holidays, rising."""
    import holidays  # a fifth of a second, for those who need it

    found = holidays.country_holidays(country, years=year)
    return np.array(sorted(day for day in found if day.year == year), dtype="M8[D]")


@lru_cache(maxsize=1)
def _codes() -> dict[str, str]:
    """Return the two-letter code of each country, by its name and by its codes, all in lower case."""
    from holidays.registry import COUNTRIES

    known: dict[str, str] = {}
    for name, (_, code, *others) in COUNTRIES.items():
        known |= {key.lower(): code for key in (name, code, *others)}
    return known
