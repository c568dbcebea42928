"""Forecast record schemas: stored forecasts and their scores."""

from typing import Literal

from pydantic import BaseModel, Field

from service.api.schemas.models import ModelIdentity


class StepScore(BaseModel):
    """The scores of one step. Scaled errors are divided by the history's mean seasonal change; their mean is MASE."""

    step: int = Field(description="1 is the first after the cutoff.")
    timestamp: str
    observed: float
    absolute_scaled_error: float | None = Field(description="At most 10; null if the history never changed.")
    naive_scaled_error: float | None = Field(description="Of the seasonal naive forecast from the same history.")
    pinball: float = Field(description="Mean over the quantiles, in the units of the series.")
    scaled_pinball: float | None
    covered_80: bool | None = Field(
        description="Whether the interval contains the observation; null without such an interval."
    )
    covered_95: bool | None
    counts: bool = Field(
        description="Whether it counts in GET /accuracy: the history is confirmed, and no other forecast of this version, "
        "series and cutoff was counted for this step before."
    )


class ForecastRecord(BaseModel):
    """A stored forecast and its scores."""

    forecast_id: str
    id: str | None = Field(description="null if the request had none.")
    model: ModelIdentity
    made_at: str
    frequency: str | None
    timezone: str | None
    cutoff: str | None = Field(description="Timestamp of the newest value of the history; null without dates.")
    horizon: int
    timestamps: list[str] | None
    median: list[float]
    quantiles: dict[str, list[float]] = Field(description="By level, including the bounds of the requested intervals.")
    naive: list[float] = Field(description="Seasonal naive forecast from the same history, for comparison.")
    scale: float | None = Field(description="Mean absolute seasonal change of the history; null if it is 0.")
    context_used: int
    status: Literal["waiting", "partly_scored", "scored", "unscorable", "unnamed"] = Field(
        description="`unscorable`: its series had no dates, so no observation belongs to a step; `unnamed`: it had no id."
    )
    is_evidence: bool | None = Field(
        description="Whether the history agrees with stored observations, so that scores count; null if no step has been "
        "observed yet."
    )
    observed: int = Field(description="Number of steps with an observation.")
    scores: list[StepScore]
