"""Classical models: AutoETS and AutoTheta of statsforecast, fitted series by series in worker processes."""

import hashlib
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.baselines import baseline_forecast
from models.forecast import Forecast, Interval
from models.intervals import interval_sides
from models.series import Series

Floats = NDArray[np.float64]

CLASSICAL = {"auto_ets": "AutoETS", "auto_theta": "AutoTheta"}
"""The statsforecast model of each classical baseline, by the baseline's name."""

BUDGET = 150_000
"""Observations fitted in one comparison, unless a number of series is requested.

Both models together took 0.55 ms of processor time per observation (monthly series of 85 to 1,500 steps, statsforecast 2.0.3):
less than a minute on two idle cores.
"""

LONGEST = 2_000
"""Number of newest steps that are fitted: AutoTheta's time grows faster than the length (1,000 steps 0.2 s, 3,600 2.5 s)."""

DEADLINE_SECONDS = 180.0
"""Seconds after which no further series is started; hourly series can take ten times as long as monthly ones."""


@dataclass(frozen=True, slots=True)
class ClassicalForecast:
    """The forecast of one model for one series, as a worker process returns it.

    Attributes:
        mean: Point forecast, shape (horizon,), in the series' units.
        bounds: Lower and upper bound by level, each of shape (horizon,).
        seconds: Time of fit and forecast.
        failure: Why there is no forecast; "" if there is one.
    """

    mean: Floats
    bounds: Mapping[float, tuple[Floats, Floats]]
    seconds: float
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """The input of a worker process: one series and what to forecast.

    Attributes:
        names: Keys of `CLASSICAL`.
        values: Values without gaps, oldest first, shape (length,).
        season_length: Steps in one season.
        horizon: Steps to forecast.
        levels: Interval levels in per cent.
    """

    names: tuple[str, ...]
    values: Floats
    season_length: int
    horizon: int
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Fits:
    """The forecasts of the classical models for a sample of series.

    Attributes:
        indices: Indices of the sampled series among the histories, in ascending order.
        forecasts: By model, one forecast for each index.
        seconds: By model, the time of all fits.
        failures: By model, why a series got a seasonal naive instead, by its id.
        observations: Number of values fitted.
        interpolated: Number of gaps filled.
        shortened: Number of series of which only the newest `LONGEST` steps were fitted.
    """

    indices: tuple[int, ...]
    forecasts: Mapping[str, tuple[Forecast, ...]]
    seconds: Mapping[str, float]
    failures: Mapping[str, Mapping[str, str]]
    observations: int
    interpolated: int
    shortened: int


def sample(histories: Sequence[Series], *, seed: int, series: int | None = None, budget: int = BUDGET) -> list[int]:
    """Return indices of histories in random order: as many as `series`, or as many as the budget allows.

    The order depends on the SHA-256 of seed and id, so every origin gets the same series, and a smaller sample is the
    beginning of a larger one.

    Args:
        histories: All series that could be fitted.
        seed: Seed of the order.
        series: Size of the sample; None applies the budget.
        budget: Total number of observations; one series is drawn even if it has more.
    """

    def key(index: int) -> bytes:
        return hashlib.sha256(f"{seed}/{histories[index].id}".encode()).digest()

    order = sorted(range(len(histories)), key=key)
    if series is not None:
        return order[:series]
    lengths = np.cumsum([min(len(histories[index]), LONGEST) for index in order])
    return order[: max(1, int(np.searchsorted(lengths, budget, side="right")))]


def fill(values: Floats) -> Floats:
    """Return the newest `LONGEST` values after the leading gap, other gaps filled, shape (length,).

    Gaps are interpolated linearly; those after the last observed value repeat it.
    """
    observed = np.flatnonzero(~np.isnan(values))
    steps = np.arange(observed[0], len(values))
    return np.asarray(np.interp(steps, observed, values[observed]))[-LONGEST:]


def fit_all(  # noqa: PLR0913 - what to forecast, and how the fits are watched
    histories: Sequence[Series],
    indices: Sequence[int],
    names: tuple[str, ...],
    horizon: int,
    *,
    season_length: int,
    levels: tuple[float, ...],
    on_done: Callable[[int], None],
    deadline: float = DEADLINE_SECONDS,
    pool: Executor | None = None,
) -> Fits:
    """Return the forecasts of the sampled series; a series whose fit fails gets a seasonal naive.

    Args:
        histories: Series up to the cutoff.
        indices: Indices of those to fit, in the order of `sample`; the deadline can cut off the end.
        names: Keys of `CLASSICAL`.
        horizon: Steps to forecast.
        season_length: Steps in one season.
        levels: Interval levels in per cent.
        on_done: Called with the number of finished series.
        deadline: Seconds after which no further series is started.
        pool: Processes of `worker_processes` that fit other series too; None starts processes and ends them.
    """
    work = {at: Work(names, fill(histories[at].values), season_length, horizon, levels) for at in indices}
    found = _run(work, on_done, deadline, pool)
    done = tuple(sorted(found))
    return Fits(
        done,
        {name: tuple(_forecast(histories[at], found[at][name], horizon, levels) for at in done) for name in names},
        {name: float(sum(found[at][name].seconds for at in done)) for name in names},
        {name: {histories[at].id: found[at][name].failure for at in done if found[at][name].failure} for name in names},
        observations=int(sum(len(work[at].values) for at in done)),
        interpolated=int(sum(_gaps(histories[at].values) for at in done)),
        shortened=sum(len(histories[at]) > LONGEST for at in done),
    )


def fit_one(work: Work) -> dict[str, ClassicalForecast]:
    """Return each model's forecast of one series; a worker process calls it and imports statsforecast."""
    from statsforecast import models

    return {name: _fit(getattr(models, CLASSICAL[name])(season_length=work.season_length), work) for name in work.names}


def _fit(model: Any, work: Work) -> ClassicalForecast:  # noqa: ANN401 - statsforecast ships no types
    """Return one model's forecast, or the text of what it raised: one series must not end a comparison."""
    began = time.perf_counter()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = model.forecast(work.values, work.horizon, level=list(work.levels))
    except Exception as error:  # noqa: BLE001 - statsforecast raises bare Exception and whatever numpy does
        return ClassicalForecast(np.empty(0), {}, time.perf_counter() - began, f"{type(error).__name__}: {error}")
    bounds = {level: (found[f"lo-{level}"], found[f"hi-{level}"]) for level in work.levels}
    finite = np.isfinite([found["mean"], *(bound for pair in bounds.values() for bound in pair)]).all()
    return ClassicalForecast(
        found["mean"], bounds, time.perf_counter() - began, "" if finite else "the forecast is not finite"
    )


def _run(
    work: Mapping[int, Work], on_done: Callable[[int], None], deadline: float, shared: Executor | None
) -> dict[int, dict[str, ClassicalForecast]]:
    """Return the fits of the series that start before the deadline and before the processes are killed."""
    found: dict[int, dict[str, ClassicalForecast]] = {}
    began = time.monotonic()
    with nullcontext(shared) if shared else worker_processes(min(os.cpu_count() or 1, len(work))) as pool:
        try:
            waiting = {pool.submit(fit_one, one): at for at, one in work.items()}
        except BrokenProcessPool:
            return found
        for future in as_completed(waiting):
            if future.cancelled() or isinstance(future.exception(), BrokenProcessPool):
                continue
            found[waiting[future]] = future.result()
            on_done(len(found))
            if time.monotonic() - began > deadline:
                _cancel(waiting)
    return found


@contextmanager
def worker_processes(count: int) -> Iterator[Executor]:
    """Yield at most `count` spawned processes: a fork beside TensorFlow's threads can hang. Ctrl-C in the parent ends them."""
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _ignore_interrupts)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def ready_processes(count: int) -> Iterator[Executor]:
    """Yield processes of `worker_processes` that import statsforecast, which takes seconds, before there is work."""
    with worker_processes(count) as pool:
        for _ in range(count):
            pool.submit(_import)
        yield pool


def _import() -> None:
    from statsforecast import models  # noqa: F401 - for the fits that follow


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _cancel(waiting: Mapping[Future[Any], int]) -> None:
    for future in waiting:
        future.cancel()


def _forecast(history: Series, fitted: ClassicalForecast, horizon: int, levels: tuple[float, ...]) -> Forecast:
    """Return a fit as a forecast whose median is the model's mean, or a seasonal naive if the fit failed."""
    bounds = fitted.bounds
    if fitted.failure:
        naive = baseline_forecast("seasonal_naive", history, horizon, levels)
        fitted = replace(fitted, mean=naive.median)
        bounds = {one.level: (one.lower, one.upper) for one in naive.intervals}
    columns = {0.5: fitted.mean}
    for level in levels:
        columns |= dict(zip(interval_sides(level), bounds[level], strict=True))
    order = tuple(sorted(columns))
    return Forecast(
        id=history.id,
        timestamps=history.future(horizon),
        style=history.style,
        timezone=history.timezone,
        quantile_levels=order,
        quantiles=np.stack([columns[one] for one in order], axis=1),
        median=fitted.mean,
        intervals=tuple(Interval(level, *bounds[level]) for level in levels),
        context_used=min(len(history), LONGEST),
        repairs=history.repairs,
    )


def _gaps(values: Floats) -> int:
    """Return the number of gaps that `fill` fills: those after the first observed value, within the newest `LONGEST`."""
    first = int(np.flatnonzero(~np.isnan(values))[0])
    return int(np.isnan(values[first:][-LONGEST:]).sum())
