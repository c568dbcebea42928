"""Baselines: simple forecasts that every network is compared with."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from models.forecast import Forecast, Interval
from models.series import Series
from models.spec import TRAINED_QUANTILES

Array = NDArray[np.float64]

CLIMATOLOGY_SEASONS = 30
"""Seasons that climatology is the mean of, as in the World Meteorological Organization's climate normals."""

AROUND = 2
"""Weeks before and after the same time of a year that count as the same time."""

YEARS = {365: 365.2425, 260: 365.2425 * 5 / 7}
"""Days and business days of a mean year, by the season length of a year."""


def seasonal_naive(series: Series, horizon: int, season_length: int) -> Array:
    """Return the last observed value of the same season position for each step, shape (horizon,), the series' units.

    A position that was never observed gets the last observed value of the series.

    Source: Hyndman & Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), section 5.2.
    """
    seasons = _by_season(series.values, season_length)
    last = np.full(season_length, _last_observed(series.values))
    for season in seasons:
        np.copyto(last, season, where=~np.isnan(season))
    return _repeat(last, horizon)


def climatology(series: Series, horizon: int, season_length: int) -> Array:
    """Return the mean of the last 30 observed values of the same season position for each step, shape (horizon,).

    Daily series of two years or more have a yearly season: the mean of the same weekdays within two weeks of the same time
    of the last 30 years, where any was observed. A position observed less than 30 times is the mean of what there is; one
    that was never observed gets the last observed value.
    """
    seasons = _by_season(series.values, season_length)
    known = ~np.isnan(seasons)
    recent = known & (np.cumsum(known[::-1], axis=0)[::-1] <= CLIMATOLOGY_SEASONS)
    count = recent.sum(axis=0)
    total = np.where(recent, seasons, 0.0).sum(axis=0)
    mean = np.divide(total, count, out=np.full(season_length, _last_observed(series.values)), where=count > 0)
    expected = _repeat(mean, horizon)
    lags = _yearly_lags(series, season_length)
    if lags is None:
        return expected
    dated = _mean_before(series.values, lags, len(series) + np.arange(horizon))
    return np.where(np.isnan(dated), expected, dated)


BASELINES: Mapping[str, Callable[[Series, int, int], Array]] = {
    "seasonal_naive": seasonal_naive,
    "climatology": climatology,
}


def baseline_forecast(
    name: str, series: Series, horizon: int, levels: Sequence[float] = (80.0,), *, season_length: int | None = None
) -> Forecast:
    """Return the forecast of a baseline, with intervals from its own errors within the series.

    The errors are those one season ahead, taken as symmetric; an interval of level L reaches to the smallest error that
    L per cent of further errors do not exceed (split conformal). Intervals of the seasonal naive widen with the square
    root of the seasons ahead, as those of a seasonal random walk do; those of climatology keep their width.

    Args:
        name: A key of `BASELINES`.
        series: The history.
        horizon: Steps to forecast.
        levels: Interval levels in per cent, in (0, 100).
        season_length: Steps in one season; by default that of the series' frequency, 1 without one.

    Source: Lei et al. (2018), Distribution-free predictive inference for regression, for the intervals;
    Hyndman & Athanasopoulos, Forecasting: Principles and Practice (3rd ed.), section 5.5, for their growth.
    """
    if season_length is None:
        season_length = series.frequency.season_length if series.frequency else 1
    point = BASELINES[name](series, horizon, season_length)
    errors = _errors(name, series, season_length)
    growth = np.sqrt(np.arange(horizon) // season_length + 1.0) if name == "seasonal_naive" else np.ones(horizon)
    reach = {level: growth * _conformal(errors, level / 100) for level in levels}
    offsets = [np.sign(q - 0.5) * growth * _conformal(errors, abs(2 * q - 1)) for q in TRAINED_QUANTILES]
    return Forecast(
        id=series.id,
        timestamps=series.future(horizon),
        style=series.style,
        timezone=series.timezone,
        quantile_levels=TRAINED_QUANTILES,
        quantiles=point[:, np.newaxis] + np.stack(offsets, axis=1),
        median=point,
        intervals=tuple(Interval(level, point - half, point + half) for level, half in reach.items()),
        context_used=len(series),
        repairs=series.repairs,
    )


def _by_season(values: Array, season_length: int) -> Array:
    """Return the values as rows of whole seasons, padded with NaN on the left, shape (seasons, season_length)."""
    padding = -len(values) % season_length
    return np.concatenate([np.full(padding, np.nan), values]).reshape(-1, season_length)


def _repeat(season: Array, horizon: int) -> Array:
    return season[np.arange(horizon) % len(season)]


def _last_observed(values: Array) -> float:
    return float(values[~np.isnan(values)][-1])


def _yearly_lags(series: Series, season_length: int) -> NDArray[np.int64] | None:
    """Return the distances in steps to the same weekdays around the same time of earlier years, shape (lags,).

    None if the frequency has no yearly season beside its first one, or the series is shorter than two years.
    """
    seasons = series.frequency.seasons if series.frequency else (1,)
    year = YEARS.get(seasons[-1])
    if year is None or season_length != seasons[0] or len(series) < 2 * year:
        return None
    years = np.arange(1, CLIMATOLOGY_SEASONS + 1) * year
    weeks = np.round(years / season_length)[:, np.newaxis] + np.arange(-AROUND, AROUND + 1)
    return (season_length * weeks.ravel()).astype(np.int64)


def _mean_before(values: Array, lags: NDArray[np.int64], steps: NDArray[np.int64]) -> Array:
    """Return the mean of the values observed at the lags before each step, NaN without any, shape (steps,)."""
    total, count = np.zeros(len(steps)), np.zeros(len(steps))
    for lag in lags:
        place = steps - lag
        there = (place >= 0) & (place < len(values))
        taken = np.where(there, values[np.where(there, place, 0)], np.nan)
        known = ~np.isnan(taken)
        total += np.where(known, taken, 0.0)
        count += known
    mean: Array = np.divide(total, count, out=np.full(len(steps), np.nan), where=count > 0)
    return mean


def _errors(name: str, series: Series, season_length: int) -> Array:
    """Return a baseline's absolute errors one season ahead within the series, rising; one step ahead if there are none."""
    values = series.values
    lags = _yearly_lags(series, season_length) if name == "climatology" else None
    if lags is not None:
        errors = np.abs(values - _mean_before(values, lags, np.arange(len(values))))
        if not np.isnan(errors).all():
            return np.sort(errors[~np.isnan(errors)])
    for length in (season_length, 1):
        seasons = _by_season(values, length)
        expected = seasons[:-1] if name == "seasonal_naive" else _running_means(seasons)[:-1]
        errors = np.abs(seasons[1:] - expected)
        if not np.isnan(errors).all():
            return np.sort(errors[~np.isnan(errors)])
    return np.zeros(1)


def _running_means(seasons: Array) -> Array:
    """Return for each row the mean of it and the 29 rows before it, NaN where none is observed."""
    rows = np.concatenate([np.full((CLIMATOLOGY_SEASONS - 1, seasons.shape[1]), np.nan), seasons])
    windows = np.lib.stride_tricks.sliding_window_view(rows, CLIMATOLOGY_SEASONS, axis=0)
    count = (~np.isnan(windows)).sum(axis=-1)
    total = np.where(np.isnan(windows), 0.0, windows).sum(axis=-1)
    return cast("Array", np.divide(total, count, out=np.full(seasons.shape, np.nan), where=count > 0))


def _conformal(errors: Array, share: float) -> float:
    """Return the error that a `share` of further errors does not exceed; the largest if there are too few."""
    rank = int(np.ceil(share * (len(errors) + 1)))
    return float(errors[min(rank, len(errors)) - 1]) if rank else 0.0
