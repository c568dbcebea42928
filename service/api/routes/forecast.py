"""POST /forecast: a batch of series in, a forecast or an error for each of them out."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.examples.forecast import FORECAST_REQUESTS, FORECAST_RESPONSES
from service.api.http import read_body
from service.api.schemas.forecast import ForecastResponse
from service.api.state import Service, service_of
from service.forecasting.request import ForecastQuery, parse_forecast
from service.forecasting.response import Answer, answer_forecast, check_size, is_large
from service.problems import problem_response
from service.selector import CHAMPION, SelectedModel

router = APIRouter()

LARGE_BODY_BYTES = 65_536
"""Reading JSON takes about a millisecond for this many."""

REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/ForecastRequest"},
            "examples": FORECAST_REQUESTS,
        }
    },
}


@router.post(
    "/forecast",
    summary="Forecast a batch of series",
    response_model=ForecastResponse,
    responses=FORECAST_RESPONSES,
    openapi_extra={"requestBody": REQUEST_BODY},
    tags=["forecast"],
)
async def forecast(request: Request) -> Response:
    """Return a forecast for each series. 200 while any of them succeeded, 422 where none did."""
    service = service_of(request)
    body = await read_body(request, service.settings.max_body_bytes, service.settings.body_timeout_seconds)
    if len(body) > LARGE_BODY_BYTES:
        question = await service.workers.run(parse_forecast, body, service.settings)
    else:
        question = parse_forecast(body, service.settings)
    return await respond(service, question, is_long=len(body) > LARGE_BODY_BYTES)


async def respond(service: Service, question: ForecastQuery, *, is_long: bool = False) -> Response:
    """Answer a question, in a thread where that takes long or the reading of it did."""
    choice = await service.catalog.choose(question.model, question.frequencies)
    check_size(question, choice, service.settings.max_numbers)
    if is_long or is_large(question, choice):
        return await service.workers.run(_respond, service, question, choice)
    return _respond(service, question, choice)


def _respond(service: Service, question: ForecastQuery, choice: SelectedModel) -> Response:
    answer = answer_forecast(question, choice)
    if choice.alias == CHAMPION:
        service.recent_inputs.record(choice.served, [one for _, one in question.series])
    if service.forecast_log is not None:
        service.forecast_log.keep(choice, answer.given(question.unnamed))
    service.metrics.count_forecast(choice.served.name, answer.succeeded, answer.points)
    service.metrics.count_errors(fault.finding.code for fault in answer.faults)
    if answer.succeeded:
        return Response(answer.content(), media_type="application/json")
    return _none_succeeded(answer)


def _none_succeeded(answer: Answer) -> Response:
    """Return the problem that stands for all: the error that every series has, or the first beside a count."""
    first = answer.faults[0].finding
    codes = {fault.finding.code for fault in answer.faults}
    count = len(answer.faults)
    members = {
        "code": first.code if len(codes) == 1 else "SERIES_INVALID",
        "detail": first.detail if count == 1 else f"None of {count} series can be forecast. The first: {first.detail}",
        "pointer": first.pointer if count == 1 else "/series",
        "hint": first.hint,
    }
    return problem_response(422, {**members, **answer.members})
