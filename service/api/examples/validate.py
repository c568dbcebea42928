"""Validation examples: requests and responses of POST /validate for /docs."""

from typing import Any

from models.errors import TimestampsMismatched
from service.api.examples import Responses
from service.api.examples.described import REF, problems, success
from service.api.examples.forecast import BODY_RESPONSES, FULL, NO_SUCH_MODEL, NO_SUCH_PATH, TOO_SLOW
from service.api.examples.health import LOADING

VALIDATE_REQUESTS: dict[str, Any] = {
    "gap": {
        "summary": "A series with a missing month",
        "value": {
            "series": [
                {"id": "a", "timestamps": ["2024-01", "2024-02", "2024-03", "2024-05"], "values": [35, 40, 38, 19]},
                {"id": "b", "timestamps": ["2024-01"], "values": [1, 2]},
            ]
        },
    }
}
VALIDATE_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": {"$ref": REF.format(model="ValidationRequest")}, "examples": VALIDATE_REQUESTS},
        "text/csv": {"schema": {"type": "string"}, "example": "month,sales\n2024-01,35\n2024-02,40\n2024-03,38\n"},
        "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
    },
}
VALIDATED: dict[str, Any] = {
    "model": {"name": "temperatures", "version": "1", "alias": "champion", "run_id": None},
    "series": [
        {
            "id": "a",
            "frequency": "M",
            "timezone": None,
            "season_length": 12,
            "start": "2024-01",
            "end": "2024-05",
            "points": 5,
            "gaps": 1,
            "repairs": [{"code": "GAP_INSERTED", "index": 3}],
            "repair_counts": {"GAP_INSERTED": 1},
            "warnings": [
                {
                    "code": "CONTEXT_SHORT",
                    "detail": "The context has 4 observed values; forecasts are more reliable with 24 or more.",
                    "pointer": "/series/0/values",
                    "hint": "Send a longer history.",
                }
            ],
        }
    ],
    "errors": [
        {
            "id": "b",
            "code": TimestampsMismatched.code,
            "detail": "There are 2 values and 1 timestamps.",
            "pointer": "/series/1/timestamps",
            "hint": "Send one timestamp for each value.",
        }
    ],
    "findings": [],
}
VALIDATE_RESPONSES: Responses = {
    200: success("What each series is read as, and an error for each that cannot be forecast.", gap=VALIDATED),
    **BODY_RESPONSES,
    404: problems("The query names a model that does not exist.", NO_SUCH_PATH),
    408: problems("The body is too slow.", TOO_SLOW),
    422: problems("The request as a whole is wrong.", NO_SUCH_MODEL),
    429: problems("Too many requests are waiting.", FULL),
    503: problems("The model is being loaded.", LOADING),
}
