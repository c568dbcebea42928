"""Bulk forecast: reads and writes the formats of POST /forecast beside JSON; imported when first needed."""

from collections.abc import Mapping
from contextlib import nullcontext

from starlette.requests import Request
from starlette.responses import Response

from models.json_values import json_pointer
from service.api.content_types import ARROW_FILE, ARROW_STREAM, JSON, NDJSON, PARQUET
from service.api.frame_input import parse_frame, parse_lines
from service.api.named_models import named_in_url
from service.api.state import Service
from service.callers import CALLER
from service.errors import FieldUnknown
from service.forecasting.bulk import BulkFormat, answer_bulk
from service.forecasting.entries import parse_request
from service.forecasting.frame_output import write_arrow_file, write_arrow_stream, write_parquet
from service.forecasting.request import ForecastQuery
from service.json_input import describe_value

MADE = {
    JSON: BulkFormat(JSON),
    NDJSON: BulkFormat(NDJSON, lines=True),
    PARQUET: BulkFormat(PARQUET, write_parquet),
    ARROW_STREAM: BulkFormat(ARROW_STREAM, write_arrow_stream),
    ARROW_FILE: BulkFormat(ARROW_FILE, write_arrow_file),
}


async def forecast_bulk(service: Service, request: Request, body: bytes, sent: str, wanted: str) -> Response:
    """Return the response to a body in the format `sent`, in the format `wanted`."""
    parameters, settings = dict(request.query_params), service.settings

    def parse() -> ForecastQuery:
        if sent == JSON:
            _refuse_parameters(parameters)
            return parse_request(body, settings)
        if sent == NDJSON:
            return parse_lines(body, parameters, settings)
        return parse_frame(body, parameters, settings, parquet=sent == PARQUET)

    with nullcontext() if sent == JSON else named_in_url(parameters.get("model"), service.catalog):
        return await answer_bulk(service.forecasting, parse, MADE[wanted], request.scope[CALLER])


def _refuse_parameters(sent: Mapping[str, str]) -> None:
    """Raise FieldUnknown for the first query parameter: options of a JSON body are its fields."""
    for name in sent:
        raise FieldUnknown(
            f"A body of JSON has no query parameter {describe_value(name)}.",
            pointer=json_pointer(name),
            hint="Send options as fields of the body.",
        )
