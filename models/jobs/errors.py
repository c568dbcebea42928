"""Job errors: what can be wrong with a job, a schedule or a worker, as a branch of the error tree.

JobError
├── JobUnknown                  no job of this id
├── JobsUnreachable             no answer from the jobs' database
├── ScheduleUnknown             no schedule of this name
├── ScheduleDuplicated          a name that another schedule has
├── ScheduleInvalid             a cron line, time zone or name that is none
├── WorkerAlive                 a worker of this name is running
├── WorkerUnknown               no worker of this name was ever seen
├── StageFailed                 a stage's child ended without an answer
├── TimeExceeded                a stage took longer than it may
└── MemoryExceeded              a stage took more memory than it may
"""

from models.errors import AlmanacError


class JobError(AlmanacError):
    """A job, a schedule or a worker that cannot be what was asked."""

    code = "JOB_FAILED"


class JobUnknown(JobError):
    """No job of this id."""

    code = "JOB_UNKNOWN"


class JobsUnreachable(JobError):
    """No answer from the jobs' database."""

    code = "JOBS_UNREACHABLE"


class ScheduleUnknown(JobError):
    """No schedule of this name."""

    code = "SCHEDULE_UNKNOWN"


class ScheduleDuplicated(JobError):
    """A name that another schedule has."""

    code = "SCHEDULE_DUPLICATED"


class ScheduleInvalid(JobError):
    """A cron line, time zone or name that is none."""

    code = "SCHEDULE_INVALID"


class WorkerAlive(JobError):
    """A worker of this name is running."""

    code = "WORKER_ALIVE"


class WorkerUnknown(JobError):
    """No worker of this name was ever seen."""

    code = "WORKER_UNKNOWN"


class StageFailed(JobError):
    """A stage whose child ended without an answer."""

    code = "STAGE_FAILED"


class TimeExceeded(JobError):
    """A stage that took longer than it may."""

    code = "TIME_EXCEEDED"


class MemoryExceeded(JobError):
    """A stage that took more memory than it may."""

    code = "MEMORY_EXCEEDED"
