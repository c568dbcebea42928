"""Validation schemas: request and response of POST /validate."""

from pydantic import BaseModel, Field

from service.api.schemas.forecast import Repair
from service.api.schemas.models import ModelIdentity
from service.api.schemas.problems import RequestFinding, SeriesErrorEntry
from service.forecasting.schema import ForecastRequest


class ValidationRequest(ForecastRequest):
    """A request of POST /forecast, whose horizon may be left out."""

    horizon: int = Field(1, ge=1, description="Steps ahead, for which covariates known ahead are checked.")


class ValidatedSeries(BaseModel):
    """A series as the service reads it."""

    id: str
    frequency: str | None = Field(description="Sent, or inferred from the timestamps; null without dates.")
    timezone: str | None
    season_length: int | None = Field(description="Steps in the first season of the frequency.")
    start: str | None
    end: str | None
    points: int = Field(description="Steps of the grid from start to end, gaps included.")
    gaps: int = Field(description="Steps without a value.")
    repairs: list[Repair]
    repair_counts: dict[str, int] = Field(description="How many values each kind of repair concerns, by its code.")
    warnings: list[RequestFinding]
    timestamps: list[str] | None = Field(None, description="With `?values=true`: of each step.")
    values: list[float | None] | None = Field(None, description="With `?values=true`: of each step, null for a gap.")


class ValidationResponse(BaseModel):
    """What the service understands; nothing is forecast or stored."""

    model: ModelIdentity | None = Field(
        description="The model that the series were checked against: that of the request, or the default one if it can answer; null for "
        "a file without `model`."
    )
    series: list[ValidatedSeries]
    errors: list[SeriesErrorEntry] = Field(description="Of the series that cannot be forecast.")
    findings: list[RequestFinding] = Field(
        default_factory=list, description="What was noticed in a CSV or Parquet file."
    )
