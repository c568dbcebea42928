"""Forecast schemas: the response of POST /forecast, which is plain data; a test compares it with these schemas."""

from pydantic import BaseModel, Field

from service.api.schemas.models import ModelIdentity
from service.api.schemas.problems import Problem, RequestFinding, SeriesErrorEntry


class Interval(BaseModel):
    """Bounds of a central interval, one for each step."""

    lower: list[float]
    upper: list[float]


class SumInterval(BaseModel):
    """Bounds of a central interval of a sum."""

    lower: float
    upper: float


class SumForecast(BaseModel):
    """The distribution of the sum of some steps."""

    median: float
    mean: float | None = Field(None, description="Only if the request has `mean`.")
    quantiles: dict[str, float] = Field(description="By level, as those of the steps.")
    intervals: dict[str, SumInterval] = Field(description="By level in per cent, as those of the steps.")


class Repair(BaseModel):
    """A change to a series before it was forecast."""

    code: str = Field(
        description="`GAP_MASKED`: a null among the values; `GAP_INSERTED`: a missing timestamp; `GAP_ZERO`: one that means "
        "zero; `TIMESTAMPS_SNAPPED`: timestamps a little off their step; `ROWS_REPEATED`: timestamps again, with equal values."
    )
    index: int | None
    detail: str = ""


class SeriesForecast(BaseModel):
    """The forecast of one series, in the units of its values."""

    id: str
    forecast_id: str
    frequency: str | None = Field(
        None, description="Sent or inferred, such as `h` or `W-SUN`; null for a series without one."
    )
    timestamps: list[str] | None = Field(
        description="In the format of the request; null for a series without dates. Steps in closed hours are left out, with "
        "a warning `HOURS_CLOSED` or `DAYS_CLOSED`, and the horizon counts the others."
    )
    median: list[float]
    mean: list[float] | None = Field(
        None, description="Only if the request has `mean`: the average of the quantiles at 0.005, 0.015 … 0.995."
    )
    paths: list[list[float]] | None = Field(
        None, description="Only if the request has `paths`: possible futures, each with a value for each step."
    )
    sums: dict[str, SumForecast] | None = Field(
        None,
        description="Only if the request has `sums`: by window such as `1-12`; steps in closed hours do not count.",
    )
    quantiles: dict[str, list[float]] = Field(description="By level such as `0.1`; they never cross.")
    intervals: dict[str, Interval] = Field(description="By level in per cent such as `80`.")
    context_used: int = Field(description="Number of newest values that the model has read.")
    repairs: list[Repair]
    warnings: list[RequestFinding]
    model: ModelIdentity | None = Field(None, description="Only in the response of a family: the model of its segment.")


class ForecastResponse(BaseModel):
    """Forecasts in the order of the request, and an error for each series without a forecast."""

    model: ModelIdentity
    forecasts: list[SeriesForecast]
    errors: list[SeriesErrorEntry]


class ForecastProblem(Problem):
    """A forecast request that failed as a whole; if every series failed, with the error of each."""

    model: ModelIdentity | None = None
    forecasts: list[SeriesForecast] | None = None
    errors: list[SeriesErrorEntry] | None = None
