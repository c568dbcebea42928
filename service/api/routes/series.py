"""GET /series, /series/{id} and /series/{id}/forecast, DELETE /series/{id}: stored series and their forecasts."""

import logging
import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict, astuple, replace
from http import HTTPStatus
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from models.calendar.timestamps import Timestamps
from models.errors import LevelInvalid
from models.forecasting.sampling import MOST_PATHS
from models.ids import plain_id
from models.json_values import to_json_value
from models.series import Series
from service.api.audit import audit
from service.api.examples.observations import (
    ERASE_RESPONSES,
    SERIES_FORECAST_RESPONSES,
    SERIES_LIST_RESPONSES,
    SERIES_RESPONSES,
)
from service.api.http import json_response, only_known_parameters
from service.api.named_models import named_in_url
from service.api.schemas.forecast import ForecastResponse
from service.api.schemas.observations import SeriesListResponse, SeriesResponse
from service.api.state import Service, service_of
from service.callers import CALLER, Caller
from service.errors import SeriesUnknown
from service.forecasting.request import parse_options
from service.json_input import describe_value
from service.observations.series_view import has_hours, make_series, write_timestamps
from service.store.blobs import Floats
from service.store.database import Database
from service.store.erasure import Erasure, erase_series
from service.store.observations import SeriesInfo, find_series, list_series, newest_observations

logger = logging.getLogger("almanac")

router = APIRouter(prefix="/series", tags=["observations"], dependencies=[Depends(only_known_parameters)])

After = Annotated[str, Query(description="The last id of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1_000, description="Series on a page.")]
Newest = Annotated[int, Query(ge=1, le=100_000, description="How many of the newest observations to return.")]
Horizon = Annotated[int, Query(description="Steps ahead.")]
Levels = Annotated[str | None, Query(description="Intervals in per cent, separated by commas. Default 80.")]
Quantiles = Annotated[str | None, Query(description="Quantile levels in (0, 1), separated by commas.")]
Mean = Annotated[
    Literal["true", "false"], Query(description="Whether the forecast has a mean beside the median. Default false.")
]
Paths = Annotated[int | None, Query(description=f"Number of sample paths, at most {MOST_PATHS}. Default 0.")]
Seed = Annotated[int | None, Query(description="Seed of paths and sums. Default 0.")]
Sums = Annotated[str | None, Query(description="Windows such as `1-12` or `horizon`, separated by commas.")]
Model = Annotated[str | None, Query(description="As in POST /forecast.")]


@router.get("", summary="List the series", response_model=SeriesListResponse, responses=SERIES_LIST_RESPONSES)
async def series(request: Request, after: After = "", limit: Limit = 100) -> Response:
    """Return the stored series by id; `next` is the `after` of the next page, null on the last."""
    return await service_of(request).database.run(_list, after, limit)


@router.get(
    "/{series_id:path}/forecast",
    summary="Forecast a stored series",
    response_model=ForecastResponse,
    responses=SERIES_FORECAST_RESPONSES,
)
async def forecast(  # noqa: PLR0913, PLR0917 (FastAPI: one argument a parameter)
    request: Request,
    series_id: str,
    horizon: Horizon,
    levels: Levels = None,
    quantiles: Quantiles = None,
    mean: Mean = "false",
    paths: Paths = None,
    seed: Seed = None,
    sums: Sums = None,
    model: Model = None,
) -> Response:
    """Return the forecast that POST /forecast returns for the observations of this series.

    The frequency is the one that was posted with them, or else it is inferred from the timestamps.
    """
    service = service_of(request)
    options = {"horizon": horizon, "levels": _numbers(levels, "levels"), "quantiles": _numbers(quantiles, "quantiles")}
    sampling = {"paths": paths, "seed": seed, "sums": sums.split(",") if sums else None}
    query = parse_options({**options, **sampling, "mean": mean == "true", "model": model}, service.settings.max_horizon)
    request.scope[CALLER] = caller = Caller.of(request.scope)
    caller.start(service.settings.deadline_seconds)
    one = await service.database.run(_stored_series, series_id, service.settings.max_points)
    with named_in_url(model, service.catalog):
        return await service.forecasting.answer(replace(query, series=((0, one),), from_store=True), caller)


@router.get("/{series_id:path}", summary="Show a series", response_model=SeriesResponse, responses=SERIES_RESPONSES)
async def one_series(request: Request, series_id: str, limit: Newest = 100) -> Response:
    """Return a series with its newest observations, the oldest of them first."""
    return await service_of(request).database.run(_show, series_id, limit)


@router.delete(
    "/{series_id:path}", summary="Erase a series", status_code=HTTPStatus.NO_CONTENT, responses=ERASE_RESPONSES
)
async def erase(request: Request, series_id: str) -> Response:
    """Remove all that is stored of a series: observations, forecasts and scores, also of forecasts without observations.

    Needs the scope `erase`. What remains is a record of the time, the counts and the SHA-256 of the id. 404 if nothing is
    stored of the series, so a request that was lost can be sent again.
    """
    service, names = service_of(request), dict.fromkeys((series_id, plain_id(series_id)))
    with nullcontext() if service.forecast_log is None else service.forecast_log.without(names):
        erased = await _erase_first(service, names)
        if erased is None:
            raise unknown_series(series_id)
        logger.info(
            "erasure: a series was erased, the SHA-256 of its id is %s: %d observations, %d forecasts, %d scores",
            *astuple(erased),
        )
        await audit(request, "series.erase", **asdict(erased))
        return Response(status_code=HTTPStatus.NO_CONTENT)


async def _erase_first(service: Service, names: Iterable[str]) -> Erasure | None:
    """Erase the first of some series that is stored, with its forecasts that wait, and return what was erased, if any."""
    if service.forecast_log is not None:
        await service.forecast_log.flush()
    for name in names:
        erased = await service.database.run(erase_series, name, lambda: time.time_ns() // 1_000)
        if erased is not None:
            return erased
    return None


def _list(database: Database, after: str, limit: int) -> Response:
    found = list_series(database, after=after, limit=limit + 1)
    following = found[limit - 1].id if len(found) > limit else None
    return json_response({"series": [_summary(known) for known in found[:limit]], "next": following})


def _show(database: Database, series_id: str, limit: int) -> Response:
    """Return the response about a series; made in a thread, because a long one takes many milliseconds."""
    known, stamps, values = _history(database, series_id, limit)
    members = {
        "timestamps": write_timestamps(stamps, known.calendar.timezone, hours=has_hours(known)),
        "values": to_json_value(values.tolist()),
    }
    return json_response({**_summary(known), **members})


def _stored_series(database: Database, series_id: str, limit: int) -> Series:
    return make_series(*_history(database, series_id, limit))


def _history(database: Database, series_id: str, limit: int) -> tuple[SeriesInfo, Timestamps, Floats]:
    known = find_series(database, series_id)
    if known is None:
        raise unknown_series(series_id)
    return known, *newest_observations(database, known, limit)


def unknown_series(series_id: str) -> SeriesUnknown:
    """Return the error for a series that is not stored."""
    return SeriesUnknown(
        f"There is no series {describe_value(series_id)}.",
        hint="GET /series lists the series; POST /observations creates one.",
    )


def _summary(known: SeriesInfo) -> dict[str, Any]:
    zone = known.calendar.timezone
    ends = np.array([end for end in (known.first, known.last) if end is not None], dtype="M8[us]")
    first, last = write_timestamps(ends, zone, hours=has_hours(known)) if len(ends) else (None, None)
    return {
        "id": known.id,
        "frequency": known.calendar.frequency,
        "timezone": zone,
        "observations": known.count,
        "first": first,
        "last": last,
    }


def _numbers(text: str | None, name: str) -> list[float] | None:
    """Return the numbers of a text, separated by commas."""
    if text is None:
        return None
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise LevelInvalid(
            f"`{name}` is {describe_value(text)}.", pointer=f"/{name}", hint="Send numbers separated by commas."
        ) from error
