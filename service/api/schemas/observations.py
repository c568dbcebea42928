"""Observation schemas: observations and the series they form."""

from pydantic import BaseModel, Field

from service.api.schemas.problems import Problem, RequestFinding, SeriesErrorEntry
from service.json_input import StrictModel


class ObservationRow(StrictModel):
    """One observation; `unique_id`, `ds` and `y` are accepted as names, too."""

    id: str = Field(min_length=1, max_length=256, description="The series.")
    timestamp: str = Field(description="ISO 8601, with or without an offset; two equal ones need equal values.")
    value: float | None = Field(description="null if nothing was observed.")


class ObservationColumns(StrictModel):
    """Observations by column, all of the same length."""

    id: list[str]
    timestamp: list[str]
    value: list[float | None]


class ObservationsRequest(StrictModel):
    """Observations of any number of series, with common options."""

    observations: list[ObservationRow] | ObservationColumns
    frequency: str | None = Field(
        None,
        description="Any pandas alias, or a word such as `monthly`; stored. Default: inferred from the timestamps.",
    )
    timezone: str | None = Field(
        None, description="IANA name of the time zone of timestamps without an offset; stored."
    )


class ObservationRepair(BaseModel):
    """A change to the accepted rows of one series."""

    id: str
    code: str = Field(
        description="`TIMESTAMPS_SNAPPED`: timestamps a little off their step are stored at it. `TIMEZONE_FOUND`: the offsets "
        "are one, or change as in a timezone; the series has this timezone from now on. `DATE_STRAY`: a value, stored or posted, is far "
        "from all others. `PERIODS_MATCHED`: another date of a stored period, or a day without the time of day of the others, is stored at its step. "
        "`ERA_UNCLEAR`: years look like Persian or Islamic ones, and are read as Gregorian, since the request states a frequency."
    )
    detail: str


class ObservationsResponse(BaseModel):
    """How many rows were stored."""

    accepted: int = Field(description="Rows that are stored.")
    refused: int
    series: int = Field(description="Number of series in the accepted rows.")
    errors: list[SeriesErrorEntry] = Field(description="One for each refused row, at most 1,000.")
    repairs: list[ObservationRepair] = Field(
        default_factory=list, description="Changes to accepted rows, at most one of each code for a series."
    )
    warnings: list[RequestFinding] = Field(
        default_factory=list,
        description="How a CSV or Parquet file was read where it can be read in several ways, at most 100.",
    )


class CountResponse(BaseModel):
    """The number of stored observations."""

    observations: int = Field(description="Without those that are null.")
    series: int = Field(description="Number of series.")


class ObservationsProblem(Problem):
    """A body that was refused as a whole; if every row is wrong, with the error of each."""

    accepted: int | None = None
    refused: int | None = None
    series: int | None = None
    errors: list[SeriesErrorEntry] | None = None
    repairs: list[ObservationRepair] | None = None
    warnings: list[RequestFinding] | None = None


class SeriesSummary(BaseModel):
    """One series."""

    id: str
    frequency: str | None = Field(description="As posted; null if it is inferred from the timestamps.")
    timezone: str | None
    observations: int = Field(description="Without those that are null.")
    first: str | None = Field(description="Of the observations; a date, or a time if the steps are shorter than a day.")
    last: str | None


class SeriesListResponse(BaseModel):
    """A page of series, by id."""

    series: list[SeriesSummary]
    next: str | None = Field(description="The `after` of the next page; null on the last.")


class SeriesResponse(SeriesSummary):
    """A series with its newest observations, oldest first."""

    timestamps: list[str]
    values: list[float | None]
