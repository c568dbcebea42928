"""Schemas: the shapes that go over the wire, as /docs shows them.

The hot path reads requests by hand (parsing.py) and writes answers as plain data; tests hold both to these schemas.
"""

from pydantic import BaseModel, Field

from service.api.schemas.models import ModelIdentity
from service.api.schemas.problems import Problem, RequestFinding, SeriesErrorEntry
from service.json_input import StrictModel


class SeriesRequest(StrictModel):
    """One series. `start` with `frequency`, or `timestamps`, or no dates at all."""

    id: str | None = Field(None, max_length=256, description="Yours; the series' index where it is left out.")
    values: list[float | None] = Field(
        description="Oldest first. null (or NaN) is a gap; infinities are refused.", min_length=1
    )
    start: str | None = Field(None, description="Time of the first value, such as `1939-01`; needs `frequency`.")
    frequency: str | None = Field(None, description="Any pandas alias, old or new, or a word such as `monthly`.")
    timestamps: list[str] | None = Field(None, description="One for each value, rising; instead of `start`.")
    timezone: str | None = Field(None, description="IANA name, such as `Europe/Berlin`: steps then follow its clocks.")
    past_covariates: dict[str, list[float | None]] | None = Field(
        None,
        description="By name, the history of each covariate that the model's card names, of those known ahead too: one "
        "number for each value, null where unknown.",
    )
    future_covariates: dict[str, list[float | None]] | None = Field(
        None,
        description="By name, the covariates known ahead: one number for each step of the horizon; or for values and "
        "horizon together, which then is their history too.",
    )


class ForecastRequest(StrictModel):
    """A batch of series, and what is asked about all of them."""

    series: list[SeriesRequest] = Field(min_length=1)
    horizon: int = Field(ge=1, description="Steps ahead. Beyond the trained horizon the forecast rolls on and says so.")
    levels: list[float] | None = Field(
        None, description="Central intervals in per cent, each in (0, 100). Default [80]."
    )
    quantiles: list[float] | None = Field(None, description="Quantile levels in (0, 1), beside the trained ones.")
    model: str | None = Field(
        None,
        description="`name`, `name@alias`, `name/version` or `starter`; else ALMANAC_MODEL, else the only registered name, "
        "and where none is registered the starter.",
    )


class Interval(BaseModel):
    """Bounds of a central interval, one for each step."""

    lower: list[float]
    upper: list[float]


class Repair(BaseModel):
    """What was done to a series before it was forecast."""

    code: str = Field(description="`GAP_MASKED`: a null among the values; `GAP_INSERTED`: a timestamp left out.")
    index: int | None


class SeriesForecast(BaseModel):
    """The forecast of one series, in the units of its values."""

    id: str
    forecast_id: str
    timestamps: list[str] | None = Field(description="In the style of the request; null where it gave no dates.")
    median: list[float]
    quantiles: dict[str, list[float]] = Field(description="By level, such as `0.1`; they never cross.")
    intervals: dict[str, Interval] = Field(description="By level in per cent, such as `80`.")
    context_used: int = Field(description="How many of the newest values the model has read.")
    repairs: list[Repair]
    warnings: list[RequestFinding]


class ForecastResponse(BaseModel):
    """Forecasts in the order of the request, and an error for each series that has none."""

    model: ModelIdentity
    forecasts: list[SeriesForecast]
    errors: list[SeriesErrorEntry]


class ForecastProblem(Problem):
    """A forecast request that failed whole; where each of its series was refused, with the error of each."""

    model: ModelIdentity | None = None
    forecasts: list[SeriesForecast] | None = None
    errors: list[SeriesErrorEntry] | None = None
