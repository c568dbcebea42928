"""Examples of observations for /docs; a test compares them with real responses."""

from typing import Any

from models.errors import FrequencyNotInferred, SeriesNotNumeric, TimestampInvalid
from service.api.examples import Responses, load
from service.api.examples.described import REF, problems, success
from service.api.examples.forecast import (
    BAD_HORIZON,
    BODY_RESPONSES,
    FULL,
    GONE,
    KEY_RESPONSES,
    NO_JSON,
    NO_SUCH_PATH,
    TOO_SLOW,
)
from service.api.examples.health import LOADING
from service.api.schemas.observations import ObservationsProblem
from service.errors import FileInvalid, ForecastUnknown, SeriesUnknown
from service.problems import document

EXAMPLES = load("observations")
OBSERVATION_REQUESTS: dict[str, Any] = EXAMPLES["requests"]

OBSERVATION_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"$ref": REF.format(model="ObservationsRequest")},
            "examples": OBSERVATION_REQUESTS,
        },
        "text/csv": {"schema": {"type": "string"}, "example": EXAMPLES["csv"]},
        "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
    },
}

BAD_VALUE = document(
    SeriesNotNumeric("The value is 'warm'.", pointer="/observations/0/value", hint="Send a number, or null for a gap.")
)
NONE_ACCEPTED: dict[str, Any] = {
    **BAD_VALUE,
    "accepted": 0,
    "refused": 1,
    "series": 0,
    "errors": [{"id": "a", **{name: BAD_VALUE[name] for name in ("code", "detail", "pointer", "hint")}}],
    "repairs": [],
    "warnings": [],
}
BAD_ZONE = TimestampInvalid(
    "Unknown timezone 'Berlin'.", pointer="/timezone", hint="Use an IANA name such as 'Europe/Berlin'."
)
BAD_CSV = FileInvalid("The CSV cannot be read: unexpected end of data.", hint="Send UTF-8 with a header.")
NO_MOMENT = TimestampInvalid(
    "'yesterday' is not a timestamp.",
    pointer="/after",
    hint="Write ISO 8601 such as '1939-01', '1939-01-31' or '1939-01-31T12:00:00+01:00'.",
)
NOT_OBSERVED = SeriesUnknown(
    "There is no series 'leeds'.", hint="GET /series lists the series; POST /observations creates one."
)
NO_STEP = FrequencyNotInferred(
    "The frequency cannot be inferred from one timestamp.",
    hint="Post observations of this series with a `frequency`, which is stored.",
)

NOT_STORED = ForecastUnknown(
    "There is no forecast '5f0c3e6e-0d1a-4c55-9c56-1f2f3f8e1d11'.",
    hint="Forecasts are stored for 365 days (ALMANAC_RETENTION_DAYS), unless ALMANAC_LEDGER is off.",
)

OBSERVATION_RESPONSES: Responses = {
    200: success("Counts of the rows, and an error for each row that was refused.", rows=EXAMPLES["responses"]["rows"]),
    **BODY_RESPONSES,
    400: problems("The body cannot be read.", NO_JSON, BAD_CSV),
    408: problems("The body does not arrive in time.", TOO_SLOW),
    422: problems(
        "No row is valid, or the body is wrong as a whole.", NONE_ACCEPTED, BAD_ZONE, schema=ObservationsProblem
    ),
    429: problems("Too many requests wait for the database; try again after Retry-After.", FULL),
    503: problems("The database does not answer: send all rows again.", GONE),
}
EXPORT_RESPONSES: Responses = {
    200: {
        "description": "A Parquet file. If the transfer breaks off, its footer is missing and no reader accepts it.",
        "content": {
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},  # for generators of clients
        },
    },
    404: problems("There is no series of this id.", NOT_OBSERVED),
    503: problems("The database does not answer.", GONE),
}
COUNT_RESPONSES: Responses = {
    200: success("The number of observations, and of their series.", count=EXAMPLES["responses"]["count"]),
    422: problems("The timestamp or the frequency is invalid.", NO_MOMENT),
    503: problems("The database does not answer.", GONE),
}
SERIES_LIST_RESPONSES: Responses = {503: problems("The database does not answer.", GONE)}
SERIES_RESPONSES: Responses = {
    404: problems("There is no series of this id.", NOT_OBSERVED),
    503: problems("The database does not answer.", GONE),
}
ERASE_RESPONSES: Responses = {
    204: {"description": "Nothing is stored of the series any more."},
    **KEY_RESPONSES,
    404: problems("Nothing is stored of a series of this id.", NOT_OBSERVED),
    429: problems("Too many requests wait for the database; try again after Retry-After.", FULL),
    503: problems("The database does not answer; a part may be erased. Send the request again.", GONE),
}
SERIES_FORECAST_RESPONSES: Responses = {
    404: problems("There is no series of this id, or no such model.", NOT_OBSERVED, NO_SUCH_PATH),
    422: problems("The request is wrong, or the observations cannot be forecast.", BAD_HORIZON, NO_STEP),
    503: problems("The database or the model does not answer yet.", GONE, LOADING),
}
STORED_RESPONSES: Responses = {
    404: problems("There is no forecast of this id.", NOT_STORED),
    503: problems("The database does not answer.", GONE),
}
