"""The address of the jobs' database, as the service and the workers derive it from the environment."""

from collections.abc import Mapping
from pathlib import Path

from models.errors import ConfigInvalid

SQLITE, POSTGRES = "sqlite:///", "postgresql://"
POSTGRES_ALIASES = ("postgresql+psycopg://", "postgres://")


def jobs_url(environment: Mapping[str, str]) -> str:
    """Return the address of the jobs' database: ALMANAC_JOBS_URL, or `jobs.db` in ALMANAC_HOME.

    Raises:
        ConfigInvalid: If it is neither SQLite nor PostgreSQL.
    """
    url = environment.get("ALMANAC_JOBS_URL") or f"{SQLITE}{almanac_home(environment) / 'jobs.db'}"
    for alias in POSTGRES_ALIASES:
        if url.startswith(alias):
            url = POSTGRES + url.removeprefix(alias)
    if not url.startswith((SQLITE, POSTGRES)):
        raise ConfigInvalid(
            f"ALMANAC_JOBS_URL is neither SQLite nor PostgreSQL. Received: {without_password(url)!r}.",
            hint="Use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.",
        )
    return url


def almanac_home(environment: Mapping[str, str]) -> Path:
    """Return ALMANAC_HOME as an absolute path, by default `almanac-data` in the working directory."""
    return Path(environment.get("ALMANAC_HOME") or "almanac-data").expanduser().absolute()


def without_password(url: str) -> str:
    """Return a database address without its password, for messages and logs."""
    scheme, separator, rest = url.partition("://")
    account, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{account.partition(':')[0]}{at}{host}"


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite address, or None for any other database."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None
