"""Forecast examples: requests and responses for /docs; a test posts each request and validates each response."""

from typing import Any

from models.errors import HorizonInvalid, ModelUnknown, SeriesInfinite
from service import errors
from service.api.examples import Responses, load
from service.api.examples.described import problems, success
from service.api.examples.formats import OTHER_FORMATS
from service.api.examples.health import LOADING, NOTHING
from service.api.schemas.forecast import ForecastProblem
from service.problems import document
from service.serving.unavailable import STARTER_HINT

EXAMPLES = load("forecast")
FORECAST_REQUESTS: dict[str, Any] = EXAMPLES["requests"]

NO_KEY = errors.KeyMissing(
    "The request has no API key.",
    hint="Send `Authorization: Bearer KEY` or `X-API-Key: KEY`; `almanac key add` creates a key.",
)
NO_SCOPE = errors.ScopeMissing(
    "The key has the scopes observe; this path needs forecast or admin.",
    hint="Create a key with `almanac key add --scope forecast`.",
)
NO_JSON = errors.JsonInvalid(
    "The body is not valid JSON: EOF while parsing an object at line 1 column 10.",
    hint='Send {"series": [{"values": [...]}], "horizon": 12}.',
)
TOO_LARGE = errors.BodyTooLarge(
    "The body has more than 16777216 bytes.", hint="Send fewer series at a time, or raise ALMANAC_MAX_BODY_BYTES."
)
TOO_SLOW = errors.BodyTooSlow(
    "The body was not complete after 30 seconds.", hint="Send smaller batches, or raise ALMANAC_BODY_TIMEOUT_SECONDS."
)
COMPRESSED = errors.EncodingUnsupported(
    "The body is encoded as 'br'.", hint="Send it with gzip or zstd, or uncompressed."
)
NOT_ACCEPTED = errors.NotAcceptable(
    "The Accept header asks for 'text/html', which is not made here.",
    hint="Accept application/json, application/x-ndjson, application/vnd.apache.parquet, "
    "application/vnd.apache.arrow.stream or application/vnd.apache.arrow.file.",
)
BAD_HORIZON = HorizonInvalid(
    "`horizon` is 0.", pointer="/horizon", hint="Send a whole number from 1 to 1000 (ALMANAC_MAX_HORIZON)."
)
UNKNOWN_FIELD = errors.FieldUnknown("There is no field 'level'.", pointer="/level", hint="Did you mean `levels`?")
NO_SUCH_MODEL = ModelUnknown(
    "There is no model 'weather'.", pointer="/model", hint=f"Registered: temperatures. {STARTER_HINT}"
)
NO_SUCH_PATH = errors.ModelNotFound(
    "There is no model 'weather'.", pointer="/model", hint=f"Registered: temperatures. {STARTER_HINT}"
)
INFINITE = document(SeriesInfinite("Value 1 is inf.", pointer="/series/0/values/1", hint="Send null for a gap."))
ALL_REFUSED: dict[str, Any] = {
    **INFINITE,
    "model": {"name": "temperatures", "version": "1", "alias": "champion", "run_id": None},
    "forecasts": [],
    "errors": [{"id": "0", **{name: INFINITE[name] for name in ("code", "detail", "pointer", "hint")}}],
}
FULL = errors.QueueFull("64 large requests are waiting already.", hint="Try again in a second.")
GONE = errors.DatabaseUnreachable(
    "The database does not answer: connection refused.", hint="Ask again soon; the log has details."
)

KEY_RESPONSES: Responses = {
    401: problems("Keys are set, and the request has none of them.", NO_KEY),
    403: problems("The key lacks the scope.", NO_SCOPE),
}
BODY_RESPONSES: Responses = {
    400: problems("The body is not JSON.", NO_JSON),
    **KEY_RESPONSES,
    413: problems("The body is too large, packed or unpacked.", TOO_LARGE),
}
ANSWER = success("Forecasts, and an error for each series without a forecast.", **EXAMPLES["responses"])
ANSWER["content"] |= OTHER_FORMATS
FORECAST_RESPONSES: Responses = {
    200: ANSWER,
    **BODY_RESPONSES,
    404: problems("The query, for a body that is not JSON, names a model that does not exist.", NO_SUCH_PATH),
    406: problems("Accept names no type that is made.", NOT_ACCEPTED),
    408: problems("The body is not received in time.", TOO_SLOW),
    415: problems("The body is of a type or encoding that is not read.", COMPRESSED),
    422: problems(
        "The request is wrong, or none of its series can be forecast.",
        BAD_HORIZON,
        UNKNOWN_FIELD,
        NO_SUCH_MODEL,
        ALL_REFUSED,
        schema=ForecastProblem,
    ),
    429: problems("Too many large requests are waiting; try again after Retry-After.", FULL),
    503: problems("The model cannot answer yet; try again after Retry-After.", LOADING, NOTHING),
}

MODEL_RESPONSES: Responses = {
    404: problems("There is no such name, alias or version.", NO_SUCH_PATH),
    503: problems("The version is being fetched; try again after Retry-After.", LOADING),
}
