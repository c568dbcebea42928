"""Place of the jobs: the words that workers and clients share, and the database where they meet."""

from collections.abc import Mapping
from pathlib import Path

from models.errors import ConfigInvalid

APPLICATION = "almanac"
APPLICATION_VERSION = "1"
"""The same in every release, or an upgrade would leave the jobs that wait behind."""

SCHEMA = "dbos"
QUEUE, WORKFLOW = "training", "retrain"
WATCH_QUEUE, WATCH_WORKFLOW, WATCH_SCHEDULE = "watch", "watch", "almanac-watch"
CLOSE_WORKFLOW = "close"
"""Closes the MLflow runs that a cancelled job has left open, by the queue of the watch, so that it waits for no training."""

WATCH_FOLDER = "watch"
"""Beside the jobs' folders, and shared by all ticks of the watch."""

PROGRESS, SUMMARY = "progress", "summary"
"""Events of a job: what its step last told, and what is known of the job so far."""

SQLITE, POSTGRES = "sqlite:///", "postgresql://"
POSTGRES_ALIASES = ("postgresql+psycopg://", "postgres://")


def closing_of(job: str) -> str:
    """Return the id of the workflow that closes a cancelled job's runs: there is one for each, whoever asks for it."""
    return f"{CLOSE_WORKFLOW}-{job}"


def home(environment: Mapping[str, str]) -> Path:
    """Return ALMANAC_HOME, absolute."""
    return Path(environment.get("ALMANAC_HOME") or "almanac-data").expanduser().absolute()


def jobs_url(environment: Mapping[str, str]) -> str:
    """Return the address of the jobs' database: ALMANAC_JOBS_URL, or `jobs.db` in ALMANAC_HOME.

    Raises:
        ConfigInvalid: If it is neither SQLite nor PostgreSQL.
    """
    url = environment.get("ALMANAC_JOBS_URL") or f"{SQLITE}{home(environment) / 'jobs.db'}"
    for alias in POSTGRES_ALIASES:
        if url.startswith(alias):
            url = POSTGRES + url.removeprefix(alias)
    if not url.startswith((SQLITE, POSTGRES)):
        raise ConfigInvalid(
            f"ALMANAC_JOBS_URL is neither SQLite nor PostgreSQL. Received: {without_password(url)!r}.",
            hint="Write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.",
        )
    return url


def without_password(url: str) -> str:
    """Return an address as it may be shown."""
    scheme, separator, rest = url.partition("://")
    account, at, place = rest.rpartition("@")
    return f"{scheme}{separator}{account.partition(':')[0]}{at}{place}"


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite address, or None where PostgreSQL answers."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None
