"""Classical: AutoETS and AutoTheta of statsforecast, fitted series by series in processes of their own."""

import hashlib
import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.baselines import baseline_forecast
from models.intervals import interval_sides
from models.series import Forecast, Interval, Series

Floats = NDArray[np.float64]

CLASSICAL = {"auto_ets": "AutoETS", "auto_theta": "AutoTheta"}
"""Rows of a comparison, and the model of statsforecast behind each."""

BUDGET = 150_000
"""Observations fitted in one comparison unless a number of series is asked for.

Both models together took 0.55 ms of processor time an observation (monthly series of 85 to 1,500 steps, statsforecast 2.0.3): less
than a minute on two free cores.
"""

LONGEST = 2_000
"""Newest steps of a history that are fitted: AutoTheta's time grows faster than the length (1,000 steps 0.2 s, 3,600 2.5 s)."""

DEADLINE_SECONDS = 180.0
"""After so long no further series is begun; hourly series can take ten times what monthly ones do."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """One model on one series, as a process hands it back.

    Attributes:
        mean: Point forecast, shape (horizon,), the series' units.
        bounds: Lower and upper side by level, each shape (horizon,).
        seconds: Time of fit and forecast.
        failure: Why there is no forecast, or nothing.
    """

    mean: Floats
    bounds: Mapping[float, tuple[Floats, Floats]]
    seconds: float
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """What a process needs for one series: values without gaps, oldest first, and the question."""

    names: tuple[str, ...]
    values: Floats
    season_length: int
    horizon: int
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Fits:
    """What the classical models expect of a sample of series.

    Attributes:
        places: Places of the sampled series among the histories, rising.
        forecasts: By model, one for each place.
        seconds: By model, the time of all fits.
        failures: By model, why a series got a seasonal naive instead, by its id.
        observations: Values fitted.
        interpolated: Gaps filled.
        shortened: Series of which only the newest `LONGEST` steps were fitted.
    """

    places: tuple[int, ...]
    forecasts: Mapping[str, tuple[Forecast, ...]]
    seconds: Mapping[str, float]
    failures: Mapping[str, Mapping[str, str]]
    observations: int
    interpolated: int
    shortened: int


def sample(histories: Sequence[Series], *, seed: int, series: int | None = None, budget: int = BUDGET) -> list[int]:
    """Return places of histories in the order they are drawn: `series` of them, or as many as the budget holds.

    A series is drawn by the SHA-256 of seed and id, so the same ones come at every origin, and fewer are always the
    first of more.

    Args:
        histories: All that could be fitted.
        seed: Of the draw.
        series: How many; None goes by the budget.
        budget: Observations in all; one series is drawn even where it has more.
    """
    order = sorted(range(len(histories)), key=lambda at: hashlib.sha256(f"{seed}/{histories[at].id}".encode()).digest())
    if series is not None:
        return order[:series]
    spent = np.cumsum([min(len(histories[at]), LONGEST) for at in order])
    return order[: max(1, int(np.searchsorted(spent, budget, side="right")))]


def fill(values: Floats) -> Floats:
    """Return the newest `LONGEST` values from the first observed one on, gaps interpolated, shape (length,).

    Gaps lie on the line between their neighbours; those after the last observed value repeat it.
    """
    observed = np.flatnonzero(~np.isnan(values))
    steps = np.arange(observed[0], len(values))
    return np.asarray(np.interp(steps, observed, values[observed]))[-LONGEST:]


def fit_all(  # noqa: PLR0913 - the question and how it is watched
    histories: Sequence[Series],
    places: Sequence[int],
    names: tuple[str, ...],
    horizon: int,
    *,
    season_length: int,
    levels: tuple[float, ...],
    on_done: Callable[[int], None],
    deadline: float = DEADLINE_SECONDS,
) -> Fits:
    """Return the forecasts of the drawn series; a fit that fails is a seasonal naive and is named.

    Args:
        histories: Series up to the cutoff.
        places: Those to fit, in the order of the draw; where the deadline comes first, the first of them.
        names: Keys of `CLASSICAL`.
        horizon: Steps to forecast.
        season_length: Steps in one season.
        levels: Interval levels in per cent.
        on_done: Called with the number of series done.
        deadline: Seconds after which no further series is begun.
    """
    work = {at: Work(names, fill(histories[at].values), season_length, horizon, levels) for at in places}
    found = _run(work, on_done, deadline)
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


def fit_one(work: Work) -> dict[str, Fitted]:
    """Return each model's forecast of one series; runs in a process of its own, which imports statsforecast."""
    from statsforecast import models

    return {name: _fit(getattr(models, CLASSICAL[name])(season_length=work.season_length), work) for name in work.names}


def _fit(model: Any, work: Work) -> Fitted:  # noqa: ANN401 - statsforecast ships no types
    """Fit one model; whatever it raises is kept as text, since one series must not end a comparison."""
    began = time.perf_counter()
    nothing = np.empty(0)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = model.forecast(work.values, work.horizon, level=list(work.levels))
    except Exception as error:  # noqa: BLE001 - statsforecast raises bare Exception and whatever numpy does
        return Fitted(nothing, {}, time.perf_counter() - began, f"{type(error).__name__}: {error}")
    bounds = {level: (found[f"lo-{level}"], found[f"hi-{level}"]) for level in work.levels}
    finite = all(
        np.isfinite(one).all() for one in (found["mean"], *(side for pair in bounds.values() for side in pair))
    )
    return Fitted(found["mean"], bounds, time.perf_counter() - began, "" if finite else "the forecast is not finite")


def _run(work: Mapping[int, Work], on_done: Callable[[int], None], deadline: float) -> dict[int, dict[str, Fitted]]:
    """Return the fits of as many series as are begun before the deadline, or before the processes are killed."""
    found: dict[int, dict[str, Fitted]] = {}
    began = time.monotonic()
    with _processes(min(os.cpu_count() or 1, len(work))) as pool:
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
def _processes(count: int) -> Iterator[Executor]:
    """Yield processes that are spawned, since a fork beside TensorFlow's threads can hang; Ctrl-C ends them."""
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _leave_interrupts_to_parent)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _cancel(waiting: Mapping[Future[Any], int]) -> None:
    for future in waiting:
        future.cancel()


def _forecast(history: Series, fitted: Fitted, horizon: int, levels: tuple[float, ...]) -> Forecast:
    """Return a fit as a forecast whose median is the model's mean; a seasonal naive where the fit failed."""
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
    """Return how many gaps `fill` fills: those after the first observed value, among the newest `LONGEST`."""
    first = int(np.flatnonzero(~np.isnan(values))[0])
    return int(np.isnan(values[first:][-LONGEST:]).sum())
