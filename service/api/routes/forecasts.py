"""GET /forecasts/{forecast_id}: a stored forecast and its scores."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from models.calendar.zoned_grid import format_timestamps
from models.forecast import level_name
from service.api.examples.observations import STORED_RESPONSES
from service.api.http import json_response
from service.api.schemas.forecast_records import ForecastRecord, StepScore
from service.api.state import Service, service_of
from service.errors import ForecastUnknown
from service.json_input import describe_value
from service.store.blobs import decode_floats, decode_times
from service.store.forecasts import StoredForecast, find_forecast
from service.store.log_entry import MICROSECONDS

ELSEWHERE_TRIES, ELSEWHERE_SECONDS = 10, 0.1
"""Another process writes what waits every half a second."""

router = APIRouter(tags=["forecast"])


@router.get(
    "/forecasts/{forecast_id}",
    summary="Show a forecast and its scores",
    response_model=ForecastRecord,
    responses=STORED_RESPONSES,
)
async def stored_forecast(request: Request, forecast_id: str) -> Response:
    """Return a forecast as it was served, with a score for each step that has been observed since."""
    service = service_of(request)
    found = await _find(service, forecast_id)
    if found is None:
        raise ForecastUnknown(
            f"There is no forecast {describe_value(forecast_id)}.",
            hint=f"Forecasts are stored for {service.settings.retention_days} days (ALMANAC_RETENTION_DAYS), unless "
            "ALMANAC_LEDGER is off.",
        )
    return json_response(_describe(found))


async def _find(service: Service, forecast_id: str) -> StoredForecast | None:
    """Return a forecast, None if there is none; it is written first if it waits, so that one that does not wait is stored."""
    log = service.forecast_log
    if log is not None and log.is_waiting(forecast_id):
        await log.flush()
    found = await service.database.run(find_forecast, forecast_id)
    may_wait_elsewhere = found is None and log is not None and service.settings.workers > 1
    return await _find_elsewhere(service, forecast_id) if may_wait_elsewhere else found


async def _find_elsewhere(service: Service, forecast_id: str) -> StoredForecast | None:
    """Return a forecast that waits in another process as soon as that has written it; None if it does not in time."""
    for _ in range(ELSEWHERE_TRIES):
        await asyncio.sleep(ELSEWHERE_SECONDS)
        if found := await service.database.run(find_forecast, forecast_id):
            return found
    return None


def _describe(found: StoredForecast) -> dict[str, Any]:
    row = found.row

    def format_times(times: bytes | None) -> list[str] | None:
        return None if times is None else format_timestamps(decode_times(times), row.style, row.timezone)

    levels = orjson.loads(row.levels)
    quantiles = decode_floats(row.quantiles).reshape(row.horizon, len(levels)).T
    cutoff = format_times(None if row.cutoff is None else np.array([row.cutoff], "<i8").tobytes())
    return {
        "forecast_id": row.forecast_id,
        "id": row.series_id or None,
        "model": {"name": row.model, "version": row.version, "alias": row.alias, "run_id": row.run_id},
        "made_at": datetime.fromtimestamp(row.made_at / MICROSECONDS, UTC).isoformat(timespec="milliseconds"),
        "frequency": row.frequency,
        "timezone": row.timezone,
        "cutoff": cutoff[0] if cutoff else None,
        "horizon": row.horizon,
        "timestamps": format_times(row.timestamps),
        "median": decode_floats(row.median),
        "quantiles": {
            level_name(level): np.ascontiguousarray(one) for level, one in zip(levels, quantiles, strict=True)
        },
        "naive": decode_floats(row.naive),
        "scale": row.scale,
        "context_used": row.context_used,
        "status": _status(found),
        "is_evidence": row.is_evidence,
        "observed": found.observed,
        "scores": [_score(one, format_times) for one in found.scores],
    }


def _status(found: StoredForecast) -> str:
    if found.row.timestamps is None:
        return "unscorable"
    if not found.row.series_id:
        return "unnamed"
    if not found.scores:
        return "waiting"
    return "scored" if len(found.scores) == found.row.horizon else "partly_scored"


def _score(row: Any, format_times: Any) -> dict[str, Any]:  # noqa: ANN401 (a row of the table; a function of times to text)
    """Return a step's score with the fields of the schema."""
    stamp = format_times(np.array([row["timestamp"]], "<i8").tobytes())[0]
    return {name: row[name] for name in StepScore.model_fields} | {"timestamp": stamp}
