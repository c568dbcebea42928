"""Problem schemas: errors and warnings as JSON."""

from pydantic import BaseModel, Field


class RequestFinding(BaseModel):
    """A warning about the forecast."""

    code: str
    detail: str
    pointer: str = Field(description="JSON pointer into the request.")
    hint: str = Field(description="What to do.")


class SeriesErrorEntry(RequestFinding):
    """The error of one series."""

    id: str


class Problem(BaseModel):
    """A request that failed as a whole (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str = Field(description="Stable across versions.")
    detail: str
    pointer: str
    hint: str
