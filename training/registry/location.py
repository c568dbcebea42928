"""Where runs and models are stored, and what a registered version and a run are; without MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import ConfigInvalid, RegistryUnreachable
from models.jobs.database import SQLITE, almanac_home, sqlite_file
from training.registry.views import run_fragment

UNSUPPORTED = "%?"
"""Characters of a path that MLflow reads differently in a database's address and in a folder's name."""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""MLflow's environment variables here: no telemetry, no banners, and an error within a minute if the server is down."""


@dataclass(frozen=True, slots=True)
class RegistryLocation:
    """Where runs and models are stored.

    Attributes:
        home: ALMANAC_HOME, an absolute path.
        uri: MLflow's tracking URI.
    """

    home: Path
    uri: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "RegistryLocation":
        """Return the location that ALMANAC_HOME and MLFLOW_TRACKING_URI name.

        Raises:
            ConfigInvalid: If the path of the home has a character that MLflow does not support.
        """
        home = almanac_home(environment)
        uri = environment.get("MLFLOW_TRACKING_URI")
        if not uri and any(character in str(home) for character in UNSUPPORTED):
            raise ConfigInvalid(
                f"ALMANAC_HOME contains % or ?, which MLflow does not support. Received: {str(home)!r}.",
                hint="Choose another folder.",
            )
        return cls(home, uri or f"{SQLITE}{home / 'mlflow.db'}")

    @property
    def database(self) -> Path | None:
        """The SQLite file, or None for a server or another database."""
        return sqlite_file(self.uri)

    @property
    def is_missing(self) -> bool:
        """Whether the SQLite file does not exist yet."""
        return self.database is not None and not self.database.exists()

    def require_registry(self) -> None:
        """Raise RegistryUnreachable if nothing was ever registered here: commands that only read create no registry."""
        if self.is_missing:
            raise RegistryUnreachable(self.missing, hint="Run almanac train or almanac demo.")

    @property
    def missing(self) -> str:
        """The message that there is no registry."""
        return f"There is no registry yet: {self.database} does not exist."

    @property
    def is_server(self) -> bool:
        """Whether this is a tracking server."""
        return self.uri.startswith(("http://", "https://"))

    def run_url(self, run: "Run") -> str | None:
        """Return the address of a run's page, or None without a server."""
        return f"{self.uri.rstrip('/')}/{run_fragment(run.experiment, run.run_id)}" if self.is_server else None


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version of a model.

    Attributes:
        name: Registered name.
        version: Its number, as MLflow writes it.
        aliases: Its aliases.
        run_id: The run that made it.
        architecture: Architecture of the network.
        created: Milliseconds since 1970.
        metrics: Summary metrics of its run.
        unit: Unit of the values, if it is known.
    """

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str
    architecture: str = ""
    created: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """An MLflow run: its latest metrics, its tags, and its experiment if that was requested."""

    run_id: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    experiment: str = ""
