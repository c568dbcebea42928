"""Formats: how /docs describes bodies, responses and query parameters of POST /forecast beside JSON."""

from collections.abc import Mapping
from typing import Any

from models.forecasting.sampling import MOST_PATHS
from models.irregular.grid_placement import MISSING
from models.safeguards.plausible import OUTLIERS
from service.api.content_types import FORMATS, JSON, NDJSON

_LINES = {"type": "string", "description": "A JSON object on each line."}
_FRAME = {"type": "string", "format": "binary"}
OTHER_FORMATS: Mapping[str, dict[str, Any]] = {
    kind: {"schema": _LINES if kind == NDJSON else _FRAME} for kind in FORMATS if kind != JSON
}
"""Content of a request or response by media type; docs/api.md describes columns and lines."""

_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}
_NUMBERS, _TEXTS = ({"type": "array", "items": one} for one in (_NUMBER, _TEXT))
_FRAMES = "Frames only: the column of the "
QUERY_PARAMETERS: Mapping[str, tuple[dict[str, Any], str]] = {
    "horizon": ({"type": "integer", "minimum": 1}, "Steps to forecast; required."),
    "levels": (_NUMBERS, "Central intervals, in per cent."),
    "quantiles": (_NUMBERS, "Quantile levels in addition to the trained ones."),
    "mean": ({"type": "boolean"}, "Whether each forecast has a mean beside the median."),
    "paths": ({"type": "integer", "minimum": 0, "maximum": MOST_PATHS}, "Number of sample paths of each series."),
    "seed": ({"type": "integer", "minimum": 0}, "Seed of paths and sums."),
    "sums": (_TEXTS, "Windows such as `1-12` or `horizon`, of whose steps each forecast has the sum."),
    "model": (_TEXT, "`name`, `name@alias`, `name/version` or `starter`."),
    "frequency": (_TEXT, "Of every series that names none."),
    "timezone": (_TEXT, "Of every series that names none."),
    "missing": ({"type": "string", "enum": list(MISSING)}, "What timestamps that are left out mean."),
    "outliers": ({"type": "string", "enum": list(OUTLIERS)}, "What the model reads in place of implausible values."),
    "minimum": (_NUMBER, "Smallest possible value."),
    "maximum": (_NUMBER, "Largest possible value."),
    "record": ({"type": "boolean"}, "Whether the forecasts are stored and scored."),
    "id_column": (_TEXT, f"{_FRAMES}id."),
    "time_column": (_TEXT, f"{_FRAMES}timestamp."),
    "value_column": (_TEXT, f"{_FRAMES}value."),
}


def describe_parameters() -> list[dict[str, Any]]:
    """Return the query parameters of a body that is not JSON; lists are separated by commas."""
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": f"For a body that is not JSON. {description}",
            "schema": schema,
            **({"style": "form", "explode": False} if schema["type"] == "array" else {}),
        }
        for name, (schema, description) in QUERY_PARAMETERS.items()
    ]
