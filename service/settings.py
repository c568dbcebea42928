"""Settings: the configuration of the service, read once from environment variables."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.jobs.cron import LEAST_SECONDS
from models.jobs.database import POSTGRES, POSTGRES_ALIASES, SQLITE, jobs_url
from service.errors import SettingInvalid

MEBIBYTE = 1024 * 1024
PREFIX = "ALMANAC_"
DATABASES = (SQLITE, POSTGRES, *POSTGRES_ALIASES)
SHARES = "Use a number between 0 and 1, for the canary up to 0.5: it is compared with the champion's requests."
ACCEPTED: dict[Any, str] = {
    int: "Use a whole number of at least 1.",
    float: "Use a number of seconds between 0.05 and 86400.",
    bool: "Use `on` or `off`.",
}


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _key_file(path: Path) -> Path:
    """Return the absolute path of a file; raises SettingInvalid if there is none: a typo must not disable the keys."""
    if not _absolute(path).is_file():
        raise SettingInvalid(
            f"ALMANAC_API_KEYS is not a file. Received: {str(path)!r}.",
            hint="Create it with `almanac key add --scope forecast`, or unset the variable.",
        )
    return _absolute(path)


def _database(url: str | None, field: ValidationInfo) -> str | None:
    """Return a database URL; raises SettingInvalid, which shows no password, if it is neither SQLite nor PostgreSQL."""
    if url is not None and not url.startswith(DATABASES):
        received = repr(url) if "@" not in url else f"a URL that begins with {url.partition(':')[0]!r}"
        raise SettingInvalid(
            f"{_variable(str(field.field_name))} is neither SQLite nor PostgreSQL. Received: {received}.",
            hint=f"Use a URL that begins with {', '.join(DATABASES)}.",
        )
    return url


def _proxies(text: str) -> str:
    """Return the addresses of trusted proxies; raises SettingInvalid: a typo must not change who is trusted."""
    try:
        for part in text.split(","):
            if part.strip() != "*":
                ip_network(part.strip(), strict=False)
    except ValueError:
        raise SettingInvalid(
            f"ALMANAC_FORWARDED_ALLOW_IPS is invalid. Received: {text!r}.",
            hint="Use addresses or networks separated by commas, such as `127.0.0.1,10.0.0.0/8`, or `*` for every proxy.",
        ) from None
    return text


def _hosts(text: str) -> str:
    """Return the names that requests may use; raises SettingInvalid for a URL or a port, which would match nothing."""
    for part in text.split(","):
        if set(part.strip()) & set("/ ") or (":" in part and part.count(":") == 1):
            raise SettingInvalid(
                f"ALMANAC_ALLOWED_HOSTS is invalid. Received: {text!r}.",
                hint="Use names without scheme and port, separated by commas, such as `forecast.example.org,service`, or `*`.",
            )
    return text


def check_rate(text: str) -> str:
    """Return a rate such as `100/second`; raises ValueError."""
    from limits import parse  # only where there is a rate

    if parse(text).amount < 1:
        raise ValueError(text)
    return text


def _rate(text: str | None) -> str | None:
    """Return a rate; raises SettingInvalid."""
    try:
        return text and check_rate(text)
    except ValueError:
        raise SettingInvalid(
            f"ALMANAC_RATE is not a rate. Received: {text!r}.",
            hint="Use a number of requests and a time, such as `100/second` or `1000/minute`.",
        ) from None


def _sqlite_registry(values: dict[str, Any]) -> str:
    """Return the default of `tracking_uri`; raises SettingInvalid for a folder that MLflow cannot use in a URL."""
    home = values["home"]
    if set("%?") & set(str(home)):
        raise SettingInvalid(
            f"ALMANAC_HOME contains % or ?, which MLflow decodes in a database URL. Received: {str(home)!r}.",
            hint="Choose another folder, or set MLFLOW_TRACKING_URI to an MLflow server.",
        )
    return f"{SQLITE}{home / 'mlflow.db'}"


Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Seconds = Annotated[float, Field(ge=0.05, le=86_400)]
Database = Annotated[str | None, AfterValidator(_database)]


class Settings(BaseSettings):
    """Every setting of the service; each is read from the variable `ALMANAC_<NAME>`, and an empty one counts as unset.

    Attributes:
        home: The folder of the databases, the artifacts and the cache.
        tracking_uri: Where the models are registered (`MLFLOW_TRACKING_URI`); by default `mlflow.db` in the home.
        api_keys: The file of hashed API keys; while it does not exist, no key is needed, and only loopback is served.
        database_url: Where observations and forecasts are stored, `sqlite:///FILE` or `postgresql://…`; by default
            `almanac.db` in the home.
        jobs_url: Where jobs and schedules are stored, as above; by default `jobs.db` in the home.
        model: What answers a request that names no model: `name`, `name@alias`, `name/version` or `starter`.
        workers: Processes that answer requests; `almanac serve --workers` has precedence.
        max_body_bytes: Largest request body.
        max_horizon: Longest horizon, in steps.
        max_series: Most series in one request.
        max_points: Most values in one series.
        max_steps: Most forecast steps in one response, series times horizon.
        max_numbers: Most numbers in one response, steps times median, quantiles and bounds of intervals; a number takes
            up to about twenty bytes.
        max_observations: Most observations in one request.
        max_models: Versions in memory; the least recently used is dropped first.
        max_model_mb: Memory that they may take, in 10⁶ bytes, as estimated from their files; champions stay.
        max_slowdown: A new champion may take so many times as long as the old one; a slower one does not replace it.
        max_wait_seconds: Expected wait beyond which a forecast is refused (429); large ones may wait ten times as long.
        rate: Most requests of a client, by its key or address, such as `100/second` or `1000/minute`; by default any number.
            Each process counts its own.
        deadline_seconds: How long after its body a request may wait until it begins; then it is refused (503). Once it has begun it
            may take ten times as long.
        max_queue: Large requests that may wait for a thread, and as many for the database; several workers share it.
        max_ledger: Forecasts that may wait to be written to the forecast log; further ones are lost, and counted; several
            workers share it.
        ledger: Whether forecasts are stored, to be scored.
        retention_days: Age at which forecasts and their scores are deleted; observations are kept.
        retention_all: Whether all of these are deleted at once; otherwise a tenth of the forecasts a day at most, since by a
            wrong clock all look old.
        accuracy_days: How many days of scores the metrics of live accuracy include.
        min_schedule_seconds: Shortest time between two runs of a schedule.
        poll_seconds: How often the registry is polled.
        canary_share: Share of the requests without `model` that the challenger answers, until it is significantly worse.
        shadow_share: Share of the others that the challenger forecasts, too, to be scored and not returned.
        drain_seconds: How long requests in progress may take at shutdown.
        header_timeout_seconds: How long the transfer of a request's headers may take.
        body_timeout_seconds: How long the transfer of a request body may take, and of a part of a stream.
        allowed_hosts: Names, besides this machine's own, that the Host header of a request may have, separated by commas;
            `*.example.org` allows all below it, `*` any.
        forwarded_allow_ips: Addresses of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed.
        access_log: Whether each request is logged on standard error.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, populate_by_name=True, frozen=True)

    home: Annotated[Path, AfterValidator(_absolute)] = Path("almanac-data")
    tracking_uri: str = Field(default_factory=_sqlite_registry, validation_alias="MLFLOW_TRACKING_URI")
    api_keys: Annotated[Path, AfterValidator(_key_file)] = Field(
        default_factory=lambda values: values["home"] / "keys.json", validate_default=False
    )
    database_url: Database = None
    jobs_url: Database = None
    model: str | None = None
    workers: Count = 1
    max_body_bytes: Count = 16 * MEBIBYTE
    max_horizon: Count = 1_000
    max_series: Count = 10_000
    max_points: Count = 100_000
    max_steps: Count = 250_000
    max_numbers: Count = 3_000_000
    max_observations: Count = 1_000_000
    max_models: Count = 64
    max_model_mb: Count = 2_000
    max_slowdown: Count = 10
    max_wait_seconds: Seconds = 1.0
    rate: Annotated[str | None, AfterValidator(_rate)] = None
    deadline_seconds: Seconds = 30.0
    max_queue: Count = 64
    max_ledger: Count = 20_000
    ledger: bool = True
    retention_days: Count = 365
    retention_all: bool = False
    accuracy_days: Count = 30
    min_schedule_seconds: Seconds = LEAST_SECONDS
    poll_seconds: Seconds = 2.0
    canary_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    shadow_share: Share = 0.0
    drain_seconds: Count = 30
    header_timeout_seconds: Seconds = 10.0
    body_timeout_seconds: Seconds = 30.0
    allowed_hosts: Annotated[str, AfterValidator(_hosts)] = ""
    forwarded_allow_ips: Annotated[str, AfterValidator(_proxies)] = "127.0.0.1"
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
    def from_environment(cls) -> Self:
        """Return the settings in the environment variables; raises SettingInvalid."""
        try:
            return cls()
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0])
            raise SettingInvalid(
                f"{_variable(name)} is invalid. Received: {first['input']!r}.",
                hint=SHARES if name.endswith("_share") else ACCEPTED[cls.model_fields[name].annotation],
            ) from None


def _variable(field: str) -> str:
    return f"{PREFIX}{field.upper()}"
