"""/jobs: retraining jobs and their results."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from models.names import STARTER
from models.retraining.thresholds import DEFAULT, Thresholds
from service.api.examples.jobs import CANCEL_RESPONSES, JOB_BODY, JOB_RESPONSES, JOBS_RESPONSES, POST_RESPONSES
from service.api.http import json_response, read_body
from service.api.schemas.jobs import JobResponse, JobsQuery, JobsResponse
from service.api.state import Service, service_of
from service.errors import ConfigRequired, ModelNotFound
from service.jobs import jobs as queue
from service.jobs.client import Schedule
from service.jobs.requests import MAX_BODY_BYTES, TOO_LARGE, JobRequest, check_key, parse_job
from service.jobs.responses import job_response, job_summary, read_job
from service.jobs.schedules import config_of, find_schedule, list_schedules, model_of, no_config, unknown_schedule
from service.json_input import describe_value
from service.monitoring.retrain_reasons import RetrainQuery, assess_retraining

router = APIRouter(prefix="/jobs", tags=["jobs"])

IdempotencyKey = Annotated[
    str | None, Header(description="Becomes the job's id: a repeated request is the same job, not a second one.")
]
DryRun = Annotated[bool, Query(description="Return whether the model would be retrained, and why; enqueue nothing.")]


@router.get("", summary="List the jobs", response_model=JobsResponse, responses=JOBS_RESPONSES)
async def jobs(request: Request, query: Annotated[JobsQuery, Query()]) -> Response:
    """Return jobs, the newest first."""
    wanted = queue.JobFilter(query.state, query.name, query.schedule, query.after, query.limit)
    found, following = await service_of(request).jobs.run_or(([], None), queue.list_jobs, wanted)
    if not found and not query.after:
        await _check_known(service_of(request), query)
    return json_response({"jobs": [job_summary(one) for one in found], "next": following})


@router.post(
    "",
    summary="Retrain a model now, or return whether it would be",
    status_code=202,
    response_model=JobResponse,
    responses=POST_RESPONSES,
    openapi_extra={"requestBody": JOB_BODY},
)
async def create(request: Request, idempotency_key: IdempotencyKey = None, *, dry_run: DryRun = False) -> Response:
    """Enqueue a retraining, which the next free worker runs.

    A dry run enqueues nothing. It returns which reasons to retrain apply, from the forecasts and observations of this service.
    """
    service, now = service_of(request), datetime.now(UTC)
    seconds = service.settings.body_timeout_seconds
    new = parse_job(await read_body(request, MAX_BODY_BYTES, seconds, too_large=TOO_LARGE))
    if dry_run:
        return json_response(await _assess(service, new, now))
    job_id = f"{new.name}-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    job_id = job_id if idempotency_key is None else check_key(idempotency_key)
    await service.jobs.run(queue.enqueue, job_id, new.workflow_input(await _config(service, new)), now)
    response = job_response(await service.jobs.run(read_job, job_id), service.settings.tracking_uri)
    return json_response(response, status=202, headers={"location": f"/jobs/{quote(job_id)}"})


@router.get("/{job_id}", summary="Show a job", response_model=JobResponse, responses=JOB_RESPONSES)
async def job(request: Request, job_id: str) -> Response:
    """Return a job with its steps, the progress of the current one, the decision and the run in MLflow."""
    service = service_of(request)
    details = await service.jobs.run_or_raise(queue.unknown_job(job_id), read_job, job_id)
    return json_response(job_response(details, service.settings.tracking_uri))


@router.post("/{job_id}/cancel", summary="Cancel a job", response_model=JobResponse, responses=CANCEL_RESPONSES)
async def cancel(request: Request, job_id: str) -> Response:
    """Cancel a queued or running job: the current step stops at its next progress report, and no further step runs."""
    service = service_of(request)
    await service.jobs.run_or_raise(queue.unknown_job(job_id), queue.cancel, job_id)
    return json_response(job_response(await service.jobs.run(read_job, job_id), service.settings.tracking_uri))


async def _check_known(service: Service, query: JobsQuery) -> None:
    """Raise ScheduleUnknown or ModelNotFound if a query without jobs names what does not exist."""
    if query.schedule is not None:
        await service.jobs.run_or_raise(unknown_schedule(query.schedule), find_schedule, query.schedule)
    index = service.catalog.index
    if query.name is None or not index.is_current:
        return
    schedules = await service.jobs.run_or(list[Schedule](), list_schedules)
    known = {STARTER, *index.models, *service.catalog.champions, *map(model_of, schedules)}
    if query.name not in known:
        raise ModelNotFound(f"There is no model {describe_value(query.name)}.", hint="GET /models lists the models.")


async def _config(service: Service, new: JobRequest) -> Mapping[str, Any]:
    """Return the configuration of a request, or of its model's schedule; raises ConfigRequired."""
    if new.config is not None:
        return new.config.to_dict()
    return await service.jobs.run_or_raise(no_config(str(new.name)), config_of, str(new.name))


async def _assess(service: Service, new: JobRequest, now: datetime) -> dict[str, Any]:
    """Return whether a model would be retrained and why, with its configuration's thresholds or the default ones."""
    try:
        thresholds = Thresholds.of((await _config(service, new)).get("retrain", {}))
    except ConfigRequired:
        thresholds = DEFAULT
    query = retrain_query(service, str(new.name), thresholds)
    return (await service.database.run(assess_retraining, query, now)).to_dict()


def retrain_query(service: Service, name: str, thresholds: Thresholds) -> RetrainQuery:
    """Return what the assessment of a model needs from the event loop; raises ModelLoading."""
    champion = service.catalog.champions.get(name)
    if champion is None and (error := service.catalog.champion_error(name)) is not None:
        raise error
    champions = list(service.catalog.champions.values())
    return RetrainQuery(name, champion, thresholds, service.backtests.find, service.recent_inputs, champions)
