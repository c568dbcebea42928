"""Job examples: requests and responses of /jobs and /schedules for /docs; a test posts each request and validates each response."""

from typing import Any

from models.jobs.errors import JobsUnreachable, ScheduleDuplicated, ScheduleInvalid
from service.api.examples import Responses, load
from service.api.examples.described import problems, request_body, success
from service.api.examples.forecast import BODY_RESPONSES, FULL, KEY_RESPONSES
from service.api.schemas.jobs import AssessmentResponse
from service.errors import FieldInvalid, JobEnded, KeyReused, ModelLoading
from service.jobs import jobs, schedules

EXAMPLES = load("jobs")
JOB_REQUESTS: dict[str, Any] = EXAMPLES["job_requests"]
SCHEDULE_REQUESTS: dict[str, Any] = EXAMPLES["schedule_requests"]
JOB, QUEUED, CANCELLED, PAGE, ASSESSMENT, SCHEDULE = (
    EXAMPLES["responses"][name] for name in ("running", "queued", "cancelled", "page", "assessment", "schedule")
)

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
BODY_ERRORS: Responses = {**ERRORS, **BODY_RESPONSES}


SCHEDULE_BODY = request_body("ScheduleRequest", SCHEDULE_REQUESTS)
JOB_BODY = request_body("JobRequest", JOB_REQUESTS)
BACKFILL_BODY = request_body("BackfillRequest", EXAMPLES["backfill_requests"])

NO_SUCH_SCHEDULE: Responses = {404: problems("There is no such schedule.", NO_SCHEDULE)}
NO_SUCH_JOB: Responses = {404: problems("There is no such job.", NO_JOB)}

SCHEDULES_RESPONSES: Responses = {200: success("Every schedule, by name.", all={"schedules": [SCHEDULE]}), **ERRORS}
CREATE_RESPONSES: Responses = {
    201: success("The new schedule.", made=SCHEDULE),
    409: problems("The name is taken.", TAKEN),
    422: problems("The schedule is invalid.", BAD_CRON, BAD_DATA),
    **BODY_ERRORS,
}
SCHEDULE_RESPONSES: Responses = {200: success("The schedule.", schedule=SCHEDULE), **NO_SUCH_SCHEDULE, **ERRORS}
DELETE_RESPONSES: Responses = {
    204: {
        "description": "It is deleted. Its jobs stay: `GET /jobs?schedule=NAME&state=QUEUED` lists those that still wait."
    },
    422: problems("It is built in.", schedules.built_in()),
    **NO_SUCH_SCHEDULE,
    **ERRORS,
}
TRIGGER_RESPONSES: Responses = {
    202: success("The queued job.", queued=QUEUED),
    422: problems("It is built in.", schedules.built_in()),
    **NO_SUCH_SCHEDULE,
    **ERRORS,
}
BACKFILL_RESPONSES: Responses = {
    202: success("The jobs of all runs in the period.", queued={"jobs": [JOB["id"]]}),
    422: problems("The period is invalid.", BAD_END),
    **NO_SUCH_SCHEDULE,
    **BODY_ERRORS,
}
JOBS_RESPONSES: Responses = {
    200: success("A page of jobs, the newest first.", page=PAGE),
    422: problems("The query is wrong.", BAD_PAGE),
    **NO_SUCH_SCHEDULE,
    **ERRORS,
}
JOB_RESPONSES: Responses = {200: success("The job.", running=JOB), **NO_SUCH_JOB, **ERRORS}
CANCEL_RESPONSES: Responses = {
    200: success("The cancelled job.", cancelled=CANCELLED),
    409: problems("It has ended.", DONE),
    **NO_SUCH_JOB,
    **ERRORS,
}
POST_RESPONSES: Responses = {
    200: {
        **success("With `dry_run`: whether the model would be retrained, and why.", drift=ASSESSMENT),
        "model": AssessmentResponse,
    },
    202: success("The queued job, or the job with the Idempotency-Key.", queued=QUEUED),
    422: problems("The request is wrong, or has no configuration.", NO_CONFIG, BAD_DATA, REUSED),
    **BODY_ERRORS,
    503: problems("The jobs' database or, with `dry_run`, the registry does not answer.", DOWN, UNREAD),
}
