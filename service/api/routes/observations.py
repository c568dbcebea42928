"""POST /observations, GET /observations/export and GET /observations/count."""

import time
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from models.calendar.zoned_grid import parse_frequency, parse_timestamp
from models.errors import AlmanacError
from models.tables.options import ReadOptions
from service.api.examples.observations import COUNT_RESPONSES, EXPORT_RESPONSES, OBSERVATION_BODY, OBSERVATION_RESPONSES
from service.api.http import json_response, only_known_parameters, read_body
from service.api.routes.series import unknown_series
from service.api.schemas.observations import CountResponse, ObservationsResponse
from service.api.state import service_of
from service.forecasting.response import plain_finding
from service.monitoring.metrics import Metrics
from service.observations.parquet_export import Page, parquet_of
from service.observations.parse import BodyOptions, ParsedObservations, parse_observations
from service.problems import problem_response
from service.store.database import Database
from service.store.known_series import find_known_series
from service.store.newest_observations import count_newer
from service.store.observations import find_series, iterate_pages, upsert

router = APIRouter(tags=["observations"], dependencies=[Depends(only_known_parameters)])

Frequency = Annotated[
    str | None, Query(description="Frequency of all series in the body; a JSON body may have its own.")
]
Timezone = Annotated[
    str | None,
    Query(description="IANA name of the timezone of timestamps without an offset; a JSON body may have its own."),
]
IdColumn = Annotated[
    str | None,
    Query(description="Column of a file with the ids; several, separated by commas, name a series together."),
]
TimeColumn = Annotated[str | None, Query(description="Column of a file with the timestamps.")]
ValueColumn = Annotated[str | None, Query(description="Column of a long file with the values.")]
Decimal = Annotated[str | None, Query(description="What separates decimals in a CSV file: `.` or `,`.")]
Thousands = Annotated[str | None, Query(description="What separates thousands in a CSV file.")]
DateFormat = Annotated[str | None, Query(description="How a CSV file writes dates, such as `%d/%m/%Y`.")]
After = Annotated[str, Query(description="ISO 8601; an observation at this timestamp does not count.")]
SeriesId = Annotated[str | None, Query(description="Export only this series; default: all.")]


@router.post(
    "/observations",
    summary="Store observations",
    response_model=ObservationsResponse,
    responses=OBSERVATION_RESPONSES,
    openapi_extra={"requestBody": OBSERVATION_BODY},
)
async def observe(  # noqa: PLR0913, PLR0917 (the parameters of the URL)
    request: Request,
    frequency: Frequency = None,
    timezone: Timezone = None,
    id_column: IdColumn = None,
    time_column: TimeColumn = None,
    value_column: ValueColumn = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    date_format: DateFormat = None,
) -> Response:
    """Store rows of series, timestamp and value; a row replaces the stored value at its timestamp.

    Every accepted row is on disk before the response; sending it again changes nothing. Wrong rows are listed, the others
    are stored. 422 if no row is valid.
    """
    service = service_of(request)
    body = await read_body(request, service.settings.max_body_bytes, service.settings.body_timeout_seconds)
    columns = ReadOptions((id_column,) if id_column else (), time_column, value_column, decimal, thousands, date_format)
    options = BodyOptions(request.headers.get("content-type", "").lower(), frequency, timezone, columns)
    response = await service.database.run(_post, service.metrics, body, options, service.settings.max_observations)
    service.scorer.wake()
    return response


@router.get("/observations/export", summary="Export observations as Parquet", responses=EXPORT_RESPONSES)
async def export(request: Request, series: SeriesId = None) -> Response:
    """Return all observations as a Parquet file with the columns `unique_id`, `ds`, `y` and `timezone`, by series and time.

    `ds` is UTC where `timezone` has an IANA name, and where that is null the wall clock as it was sent. A training reads the
    local days of the timezone.
    """
    parts = await service_of(request).database.run(_start_export, series)
    head = {"content-disposition": 'attachment; filename="observations.parquet"'}
    return StreamingResponse(parts, headers=head, media_type="application/vnd.apache.parquet")


@router.get(
    "/observations/count",
    summary="Count observations after a timestamp",
    response_model=CountResponse,
    responses=COUNT_RESPONSES,
)
async def count(request: Request, after: After, frequency: Frequency = None) -> Response:
    """Return how many observations are newer than a timestamp, such as the end of a model's training data.

    With a frequency, only series of this frequency and series of unknown frequency count.
    """
    moment = int(parse_timestamp(after, pointer="/after").instant.astype("M8[us]").astype("i8"))
    name = parse_frequency(frequency).name if frequency else None
    rows, series = await service_of(request).database.run(count_newer, moment, name)
    return json_response({"observations": rows, "series": series})


def _post(database: Database, metrics: Metrics, body: bytes, options: BodyOptions, limit: int) -> Response:
    """Store the rows of a body, and return the response; all in this thread, since a body may have many thousands of rows."""
    posted = _store(database, body, options, limit)
    metrics.count_observations(posted.accepted, posted.refused)
    metrics.count_errors(fault.finding.code for fault in posted.faults)
    members = {
        "accepted": posted.accepted,
        "refused": posted.refused,
        "series": len(posted.observations.names),
        "errors": [fault.to_dict() for fault in posted.faults],
        "repairs": [
            {"id": name, "code": one.code, "detail": one.detail}
            for name, made in posted.repairs.items()
            for one in made
        ],
        "warnings": [plain_finding(one) for one in posted.warnings],
    }
    return json_response(members) if posted.accepted else _none_accepted(posted, members)


def _store(database: Database, body: bytes, options: BodyOptions, limit: int) -> ParsedObservations:
    posted = parse_observations(body, options, limit, partial(find_known_series, database))
    upsert(database, posted.observations, posted.calendars, time.time_ns() // 1_000)
    return posted


def _start_export(database: Database, series_id: str | None) -> Iterator[bytes]:
    """Return the parts of the file; the first page is read here, so that a database that is down gives a 503."""
    if series_id is not None:
        known = find_series(database, series_id)
        if known is None:
            raise unknown_series(series_id)
        series_id = known.id
    found = iterate_pages(database, series_id=series_id)
    first: list[Page] = [page for page in [next(found, None)] if page is not None]
    return parquet_of(chain(first, found))


def _none_accepted(posted: ParsedObservations, members: dict[str, Any]) -> Response:
    first = posted.faults[0].finding
    error = AlmanacError(
        first.detail if posted.refused == 1 else f"None of {posted.refused} rows is valid. The first: {first.detail}",
        pointer=first.pointer,
        hint=first.hint,
    )
    head = {"code": first.code, "detail": error.detail, "pointer": error.pointer, "hint": error.hint}
    return problem_response(422, {**head, **members})
