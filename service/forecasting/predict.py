"""Predict: the forecasts of the series of one or several requests, in one batch per forecaster."""

from collections.abc import Iterable, Mapping, Sequence

from models.errors import AlmanacError, ForecastNotFinite, HorizonInvalid, LevelInvalid
from models.forecast import Forecast
from models.forecaster import Forecaster
from models.forecasting.open_steps import reach_open_steps
from models.forecasting.request import ForecasterRequest, Outcome
from models.safeguards.closed_hours import steps_to_reach
from models.series import Series
from service.errors import BatchTooLarge
from service.forecasting.request import ForecastQuery
from service.json_input import SeriesFault, fault_of
from service.memory import NUMBER_BYTES, check_memory
from service.selector import SelectedModel

IndexedSeries = tuple[int, Series]
"""A series and its index in the request."""
ForecastRow = tuple[int, Series, Forecast]
"""A series' index in the request, the series, and its forecast."""
Prediction = tuple[Sequence[ForecastRow], Sequence[SeriesFault]]
"""The forecasts and the errors of the series without one, both in the order of the request."""
Part = tuple[int, list[int], ForecasterRequest]
"""The number of a request, the indices of some of its series, and what a forecaster is asked for."""

SUM_COLUMNS = 10
"""A sum counts as so many columns of each step: it has few numbers, but it takes their time."""
SAMPLE_PASSES, NUMBERS_IN_PASS = 3, 100
"""Passes that take as long as what the paths and sums of a series need at first, and numbers that take as long as another."""
LARGE_PASSES = 32
"""Series times blocks of the trained horizon: a network takes about 0.1 ms for each."""
LARGE_STEPS = 2_000
"""Forecast steps in the response: JSON takes about 1 µs for each."""
LARGE_NUMBERS = 20_000
"""Numbers of the levels and quantiles that a request asks for: computing and writing takes about 0.1 µs for each."""
LARGE_FAULTS = 200
"""Errors of series: writing takes 5 to 14 µs for each."""


def predict(query: ForecastQuery, selected: SelectedModel, limit: int) -> Prediction:
    """Return the forecasts of one request; raises as `predict_many` returns."""
    (found,) = predict_many([(query, selected)], limit)
    if isinstance(found, AlmanacError):
        raise found
    return found


def predict_many(
    requests: Sequence[tuple[ForecastQuery, SelectedModel]], limit: int
) -> list[Prediction | AlmanacError]:
    """Return the forecasts of each request, or the error that refuses it as a whole; a network runs once for all of them.

    The error is HorizonInvalid or LevelInvalid, if the model supports no forecast of these steps or levels, or BatchTooLarge,
    if a request takes more than `limit` numbers, those of closed hours included.
    """
    outcomes: list[dict[int, Outcome] | AlmanacError] = [{} for _ in requests]
    parts: dict[int, tuple[Forecaster, list[Part]]] = {}
    for number, (query, selected) in enumerate(requests):
        try:
            for forecaster, part in _parts(query, selected, limit):
                parts.setdefault(id(forecaster), (forecaster, []))[1].append((number, *part))
        except (HorizonInvalid, LevelInvalid, BatchTooLarge) as error:
            outcomes[number] = error
    for forecaster, asked in parts.values():
        answers = forecaster.forecast_many([request for _, _, request in asked])
        for (number, indices, _), answer in zip(asked, answers, strict=True):
            if isinstance(found := outcomes[number], dict):
                found.update(zip(indices, answer, strict=True))
    return [
        found if isinstance(found, AlmanacError) else _sort(query, found)
        for (query, _), found in zip(requests, outcomes, strict=True)
    ]


def check_size(query: ForecastQuery, selected: SelectedModel, limit: int) -> None:
    """Raise BatchTooLarge if the response would contain more than `limit` numbers: a short request can ask for gigabytes."""
    _check_steps(query, selected, len(query.series) * query.horizon, limit)


def check_parts(query: ForecastQuery, selected: SelectedModel, limit: int) -> None:
    """Raise as `predict` does for a whole request, before it is forecast in blocks."""
    _parts(query, selected, limit)


def _check_steps(query: ForecastQuery, selected: SelectedModel, steps: int, limit: int) -> None:
    spec = selected.model.forecaster.spec
    columns = 1 + query.mean + len({*spec.quantile_levels, *query.quantiles}) + 2 * len(query.levels)
    if query.sampling is not None:
        columns += query.sampling.paths + SUM_COLUMNS * len(query.sampling.windows)
    numbers, asked = steps * columns, len(query.series) * query.horizon
    if numbers > limit:
        asked_for = (
            f"levels, quantiles, paths or sums (of {SUM_COLUMNS} columns)" if query.sampling else "levels or quantiles"
        )
        closed = f" and {steps - asked} steps in closed hours" if steps > asked else ""
        raise BatchTooLarge(
            f"{len(query.series)} series of {query.horizon} steps{closed} with {columns} columns are {numbers} numbers.",
            pointer="/series",
            hint=f"Ask for fewer series, steps, {asked_for}: at most {limit} numbers (ALMANAC_MAX_NUMBERS).",
        )
    check_memory(NUMBER_BYTES * numbers)


def count_passes(query: ForecastQuery, selected: SelectedModel) -> int:
    """Return how many windows the networks compute, series times blocks of the trained horizon, or take as long.

    Steps in closed hours are counted as well, unless there are so many series that the request is large anyway.
    """
    trained_horizon = min(forecaster.spec.horizon for forecaster in selected.forecasters())
    sampled = len(query.series) * _sample_passes(query)
    if len(query.series) > LARGE_PASSES:
        return sampled + len(query.series) * -(-query.horizon // trained_horizon)
    return sampled + sum(-(-steps_to_reach(series, query.horizon) // trained_horizon) for _, series in query.series)


def _sample_passes(query: ForecastQuery) -> int:
    """Return how many passes take as long as the paths and sums of one series."""
    if query.sampling is None:
        return 0
    columns = query.sampling.paths + SUM_COLUMNS * len(query.sampling.windows)
    return SAMPLE_PASSES + query.horizon * columns // NUMBERS_IN_PASS


def is_large(query: ForecastQuery, passes: int) -> bool:
    """Return whether a response takes some milliseconds, even from a fast network."""
    steps = len(query.series) * query.horizon
    return (
        passes > LARGE_PASSES
        or steps > LARGE_STEPS
        or steps * (len(query.quantiles) + 2 * len(query.levels)) > LARGE_NUMBERS
        or len(query.faults) > LARGE_FAULTS
    )


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


def _parts(
    query: ForecastQuery, selected: SelectedModel, limit: int
) -> Sequence[tuple[Forecaster, tuple[list[int], ForecasterRequest]]]:
    """Return what each forecaster is asked for: the indices of some series, and the request for their forecasts."""
    found: list[tuple[Forecaster, tuple[list[int], ForecasterRequest]]] = []
    for forecaster, series in _group_by_forecaster(query, selected):
        whole = _request(query, [one for _, one in series])
        forecaster.plan(whole)
        for request, places in reach_open_steps(whole):
            found.append((forecaster, ([series[at][0] for at in places], request)))
    _check_steps(query, selected, sum(len(request.series) * request.horizon for _, (_, request) in found), limit)
    return found


def _request(query: ForecastQuery, series: Sequence[Series]) -> ForecasterRequest:
    return ForecasterRequest(
        series, query.horizon, query.levels, query.quantiles, query.outliers, query.mean, query.sampling
    )


def _sort(query: ForecastQuery, outcomes: Mapping[int, Outcome]) -> Prediction:
    """Return the forecasts and the errors of a request's series, both in its order."""
    rows: list[ForecastRow] = []
    faults = list(query.faults)
    for index, series in query.series:
        outcome = outcomes[index]
        if isinstance(outcome, AlmanacError):
            faults.append(fault_of(index, series.id, outcome))
        elif outcome.is_finite:
            rows.append((index, series, outcome))
        else:
            faults.append(fault_of(index, series.id, ForecastNotFinite()))
    return rows, sorted(faults, key=index_of) if faults else faults


def index_of(fault: SeriesFault) -> int:
    """Return the index of a fault's series in the request."""
    return int(fault.finding.pointer.split("/")[2])
