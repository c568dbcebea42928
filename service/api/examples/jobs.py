"""Job examples: requests and responses of /jobs and /schedules for /docs; a test posts each request and validates each response."""

from typing import Any

from models.jobs.errors import JobsUnreachable, ScheduleDuplicated, ScheduleInvalid
from service.api.examples.forecast import FULL, KEY_RESPONSES, NO_JSON, TOO_LARGE, Responses
from service.api.openapi import problems, request_body
from service.api.schemas.jobs import AssessmentResponse
from service.errors import FieldInvalid, JobEnded, KeyReused, ModelLoading
from service.jobs import jobs, schedules

CONFIG: dict[str, Any] = {
    "data": "service",
    "horizon": 24,
    "frequency": "M",
    "architecture": ["lstm", "wavenet"],
    "retrain": {"drift": 0.25, "new_observations": 500},
}
SCHEDULE_REQUESTS: dict[str, Any] = {
    "monthly": {
        "summary": "At 03:00 on the first of each month, on the observations of this service",
        "value": {"name": "temperatures", "cron": "0 3 1 * *", "timezone": "Europe/Berlin", "config": CONFIG},
    },
    "needed": {
        "summary": "Every night if there is a reason, on a file on the worker's disk",
        "value": {
            "name": "nightly",
            "cron": "0 2 * * *",
            "if_needed": True,
            "config": {"name": "sales", "data": "/data/sales.parquet", "horizon": 28, "holidays": ["DE"]},
        },
    },
}
JOB_REQUESTS: dict[str, Any] = {
    "config": {"summary": "With a configuration", "value": {"name": "temperatures", "config": CONFIG}},
    "schedule": {
        "summary": "With the configuration of the model's schedule, if there is a reason",
        "value": {"name": "temperatures", "if_needed": True},
    },
}
BACKFILL_REQUEST: dict[str, Any] = {"start": "2026-05-25", "end": "2026-06-10T12:00:00+02:00"}

JOB: dict[str, Any] = {
    "id": "sched-temperatures-2026-11-01T03:00:00+01:00",
    "state": "RUNNING",
    "name": "temperatures",
    "schedule": "temperatures",
    "reason": "schedule",
    "if_needed": False,
    "worker": "trainer-1",
    "created_at": "2026-11-01T02:00:01.210+00:00",
    "started_at": "2026-11-01T02:00:02.004+00:00",
    "ended_at": None,
    "outcome": None,
    "error": None,
    "judgement": None,
    "steps": [
        {
            "name": "read",
            "state": "SUCCEEDED",
            "started_at": "2026-11-01T02:00:02.011+00:00",
            "ended_at": "2026-11-01T02:00:09.487+00:00",
            "seconds": 7.476,
            "error": None,
        }
    ],
    "progress": {
        "step": "fit warm_start",
        "attempt": 1,
        "at": "2026-11-01T02:00:41+00:00",
        "epoch": 2,
        "validation_mase": 0.71,
    },
    "decision": None,
    "winner": None,
    "version": None,
    "run": {"run_id": "c1a4bd2d3b0b40afb529d526391412b3", "run_url": None},
    "request": {
        "name": "temperatures",
        "config": {**CONFIG, "name": "temperatures"},
        "if_needed": False,
        "reason": "schedule",
    },
}
ROW = {
    key: value
    for key, value in JOB.items()
    if key not in {"judgement", "steps", "progress", "decision", "winner", "version", "run", "request"}
}
QUEUED: dict[str, Any] = {
    **JOB,
    "id": "temperatures-20261122T081500Z-9f3c",
    "state": "QUEUED",
    "schedule": None,
    "reason": "manual",
    "worker": None,
    "started_at": None,
    "steps": [],
    "progress": None,
    "run": None,
    "request": {**JOB["request"], "reason": "manual"},
}
CANCELLED: dict[str, Any] = {**JOB, "state": "CANCELLED", "ended_at": "2026-11-01T02:03:10.000+00:00", "progress": None}
ASSESSMENT: dict[str, Any] = {
    "name": "temperatures",
    "version": "7",
    "retrain": True,
    "at": "2026-11-22T08:15:00+00:00",
    "reasons": [
        {
            "code": "INPUT_DRIFT",
            "holds": True,
            "known": True,
            "value": 0.41,
            "threshold": 0.25,
            "sentence": "The inputs differ most from the training data in level: population stability index 0.41; above 0.25 is "
            "a reason.",
        },
        {
            "code": "SKILL_BELOW_ZERO",
            "holds": False,
            "known": False,
            "value": None,
            "threshold": 0.0,
            "sentence": "Unknown: 12 scores in the window, 100 are needed.",
        },
    ],
}
SCHEDULE: dict[str, Any] = {
    "name": "temperatures",
    "cron": "0 3 1 * *",
    "timezone": "Europe/Berlin",
    "paused": False,
    "builtin": False,
    "model": "temperatures",
    "if_needed": False,
    "last_fired_at": "2026-11-01T03:00:00+01:00",
    "next_at": "2026-12-01T03:00:00+01:00",
    "config": {**CONFIG, "name": "temperatures"},
}

BAD_CRON = ScheduleInvalid(
    "The day of the month of the cron line is '32'.",
    pointer="/cron",
    hint='Write five fields, minute hour day month weekday, such as "0 3 1 * *" for 03:00 on the first of each month.',
)
BAD_DATA = FieldInvalid(
    "`data` is '../sales.csv'.",
    pointer="/config/data",
    hint="Send 'service' for the observations of this service, or the absolute path of a file on the worker's disk.",
)
TAKEN = ScheduleDuplicated(
    "There is a schedule 'temperatures' already.", pointer="/name", hint="Delete it first, or use another name."
)
NO_SCHEDULE = schedules.unknown_schedule("weekly")
NO_JOB = jobs.unknown_job("temperatures-1")
NO_CONFIG = schedules.no_config("temperatures")
REUSED = KeyReused("The Idempotency-Key 'a1' belongs to another request.", hint="Send a new key with each new request.")
DONE = JobEnded("The job temperatures-1 has already succeeded.", hint="Only a queued or running job can be cancelled.")
BAD_END = FieldInvalid(
    "`start` is 2026-06-30T00:00:00+02:00, `end` is 2026-01-01T00:00:00+01:00.",
    pointer="/end",
    hint="Send a `start` before the `end`, and an `end` that is not in the future.",
)
BAD_PAGE = FieldInvalid("`after` is 'second'.", pointer="/after", hint="Send the `next` of the previous page.")
UNREAD = ModelLoading("The registry has not answered yet.", hint="Try again in a few seconds.")
DOWN = JobsUnreachable(
    "The jobs' database cannot be used: connection refused.", hint="Try again soon, or check ALMANAC_JOBS_URL."
)

ERRORS: Responses = {
    **KEY_RESPONSES,
    429: problems("Too many requests wait for the database; try again after Retry-After.", FULL),
    503: problems("The jobs' database does not answer.", DOWN),
}
BODY_ERRORS: Responses = {
    **ERRORS,
    400: problems("The body is not JSON.", NO_JSON),
    413: problems("The body is too large.", TOO_LARGE),
}


def response(description: str, **examples: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI response with some examples."""
    values = {name: {"value": value} for name, value in examples.items()}
    return {"description": description, "content": {"application/json": {"examples": values}}}


SCHEDULE_BODY = request_body("ScheduleRequest", SCHEDULE_REQUESTS)
JOB_BODY = request_body("JobRequest", JOB_REQUESTS)
BACKFILL_BODY = request_body(
    "BackfillRequest", {"missed": {"summary": "Two weeks in which no worker ran", "value": BACKFILL_REQUEST}}
)

NO_SUCH_SCHEDULE: Responses = {404: problems("There is no such schedule.", NO_SCHEDULE)}
NO_SUCH_JOB: Responses = {404: problems("There is no such job.", NO_JOB)}

SCHEDULES_RESPONSES: Responses = {200: response("Every schedule, by name.", all={"schedules": [SCHEDULE]}), **ERRORS}
CREATE_RESPONSES: Responses = {
    201: response("The new schedule.", made=SCHEDULE),
    409: problems("The name is taken.", TAKEN),
    422: problems("The schedule is invalid.", BAD_CRON, BAD_DATA),
    **BODY_ERRORS,
}
SCHEDULE_RESPONSES: Responses = {200: response("The schedule.", schedule=SCHEDULE), **NO_SUCH_SCHEDULE, **ERRORS}
DELETE_RESPONSES: Responses = {
    204: {
        "description": "It is deleted. Its jobs stay: `GET /jobs?schedule=NAME&state=QUEUED` lists those that still wait."
    },
    422: problems("It is built in.", schedules.built_in()),
    **NO_SUCH_SCHEDULE,
    **ERRORS,
}
TRIGGER_RESPONSES: Responses = {
    202: response("The queued job.", queued=QUEUED),
    422: problems("It is built in.", schedules.built_in()),
    **NO_SUCH_SCHEDULE,
    **ERRORS,
}
BACKFILL_RESPONSES: Responses = {
    202: response("The jobs of all runs in the period.", queued={"jobs": [JOB["id"]]}),
    422: problems("The period is invalid.", BAD_END),
    **NO_SUCH_SCHEDULE,
    **BODY_ERRORS,
}
JOBS_RESPONSES: Responses = {
    200: response("A page of jobs, the newest first.", page={"jobs": [ROW], "next": None}),
    422: problems("The query is wrong.", BAD_PAGE),
    **ERRORS,
}
JOB_RESPONSES: Responses = {200: response("The job.", running=JOB), **NO_SUCH_JOB, **ERRORS}
CANCEL_RESPONSES: Responses = {
    200: response("The cancelled job.", cancelled=CANCELLED),
    409: problems("It has ended.", DONE),
    **NO_SUCH_JOB,
    **ERRORS,
}
POST_RESPONSES: Responses = {
    200: {
        **response("With `dry_run`: whether the model would be retrained, and why.", drift=ASSESSMENT),
        "model": AssessmentResponse,
    },
    202: response("The queued job, or the job with the Idempotency-Key.", queued=QUEUED),
    422: problems("The request is wrong, or has no configuration.", NO_CONFIG, BAD_DATA, REUSED),
    **BODY_ERRORS,
    503: problems("The jobs' database or, with `dry_run`, the registry does not answer.", DOWN, UNREAD),
}
