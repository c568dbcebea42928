"""Examples of GET /accuracy for /docs; a test checks them against the schema."""

from typing import Any

from models.errors import TimestampInvalid
from service.api.examples.forecast import FULL, KEY_RESPONSES
from service.api.openapi import problems
from service.errors import DatabaseUnreachable, FieldInvalid

RESPONSE: dict[str, Any] = {
    "rows": [
        {
            "model": "temperatures",
            "version": "7",
            "step": 1,
            "scores": 641,
            "mase": 0.61,
            "naive_mase": 0.98,
            "skill": 0.38,
            "pinball": 0.24,
            "coverage": {"80": 0.79, "95": None},
            "backtest": {"mase": 0.6, "naive_mase": 0.99},
        }
    ],
    "truncated": False,
    "drift": {
        "inputs": [
            {
                "model": "temperatures",
                "version": "7",
                "feature": "level",
                "index": 0.03,
                "distance": 0.05,
                "p_value": 0.71,
                "inputs": 512,
            }
        ],
        "errors": [
            {
                "model": "temperatures",
                "version": "7",
                "scores": 641,
                "mase": 0.61,
                "backtest_mase": 0.6,
                "ratio": 1.02,
                "naive_ratio": 0.99,
            }
        ],
    },
    "forecasts": [],
    "since": None,
    "due": 0,
}
BAD_KEY = FieldInvalid(
    "`by` has the unknown key 'month'.",
    pointer="/by",
    hint="The keys are version, step, series, period; separate them by commas.",
)
BAD_MOMENT = TimestampInvalid(
    "'yesterday' is no timestamp.",
    pointer="/since",
    hint="Write ISO 8601 such as '1939-01', '1939-01-31' or '1939-01-31T12:00:00+01:00'.",
)
NO_DATABASE = DatabaseUnreachable(
    "The database does not answer: connection refused.", hint="Ask again soon; the log has details."
)

ACCURACY_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Figures of each group of scores, and the drift of inputs and errors.",
        "content": {"application/json": {"examples": {"steps": {"value": RESPONSE}}}},
    },
    **KEY_RESPONSES,
    422: problems("A parameter is wrong.", BAD_KEY, BAD_MOMENT),
    429: problems("Too many requests wait for the database; try again after Retry-After.", FULL),
    503: problems("The database does not answer.", NO_DATABASE),
}
