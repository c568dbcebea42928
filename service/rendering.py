"""Rendering: how an answer becomes bytes."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


def json_response(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401 (any JSON)
    """Return data, numpy arrays included, as a JSON response."""
    content = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, status, headers, media_type="application/json")
