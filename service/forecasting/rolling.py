"""Rolling: forecasts of the past of series, each from the values before a cutoff, as queries of POST /forecast."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.errors import AlmanacError, SeriesTooShort
from models.series import Series
from service.errors import BatchTooLarge
from service.forecasting.request import ForecastQuery, check_entries
from service.json_input import SeriesFault, fault_of
from service.settings import Settings

REPEATED = 10
"""How often the values that a request may have at most can be repeated in the histories of its windows."""


@dataclass(frozen=True, slots=True)
class Window:
    """A forecast of the past: the index of its series, and how many values are before it."""

    index: int
    cutoff: int


def roll(
    query: ForecastQuery,
    horizon: int,
    cutoffs: Callable[[Series], Sequence[int]],
    settings: Settings,
    known: Sequence[str] = (),
) -> tuple[ForecastQuery, list[Window]]:
    """Return a query with a series for each window, and the windows in the same order; nothing of it is recorded.

    Args:
        query: Whole series, with every covariate up to their ends.
        horizon: Steps of each window.
        cutoffs: Returns the cutoffs of a series, rising; each window lies within the series.
        settings: Contains the limits.
        known: Covariates that are known ahead.

    Raises:
        BatchTooLarge: If there are too many windows, or too many values before them.
    """
    windows = [Window(index, cutoff) for index, series in query.series for cutoff in cutoffs(series)]
    check_entries(windows or [None], horizon, settings)
    most, values = REPEATED * settings.max_observations, sum(window.cutoff for window in windows)
    if values > most:
        raise BatchTooLarge(
            f"The {len(windows)} windows have {values} values before them.",
            pointer="/series",
            hint=f"Send shorter series, fewer of them or fewer windows: at most {most} values ({REPEATED} times "
            "ALMANAC_MAX_OBSERVATIONS).",
        )
    whole = {index: _with_known(series, known) for index, series in query.series}
    rows: list[tuple[int, Series]] = []
    faults: list[SeriesFault] = list(query.faults)
    for place, window in enumerate(windows):
        try:
            rows.append((place, whole[window.index].before(window.cutoff)))
        except AlmanacError as error:
            faults.append(fault_of(window.index, whole[window.index].id, error))
    return replace(query, series=tuple(rows), horizon=horizon, faults=tuple(faults), record=False), windows


def _with_known(series: Series, known: Sequence[str]) -> Series:
    """Return a series whose covariates known ahead continue behind each cutoff."""
    ahead = {name: np.empty(0) for name in known if name in series.past_covariates}
    return replace(series, future_covariates=ahead) if ahead else series


def last_cutoffs(series: Series, horizon: int, windows: int, step: int) -> list[int]:
    """Return the cutoffs of so many windows, the last of which ends with the series.

    Raises:
        SeriesTooShort: If nothing is left before the first.
    """
    needed = horizon + step * (windows - 1) + 1
    if len(series) < needed:
        raise SeriesTooShort(
            f"Series {series.id} has {len(series)} values; {windows} windows of {horizon} steps need {needed}.",
            pointer="/series",
            hint="Ask for fewer or shorter windows, or send a longer history.",
        )
    return [len(series) - horizon - step * back for back in range(windows - 1, -1, -1)]


def whole_cutoffs(series: Series, step: int) -> list[int]:
    """Return the cutoffs of adjacent windows from the end back to the first season, or the first half of a short series.

    Raises:
        SeriesTooShort: If not even one window has an observed value before it.
    """
    observed = np.flatnonzero(~np.isnan(series.values))
    first = max(int(observed[0]) + 1, min(step, len(series) - step))
    cutoffs = list(range(len(series) - step, first - 1, -step))[::-1]
    if not cutoffs:
        raise SeriesTooShort(
            f"Series {series.id} has {len(series)} values; a rolling forecast of {step} steps needs "
            f"{int(observed[0]) + 1 + step}.",
            pointer="/series",
            hint="Send a longer history.",
        )
    return cutoffs
