"""Job errors: errors of jobs, schedules and workers, as a branch of the error tree.

JobError
├── JobUnknown                  no job with this id
├── JobsUnreachable             no response from the jobs' database
├── ScheduleUnknown             no schedule with this name
├── ScheduleDuplicated          a schedule with this name exists already
├── ScheduleInvalid             an invalid cron line, timezone or name
├── WorkerAlive                 a worker with this name is running
├── WorkerUnknown               no worker with this name ever ran
├── StageFailed                 a stage's process ended without a result
├── TimeExceeded                a stage exceeded its time limit
└── MemoryExceeded              a stage exceeded its memory limit
"""

from models.errors import AlmanacError


class JobError(AlmanacError):
    """A failed operation on a job, a schedule or a worker."""

    code = "JOB_FAILED"


class JobUnknown(JobError):
    """No job with this id."""

    code = "JOB_UNKNOWN"


class JobsUnreachable(JobError):
    """No response from the jobs' database."""

    code = "JOBS_UNREACHABLE"


class ScheduleUnknown(JobError):
    """No schedule with this name."""

    code = "SCHEDULE_UNKNOWN"


class ScheduleDuplicated(JobError):
    """A schedule with this name exists already."""

    code = "SCHEDULE_DUPLICATED"


class ScheduleInvalid(JobError):
    """An invalid cron line, timezone or name."""

    code = "SCHEDULE_INVALID"


class WorkerAlive(JobError):
    """A worker with this name is running."""

    code = "WORKER_ALIVE"


class WorkerUnknown(JobError):
    """No worker with this name ever ran."""

    code = "WORKER_UNKNOWN"


class StageFailed(JobError):
    """A stage's process ended without a result."""

    code = "STAGE_FAILED"


class TimeExceeded(JobError):
    """A stage exceeded its time limit."""

    code = "TIME_EXCEEDED"


class MemoryExceeded(JobError):
    """A stage exceeded its memory limit."""

    code = "MEMORY_EXCEEDED"
