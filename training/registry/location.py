"""Place: where runs and models are kept, and what a registered version is; without MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from models.errors import ConfigInvalid, RegistryUnreachable

SQLITE = "sqlite:///"

UNCARRIED = "%?"
"""Letters of a folder that MLflow reads one way in a database's address and another way in the folder's name."""

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
"""MLflow's settings here: no calls home, no banners, and a dead server is an error within a minute, not ten."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where runs and models are kept.

    Attributes:
        home: ALMANAC_HOME, absolute.
        uri: MLflow's tracking URI.
    """

    home: Path
    uri: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Place":
        """Return the place that ALMANAC_HOME and MLFLOW_TRACKING_URI name.

        Raises:
            ConfigInvalid: If the home's path has a letter that would make its database's address mean another file.
        """
        home = Path(environment.get("ALMANAC_HOME") or "almanac-data").expanduser().absolute()
        uri = environment.get("MLFLOW_TRACKING_URI")
        if not uri and any(letter in str(home) for letter in UNCARRIED):
            raise ConfigInvalid(
                f"ALMANAC_HOME {home} has a % or a ? in its path, which MLflow's database addresses cannot carry.",
                hint="Choose another folder.",
            )
        return cls(home, uri or f"{SQLITE}{home / 'mlflow.db'}")

    @property
    def database(self) -> Path | None:
        """The SQLite file, or None where something else answers."""
        return Path(self.uri.removeprefix(SQLITE)) if self.uri.startswith(SQLITE) else None

    @property
    def is_absent(self) -> bool:
        """Whether the SQLite file is still to be made."""
        return self.database is not None and not self.database.exists()

    def require_registry(self) -> None:
        """Refuse a place where nothing was ever registered: who only reads must not make one; RegistryUnreachable."""
        if self.is_absent:
            raise RegistryUnreachable(f"{self.absence}:", hint="run almanac train or almanac demo.")

    @property
    def absence(self) -> str:
        """What is said of a registry that is still to be made."""
        return f"No registry at {self.database} yet"

    @property
    def is_server(self) -> bool:
        """Whether a tracking server answers, rather than a database file here."""
        return self.uri.startswith(("http://", "https://"))

    def page(self, run: "Run") -> str | None:
        """Return the address of a run's page, or None where no server shows it."""
        where = f"{self.uri.rstrip('/')}/#/experiments/{run.experiment}/runs/{run.run_id}"
        return where if self.is_server else None


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version of a model.

    Attributes:
        name: Registered name.
        version: Its number, as MLflow writes it.
        aliases: Those that point at it.
        run_id: The run that made it.
        architecture: Of the network.
        created: Milliseconds since 1970.
        metrics: Summary metrics of its run.
        unit: Unit of the values, where the training was told.
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
    """What a run says of itself: its figures as they were last written, its tags, and its experiment where that was asked."""

    run_id: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    experiment: str = ""
