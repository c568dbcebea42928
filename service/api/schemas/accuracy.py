"""Accuracy schemas: the parameters and the response of GET /accuracy."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_ROWS, MAX_FORECASTS = 10_000, 50


class AccuracyParameters(BaseModel):
    """The query parameters; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="Only this model (or `starter`); `name/version` is one version.")
    version: str | None = Field(None, description="Only this version.")
    series: str | None = Field(None, description="Only this series, by its id.")
    step: str | None = Field(None, description="Only this step ahead, or this range: `1`, `1-12`.")
    since: str | None = Field(None, description="Only actual values from this timestamp on; a date is a local one.")
    until: str | None = Field(None, description="Only actual values before this timestamp; a date is a local one.")
    window: int | None = Field(
        None, ge=1, le=100_000, description="Only the newest steps with an actual value, this many of them."
    )
    by: str = Field(
        "version", description="Keys of the rows: `version`, `step`, `series`, `period`, separated by commas."
    )
    period: Literal["day", "week", "month", "year"] = Field(
        "month", description="Of the actual values, for `by=period`."
    )
    limit: int = Field(1000, ge=1, le=MAX_ROWS, description="Most rows.")
    forecasts: int = Field(
        0, ge=0, le=MAX_FORECASTS, description="How many forecasts to return with their actual values."
    )


class Coverage(BaseModel):
    """Share of actual values in each central interval; null if no forecast had it."""

    inner: float | None = Field(alias="80")
    outer: float | None = Field(alias="95")


class BacktestStep(BaseModel):
    """Backtest errors of one step."""

    mase: float | None
    naive_mase: float | None


class AccuracyRow(BaseModel):
    """Figures of one group of scores."""

    model: str
    version: str | None = None
    step: int | None = None
    series: str | None = None
    period: str | None = Field(None, description="A day, a week's Monday, a month or a year.")
    scores: int = Field(description="Forecast steps with an actual value.")
    mase: float | None = Field(description="Mean absolute scaled error: 1 is as good as the history's seasonal naive.")
    naive_mase: float | None = Field(description="The same of seasonal naive, from the same histories.")
    skill: float | None = Field(description="1 - mase / naive_mase: above 0 is better than seasonal naive.")
    pinball: float | None = Field(description="Mean pinball loss over the quantiles, scaled as mase is.")
    coverage: Coverage
    backtest: BacktestStep | None = Field(description="If the rows have the keys version and step.")


class InputDrift(BaseModel):
    """How far the newest inputs of a champion are from its training inputs, of the requests to this replica."""

    model: str
    version: str
    feature: str = Field(description="`level`, `scale`, `gap_share` or `season_strength`.")
    index: float = Field(description="Population stability index; above 0.25 is usually read as a great change.")
    distance: float | None = Field(description="Kolmogorov-Smirnov distance, 0 to 1.")
    p_value: float | None = Field(description="Probability of such a distance if nothing has changed.")
    inputs: int
    confirmed_index: float | None = Field(
        description="The index of the confirmed inputs alone, which is a reason to retrain; null for fewer than 100."
    )
    confirmed_inputs: int = Field(description="Newest inputs that are stored observations, or agree with them.")


class ErrorDrift(BaseModel):
    """Live errors of a version compared with its backtest, at the same steps."""

    model: str
    version: str
    scores: int
    mase: float
    backtest_mase: float
    ratio: float | None = Field(description="mase / backtest_mase: above 1 is worse than the backtest.")
    naive_ratio: float | None = Field(description="The same of seasonal naive: above 1 the series have become harder.")


class Drift(BaseModel):
    """Drift of the inputs and of the errors."""

    inputs: list[InputDrift]
    errors: list[ErrorDrift]


class ObservedValues(BaseModel):
    """Observations before and at the steps of a forecast."""

    timestamps: list[str]
    values: list[float]


class ScoredForecastEntry(BaseModel):
    """A forecast with its actual values."""

    forecast_id: str
    id: str = Field(description="The series.")
    model: str
    version: str
    timestamps: list[str]
    median: list[float]
    lower: list[float] | None = Field(description="Of the 80 % interval.")
    upper: list[float] | None
    observed: ObservedValues


class AccuracyResponse(BaseModel):
    """The accuracy of served forecasts."""

    rows: list[AccuracyRow]
    truncated: bool = Field(description="Whether there are more rows than `limit`.")
    drift: Drift
    forecasts: list[ScoredForecastEntry]
    since: str | None = Field(description="Start of `window`; null without one, or without scores.")
    observations: int | None = Field(
        description="Distinct observations behind the scores in `window`, counted up to 100; null without one."
    )
    due: int = Field(description="Forecasts that wait to be scored.")
    disputed: int = Field(
        description="Observed forecasts whose scores do not count, because no stored observation confirms their history; "
        "counted up to 1,000."
    )
