"""POST /validate: how the service understands series; nothing is forecast or stored."""

from contextlib import nullcontext, suppress
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from models.errors import AlmanacError, Finding
from service.api.examples.validate import VALIDATE_BODY, VALIDATE_RESPONSES
from service.api.http import json_response, read_body
from service.api.named_models import named_in_url
from service.api.request_checks import FILE_TYPES
from service.api.schemas.validation import ValidationResponse
from service.api.state import Service, service_of
from service.forecasting.entries import parse_series
from service.forecasting.request import ForecastQuery, parse_envelope
from service.forecasting.response import plain_finding
from service.forecasting.validation import validate as validate_query
from service.json_input import reject_unknown_fields
from service.selector import SelectedModel

router = APIRouter(tags=["forecast"])

VALUES = "values"
Values = Annotated[
    Literal["true", "false"], Query(description="Whether each series has its timestamps and values. Default false.")
]


@router.post(
    "/validate",
    summary="Show how series are understood",
    response_model=ValidationResponse,
    responses=VALIDATE_RESPONSES,
    openapi_extra={"requestBody": VALIDATE_BODY},
)
async def validate(request: Request, values: Values = "false") -> Response:
    """Return frequency, start, end, gaps, repairs and warnings of each series, or the error that POST /forecast has for it.

    The body is that of POST /forecast; its horizon may be left out. The series are also checked against what the model reads
    that would answer there. A CSV or Parquet file is read as for a training: one row for each series and timestamp, or a column
    for each series, and checked against a model only if it is named. A single column of numbers is a series without dates.
    Nothing is forecast or stored.
    """
    service, media_type = service_of(request), request.headers.get("content-type", "").lower()
    body = await read_body(request, service.settings.max_body_bytes, service.settings.body_timeout_seconds)
    sent = {name: text for name, text in request.query_params.items() if name != VALUES}
    lane = service.forecasting.large
    with lane.enter():
        query, noticed = await lane.threads.run(_parse, service, body, media_type, sent)
        try:
            selected = await _select(service, query, is_file=_is_file(media_type))
            return await lane.threads.run(_answer, query, selected, noticed, values=values == "true")
        finally:
            lane.threads.discard(query.series, query.faults)


async def _select(service: Service, query: ForecastQuery, *, is_file: bool) -> SelectedModel | None:
    """Return the model that the request names, else the default one if it can answer; a file may be one to train with."""
    select = service.forecasting.select_model
    if query.model is not None:
        with named_in_url(query.model, service.catalog) if is_file else nullcontext():
            return await select(query.model, query.frequencies)
    if not is_file:
        with suppress(AlmanacError):  # POST /forecast has it; what is read is the same
            if service.forecasting.find_family(None, [*query.segments.values()]) is None:
                return await select(None, query.frequencies)
    return None


def _is_file(media_type: str) -> bool:
    return media_type.partition(";")[0].strip() in FILE_TYPES


def _answer(
    query: ForecastQuery, selected: SelectedModel | None, noticed: tuple[Finding, ...], *, values: bool
) -> Response:
    """Return the response, made in a thread; what it is made of is freed there, too."""
    found = validate_query(query, selected, values=values)
    return json_response({**found, "findings": [plain_finding(one) for one in noticed]})


def _parse(
    service: Service, body: bytes, media_type: str, sent: dict[str, str]
) -> tuple[ForecastQuery, tuple[Finding, ...]]:
    """Return the query of a body, and what was noticed in a file; raises an AlmanacError if the whole body is wrong."""
    if _is_file(media_type):
        from service.api.table_input import parse_table

        return parse_table(body, media_type, sent, service.settings)
    reject_unknown_fields(sent, ())
    return parse_series(*parse_envelope(body, service.settings, horizon=1), service.settings), ()
