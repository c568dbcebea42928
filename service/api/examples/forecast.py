"""Forecast examples: requests and responses for /docs; a test posts each request and validates each response."""

from typing import Any

from models.errors import HorizonInvalid, ModelUnknown, SeriesInfinite
from service.api.examples.recorded import BATCH_ANSWER, DATED_ANSWER
from service.api.openapi import problems
from service.api.schemas.forecast import ForecastProblem
from service.errors import (
    BodyTooLarge,
    BodyTooSlow,
    EncodingUnsupported,
    FieldUnknown,
    JsonInvalid,
    KeyMissing,
    ModelLoading,
    NoModel,
    QueueFull,
    ScopeMissing,
)
from service.problems import document
from service.serving.unavailable import STARTER_HINT

Responses = dict[int | str, dict[str, Any]]

FIVE_MONTHS: dict[str, Any] = {"series": [{"values": [35, 40, 38, 29, 19]}], "horizon": 3}

TWO_YEARS: list[float | None] = [42.1, 41.2, 47.3, 46.6, 52.4, 59.0, 59.6, 60.4, 57.0, 50.7, 47.8, 39.2]
TWO_YEARS += [39.4, 40.9, None, 47.8, 52.5, 58.0, 60.7, 61.8, 58.2, 46.7, 46.6, 37.8]

NOTTINGHAM: dict[str, Any] = {
    "series": [{"id": "nottingham", "start": "1938-01", "frequency": "M", "values": TWO_YEARS}],
    "horizon": 3,
    "levels": [80, 95],
    "model": "temperatures",
}

BATCH: dict[str, Any] = {
    "series": [
        {"id": "valid", "timestamps": ["2024-01-31", "2024-02-29", "2024-03-31"], "values": [3.1, 4.4, 7.9]},
        {"id": "broken", "start": "2024-01", "frequency": "fortnightly", "values": [3.1, 4.4, 7.9]},
    ],
    "horizon": 2,
    "model": "temperatures@champion",
}

SALES: dict[str, Any] = {
    "series": [
        {
            "id": "shop",
            "start": "2024-12-16",
            "frequency": "D",
            "values": [41, 39, 44, 52, 61, 83, 12],
            "past_covariates": {
                "visitors": [310, 295, 322, 371, 402, 515, 98],
                "price": [9.9, 9.9, 9.9, 9.9, 7.9, 7.9, 9.9],
            },
            "future_covariates": {"price": [9.9, 9.9, 7.9]},
        }
    ],
    "horizon": 3,
    "model": "sales",
}

ANYTHING: dict[str, Any] = {
    "series": [
        {
            "id": "visitors",
            "start": "2024-12-02",
            "frequency": "D",
            "values": [41, 39, 44, 52, 61, 83, 12, 40, 42, 45, 50],
        },
        {"id": "nottingham", "start": "1938-01", "frequency": "M", "values": TWO_YEARS},
    ],
    "horizon": 3,
    "model": "starter",
}

FORECAST_REQUESTS: dict[str, Any] = {
    "starter": {"summary": "Days and months in one request, before any training", "value": ANYTHING},
    "dated": {"summary": "A series with dates and a gap, two interval levels", "value": NOTTINGHAM},
    "bare": {"summary": "Five values, no dates", "value": FIVE_MONTHS},
    "batch": {"summary": "Two series, one of them wrong", "value": BATCH},
    "covariates": {"summary": "Past visitors, and a price that is known ahead", "value": SALES},
}

NO_KEY = KeyMissing(
    "The request has no API key.",
    hint="Send `Authorization: Bearer KEY` or `X-API-Key: KEY`; `almanac key add` creates a key.",
)
NO_SCOPE = ScopeMissing(
    "The key has the scopes observe; this path needs forecast or admin.",
    hint="Create a key with `almanac key add --scope forecast`.",
)
NO_JSON = JsonInvalid(
    "The body is not valid JSON: EOF while parsing an object at line 1 column 10.",
    hint='Send {"series": [{"values": [...]}], "horizon": 12}.',
)
TOO_LARGE = BodyTooLarge(
    "The body has more than 16777216 bytes.", hint="Send fewer series at a time, or raise ALMANAC_MAX_BODY_BYTES."
)
TOO_SLOW = BodyTooSlow(
    "The body was not complete after 30 seconds.", hint="Send smaller batches, or raise ALMANAC_BODY_TIMEOUT_SECONDS."
)
COMPRESSED = EncodingUnsupported("The body is encoded as 'gzip'.", hint="Send it uncompressed.")
BAD_HORIZON = HorizonInvalid(
    "`horizon` is 0.", pointer="/horizon", hint="Send a whole number from 1 to 1000 (ALMANAC_MAX_HORIZON)."
)
UNKNOWN_FIELD = FieldUnknown("There is no field 'level'.", pointer="/level", hint="Did you mean `levels`?")
NO_SUCH_MODEL = ModelUnknown(
    "There is no model 'weather'.", pointer="/model", hint=f"Registered: temperatures. {STARTER_HINT}"
)
NO_SUCH_PATH = ModelUnknown("There is no model 'weather'.", hint=f"Registered: temperatures. {STARTER_HINT}")
INFINITE = document(SeriesInfinite("Value 1 is inf.", pointer="/series/0/values/1", hint="Send null for a gap."))
ALL_REFUSED: dict[str, Any] = {
    **INFINITE,
    "model": {"name": "temperatures", "version": "1", "alias": "champion", "run_id": None},
    "forecasts": [],
    "errors": [{"id": "0", **{name: INFINITE[name] for name in ("code", "detail", "pointer", "hint")}}],
}
FULL = QueueFull("64 large requests are waiting already.", hint="Try again in a second.")
LOADING = ModelLoading(
    "The model temperatures/3 is being loaded.", pointer="/model", hint="Try again in a few seconds."
)
NOTHING = NoModel("No model is registered yet.", hint=f"Run `almanac train` or `almanac demo`. {STARTER_HINT}")

KEY_RESPONSES: Responses = {
    401: problems("Keys are set, and the request has none of them.", NO_KEY),
    403: problems("The key lacks the scope.", NO_SCOPE),
}
FORECAST_RESPONSES: Responses = {
    200: {
        "description": "Forecasts, and an error for each series without a forecast.",
        "content": {
            "application/json": {"examples": {"dated": {"value": DATED_ANSWER}, "batch": {"value": BATCH_ANSWER}}}
        },
    },
    400: problems("The body is not JSON.", NO_JSON),
    **KEY_RESPONSES,
    408: problems("The body is not received in time.", TOO_SLOW),
    413: problems("The body is too large.", TOO_LARGE),
    415: problems("The body is compressed.", COMPRESSED),
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
    404: problems("There is no such name, alias or version.", document(NO_SUCH_PATH, status=404)),
    503: problems("The version is being fetched; try again after Retry-After.", LOADING),
}

READY_RESPONSES: Responses = {503: problems("Forecasts cannot be answered yet.", NOTHING, LOADING)}
