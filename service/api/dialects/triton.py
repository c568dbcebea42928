"""Triton: what its client asks for beside inference, each refused by name."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.api.dialects.answering import DialectUnsupported
from service.json_input import describe_value

router = APIRouter(prefix="/v2", include_in_schema=False)

PATHS = (
    "/models/stats",
    "/models/{model}/stats",
    "/models/{model}/versions/{version}/stats",
    "/models/{model}/config",
    "/models/{model}/versions/{version}/config",
    "/models/{model}/trace/setting",
    "/trace/setting",
    "/logging",
    "/repository/models/{model}/load",
    "/repository/models/{model}/unload",
    "/systemsharedmemory/{rest:path}",
    "/cudasharedmemory/{rest:path}",
)
HINTS: Mapping[str, str] = {
    "/stats": "GET /metrics has the counts and latencies of requests.",
    "/config": "GET /v2/models/{model} has the tensors of a model (get_model_metadata).",
    "/trace/setting": "OTEL_EXPORTER_OTLP_ENDPOINT sets where traces go.",
    "/logging": "`almanac serve` logs what happens on standard error.",
    "/load": "A model is loaded when it is promoted or asked for.",
    "/unload": "A model leaves memory when its place is needed.",
}
"""Where Almanac has it, by the end of the path."""
MEMORY_HINT = "Send and receive the data with the request."


async def refuse(request: Request) -> Response:
    """Raise DialectUnsupported."""
    path = request.scope["path"]
    hint = next((hint for end, hint in HINTS.items() if path.endswith(end)), MEMORY_HINT)
    raise DialectUnsupported(f"Almanac has no {describe_value(path)}.", hint=hint)


for _path in PATHS:
    router.api_route(_path, methods=["GET", "POST"])(refuse)
