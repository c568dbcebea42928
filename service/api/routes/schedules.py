"""/schedules: when models are retrained."""

from datetime import UTC, datetime
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.audit import audit
from service.api.examples.jobs import (
    BACKFILL_BODY,
    BACKFILL_RESPONSES,
    CREATE_RESPONSES,
    DELETE_RESPONSES,
    SCHEDULE_BODY,
    SCHEDULE_RESPONSES,
    SCHEDULES_RESPONSES,
    TRIGGER_RESPONSES,
)
from service.api.http import json_response, read_body
from service.api.schemas.jobs import BackfillResponse, JobResponse, ScheduleResponse, SchedulesResponse
from service.api.state import service_of
from service.jobs import schedules as records
from service.jobs.requests import MAX_BODY_BYTES, TOO_LARGE, parse_backfill, parse_schedule
from service.jobs.responses import job_response, read_job, schedule_response

router = APIRouter(prefix="/schedules", tags=["jobs"])


@router.get("", summary="List the schedules", response_model=SchedulesResponse, responses=SCHEDULES_RESPONSES)
async def schedules(request: Request) -> Response:
    """Return every schedule with its next run, in its own time zone."""
    found = await service_of(request).jobs.run_or([], records.list_schedules)
    return json_response({"schedules": [schedule_response(one, _now()) for one in found]})


@router.post(
    "",
    summary="Create a schedule",
    status_code=201,
    response_model=ScheduleResponse,
    responses=CREATE_RESPONSES,
    openapi_extra={"requestBody": SCHEDULE_BODY},
)
async def create(request: Request) -> Response:
    """Create a schedule that retrains a model; its configuration is stored as sent."""
    service = service_of(request)
    body = await read_body(request, MAX_BODY_BYTES, service.settings.body_timeout_seconds, too_large=TOO_LARGE)
    new = parse_schedule(body, service.settings.min_schedule_seconds)
    found = await service.jobs.run(records.add_schedule, new)
    await audit(request, "schedule.create", schedule=new.name)
    return json_response(
        schedule_response(found, _now()), status=201, headers={"location": f"/schedules/{quote(new.name)}"}
    )


@router.get("/{name}", summary="Show a schedule", response_model=ScheduleResponse, responses=SCHEDULE_RESPONSES)
async def schedule(request: Request, name: str) -> Response:
    """Return one schedule with its configuration."""
    found = await service_of(request).jobs.run_or_raise(records.unknown_schedule(name), records.find_schedule, name)
    return json_response(schedule_response(found, _now()))


@router.delete("/{name}", summary="Delete a schedule", status_code=204, responses=DELETE_RESPONSES)
async def delete(request: Request, name: str) -> Response:
    """Delete a schedule, but not its jobs: `GET /jobs?schedule=NAME&state=QUEUED` lists those that still wait."""
    await service_of(request).jobs.run_or_raise(records.unknown_schedule(name), records.remove, name)
    await audit(request, "schedule.delete", schedule=name)
    return Response(status_code=204)


@router.post("/{name}/pause", summary="Pause a schedule", response_model=ScheduleResponse, responses=SCHEDULE_RESPONSES)
async def pause(request: Request, name: str) -> Response:
    """Pause a schedule until it is resumed."""
    found = await service_of(request).jobs.run_or_raise(records.unknown_schedule(name), records.pause, name)
    await audit(request, "schedule.pause", schedule=name)
    return json_response(schedule_response(found, _now()))


@router.post(
    "/{name}/resume", summary="Resume a schedule", response_model=ScheduleResponse, responses=SCHEDULE_RESPONSES
)
async def resume(request: Request, name: str) -> Response:
    """Resume a schedule; the runs missed in between are not made up for."""
    found = await service_of(request).jobs.run_or_raise(records.unknown_schedule(name), records.resume, name)
    await audit(request, "schedule.resume", schedule=name)
    return json_response(schedule_response(found, _now()))


@router.post(
    "/{name}/trigger",
    summary="Run a schedule now",
    status_code=202,
    response_model=JobResponse,
    responses=TRIGGER_RESPONSES,
)
async def trigger(request: Request, name: str) -> Response:
    """Enqueue the job of a schedule now, even if it is paused."""
    service = service_of(request)
    job_id = await service.jobs.run_or_raise(records.unknown_schedule(name), records.trigger, name)
    response = job_response(await service.jobs.run(read_job, job_id), service.settings.tracking_uri)
    return json_response(response, status=202, headers={"location": f"/jobs/{quote(job_id)}"})


@router.post(
    "/{name}/backfill",
    summary="Make up for missed runs",
    status_code=202,
    response_model=BackfillResponse,
    responses=BACKFILL_RESPONSES,
    openapi_extra={"requestBody": BACKFILL_BODY},
)
async def backfill(request: Request, name: str) -> Response:
    """Enqueue a job for each run of the schedule between two moments; jobs that exist already do not run again."""
    service = service_of(request)
    body = await read_body(request, MAX_BODY_BYTES, service.settings.body_timeout_seconds, too_large=TOO_LARGE)
    start, end = parse_backfill(body)
    found = await service.jobs.run_or_raise(records.unknown_schedule(name), records.backfill, name, start, end, _now())
    return json_response({"jobs": found}, status=202)


def _now() -> datetime:
    return datetime.now(UTC)
