"""Settings: what the service reads from its environment, once, when it starts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from models.jobs.database import jobs_url
from service.errors import SettingInvalid

MEBIBYTE = 1024 * 1024
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("", "0", "false", "no", "off")
SQLITE = "sqlite:///"
DATABASES = (SQLITE, "postgresql://", "postgres://", "postgresql+psycopg://")


@dataclass(frozen=True)
class Settings:
    """Every setting of the service, each with the environment variable that sets it.

    Attributes:
        home: `ALMANAC_HOME`: the folder of the databases, the artifacts and the cache.
        tracking_uri: `MLFLOW_TRACKING_URI`: where the models are registered.
        database_url: `ALMANAC_DATABASE_URL`: where observations and forecasts are kept, `sqlite:///FILE` or `postgresql://…`; by
            default `almanac.db` in the home.
        jobs_url: `ALMANAC_JOBS_URL`: where jobs and schedules are kept, as above; by default `jobs.db` in the home.
        api_keys: `ALMANAC_API_KEYS`: the file of hashed keys; doors are open (and loopback only) while it is absent.
        model: `ALMANAC_MODEL`: what answers a request that names no model; `name`, `name@alias`, `name/version` or `starter`.
        max_body_bytes: `ALMANAC_MAX_BODY_BYTES`: largest request body.
        max_horizon: `ALMANAC_MAX_HORIZON`: longest horizon, in steps.
        max_series: `ALMANAC_MAX_SERIES`: most series in one request.
        max_points: `ALMANAC_MAX_POINTS`: most values in one series.
        max_steps: `ALMANAC_MAX_STEPS`: most forecast steps in one answer, series times horizon.
        max_numbers: `ALMANAC_MAX_NUMBERS`: most numbers in one answer, steps times median, quantiles and bounds of intervals;
            a number takes up to some twenty bytes.
        max_observations: `ALMANAC_MAX_OBSERVATIONS`: most observations in one request.
        max_models: `ALMANAC_MAX_MODELS`: versions held in memory; the least recently asked for makes room.
        max_queue: `ALMANAC_MAX_QUEUE`: large requests that may wait for a thread, and as many for the database.
        max_ledger: `ALMANAC_MAX_LEDGER`: forecasts that may wait to be written to the ledger; those beyond are lost, and counted.
        ledger: `ALMANAC_LEDGER`: whether served forecasts are kept, to be scored.
        retention_days: `ALMANAC_RETENTION_DAYS`: age at which forecasts and their scores are deleted; observations stay.
        accuracy_days: `ALMANAC_ACCURACY_DAYS`: how many days of scores the gauges of live accuracy add up.
        poll_seconds: `ALMANAC_POLL_SECONDS`: how often the registry is asked for its aliases.
        drain_seconds: `ALMANAC_DRAIN_SECONDS`: how long requests in flight may take to end at shutdown.
        body_timeout_seconds: `ALMANAC_BODY_TIMEOUT_SECONDS`: how long a request's body may take to come.
        access_log: `ALMANAC_ACCESS_LOG`: one line for each request on standard error.
    """

    home: Path
    tracking_uri: str
    api_keys: Path
    database_url: str | None = None
    jobs_url: str | None = None
    model: str | None = None
    max_body_bytes: int = 16 * MEBIBYTE
    max_horizon: int = 1_000
    max_series: int = 10_000
    max_points: int = 100_000
    max_steps: int = 250_000
    max_numbers: int = 3_000_000
    max_observations: int = 1_000_000
    max_models: int = 64
    max_queue: int = 64
    max_ledger: int = 20_000
    ledger: bool = True
    retention_days: int = 365
    accuracy_days: int = 30
    poll_seconds: float = 2.0
    drain_seconds: int = 30
    body_timeout_seconds: float = 30.0
    access_log: bool = False

    @property
    def cache(self) -> Path:
        """Return the folder of downloaded artifacts."""
        return self.home / "cache"

    @property
    def database(self) -> str:
        """Return the URL of the database."""
        return self.database_url or f"{SQLITE}{self.home / 'almanac.db'}"

    @property
    def jobs(self) -> str:
        """Return the URL of the jobs' database."""
        return jobs_url({"ALMANAC_HOME": str(self.home), "ALMANAC_JOBS_URL": self.jobs_url or ""})

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings that `environ` makes, paths absolute.

        Raises:
            SettingInvalid: If a value cannot be read as what the setting is.
        """
        home = Path(environ.get("ALMANAC_HOME") or "almanac-data").expanduser().absolute()
        if not environ.get("MLFLOW_TRACKING_URI") and set("%?") & set(str(home)):
            raise SettingInvalid(
                f"ALMANAC_HOME is {str(home)!r}; MLflow reads % and ? of a database's address as on the web.",
                hint="Choose another folder, or set MLFLOW_TRACKING_URI to an MLflow server.",
            )
        return cls(
            home=home,
            tracking_uri=environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}",
            api_keys=_named_file(environ, "ALMANAC_API_KEYS") or home / "keys.json",
            database_url=_database_url(environ, "ALMANAC_DATABASE_URL"),
            jobs_url=_database_url(environ, "ALMANAC_JOBS_URL"),
            model=environ.get("ALMANAC_MODEL") or None,
            max_body_bytes=_whole_number(environ, "ALMANAC_MAX_BODY_BYTES", cls.max_body_bytes),
            max_horizon=_whole_number(environ, "ALMANAC_MAX_HORIZON", cls.max_horizon),
            max_series=_whole_number(environ, "ALMANAC_MAX_SERIES", cls.max_series),
            max_points=_whole_number(environ, "ALMANAC_MAX_POINTS", cls.max_points),
            max_steps=_whole_number(environ, "ALMANAC_MAX_STEPS", cls.max_steps),
            max_numbers=_whole_number(environ, "ALMANAC_MAX_NUMBERS", cls.max_numbers),
            max_observations=_whole_number(environ, "ALMANAC_MAX_OBSERVATIONS", cls.max_observations),
            max_models=_whole_number(environ, "ALMANAC_MAX_MODELS", cls.max_models),
            max_queue=_whole_number(environ, "ALMANAC_MAX_QUEUE", cls.max_queue),
            max_ledger=_whole_number(environ, "ALMANAC_MAX_LEDGER", cls.max_ledger),
            ledger=_switch(environ, "ALMANAC_LEDGER", default="on"),
            retention_days=_whole_number(environ, "ALMANAC_RETENTION_DAYS", cls.retention_days),
            accuracy_days=_whole_number(environ, "ALMANAC_ACCURACY_DAYS", cls.accuracy_days),
            poll_seconds=_seconds(environ, "ALMANAC_POLL_SECONDS", cls.poll_seconds),
            drain_seconds=_whole_number(environ, "ALMANAC_DRAIN_SECONDS", cls.drain_seconds),
            body_timeout_seconds=_seconds(environ, "ALMANAC_BODY_TIMEOUT_SECONDS", cls.body_timeout_seconds),
            access_log=_switch(environ, "ALMANAC_ACCESS_LOG"),
        )


def _database_url(environ: Mapping[str, str], name: str) -> str | None:
    """Return the URL of a database; raises SettingInvalid for one of another kind, without repeating its password."""
    url = environ.get(name) or None
    if url is not None and not url.startswith(DATABASES):
        raise SettingInvalid(
            f"{name} begins with {url.partition('/')[0]!r}.",
            hint=f"Give one that begins with {', '.join(DATABASES)}.",
        )
    return url


def _named_file(environ: Mapping[str, str], name: str) -> Path | None:
    """Return the file that a setting names, or None where it names none.

    Raises:
        SettingInvalid: If there is no such file: a slip in its name must not open the doors.
    """
    text = environ.get(name)
    if not text:
        return None
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise SettingInvalid(
            f"{name} names {text!r}, which is no file.",
            hint="Make it with `almanac key add --scope forecast`, or unset the variable.",
        )
    return path


def _whole_number(environ: Mapping[str, str], name: str, default: int) -> int:
    """Return a setting that counts something: a whole number of at least 1."""
    text = environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise SettingInvalid(f"{name} is {text!r}.", hint="Give a whole number of at least 1.")
    return int(text)


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    """Return a setting that is a duration: between a twentieth of a second and a day."""
    text = environ.get(name) or str(default)
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not 0.05 <= seconds <= 86_400:  # noqa: PLR2004 (the docstring says what they are)
        raise SettingInvalid(f"{name} is {text!r}.", hint="Give seconds between 0.05 and 86400.")
    return seconds


def _switch(environ: Mapping[str, str], name: str, default: str = "") -> bool:
    """Return a setting that is on or off."""
    text = (environ.get(name) or default).lower()
    if text not in TRUE_WORDS + FALSE_WORDS:
        raise SettingInvalid(f"{name} is {text!r}.", hint="Give `on` or `off`.")
    return text in TRUE_WORDS
