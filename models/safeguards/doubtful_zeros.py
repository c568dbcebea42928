"""Doubtful zeros: a few zeros far below all other values, which stay as they are, with a warning that names them."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import Frequency
from models.calendar.timestamps import format_timestamps
from models.errors import Finding
from models.irregular.implausible import FEWEST, Indices
from models.series import Series
from models.values import Values

CODE = "ZEROS_DOUBTFUL"

DISTANCE = 5.0
"""Robust ranges between 0 and the least other value from which on the series may not measure 0: a pressure of 1013 ± 9."""

MOST = 0.1
"""Largest share of zeros; one is always few."""

LONGEST, LONGEST_END = 5, 2
"""Zeros in a row that may be an error, within a series and as its end; more are a closure, or the level that was reached."""

YEAR_TOLERANCE = 0.03
"""Share of a year by which holidays and closures of a season differ from year to year."""

SHOWN = 3
"""Zeros that a warning names."""

_YEARS = {"D": 365.25, "B": 261.0, "W": 52.18, "M": 12.0, "Q": 4.0}
_YEAR = 365.25 * 86_400e9
_EVEN = 0.02
_TAIL = 0.05
_FEWEST_RUNS = 3

_NONE: Indices = np.array([], dtype=np.int64)


def find_doubtful_zeros(values: Values, frequency: Frequency | None) -> Indices:
    """Return the positions of the zeros that may stand for a value that was not measured, rising; mostly none.

    They are few, and all other values are positive, far from 0 and close to each other. Zeros that recur, in each year, at one place
    of a season or at even steps, are none of that, nor are closures of more than a few steps.

    Args:
        values: Shape (length,), NaN is a gap.
        frequency: Of the values; None knows no year and no season.
    """
    zero = values == 0
    count = int(np.count_nonzero(zero))
    if not count or not _are_far_below(values, count):
        return _NONE
    places = np.flatnonzero(zero)
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    if max(map(len, runs)) > LONGEST or not np.nansum(values[-LONGEST_END - 1 :]):
        return _NONE
    return _NONE if _recur(np.array([run[0] for run in runs]), frequency) else places


def _are_far_below(values: Values, count: int) -> bool:
    """Return whether zeros are few, and all other values positive, far from them and close to each other."""
    rest = values[values != 0]
    rest = rest[~np.isnan(rest)]
    if count > max(1, MOST * (len(rest) + count)) or len(rest) < FEWEST - 1:
        return False
    least, most = rest.min(), rest.max()
    if least <= most - least:
        return False
    low, high = np.quantile(rest, (_TAIL, 1 - _TAIL))
    return bool(least > DISTANCE * (high - low)) and len(np.unique(rest)) >= FEWEST - 1


def _recur(starts: NDArray[np.int64], frequency: Frequency | None) -> bool:
    """Return whether runs of zeros that begin at these places return: at even steps, in one place of a season, or in each year."""
    if len(starts) == 1:
        return False
    steps = np.diff(starts)
    if len(starts) >= _FEWEST_RUNS and np.ptp(steps) <= _EVEN * steps.mean():
        return True
    if frequency is None:
        return False
    if len(starts) >= _FEWEST_RUNS and any(
        season > 1 and not np.any((starts - starts[0]) % season) for season in frequency.seasons
    ):
        return True
    year = _steps_in_year(frequency)
    away = np.abs(starts[:, None] - starts) / year
    alike = (np.abs(away - np.round(away)) <= YEAR_TOLERANCE * np.maximum(np.round(away), 1)) & (np.round(away) >= 1)
    return bool(alike.any(axis=1).all())


def _steps_in_year(frequency: Frequency) -> float:
    """Return how many steps a year has; infinitely many for years."""
    if frequency.nanoseconds is not None:
        return _YEAR / frequency.nanoseconds
    return _YEARS[frequency.unit] / frequency.multiple if frequency.unit in _YEARS else np.inf


def question_zeros(series: Series, newest: int, outliers: str = "clip") -> Series:
    """Return a series with a finding that names the doubtful zeros among its newest values; `mask` makes gaps of them.

    Args:
        series: Any series; it is returned as it is if it has none.
        newest: How many values count, those that a model reads.
        outliers: `clip`, which leaves zeros as they are, or `mask`.
    """
    found = find_doubtful_zeros(series.values[-newest:], series.frequency)
    if not found.size:
        return series
    found = found + max(len(series) - newest, 0)
    pointer, masked = f"/values/{found[0]}", outliers == "mask"
    use, hint = (_MASKED if masked else _READ)["one" if len(found) == 1 else "many"]
    warning = Finding(CODE, f"{_name_zeros(series, found)} {use}", pointer, hint)
    values = np.array(series.values)
    if masked:
        values[found] = np.nan
    return replace(series, values=values, findings=(*series.findings, warning))


_HINT = "If nothing was measured, send null, or `outliers` as `mask`."
_READ = {
    "one": ("The model reads it as measured: it can lead the forecast far down.", _HINT),
    "many": ("The model reads them as measured: they can lead the forecast far down.", _HINT),
}
_MASKED = dict.fromkeys(("one", "many"), ("The model reads a gap instead.", "Do not mask it if it is real."))


def _name_zeros(series: Series, found: Indices) -> str:
    """Return which zeros are doubtful, with their times, as a sentence."""
    named = ", ".join(f"0 at index {at}{_time(series, at)}" for at in found[:SHOWN].tolist())
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    rest = series.values[series.values > 0]
    return (
        f"{named}{more} {'lies' if len(found) == 1 else 'lie'} far below all other values, which lie between "
        f"{rest.min():.6g} and {rest.max():.6g}."
    )


def _time(series: Series, at: int) -> str:
    if series.timestamps is None:
        return ""
    return f" ({format_timestamps(series.timestamps[[at]], series.style, series.timezone)[0]})"
