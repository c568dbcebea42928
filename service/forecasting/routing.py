"""Routing: a request to a family of models, each series forecast by the model of its segment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from starlette.responses import Response

from models.errors import AlmanacError, ModelUnknown
from models.names import CHAMPION
from models.series import Series
from service.callers import Caller
from service.errors import ModelLoading, ModelRefused, NoModel
from service.forecasting.predict import index_of
from service.forecasting.request import ForecastQuery
from service.forecasting.response import ForecastResult, to_response
from service.json_input import SeriesFault, fault_of
from service.thread_pool import ThreadPool

Groups = Mapping[str, Sequence[tuple[int, Series]]]
"""By model, the series that it forecasts, each with its index in the request."""


class Family(Protocol):
    """What is asked of a family."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def models(self) -> Mapping[str, str]:
        """Return the name of the model of each segment."""

    def model_of(self, series_id: str, segment: str | None) -> str:
        """Return the name of a series' model; raises AlmanacError if none fits."""


class Handler(Protocol):
    """What forecasts with one model."""

    async def forecast_model(
        self, query: ForecastQuery, model: str, threads: ThreadPool, caller: Caller
    ) -> Sequence[ForecastResult]:
        """Return the results of a query to a model; raises AlmanacError."""


def group(query: ForecastQuery, family: Family) -> tuple[Groups, list[SeriesFault]]:
    """Return the series of each model, and the errors of those that no model fits."""
    groups, faults = dict[str, list[tuple[int, Series]]](), list(query.faults)
    for index, series in query.series:
        try:
            name = family.model_of(series.id, query.segments.get(index))
        except AlmanacError as error:
            faults.append(fault_of(index, series.id, error))
        else:
            groups.setdefault(name, []).append((index, series))
    return groups, faults


async def answer_family(
    handler: Handler, query: ForecastQuery, family: Family, threads: ThreadPool, caller: Caller
) -> Response:
    """Return the response to a request to a family; raises as `forecast_family`."""
    return await threads.run(to_response, await forecast_family(handler, query, family, threads, caller))


async def forecast_family(  # noqa: PLR0913 (what `answer_family` has, and whether a part is enough)
    handler: Handler, query: ForecastQuery, family: Family, threads: ThreadPool, caller: Caller, *, whole: bool = False
) -> ForecastResult:
    """Return the forecasts of a family, each with its `model`; a model that cannot answer is the error of its series alone.

    Args:
        handler: What forecasts with one model.
        query: The request.
        family: The family.
        threads: Where its work runs.
        caller: Who asks.
        whole: Whether the response has no place for the errors of single series.

    Raises:
        ModelLoading: If no series has a forecast, or `whole`, and a model is still being loaded.
        HorizonInvalid, LevelInvalid, BatchTooLarge, DeadlinePassed, ClientDisconnect: As for a single model.
    """
    groups, faults = await threads.run(group, query, family)
    results, pending = list[ForecastResult](), list[ModelLoading]()
    for name, series in groups.items():
        part = replace(query, series=tuple(series), faults=(), model=name)
        try:
            results += await handler.forecast_model(part, name, threads, caller)
        except (ModelLoading, ModelRefused, ModelUnknown, NoModel) as error:
            faults += await threads.run(_faults, series, error)
            pending += [error] if isinstance(error, ModelLoading) else []
    if pending and (whole or not results):
        raise pending[0]
    merged = await threads.run(_merge, family.name, results, faults)
    threads.discard(results, merged.rows, merged.body["forecasts"])
    return merged


def _faults(series: Sequence[tuple[int, Series]], error: AlmanacError) -> list[SeriesFault]:
    """Return an error as that of each series."""
    return [fault_of(index, one.id, error) for index, one in series]


def _merge(family: str, results: Sequence[ForecastResult], faults: Sequence[SeriesFault]) -> ForecastResult:
    """Return the results of all models as one, in the order of the request."""
    found: dict[int, tuple[Any, dict[str, Any]]] = {}
    for result in results:
        for row, entry in zip(result.rows, result.body["forecasts"], strict=True):
            found[row[0]] = row, {**entry, "model": result.body["model"]}
    pairs = [found[index] for index in sorted(found)]
    every = sorted([*faults, *(one for result in results for one in result.faults)], key=index_of)
    body = {
        "model": {"name": family, "version": "", "alias": CHAMPION, "run_id": None},
        "forecasts": [entry for _, entry in pairs],
        "errors": [one.to_dict() for one in every],
    }
    return ForecastResult(body, [row for row, _ in pairs], every)
