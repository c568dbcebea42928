"""Model schemas: registered models, model cards and the health of the service."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class ModelIdentity(BaseModel):
    """The version that answered."""

    name: str
    version: str
    alias: str | None = Field(description="The alias in the request; null for a version number and for the starter.")
    run_id: str | None = Field(description="The MLflow run that created it; null for the starter.")


class RegisteredVersion(BaseModel):
    """One registered version."""

    version: str
    run_id: str | None
    aliases: list[str]
    cached: bool = Field(description="Whether it is in this service's cache; others are fetched on request.")
    error: str = Field(description="Why it cannot be served, or empty.")


class ModelSummary(BaseModel):
    """One registered name, or the starter."""

    name: str
    source: Literal["registry", "package"] = Field(description="`package` is the starter, which is part of Almanac.")
    champion: str | None = Field(description="The version that answers now, or null.")
    aliases: dict[str, str]
    versions: list[str]
    frequencies: list[str] = Field(description="What the champion was trained for; the starter accepts any other, too.")


class RegistryStatus(BaseModel):
    """The state of the registry at the last poll."""

    state: str = Field(
        description="`ok`, `absent` (nothing registered yet), `emptied` or `unreachable` (the cached models stay in service)."
    )
    detail: str
    checked: str


class ModelsResponse(BaseModel):
    """Every registered name, and the starter."""

    models: list[ModelSummary]
    default: str | None = Field(description="What answers a request without `model`; null if it must name one.")
    registry: RegistryStatus


class ModelCard(BaseModel):
    """A version with its specification."""

    model: ModelIdentity
    aliases: dict[str, str]
    versions: list[RegisteredVersion]
    frequencies: list[str] = Field(description="The spec's; for the starter those with their own network.")
    loaded_at: str
    spec: dict[str, Any] = Field(description="spec.json: architecture, training data, backtest and baselines, …")


class LiveResponse(BaseModel):
    """The process runs."""

    status: str


class ReadyResponse(BaseModel):
    """The service answers forecasts."""

    status: str
    models: list[ModelIdentity]
    database: str = Field(description="`ok`, or the code of its error; forecasts do not need it.")
    registry: str = Field(
        description="State of the registry: `ok`, `absent`, `emptied`, `unreachable`, or `unwritable` if its models cannot be "
        "stored in ALMANAC_HOME. The last known models answer, or else the starter."
    )
