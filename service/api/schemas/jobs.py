"""Job schemas: the responses of /jobs and /schedules, and the query of GET /jobs."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from service.json_input import StrictModel

State = Literal["QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"]


class JobsQuery(StrictModel):
    """The query parameters of GET /jobs."""

    state: State | None = Field(None, description="Only jobs in this state.")
    name: str | None = Field(None, description="Only jobs of this model.")
    schedule: str | None = Field(None, description="Only jobs of this schedule.")
    after: str = Field("", description="The `next` of the previous page.")
    limit: int = Field(50, ge=1, le=500, description="Jobs on a page.")


class JobFailure(BaseModel):
    """Why a job or a step failed."""

    code: str
    detail: str


class JobSummary(BaseModel):
    """A job in the list of jobs."""

    id: str
    state: State
    name: str | None = Field(description="The model.")
    schedule: str | None = Field(description="The schedule that created it, null for a request.")
    reason: str | None = Field(description="`schedule` or `manual`.")
    if_needed: bool
    worker: str | None = Field(description="The worker that runs or ran it.")
    created_at: str
    started_at: str | None
    ended_at: str | None
    outcome: Literal["PROMOTED", "KEPT", "NOT_NEEDED"] | None = Field(
        description="Of a job that succeeded: the challenger is champion, the champion was kept, or there was no reason."
    )
    error: JobFailure | None


class JobStep(BaseModel):
    """A step that has ended; a resumed job does not repeat it."""

    name: str
    state: Literal["SUCCEEDED", "FAILED"]
    started_at: str | None
    ended_at: str | None
    seconds: float | None
    error: JobFailure | None


class JobRun(BaseModel):
    """The MLflow run of a job."""

    run_id: str
    run_url: str | None = Field(description="Its page on the MLflow server; null if runs are stored in a file.")


class JobResponse(JobSummary):
    """A job with its steps and results."""

    judgement: dict[str, Any] | None = Field(
        description="With `if_needed`: every reason to retrain, and which applied."
    )
    steps: list[JobStep]
    progress: dict[str, Any] | None = Field(
        description="The latest progress of the current step: `step`, `attempt`, `text`, …"
    )
    decision: dict[str, Any] | None = Field(description="Whether the challenger was promoted, why, and the figures.")
    winner: str | None = Field(description="The candidate that was registered, such as `warm_start` or `lstm`.")
    version: str | None = Field(description="The version that was registered.")
    run: JobRun | None
    request: dict[str, Any] = Field(description="The request, with its configuration.")


class JobsResponse(BaseModel):
    """A page of jobs, the newest first."""

    jobs: list[JobSummary]
    next: str | None = Field(description="The `after` of the next page, null on the last.")


class RetrainReason(BaseModel):
    """One reason to retrain."""

    code: str
    holds: bool = Field(description="Whether the reason applies.")
    known: bool = Field(description="False if it could not be determined; the sentence contains the cause.")
    value: float | None
    threshold: float | None
    sentence: str


class AssessmentResponse(BaseModel):
    """Whether a model would be retrained, and why."""

    name: str
    version: str | None = Field(description="The champion.")
    retrain: bool
    at: str
    reasons: list[RetrainReason]


class ScheduleResponse(BaseModel):
    """A schedule."""

    name: str
    cron: str
    timezone: str
    paused: bool
    builtin: bool = Field(description="The worker's own check of new champions, which cannot be deleted.")
    model: str | None
    if_needed: bool
    last_fired_at: str | None
    next_at: str | None = Field(description="In the schedule's time zone; null while it is paused.")
    config: dict[str, Any] | None


class SchedulesResponse(BaseModel):
    """Every schedule, by name."""

    schedules: list[ScheduleResponse]


class BackfillResponse(BaseModel):
    """The ids of the jobs in a period, including those that existed already."""

    jobs: list[str]
