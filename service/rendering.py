"""Rendering: how an answer becomes bytes."""

from typing import Any

import orjson
from starlette.responses import Response


def json_response(data: Any) -> Response:  # noqa: ANN401 (any JSON)
    """Return data, numpy arrays included, as a JSON response."""
    return Response(orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
