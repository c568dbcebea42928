"""Problem schemas: errors and warnings as JSON."""

from pydantic import BaseModel, Field


class RequestFinding(BaseModel):
    """Something a reader of the forecast should know."""

    code: str
    detail: str
    pointer: str = Field(description="JSON pointer into the request.")
    hint: str = Field(description="What to do about it.")


class SeriesErrorEntry(RequestFinding):
    """Why one series has no forecast."""

    id: str


class Problem(BaseModel):
    """A request that failed whole (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str = Field(description="Stable, for programs.")
    detail: str
    pointer: str
    hint: str
