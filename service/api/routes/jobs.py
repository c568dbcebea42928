"""/jobs: retrainings that were asked for or scheduled, and what became of them."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from models.retraining.thresholds import DEFAULT, Thresholds
from service.api.examples.jobs import CANCEL_RESPONSES, JOB_BODY, JOB_RESPONSES, JOBS_RESPONSES, POST_RESPONSES
from service.api.http import json_response, read_body
from service.api.schemas.jobs import JobResponse, JobsQuery, JobsResponse
from service.api.state import Service, service_of
from service.errors import ConfigRequired
from service.jobs import jobs as records
from service.jobs.requests import MAX_BODY_BYTES, NewJob, check_key, parse_job
from service.jobs.responses import hear, job_answer, job_row
from service.jobs.schedules import config_of, no_config
from service.monitoring.retrain_reasons import RetrainQuery, assess_retraining

router = APIRouter(prefix="/jobs", tags=["jobs"])

IdempotencyKey = Annotated[
    str | None, Header(description="Becomes the job's id: the same request again is the same job, not another one.")
]
DryRun = Annotated[bool, Query(description="Say whether the model would be retrained, and why; queue nothing.")]


@router.get("", summary="List the jobs", response_model=JobsResponse, responses=JOBS_RESPONSES)
async def jobs(request: Request, asked: Annotated[JobsQuery, Query()]) -> Response:
    """Return jobs, the newest first."""
    wanted = records.Wanted(asked.state, asked.name, asked.schedule, asked.after, asked.limit)
    found, following = await service_of(request).jobs.look(([], None), records.list_jobs, wanted)
    return json_response({"jobs": [job_row(one) for one in found], "next": following})


@router.post(
    "",
    summary="Retrain a model now, or say whether it would be",
    status_code=202,
    response_model=JobResponse,
    responses=POST_RESPONSES,
    openapi_extra={"requestBody": JOB_BODY},
)
async def create(request: Request, idempotency_key: IdempotencyKey = None, *, dry_run: DryRun = False) -> Response:
    """Queue a retraining; a worker takes it when it is free.

    A dry run queues nothing. It says which reasons to retrain hold, from what this service has served and observed.
    """
    service, now = service_of(request), datetime.now(UTC)
    wanted = parse_job(await read_body(request, MAX_BODY_BYTES, service.settings.body_timeout_seconds))
    if dry_run:
        return json_response(await _judgement(service, wanted, now))
    job_id = f"{wanted.name}-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    job_id = job_id if idempotency_key is None else check_key(idempotency_key)
    await service.jobs.run(records.enqueue, job_id, wanted.request(await _config(service, wanted)), now)
    answer = job_answer(await service.jobs.run(hear, job_id), service.settings.tracking_uri)
    return json_response(answer, status=202, headers={"location": f"/jobs/{quote(job_id)}"})


@router.get("/{job_id}", summary="Show a job", response_model=JobResponse, responses=JOB_RESPONSES)
async def job(request: Request, job_id: str) -> Response:
    """Return a job with its steps, the progress of the one that runs, what was decided and where MLflow has it."""
    service = service_of(request)
    told = await service.jobs.known(records.unknown(job_id), hear, job_id)
    return json_response(job_answer(told, service.settings.tracking_uri))


@router.post("/{job_id}/cancel", summary="Cancel a job", response_model=JobResponse, responses=CANCEL_RESPONSES)
async def cancel(request: Request, job_id: str) -> Response:
    """Cancel a job that waits or runs: the step that runs is broken off when it next tells of itself; none follows."""
    service = service_of(request)
    await service.jobs.known(records.unknown(job_id), records.cancel, job_id)
    return json_response(job_answer(await service.jobs.run(hear, job_id), service.settings.tracking_uri))


async def _config(service: Service, wanted: NewJob) -> Mapping[str, Any]:
    """Return the configuration of a request, or of the schedule that retrains its model; raises ConfigRequired."""
    if wanted.config is not None:
        return wanted.config
    return await service.jobs.known(no_config(wanted.name), config_of, wanted.name)


async def _judgement(service: Service, wanted: NewJob, now: datetime) -> dict[str, Any]:
    """Return whether a model would be retrained and why, by its configuration's thresholds or the usual ones."""
    try:
        thresholds = Thresholds.of((await _config(service, wanted)).get("retrain", {}))
    except ConfigRequired:
        thresholds = DEFAULT
    question = retrain_query(service, wanted.name, thresholds)
    return (await service.database.run(assess_retraining, question, now)).to_dict()


def retrain_query(service: Service, name: str, thresholds: Thresholds) -> RetrainQuery:
    """Return the question whether a model would be retrained, with what the event loop knows of it.

    Raises:
        ModelLoading: If it has a champion that is not in memory yet, or the registry has not said whether it has one.
    """
    served = service.catalog.champions.get(name)
    if served is None and (reason := service.catalog.champion_error(name)) is not None:
        raise reason
    champions = list(service.catalog.champions.values())
    return RetrainQuery(name, served, thresholds, service.backtests.find, service.recent_inputs, champions)
