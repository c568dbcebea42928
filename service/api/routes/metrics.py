"""GET /metrics: metrics for Prometheus; if keys are set, it needs one with the scope `observe`."""

from fastapi import APIRouter, Request
from prometheus_client.exposition import choose_encoder
from starlette.responses import PlainTextResponse, Response

from service.api.state import service_of

router = APIRouter(tags=["metrics"])


@router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Return every metric in the text format, or in OpenMetrics if the client accepts it.

    Drift is computed when it is read, in a thread of its own, which no forecast uses. FastAPI's threads need a module that
    cannot be imported any more when the process has no file descriptors left.
    """
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    found = service_of(request).metrics
    content = await found.threads.run(encode, found.registry)
    return Response(content, media_type=content_type)
