"""Worker settings: the settings of a worker, read from the environment when it starts."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from models.errors import ConfigInvalid
from models.jobs.cron import check_cron
from models.jobs.database import almanac_home, jobs_url
from training.jobs.memory_limit import memory_limit
from training.jobs.stage_runner import COMMAND
from training.jobs.steps import FIRST_WAIT_SECONDS
from training.service_client.client import SERVICE_URL

LONGEST_NAME = 47
"""PostgreSQL cuts the application name `almanac worker NAME` after this many characters of the name."""

WATCH_CRON = "*/5 * * * *"
OFF = ("off", "never", "0")
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """WorkerSettings of a worker.

    Attributes:
        url: Address of the jobs' database.
        home: ALMANAC_HOME.
        name: ALMANAC_WORKER_ID, by default the host's name.
        watch: Cron expression of the watch over new champions, None for no watch.
        jobs: Number of jobs that run at once.
        memory_mb: Memory of the fitting process of each job, in 10⁶ bytes; None for no limit.
        command: Command of a stage process.
        service: ALMANAC_SERVICE_URL, the service whose scores are watched.
        first_wait: Seconds before the first retry of a failed stage.
        poll: Seconds between two polls of the queue.
    """

    url: str
    home: Path
    name: str
    watch: str | None = WATCH_CRON
    jobs: int = 1
    memory_mb: int | None = None
    command: Sequence[str] = COMMAND
    service: str = SERVICE_URL
    first_wait: float = FIRST_WAIT_SECONDS
    poll: float = POLL_SECONDS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **changes: Any) -> Self:  # noqa: ANN401 (any field)
        """Return the settings in the environment variables, with some replaced; raises ConfigInvalid or ScheduleInvalid."""
        name = worker_id(environment)
        cron = environment.get("ALMANAC_WATCH_CRON") or WATCH_CRON
        watch = None if cron.strip().lower() in OFF else check_cron(cron)
        url, home = jobs_url(environment), almanac_home(environment)
        service = (environment.get("ALMANAC_SERVICE_URL") or SERVICE_URL).rstrip("/")
        memory = memory_limit(environment, changes.get("jobs", 1))
        known = {"url": url, "home": home, "name": name, "watch": watch, "service": service, "memory_mb": memory}
        return cls(**{**known, **changes})


def worker_id(environment: Mapping[str, str]) -> str:
    """Return the worker's name: ALMANAC_WORKER_ID, by default the host's name; raises ConfigInvalid."""
    name = environment.get("ALMANAC_WORKER_ID") or platform.node()[:LONGEST_NAME] or "worker"
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise ConfigInvalid(
            f"ALMANAC_WORKER_ID must have at most {LONGEST_NAME} printable characters. Received: {name!r}.",
            hint="Choose a shorter name.",
        )
    return name
