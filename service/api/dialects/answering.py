"""Answering: how a dialect gets its forecasts, with the admission, limits, ledger and threads of POST /forecast."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from models.calendar.zoned_grid import Frequency
from models.errors import Finding, ModelUnknown, RequestError
from models.forecast import Forecast
from models.values import Values
from service.api.http import read_body
from service.api.state import Service, service_of
from service.callers import CALLER, Caller
from service.errors import FieldUnknown, NoModel
from service.forecasting.answer import begin, model_key
from service.forecasting.predict import check_size
from service.forecasting.request import ForecastQuery
from service.forecasting.response import ForecastResult, merge_results
from service.forecasting.routing import Family, forecast_family
from service.json_input import SeriesFault, describe_value, field_error, parse_object
from service.selector import SelectedModel
from service.settings import Settings


class Asked(Protocol):
    """A request in a dialect, decoded and checked."""

    @property
    def model(self) -> str | None:
        """Return what `model` of POST /forecast would be."""

    def read(self, selected: SelectedModel, settings: Settings) -> ForecastQuery:
        """Return the query of its series."""

    def plan(self, query: ForecastQuery, selected: SelectedModel, settings: Settings) -> ForecastQuery:
        """Return the query to forecast, by a model with a forecaster for each frequency of the series."""

    def write(self, result: ForecastResult) -> Response:
        """Return the response, in the dialect."""


class Decode(Protocol):
    """How a dialect decodes a request."""

    def __call__(self, body: bytes, request: Request) -> Asked:
        """Return what is asked; raises a RequestError."""


class SeriesRefused(RequestError):
    """A series that cannot be forecast, in a dialect whose responses have no place for the errors of single series."""

    def __init__(self, faults: Sequence[SeriesFault]) -> None:
        """Tell the first error, and how many there are."""
        self._first, others = faults[0], len(faults) - 1
        detail = f"Series {describe_value(self._first.id)}: {self._first.finding.detail}"
        further = f" {others} more cannot be forecast either." if others else ""
        super().__init__(detail + further, pointer=self._first.finding.pointer, hint=self._first.finding.hint)

    def finding(self) -> Finding:
        """Return the error with the code of the series' own."""
        return Finding(self._first.finding.code, self.detail, self.pointer, self.hint)


class DialectUnsupported(RequestError):
    """Something that the dialect has, and Almanac does not do on call."""

    code = "NOT_SUPPORTED"


async def answer(request: Request, decode: Decode) -> Response:
    """Return the response to a request in a dialect; all of its work runs in threads, beside other large requests.

    Raises:
        AlmanacError: If the request, or one of its series, is wrong, too large, or has to wait for too long.
    """
    service = service_of(request)
    handler, settings = service.forecasting, service.settings
    body = await read_body(request, settings.max_body_bytes, settings.body_timeout_seconds)
    threads = handler.large.threads
    caller = request.scope.get(CALLER) or Caller()
    caller.start(settings.deadline_seconds)
    with handler.large.enter(handler.clients.share(caller.client, counted=1)):
        asked = await threads.run(begin, caller, decode, body, request)
        caller.check()
        try:
            return await _answer(service, asked, caller)
        finally:
            threads.discard([asked])


async def _answer(service: Service, asked: Asked, caller: Caller) -> Response:
    threads = service.forecasting.large.threads
    family = service.forecasting.find_family(asked.model, ())
    name = asked.model if family is None else first_model(family)
    selected = await select_named(service, name, tuple)
    query = await threads.run(asked.read, selected, service.settings)
    try:
        if selected.starters is not None:
            selected = await select_named(service, name, query.frequencies)
        _refuse(query.faults)
        return await _forecast(service, asked, query, selected, family, caller)
    finally:
        threads.discard(query.series, query.faults)


async def _forecast(  # noqa: PLR0913, PLR0917 (what `_answer` has found)
    service: Service, asked: Asked, query: ForecastQuery, selected: SelectedModel, family: Family | None, caller: Caller
) -> Response:
    handler, settings, threads = service.forecasting, service.settings, service.forecasting.large.threads

    async def plan(model: SelectedModel) -> ForecastQuery:
        return replace(await threads.run(asked.plan, query, model, settings), model=asked.model)

    async def run(model: SelectedModel) -> Response:
        planned = await plan(model)
        caller.model, caller.series = model_key(model), len(planned.series)
        check_size(planned, model, settings.max_numbers)
        caller.check()
        parts = await handler.forecast_large(planned, model, threads, lambda result: result, caller)
        return await write(await threads.run(merge_results, parts))

    async def write(result: ForecastResult) -> Response:
        _refuse(result.faults)
        response = await threads.run(asked.write, result)
        threads.discard(result.rows, result.body["forecasts"])
        return response

    if family is None:
        return await handler.share(await plan(selected), selected, run)
    planned = await plan(selected)
    return await write(await forecast_family(handler, planned, family, threads, caller, whole=True))


def first_model(family: Family) -> str:
    """Return the name of a model of a family: one training has made them all, with the same horizon and covariates."""
    return min(family.models.values())


async def select_named(
    service: Service, name: str | None, frequencies: Callable[[], Iterable[Frequency]]
) -> SelectedModel:
    """Return the model for a request.

    Raises:
        ModelUnknown: If there is no model of this name, also if none is registered: POST /forecast answers 503 then, after which
            clients try again for a minute.
        AlmanacError: As `Catalog.select`.
    """
    try:
        return await service.forecasting.select_model(name, frequencies)
    except NoModel as error:
        if name is None:
            raise
        raise ModelUnknown(f"There is no model {describe_value(name)}.", pointer="/model", hint=error.hint) from error


def _refuse(faults: Sequence[SeriesFault]) -> None:
    if faults:
        raise SeriesRefused(faults)


Sent = TypeVar("Sent", bound=BaseModel)


def decode_fields(kind: type[Sent], body: bytes, hint: str) -> Sent:
    """Return the fields of a JSON body; of unknown ones, only those that ask for nothing (null, false, 0, empty) are ignored.

    Raises:
        JsonInvalid: If the body is not JSON.
        FieldMissing, FieldUnknown, FieldInvalid: For the first field that is wrong.
    """
    sent = parse_object(body, hint, allow_inf_nan=True)
    for name, value in sent.items():
        if name not in kind.model_fields and value not in (None, False, 0, "", [], {}):
            raise FieldUnknown(
                f"Almanac does not know the field {describe_value(name)}.", pointer=f"/{name}", hint="Leave it out."
            )
    try:
        return kind.model_validate({name: value for name, value in sent.items() if value is not None})
    except ValidationError as error:
        raise field_error(error, hint) from None


def first_steps(values: Values, forecast: Forecast, horizon: int) -> Values:
    """Return the first steps of a part of a forecast on the grid of dates that the client makes; NaN in closed hours."""
    if forecast.closed is None:
        return values[:horizon]
    return np.where(forecast.closed, np.nan, values)[:horizon]


def bounds_of(forecast: Forecast, level: float) -> tuple[Values, Values]:
    """Return both sides of the interval of a level; the median for 0."""
    if level == 0:
        return forecast.median, forecast.median
    found: Any = next(one for one in forecast.intervals if one.level == level)
    return found.lower, found.upper
