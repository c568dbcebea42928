"""Model schemas: registered models, model cards and the health of the service."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from service.json_input import StrictModel

LONGEST_REASON, LONGEST_VERSION = 500, 18
MOST_SCORES = 1_000_000


def _check_version(text: str) -> str:
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_VERSION):
        raise PydanticCustomError("version", "not a version", {"hint": 'Send a number as text, such as "7".'})
    return text


def _check_reason(text: str) -> str:
    words = " ".join(text.split())
    if not words or len(words) > LONGEST_REASON or not words.isprintable():
        hint = f"Send a sentence of at most {LONGEST_REASON} characters."
        raise PydanticCustomError("reason", "not a sentence", {"hint": hint})
    return words


Reason = Annotated[str, AfterValidator(_check_reason), Field(description="Why, in one sentence; kept in MLflow.")]
Number = Annotated[str, AfterValidator(_check_version)]


class ChampionRequest(StrictModel):
    """A request to make a version the champion."""

    version: Number = Field(description="The version to serve.")
    reason: Reason
    live_scores: int | None = Field(
        None,
        ge=1,
        le=MOST_SCORES,
        description="Promote only if so many forecasts of the version, made in the shadow or as a canary, have scores beside the "
        "champion's on the same series, days and steps, and its error is not significantly larger (409 PROMOTION_REFUSED otherwise).",
    )


class RollbackRequest(StrictModel):
    """A request to go back to the previous champion."""

    reason: Reason
    version: Number | None = Field(
        None,
        description="The champion to take back: a repeated request then changes nothing. By default the current one.",
    )


class LiveFigures(BaseModel):
    """The scores of a version's forecasts in the last `ALMANAC_ACCURACY_DAYS` days, those in the shadow included."""

    version: str
    scores: int
    mase: float | None
    skill: float | None


class ChampionResponse(BaseModel):
    """The champion in the registry; the service answers with it as soon as it has loaded it."""

    name: str
    champion: str
    previous: str | None = Field(description="The version that a rollback goes back to, or null.")
    changed: bool = Field(description="False if it was so before.")
    live: list[LiveFigures] = Field(
        description="Champion and previous, over the steps ahead that both have scores of; empty if there are none."
    )
    evidence: dict[str, Any] | None = Field(
        None, description="With `live_scores`: `reason` and `figures` of the comparison with the champion."
    )


class ModelIdentity(BaseModel):
    """The version that answered; of a family of models by segment its name alone, its forecasts have the versions."""

    name: str
    version: str = Field(description="Empty for a family.")
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
        description="`ok`, `absent` (nothing registered yet), `emptied`, `unreachable` or `stale` (no poll for a minute); in the last "
        "three the cached models stay in service."
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
        description="State of the registry: `ok`, `absent`, `emptied`, `unreachable`, `stale`, or `unwritable` if its models cannot be "
        "stored in ALMANAC_HOME. The last known models answer, or else the starter."
    )
    files: Literal["ok", "short"] = Field(
        description="`short` if the process can open only a few more files or connections."
    )
    memory: Literal["ok", "short"] = Field(
        description="`short` for a minute after a request got 503 (`MEMORY_SHORT`), because there was no memory for it."
    )
