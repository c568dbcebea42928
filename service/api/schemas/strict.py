"""StrictModel: the common base of request schemas."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A request object; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")
