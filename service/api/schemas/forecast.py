"""Forecast schemas: the request and response of POST /forecast.

Requests are parsed by hand (service/forecasting/request.py) and responses are plain data; tests compare both with these
schemas.
"""

from typing import Literal

from pydantic import BaseModel, Field

from service.api.schemas.models import ModelIdentity
from service.api.schemas.problems import Problem, RequestFinding, SeriesErrorEntry
from service.json_input import StrictModel


class Bounds(StrictModel):
    """The lowest and the highest value that a forecast may have, in the units of the values."""

    minimum: float | None = None
    maximum: float | None = None


Missing = Literal["gap", "zero"]


class SeriesRequest(StrictModel):
    """One series. `start` with `frequency`, or `timestamps`, or no dates at all."""

    id: str | None = Field(
        None, max_length=256, description="By default the series' index; with `#` before it if another id is equal."
    )
    values: list[float | None] = Field(
        description="Oldest first. null (or NaN) is a gap; infinite values are an error.", min_length=1
    )
    start: str | None = Field(None, description="Time of the first value, such as `1939-01`; needs `frequency`.")
    frequency: str | None = Field(None, description="Any pandas alias, old or new, or a word such as `monthly`.")
    timestamps: list[str] | None = Field(None, description="One for each value, ascending; instead of `start`.")
    timezone: str | None = Field(None, description="IANA name such as `Europe/Berlin`; steps then follow local time.")
    past_covariates: dict[str, list[float | None]] | None = Field(
        None,
        description="By name, the history of each covariate of the model, including those known ahead: one number for each "
        "value, null if unknown.",
    )
    future_covariates: dict[str, list[float | None]] | None = Field(
        None,
        description="By name, the covariates known ahead: one number for each step of the horizon, or for values and horizon "
        "together.",
    )
    missing: Missing | None = Field(None, description="Instead of that of the request.")
    bounds: Bounds | None = Field(None, description="Beside those of the request: the tighter hold.")


class ForecastRequest(StrictModel):
    """A batch of series with common options."""

    series: list[SeriesRequest] = Field(min_length=1)
    horizon: int = Field(
        ge=1, description="Steps ahead. Beyond the trained horizon the model is applied repeatedly, with a warning."
    )
    levels: list[float] | None = Field(
        None, description="Central intervals in per cent, each in (0, 100). Default [80]."
    )
    quantiles: list[float] | None = Field(
        None, description="Quantile levels in (0, 1), in addition to the trained ones."
    )
    model: str | None = Field(
        None,
        description="`name`, `name@alias`, `name/version` or `starter`. Default: ALMANAC_MODEL, else the only registered name, "
        "else the starter.",
    )
    record: bool | None = Field(
        None,
        description="false: the forecasts are neither stored nor scored, and do not count as inputs. Default true.",
    )
    missing: Missing | None = Field(
        None,
        description="What a missing timestamp means: `gap`, nothing is known (default), or `zero`, such as a day without sales.",
    )
    bounds: Bounds | None = Field(None, description="Kept by medians, quantiles and intervals of every series.")
    outliers: Literal["clip", "mask"] | None = Field(
        None,
        description="What the model reads in place of implausible values such as -9999: the nearest plausible value (`clip`, "
        "default) or a gap (`mask`).",
    )


class Interval(BaseModel):
    """Bounds of a central interval, one for each step."""

    lower: list[float]
    upper: list[float]


class Repair(BaseModel):
    """A change to a series before it was forecast."""

    code: str = Field(
        description="`GAP_MASKED`: a null among the values; `GAP_INSERTED`: a missing timestamp; `GAP_ZERO`: one that means "
        "zero; `TIMESTAMPS_SNAPPED`: timestamps a little off their step."
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
        "a warning `HOURS_CLOSED`, and the horizon counts the others."
    )
    median: list[float]
    quantiles: dict[str, list[float]] = Field(description="By level such as `0.1`; they never cross.")
    intervals: dict[str, Interval] = Field(description="By level in per cent such as `80`.")
    context_used: int = Field(description="Number of newest values that the model has read.")
    repairs: list[Repair]
    warnings: list[RequestFinding]


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
