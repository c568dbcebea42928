"""Settings: what a worker reads from its environment, once, when it starts."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from models.errors import ConfigInvalid
from models.jobs.cron import check_cron
from models.jobs.database import almanac_home, jobs_url
from training.jobs.stage_runner import COMMAND
from training.jobs.steps import FIRST_WAIT_SECONDS
from training.service_client.client import SERVICE_URL

LONGEST_NAME = 47
"""Letters of a worker's name: PostgreSQL shows so many of it beside `almanac worker`."""

WATCH_CRON = "*/5 * * * *"
OFF = ("off", "never", "0")
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker is told by its environment and its command line.

    Attributes:
        url: Of the jobs' database.
        home: ALMANAC_HOME.
        name: ALMANAC_WORKER_ID, by default the host's name.
        watch: Cron line of the watch, None for no watch.
        jobs: How many it runs at once.
        command: What runs a stage.
        service: ALMANAC_SERVICE_URL: the service whose scores are watched.
        first_wait: Seconds before a stage that failed is tried again.
        poll: Seconds between two looks at the queue.
    """

    url: str
    home: Path
    name: str
    watch: str | None = WATCH_CRON
    jobs: int = 1
    command: Sequence[str] = COMMAND
    service: str = SERVICE_URL
    first_wait: float = FIRST_WAIT_SECONDS
    poll: float = POLL_SECONDS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], **changes: Any) -> Self:  # noqa: ANN401 (any field)
        """Return what the environment says; raises ConfigInvalid or ScheduleInvalid."""
        name = environment.get("ALMANAC_WORKER_ID") or platform.node()[:LONGEST_NAME] or "worker"
        if len(name) > LONGEST_NAME or not name.isprintable():
            raise ConfigInvalid(
                f"ALMANAC_WORKER_ID has at most {LONGEST_NAME} printable letters. Received: {name!r}.",
                hint="Choose a shorter one.",
            )
        line = environment.get("ALMANAC_WATCH_CRON") or WATCH_CRON
        watch = None if line.strip().lower() in OFF else check_cron(line)
        url, home = jobs_url(environment), almanac_home(environment)
        service = (environment.get("ALMANAC_SERVICE_URL") or SERVICE_URL).rstrip("/")
        return cls(**{"url": url, "home": home, "name": name, "watch": watch, "service": service, **changes})
