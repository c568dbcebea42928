"""Model schemas: registered models, model cards and the health of the service."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class ModelIdentity(BaseModel):
    """The version that answered."""

    name: str
    version: str
    alias: str | None = Field(
        description="The alias by which it was chosen; null where it was asked for by number, and for the starter."
    )
    run_id: str | None = Field(description="The MLflow run that made it; null for the starter.")


class RegisteredVersion(BaseModel):
    """One registered version."""

    version: str
    run_id: str | None
    aliases: list[str]
    cached: bool = Field(description="Whether it lies in this service's cache; others are fetched when asked for.")
    error: str = Field(description="Why it cannot be served, empty where nothing is wrong.")


class ModelSummary(BaseModel):
    """One registered name, or the starter."""

    name: str
    source: Literal["registry", "package"] = Field(description="`package` is the starter, which comes with Almanac.")
    champion: str | None = Field(description="The version that answers now; null while none does.")
    aliases: dict[str, str]
    versions: list[str]
    frequencies: list[str] = Field(
        description="What the version that answers was trained for; the starter takes any other too."
    )


class RegistryStatus(BaseModel):
    """How the registry did when last asked."""

    state: str = Field(
        description="`ok`, `absent` (nothing registered yet), `emptied` or `unreachable` (the cache goes on serving)."
    )
    detail: str
    checked: str


class ModelsResponse(BaseModel):
    """Every registered name, and the starter."""

    models: list[ModelSummary]
    default: str | None = Field(description="What answers a request that names no model; null where it must name one.")
    registry: RegistryStatus


class ModelCard(BaseModel):
    """A version with everything it promises."""

    model: ModelIdentity
    aliases: dict[str, str]
    versions: list[RegisteredVersion]
    frequencies: list[str] = Field(description="The spec's; of the starter those that have a network of their own.")
    loaded_at: str
    spec: dict[str, Any] = Field(description="spec.json: architecture, training data, backtest beside the baselines, …")


class LiveResponse(BaseModel):
    """The process runs."""

    status: str


class ReadyResponse(BaseModel):
    """The service answers forecasts."""

    status: str
    models: list[ModelIdentity]
    database: str = Field(description="`ok`, or the code of why it does not answer: forecasts do without it.")
