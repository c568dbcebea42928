"""POST /observations: what was observed comes in; GET /observations/export and /count: all of it, or how much."""

import time
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from models.calendar.on_calendar import parse_frequency, parse_timestamp
from models.errors import AlmanacError
from service.api.examples.observations import COUNT_RESPONSES, EXPORT_RESPONSES, OBSERVATION_BODY, OBSERVATION_RESPONSES
from service.api.http import json_response, only_known_parameters, read_body
from service.api.schemas.observations import CountResponse, ObservationsResponse
from service.api.state import service_of
from service.observations.parquet_export import Page, parquet_of
from service.observations.parse import BodyOptions, ParsedObservations, parse_observations
from service.problems import problem_response
from service.store.database import Database
from service.store.known_series import find_known_series
from service.store.newest_observations import count_newer
from service.store.observations import iterate_pages, upsert

router = APIRouter(tags=["observations"], dependencies=[Depends(only_known_parameters)])

Frequency = Annotated[str | None, Query(description="Of all series in the body; a JSON body may say it itself.")]
Timezone = Annotated[
    str | None,
    Query(description="IANA name whose clocks timestamps without an offset show; a JSON body may say it itself."),
]
After = Annotated[str, Query(description="ISO 8601; observations at it are not newer.")]
SeriesAsked = Annotated[str | None, Query(description="One series alone; all where it is left out.")]


@router.post(
    "/observations",
    summary="Keep what was observed",
    response_model=ObservationsResponse,
    responses=OBSERVATION_RESPONSES,
    openapi_extra={"requestBody": OBSERVATION_BODY},
)
async def observe(request: Request, frequency: Frequency = None, timezone: Timezone = None) -> Response:
    """Keep rows of series, timestamp and value; what stands at that timestamp already is replaced.

    Every row that is counted as accepted is on disk before the answer; the same again changes nothing. A row that is
    wrong is named, and the others are kept. 422 where none is sound.
    """
    service = service_of(request)
    body = await read_body(request, service.settings.max_body_bytes, service.settings.body_timeout_seconds)
    said = BodyOptions(request.headers.get("content-type", "").lower(), frequency, timezone)
    posted = await service.database.run(_take, body, said, service.settings.max_observations)
    service.scorer.wake()
    service.metrics.count_observations(posted.accepted, posted.refused)
    service.metrics.count_errors(fault.finding.code for fault in posted.faults)
    members = {
        "accepted": posted.accepted,
        "refused": posted.refused,
        "series": len(posted.observations.names),
        "errors": [fault.to_dict() for fault in posted.faults],
    }
    return json_response(members) if posted.accepted else _none_accepted(posted, members)


@router.get("/observations/export", summary="Export observations as Parquet", responses=EXPORT_RESPONSES)
async def export(request: Request, series: SeriesAsked = None) -> Response:
    """Return every observation as a Parquet file with the columns `unique_id`, `ds` and `y`, by series and time.

    `ds` is UTC where offsets or a timezone came with the observations, else the wall clock as it was sent.
    """
    parts = await service_of(request).database.run(_begin, series)
    head = {"content-disposition": 'attachment; filename="observations.parquet"'}
    return StreamingResponse(parts, headers=head, media_type="application/vnd.apache.parquet")


@router.get(
    "/observations/count",
    summary="Count what is newer than a timestamp",
    response_model=CountResponse,
    responses=COUNT_RESPONSES,
)
async def count(request: Request, after: After, frequency: Frequency = None) -> Response:
    """Return how many observations are newer than a timestamp, such as the end of a model's training data.

    With a frequency, only those of series of this one, and of those whose frequency nobody said.
    """
    moment = int(parse_timestamp(after, pointer="/after").instant.astype("M8[us]").astype("i8"))
    name = parse_frequency(frequency).name if frequency else None
    rows, of = await service_of(request).database.run(count_newer, moment, name)
    return json_response({"observations": rows, "series": of})


def _take(database: Database, body: bytes, said: BodyOptions, limit: int) -> ParsedObservations:
    posted = parse_observations(body, said, limit, partial(find_known_series, database))
    upsert(database, posted.observations, posted.calendars, time.time_ns() // 1_000)
    return posted


def _begin(database: Database, series_id: str | None) -> Iterator[bytes]:
    """Return the file's parts once the first page is read: a database that does not answer is a 503, not half a file."""
    found = iterate_pages(database, series_id=series_id)
    first: list[Page] = [page for page in [next(found, None)] if page is not None]
    return parquet_of(chain(first, found))


def _none_accepted(posted: ParsedObservations, members: dict[str, Any]) -> Response:
    first = posted.faults[0].finding
    error = AlmanacError(
        first.detail if posted.refused == 1 else f"None of {posted.refused} rows is sound. The first: {first.detail}",
        pointer=first.pointer,
        hint=first.hint,
    )
    head = {"code": first.code, "detail": error.detail, "pointer": error.pointer, "hint": error.hint}
    return problem_response(422, {**head, **members})
