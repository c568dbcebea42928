"""Cached AutoETS: its forecasts of a benchmark set, kept in a file so that only the first evaluation fits them."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.series import Series
from training.evaluation import classical
from training.evaluation.quantile_scores import DECILES, INTERVALS, LEVELS, read_levels
from training.progress import Progress

Floats = NDArray[np.float64]

NAME = "auto_ets"

NEWEST = 500
"""Newest steps of a series that are fitted: the time of a fit grows with the length."""

LONGEST_SEASON = 24
"""Longest season that statsforecast's AutoETS models; it ignores longer ones."""

FITTED = tuple(sorted({*INTERVALS, *(100 - 200 * level for level in DECILES if level < 0.5)}))  # noqa: PLR2004 - the median
"""Levels of the central intervals whose sides are `LEVELS`, in per cent."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """What the fits of every set share.

    Attributes:
        cache: Folder of earlier forecasts; made where it is missing. A file's name depends on all that is fitted.
        pool: Processes of `classical.worker_processes`.
        progress: Takes the number of fitted series.
    """

    cache: Path
    pool: Executor
    progress: Progress


def auto_ets(histories: Sequence[Series], horizon: int, season: int, fitting: Fitting) -> Floats:
    """Return AutoETS' quantiles at `LEVELS`, shape (series, horizon, levels), NaN for a series that it does not forecast.

    It forecasts no series whose season is longer than `LONGEST_SEASON`, and none whose fit fails. Only the newest `NEWEST`
    steps of a history are fitted, gaps interpolated.

    Args:
        histories: Series before the test.
        horizon: Steps to forecast.
        season: Steps in one season.
        fitting: Where earlier forecasts are, and what makes new ones.
    """
    if season > LONGEST_SEASON:
        return np.full((len(histories), horizon, len(LEVELS)), np.nan)
    newest = [history.values[-NEWEST:] for history in histories]
    file = fitting.cache / f"{NAME}-{_key(newest, horizon, season)}.npy"
    if file.is_file():
        return np.asarray(np.load(file))
    found, complete = _fit(newest, horizon, season, fitting)
    if complete:
        fitting.cache.mkdir(parents=True, exist_ok=True)
        np.save(file, found)
    return found


def _fit(newest: Sequence[Floats], horizon: int, season: int, fitting: Fitting) -> tuple[Floats, bool]:
    """Return the quantiles, and whether every series was tried; processes that were killed leave some out."""
    tried = [at for at, values in enumerate(newest) if not np.isnan(values).all()]
    series = [Series(newest[at], str(at)) for at in tried]
    with fitting.progress.counting(NAME, len(series)) as on_done:
        fits = classical.fit_all(
            series,
            range(len(series)),
            (NAME,),
            horizon,
            season_length=season,
            levels=FITTED,
            on_done=on_done,
            deadline=float("inf"),
            pool=fitting.pool,
        )
    found = np.full((len(newest), horizon, len(LEVELS)), np.nan)
    for forecast in fits.forecasts[NAME]:
        if forecast.id not in fits.failures[NAME]:
            found[int(forecast.id)] = read_levels(forecast)
    return found, len(fits.indices) == len(series)


def _key(newest: Sequence[Floats], horizon: int, season: int) -> str:
    total = hashlib.sha256(f"{version('statsforecast')} {horizon} {season} {LEVELS}".encode())
    for values in newest:
        total.update(f"{len(values)}\0".encode() + values.tobytes())
    return total.hexdigest()[:16]
