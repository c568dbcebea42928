"""Observation schemas: observations and the series they form."""

from pydantic import BaseModel, Field

from service.api.schemas.problems import Problem, SeriesErrorEntry
from service.json_input import StrictModel


class ObservationRow(StrictModel):
    """One observation. `unique_id`, `ds` and `y` are other names of the three."""

    id: str = Field(min_length=1, max_length=256, description="The series.")
    timestamp: str = Field(description="ISO 8601, with or without an offset; the last of two equal ones counts.")
    value: float | None = Field(description="null where nothing was observed.")


class ObservationColumns(StrictModel):
    """Observations by column, all of one length."""

    id: list[str]
    timestamp: list[str]
    value: list[float | None]


class ObservationsRequest(StrictModel):
    """Observations of any number of series, and what is true of all those series."""

    observations: list[ObservationRow] | ObservationColumns
    frequency: str | None = Field(
        None, description="Any pandas alias or a word; remembered, and else read off the dates."
    )
    timezone: str | None = Field(
        None, description="IANA name whose clocks timestamps without an offset show; remembered."
    )


class ObservationsResponse(BaseModel):
    """What was kept."""

    accepted: int = Field(description="Rows that are on disk.")
    refused: int
    series: int = Field(description="Series that the accepted rows belong to.")
    errors: list[SeriesErrorEntry] = Field(description="One for each refused row, the first 1,000.")


class CountResponse(BaseModel):
    """How much was observed."""

    observations: int = Field(description="Gaps that were sent as null are none.")
    series: int = Field(description="Series that they belong to.")


class ObservationsProblem(Problem):
    """A body that was refused whole; where each of its rows was, with the error of each."""

    accepted: int | None = None
    refused: int | None = None
    series: int | None = None
    errors: list[SeriesErrorEntry] | None = None


class SeriesSummary(BaseModel):
    """What is known of one series."""

    id: str
    frequency: str | None = Field(description="As it was posted; null where its timestamps must tell.")
    timezone: str | None
    observations: int
    first: str | None
    last: str | None


class SeriesListResponse(BaseModel):
    """A page of series, by id."""

    series: list[SeriesSummary]
    next: str | None = Field(description="The `after` of the next page; null on the last.")


class SeriesResponse(SeriesSummary):
    """A series with its newest observations, oldest first."""

    timestamps: list[str]
    values: list[float | None]
