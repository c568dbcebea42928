"""Place: where runs and models are kept, and what a registered version is; without MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
        """Return the place that ALMANAC_HOME and MLFLOW_TRACKING_URI name."""
        home = Path(environment.get("ALMANAC_HOME") or "almanac-data").expanduser().absolute()
        return cls(home, environment.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home / 'mlflow.db'}")

    @property
    def is_server(self) -> bool:
        """Whether a tracking server answers, rather than a database file here."""
        return self.uri.startswith(("http://", "https://"))


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
    """

    name: str
    version: str
    aliases: tuple[str, ...]
    run_id: str
    architecture: str = ""
    created: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
