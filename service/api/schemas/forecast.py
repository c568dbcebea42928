"""Schemas: the shapes that go over the wire, as /docs shows them.

The hot path reads requests by hand (parsing.py) and writes answers as plain data; tests hold both to these schemas.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    """A request's object: a field that nobody reads is an error."""

    model_config = ConfigDict(extra="forbid")


class SeriesRequest(_Strict):
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


class ForecastRequest(_Strict):
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


class ModelIdentity(BaseModel):
    """The version that answered."""

    name: str
    version: str
    alias: str | None = Field(
        description="The alias by which it was chosen; null where it was asked for by number, and for the starter."
    )
    run_id: str | None = Field(description="The MLflow run that made it; null for the starter.")


class IntervalAnswer(BaseModel):
    """Bounds of a central interval, one for each step."""

    lower: list[float]
    upper: list[float]


class RepairAnswer(BaseModel):
    """What was done to a series before it was forecast."""

    code: str = Field(description="`GAP_MASKED`: a null among the values; `GAP_INSERTED`: a timestamp left out.")
    index: int | None


class FindingAnswer(BaseModel):
    """Something a reader of the forecast should know."""

    code: str
    detail: str
    pointer: str = Field(description="JSON pointer into the request.")
    hint: str = Field(description="What to do about it.")


class SeriesErrorAnswer(FindingAnswer):
    """Why one series has no forecast."""

    id: str


class SeriesForecast(BaseModel):
    """The forecast of one series, in the units of its values."""

    id: str
    forecast_id: str
    timestamps: list[str] | None = Field(description="In the style of the request; null where it gave no dates.")
    median: list[float]
    quantiles: dict[str, list[float]] = Field(description="By level, such as `0.1`; they never cross.")
    intervals: dict[str, IntervalAnswer] = Field(description="By level in per cent, such as `80`.")
    context_used: int = Field(description="How many of the newest values the model has read.")
    repairs: list[RepairAnswer]
    warnings: list[FindingAnswer]


class ForecastAnswer(BaseModel):
    """Forecasts in the order of the request, and an error for each series that has none."""

    model: ModelIdentity
    forecasts: list[SeriesForecast]
    errors: list[SeriesErrorAnswer]


class Problem(BaseModel):
    """A request that failed whole (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str = Field(description="Stable, for programs.")
    detail: str
    pointer: str
    hint: str


class ForecastProblem(Problem):
    """A forecast request that failed whole; where each of its series was refused, with the error of each."""

    model: ModelIdentity | None = None
    forecasts: list[SeriesForecast] | None = None
    errors: list[SeriesErrorAnswer] | None = None


class VersionAnswer(BaseModel):
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


class RegistryAnswer(BaseModel):
    """How the registry did when last asked."""

    state: str = Field(
        description="`ok`, `absent` (nothing registered yet), `emptied` or `unreachable` (the cache goes on serving)."
    )
    detail: str
    checked: str


class ModelsAnswer(BaseModel):
    """Every registered name, and the starter."""

    models: list[ModelSummary]
    default: str | None = Field(description="What answers a request that names no model; null where it must name one.")
    registry: RegistryAnswer


class ModelCard(BaseModel):
    """A version with everything it promises."""

    model: ModelIdentity
    aliases: dict[str, str]
    versions: list[VersionAnswer]
    frequencies: list[str] = Field(description="The spec's; of the starter those that have a network of their own.")
    loaded_at: str
    spec: dict[str, Any] = Field(description="spec.json: architecture, training data, backtest beside the baselines, …")


class Live(BaseModel):
    """The process runs."""

    status: str


class Ready(BaseModel):
    """The service answers forecasts."""

    status: str
    models: list[ModelIdentity]
    database: str = Field(description="`ok`, or the code of why it does not answer: forecasts do without it.")


class ObservationRow(_Strict):
    """One observation. `unique_id`, `ds` and `y` are other names of the three."""

    id: str = Field(min_length=1, max_length=256, description="The series.")
    timestamp: str = Field(description="ISO 8601, with or without an offset; the last of two equal ones counts.")
    value: float | None = Field(description="null where nothing was observed.")


class ObservationColumns(_Strict):
    """Observations by column, all of one length."""

    id: list[str]
    timestamp: list[str]
    value: list[float | None]


class ObservationsRequest(_Strict):
    """Observations of any number of series, and what is true of all those series."""

    observations: list[ObservationRow] | ObservationColumns
    frequency: str | None = Field(
        None, description="Any pandas alias or a word; remembered, and else read off the dates."
    )
    timezone: str | None = Field(
        None, description="IANA name whose clocks timestamps without an offset show; remembered."
    )


class ObservationsAnswer(BaseModel):
    """What was kept."""

    accepted: int = Field(description="Rows that are on disk.")
    refused: int
    series: int = Field(description="Series that the accepted rows belong to.")
    errors: list[SeriesErrorAnswer] = Field(description="One for each refused row, the first 1,000.")


class CountAnswer(BaseModel):
    """How much was observed."""

    observations: int = Field(description="Gaps that were sent as null are none.")
    series: int = Field(description="Series that they belong to.")


class ObservationsProblem(Problem):
    """A body that was refused whole; where each of its rows was, with the error of each."""

    accepted: int | None = None
    refused: int | None = None
    series: int | None = None
    errors: list[SeriesErrorAnswer] | None = None


class SeriesSummary(BaseModel):
    """What is known of one series."""

    id: str
    frequency: str | None = Field(description="As it was posted; null where its timestamps must tell.")
    timezone: str | None
    observations: int
    first: str | None
    last: str | None


class SeriesListAnswer(BaseModel):
    """A page of series, by id."""

    series: list[SeriesSummary]
    next: str | None = Field(description="The `after` of the next page; null on the last.")


class SeriesAnswer(SeriesSummary):
    """A series with its newest observations, oldest first."""

    timestamps: list[str]
    values: list[float | None]


class ScoreAnswer(BaseModel):
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


class KeptForecast(BaseModel):
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
    scores: list[ScoreAnswer]
