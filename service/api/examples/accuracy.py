"""Examples of GET /accuracy for /docs; a test checks them against the schema."""

from typing import Any

from models.errors import TimestampInvalid
from service.api.examples import Responses, load
from service.api.examples.described import problems, success
from service.api.examples.forecast import FULL, GONE, KEY_RESPONSES
from service.api.examples.observations import NOT_OBSERVED
from service.errors import FieldInvalid

RESPONSE: dict[str, Any] = load("accuracy")["responses"]["steps"]
BAD_KEY = FieldInvalid(
    "`by` has the unknown key 'month'.",
    pointer="/by",
    hint="The keys are version, step, series, period; separate them by commas.",
)
BAD_MOMENT = TimestampInvalid(
    "'yesterday' is not a timestamp.",
    pointer="/since",
    hint="Write ISO 8601 such as '1939-01', '1939-01-31' or '1939-01-31T12:00:00+01:00'.",
)

ACCURACY_RESPONSES: Responses = {
    200: success("Figures of each group of scores, and the drift of inputs and errors.", steps=RESPONSE),
    **KEY_RESPONSES,
    404: problems("There is no such model, version or series.", NOT_OBSERVED),
    422: problems("A parameter is wrong.", BAD_KEY, BAD_MOMENT),
    429: problems("Too many requests wait for the database; try again after Retry-After.", FULL),
    503: problems("The database does not answer.", GONE),
}
