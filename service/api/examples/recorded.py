"""Recorded responses: two examples answered by a model of the demo, rounded to two places, for /docs."""

from typing import Any

DATED_ANSWER: dict[str, Any] = {
    "model": {
        "name": "temperatures",
        "version": "1",
        "alias": "champion",
        "run_id": "c1a4bd2d3b0b40afb529d526391412b3",
    },
    "forecasts": [
        {
            "id": "nottingham",
            "forecast_id": "ccd45886-44a9-426a-833d-1b5372a5490f",
            "timestamps": ["1940-01", "1940-02", "1940-03"],
            "median": [40.28, 40.47, 47.2],
            "quantiles": {
                "0.1": [37.66, 37.98, 45.69],
                "0.2": [39.11, 39.29, 46.46],
                "0.3": [39.66, 39.9, 46.84],
                "0.4": [40.15, 40.39, 47.17],
                "0.5": [40.28, 40.47, 47.2],
                "0.6": [41.1, 41.3, 47.81],
                "0.7": [41.51, 41.72, 48.12],
                "0.8": [42.14, 42.37, 48.56],
                "0.9": [43.01, 43.19, 49.0],
            },
            "intervals": {
                "80": {"lower": [37.66, 37.98, 45.69], "upper": [43.01, 43.19, 49.0]},
                "95": {"lower": [35.88, 36.06, 44.4], "upper": [45.12, 45.3, 50.38]},
            },
            "context_used": 24,
            "repairs": [{"code": "GAP_MASKED", "index": 14}],
            "warnings": [
                {
                    "code": "CONTEXT_SHORT",
                    "detail": "The context has 23 observed values; forecasts are more reliable with 24 or more.",
                    "pointer": "/series/0/values",
                    "hint": "Send a longer history.",
                }
            ],
        }
    ],
    "errors": [],
}

BATCH_ANSWER: dict[str, Any] = {
    "model": {
        "name": "temperatures",
        "version": "1",
        "alias": "champion",
        "run_id": "c1a4bd2d3b0b40afb529d526391412b3",
    },
    "forecasts": [
        {
            "id": "valid",
            "forecast_id": "0fc157fe-06c9-4295-a09b-8b2b59ad6b23",
            "timestamps": ["2024-04-30", "2024-05-31"],
            "median": [5.42, 5.34],
            "quantiles": {
                "0.1": [3.2, 3.22],
                "0.2": [4.28, 4.15],
                "0.3": [4.75, 4.7],
                "0.4": [5.28, 5.24],
                "0.5": [5.42, 5.34],
                "0.6": [6.47, 6.38],
                "0.7": [7.07, 6.96],
                "0.8": [7.95, 7.84],
                "0.9": [8.88, 8.72],
            },
            "intervals": {"80": {"lower": [3.2, 3.22], "upper": [8.88, 8.72]}},
            "context_used": 3,
            "repairs": [],
            "warnings": [
                {
                    "code": "CONTEXT_SHORT",
                    "detail": "The context has 3 observed values; forecasts are more reliable with 24 or more.",
                    "pointer": "/series/0/values",
                    "hint": "Send a longer history.",
                }
            ],
        }
    ],
    "errors": [
        {
            "id": "broken",
            "code": "FREQUENCY_MISMATCH",
            "detail": "The series has the frequency 2W-SUN; the model temperatures has M.",
            "pointer": "/series/1/frequency",
            "hint": "Send a series of frequency M, or use a model for 2W-SUN.",
        }
    ],
}
