"""Forecast record schemas: stored forecasts and their scores."""

from typing import Literal

from pydantic import BaseModel, Field

from service.api.schemas.models import ModelIdentity


class StepScore(BaseModel):
    """How one step came out. Scaled errors are in units of the history's own seasonal change, their mean is MASE."""

    step: int = Field(description="1 is the first after the cutoff.")
    timestamp: str
    observed: float
    absolute_scaled_error: float | None = Field(description="null where the history never changed.")
    naive_scaled_error: float | None = Field(description="That of the seasonal naive from the same history.")
    pinball: float = Field(description="Mean over the quantiles, the series' units.")
    scaled_pinball: float | None
    covered_80: bool | None = Field(
        description="Whether the truth lay within; null where no such interval was asked for."
    )
    covered_95: bool | None


class ForecastRecord(BaseModel):
    """A forecast as it was given out, and what has become of it."""

    forecast_id: str
    id: str | None = Field(description="Null where the request gave none.")
    model: ModelIdentity
    made_at: str
    frequency: str | None
    timezone: str | None
    cutoff: str | None = Field(description="Timestamp of the newest value of the history; null without dates.")
    horizon: int
    timestamps: list[str] | None
    median: list[float]
    quantiles: dict[str, list[float]] = Field(
        description="By level; sides of intervals that were asked for among them."
    )
    naive: list[float] = Field(description="Seasonal naive from the same history, beside which it is scored.")
    scale: float | None = Field(
        description="Mean absolute seasonal change of the history; null where there is none above 0."
    )
    context_used: int
    status: Literal["waiting", "partly_scored", "scored", "unscorable", "unnamed"] = Field(
        description="`unscorable`: its series had no dates, so no observation can be held against it; `unnamed`: it had no "
        "id, so no observation is its own."
    )
    observed: int = Field(description="Steps that have a truth.")
    scores: list[StepScore]
