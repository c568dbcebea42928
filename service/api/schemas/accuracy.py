"""Schemas of GET /accuracy: what may be asked, and what is answered."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_ROWS, MOST_FORECASTS = 10_000, 50


class AccuracyParameters(BaseModel):
    """The query parameters; one that nobody reads is an error."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="Only this name, `starter` too; `name/version` means one version.")
    version: str | None = Field(None, description="Only this version.")
    series: str | None = Field(None, description="Only this series, by its id.")
    step: str | None = Field(None, description="Only this step ahead, or these: `1`, `1-12`.")
    since: str | None = Field(None, description="Only truths from this timestamp on.")
    until: str | None = Field(None, description="Only truths before this timestamp.")
    window: int | None = Field(
        None, ge=1, le=100_000, description="Only truths of the newest so many steps of time that have any."
    )
    by: str = Field("version", description="What tells rows apart: `version`, `step`, `series`, `period`, by commas.")
    period: Literal["day", "week", "month", "year"] = Field("month", description="Of the truths, for `by=period`.")
    limit: int = Field(1000, ge=1, le=MOST_ROWS, description="Most rows.")
    forecasts: int = Field(0, ge=0, le=MOST_FORECASTS, description="How many forecasts to show beside their truth.")


class CoverageAnswer(BaseModel):
    """Share of truths within each central interval; null where no forecast had it."""

    inner: float | None = Field(alias="80")
    outer: float | None = Field(alias="95")


class StepPromise(BaseModel):
    """What the backtest said of a step."""

    mase: float | None
    naive_mase: float | None


class AccuracyRow(BaseModel):
    """Scores that belong together."""

    model: str
    version: str | None = None
    step: int | None = None
    series: str | None = None
    period: str | None = Field(None, description="A day, a week's Monday, a month or a year.")
    scores: int = Field(description="Forecast steps whose truth is known.")
    mase: float | None = Field(description="Mean absolute scaled error: 1 is as good as the history's seasonal naive.")
    naive_mase: float | None = Field(description="The same of seasonal naive, from the same histories.")
    skill: float | None = Field(description="1 - mase / naive_mase: above 0 is better than seasonal naive.")
    pinball: float | None = Field(description="Mean pinball loss over the quantiles, scaled as mase is.")
    coverage: CoverageAnswer
    backtest: StepPromise | None = Field(description="Where rows are told apart by version and step.")


class InputDrift(BaseModel):
    """How far the newest inputs of a champion are from those of its training; as this replica has seen them."""

    model: str
    version: str
    feature: str = Field(description="`level`, `scale`, `gap_share` or `season_strength`.")
    index: float = Field(description="Population stability index; above 0.25 is a great change, by the usual reading.")
    distance: float | None = Field(description="Kolmogorov-Smirnov distance, 0 to 1.")
    p_value: float | None = Field(description="How likely such a distance is where nothing changed.")
    inputs: int


class ErrorDrift(BaseModel):
    """Live errors of a version beside its backtest's, at the same steps."""

    model: str
    version: str
    scores: int
    mase: float
    backtest_mase: float
    ratio: float | None = Field(description="mase / backtest_mase: above 1 is worse than the backtest.")
    naive_ratio: float | None = Field(description="The same of seasonal naive: above 1 the series have become harder.")


class DriftAnswer(BaseModel):
    """What has moved: the inputs, and the errors."""

    inputs: list[InputDrift]
    errors: list[ErrorDrift]


class ObservedAnswer(BaseModel):
    """What was observed around a forecast."""

    timestamps: list[str]
    values: list[float]


class ScoredForecast(BaseModel):
    """A forecast beside its truth."""

    forecast_id: str
    id: str = Field(description="The series.")
    model: str
    version: str
    timestamps: list[str]
    median: list[float]
    lower: list[float] | None = Field(description="Of the 80 % interval.")
    upper: list[float] | None
    observed: ObservedAnswer


class AccuracyAnswer(BaseModel):
    """How the forecasts that were served came out."""

    rows: list[AccuracyRow]
    truncated: bool = Field(description="Whether there are more rows than `limit`.")
    drift: DriftAnswer
    forecasts: list[ScoredForecast]
    since: str | None = Field(description="Where `window` begins; null where none was asked for, or nothing is scored.")
    due: int = Field(description="Forecasts that wait to be scored.")
