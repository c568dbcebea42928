"""Predict: the forecasts of a request's series, in one batch per forecaster."""

from collections.abc import Iterable, Sequence

from models.errors import AlmanacError, ForecastNotFinite, FrequencyError, SeriesError
from models.forecast import Forecast
from models.forecaster import Forecaster
from models.forecasting.open_steps import forecast_open_steps
from models.series import Series
from service.errors import BatchTooLarge
from service.forecasting.request import ForecastQuery
from service.json_input import SeriesFault, fault_of
from service.selector import SelectedModel

IndexedSeries = tuple[int, Series]
"""A series and its index in the request."""
ForecastRow = tuple[int, Series, Forecast]
"""A series' index in the request, the series, and its forecast."""

LARGE_PASSES = 32
"""Series times blocks of the trained horizon: a network takes about 0.1 ms for each."""
LARGE_STEPS = 2_000
"""Forecast steps in the response: JSON takes about 1 µs for each."""


def predict(query: ForecastQuery, selected: SelectedModel) -> tuple[list[ForecastRow], list[SeriesFault]]:
    """Return the forecasts and the errors of the series without one, both in the order of the request.

    Raises:
        HorizonInvalid, LevelInvalid: If the model supports no forecast of these steps or levels.
    """
    rows, faults = [], list(query.faults)
    for forecaster, series in _group_by_forecaster(query, selected):
        valid, invalid = _check(forecaster, series)
        forecasts, failed = _forecast(forecaster, valid, query)
        rows += forecasts
        faults += invalid + failed
    finite, overflowed = _split_finite(sorted(rows, key=lambda row: row[0]))
    return finite, sorted([*faults, *overflowed], key=_index_of)


def check_size(query: ForecastQuery, selected: SelectedModel, limit: int) -> None:
    """Raise BatchTooLarge if the response would contain more than `limit` numbers: a short request can ask for gigabytes."""
    spec = selected.model.forecaster.spec
    columns = 1 + len({*spec.quantile_levels, *query.quantiles}) + 2 * len(query.levels)
    numbers = len(query.series) * query.horizon * columns
    if numbers > limit:
        raise BatchTooLarge(
            f"{len(query.series)} series of {query.horizon} steps with {columns} columns are {numbers} numbers.",
            pointer="/series",
            hint=f"Ask for fewer series, steps, levels or quantiles: at most {limit} numbers (ALMANAC_MAX_NUMBERS).",
        )


def count_passes(query: ForecastQuery, selected: SelectedModel) -> int:
    """Return how many windows the networks compute: series times blocks of the trained horizon."""
    trained_horizon = min(forecaster.spec.horizon for forecaster in selected.forecasters())
    return len(query.series) * -(-query.horizon // trained_horizon)


def is_large(query: ForecastQuery, passes: int) -> bool:
    """Return whether a response takes some milliseconds, even from a fast network."""
    return passes > LARGE_PASSES or len(query.series) * query.horizon > LARGE_STEPS


def _group_by_forecaster(
    query: ForecastQuery, selected: SelectedModel
) -> Iterable[tuple[Forecaster, Sequence[IndexedSeries]]]:
    """Return each forecaster with its series: several only for the starter, which has one per frequency."""
    if selected.starters is None:
        return [(selected.model.forecaster, query.series)]
    groups: dict[int, tuple[Forecaster, list[IndexedSeries]]] = {}
    for index, series in query.series:
        forecaster = selected.forecaster_for(series)
        groups.setdefault(id(forecaster), (forecaster, []))[1].append((index, series))
    return groups.values()


def _check(forecaster: Forecaster, series: Sequence[IndexedSeries]) -> tuple[list[IndexedSeries], list[SeriesFault]]:
    """Return the series that the model accepts, and the errors of the others."""
    valid, faults = [], []
    for index, one in series:
        try:
            forecaster.check(one)
            valid.append((index, one))
        except AlmanacError as error:
            faults.append(fault_of(index, one.id, error))
    return valid, faults


def _forecast(
    forecaster: Forecaster, series: Sequence[IndexedSeries], query: ForecastQuery
) -> tuple[list[ForecastRow], list[SeriesFault]]:
    """Return the forecasts of one batch; if a series makes the batch fail, forecast one by one."""
    try:
        forecasts = forecast_open_steps(
            forecaster,
            [one for _, one in series],
            query.horizon,
            levels=query.levels,
            quantiles=query.quantiles,
            outliers=query.outliers,
        )
    except (SeriesError, FrequencyError) as error:
        if len(series) == 1:
            index, one = series[0]
            return [], [fault_of(index, one.id, error)]
        parts = [_forecast(forecaster, [pair], query) for pair in series]
        return [row for rows, _ in parts for row in rows], [fault for _, faults in parts for fault in faults]
    return [(index, one, forecast) for (index, one), forecast in zip(series, forecasts, strict=True)], []


def _split_finite(rows: Iterable[ForecastRow]) -> tuple[list[ForecastRow], list[SeriesFault]]:
    """Return the rows with finite numbers only, and the errors of the others."""
    finite, faults = [], []
    for row in rows:
        index, series, forecast = row
        if forecast.is_finite:
            finite.append(row)
        else:
            faults.append(fault_of(index, series.id, ForecastNotFinite()))
    return finite, faults


def _index_of(fault: SeriesFault) -> int:
    """Return the index of a fault's series in the request."""
    return int(fault.finding.pointer.split("/")[2])
