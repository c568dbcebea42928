"""Schemas of /jobs and /schedules: what may be asked, and what is answered."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from service.api.schemas.strict import StrictModel

State = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]

CONFIG = (
    "The tables of a training's TOML as JSON: `horizon`, and as `data` either `service` (the default: what this service has "
    "observed) or the absolute path of a file on the worker's disk."
)


class JobRequest(StrictModel):
    """A retraining that is wanted now."""

    name: str | None = Field(None, description="Of the model; the configuration's where it has one.")
    config: dict[str, Any] | None = Field(None, description=f"{CONFIG} Left out: that of the model's schedule.")
    if_needed: bool = Field(default=False, description="Retrain only where a reason of `retrain` holds.")


class ScheduleRequest(StrictModel):
    """A schedule that is to be made."""

    name: str = Field(description="The schedule's own; the model's too, where the configuration has no `name`.")
    cron: str = Field(
        description="minute hour day month weekday, or six fields with seconds first, or `@monthly` and such."
    )
    config: dict[str, Any] = Field(description=CONFIG)
    timezone: str = Field("UTC", description="IANA name whose clocks it goes by.")
    if_needed: bool = Field(default=False, description="A tick retrains only where a reason of `retrain` holds.")


class BackfillRequest(StrictModel):
    """The stretch of time whose ticks are made up for."""

    start: str = Field(description="ISO 8601, left out itself; without an offset by the schedule's time zone.")
    end: str = Field(description="Same, left out itself; not in the future.")


class JobsQuery(StrictModel):
    """The query parameters of GET /jobs."""

    state: State | None = Field(None, description="Only jobs in this state.")
    name: str | None = Field(None, description="Only jobs of this model.")
    schedule: str | None = Field(None, description="Only jobs of this schedule.")
    after: str = Field("", description="The `next` of the page before.")
    limit: int = Field(50, ge=1, le=500, description="Jobs on a page.")


class JobFailure(BaseModel):
    """Why a job or a step failed."""

    code: str
    detail: str


class JobSummary(BaseModel):
    """A job in short."""

    id: str
    state: State
    name: str | None = Field(description="The model.")
    schedule: str | None = Field(description="The schedule that made it, null where somebody asked.")
    reason: str | None = Field(description="`schedule` or `manual`.")
    if_needed: bool
    worker: str | None = Field(description="That runs it, or has run it.")
    created_at: str
    started_at: str | None
    ended_at: str | None
    outcome: Literal["PROMOTED", "KEPT", "NOT_NEEDED"] | None = Field(
        description="Of a job that succeeded: the challenger is champion, the champion was kept, or there was no reason."
    )
    error: JobFailure | None


class JobStep(BaseModel):
    """A step that has ended; a job that is resumed does not repeat it."""

    name: str
    state: Literal["SUCCEEDED", "FAILED"]
    started_at: str | None
    ended_at: str | None
    seconds: float | None
    error: JobFailure | None


class JobRun(BaseModel):
    """Where MLflow has it."""

    run_id: str
    run_url: str | None = Field(description="Where MLflow's own server shows it; null where runs lie in a file.")


class JobResponse(JobSummary):
    """A job with all that it has told."""

    judgement: dict[str, Any] | None = Field(description="Of a job that asked first: every reason, and which held.")
    steps: list[JobStep]
    progress: dict[str, Any] | None = Field(
        description="What the step that runs said last: `step`, `attempt`, `text`, …"
    )
    decision: dict[str, Any] | None = Field(
        description="Whether the challenger was promoted, why, and by which figures."
    )
    winner: str | None = Field(description="The candidate that became its version, such as `warm_start` or `lstm`.")
    version: str | None = Field(description="The version that it registered.")
    run: JobRun | None
    request: dict[str, Any] = Field(description="What it was asked to do, its configuration included.")


class JobsResponse(BaseModel):
    """A page of jobs, the newest first."""

    jobs: list[JobSummary]
    next: str | None = Field(description="The `after` of the next page, null on the last.")


class RetrainReason(BaseModel):
    """One reason to retrain."""

    code: str
    holds: bool
    known: bool = Field(description="False where it could not be told; the sentence says why.")
    value: float | None
    threshold: float | None
    sentence: str


class AssessmentResponse(BaseModel):
    """Whether a model would be retrained, and why."""

    name: str
    version: str | None = Field(description="The champion's.")
    retrain: bool
    at: str
    reasons: list[RetrainReason]


class ScheduleResponse(BaseModel):
    """A schedule."""

    name: str
    cron: str
    timezone: str
    paused: bool
    builtin: bool = Field(description="The worker's own watch over fresh champions, which cannot be deleted.")
    model: str | None
    if_needed: bool
    last_fired_at: str | None
    next_at: str | None = Field(description="In the schedule's time zone; null while it is paused.")
    config: dict[str, Any] | None


class SchedulesResponse(BaseModel):
    """Every schedule, by name."""

    schedules: list[ScheduleResponse]


class BackfillResponse(BaseModel):
    """The jobs of a stretch of time, those that were there already among them."""

    jobs: list[str]
