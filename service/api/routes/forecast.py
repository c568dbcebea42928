"""POST /forecast: forecasts a batch of series."""

import asyncio
import sys
from importlib import import_module

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.admission_middleware import ADMITTED
from service.api.content_types import JSON, choose_format, format_of
from service.api.examples.described import request_body
from service.api.examples.forecast import FORECAST_REQUESTS, FORECAST_RESPONSES
from service.api.examples.formats import OTHER_FORMATS, describe_parameters
from service.api.http import read_body
from service.api.schemas.forecast import ForecastResponse
from service.api.state import service_of
from service.callers import CALLER

BULK = "service.api.bulk_forecast"
"""The module of the formats beside JSON: few services need it."""

router = APIRouter()
_BODY = request_body("ForecastRequest", FORECAST_REQUESTS)
_BODY["content"] |= OTHER_FORMATS


@router.post(
    "/forecast",
    summary="Forecast a batch of series",
    response_model=ForecastResponse,
    responses=FORECAST_RESPONSES,
    openapi_extra={"requestBody": _BODY, "parameters": describe_parameters()},
    tags=["forecast"],
)
async def forecast(request: Request) -> Response:
    """Return a forecast or an error for each series: 200 if any series has a forecast, 422 if none has."""
    service = service_of(request)
    sent = format_of(request.headers.get("content-type", ""))
    wanted = choose_format(request.headers.get("accept"), sent)
    body = await read_body(request, service.settings.max_body_bytes, service.settings.body_timeout_seconds)
    if (sent, wanted) != (JSON, JSON) or request.scope["query_string"]:
        if BULK not in sys.modules:
            await asyncio.to_thread(import_module, BULK)  # which takes .2 s
        from service.api.bulk_forecast import forecast_bulk

        return await forecast_bulk(service, request, body, sent, wanted)
    return await service.forecasting.answer_body(body, request.scope[CALLER], request.scope.get(ADMITTED))
