"""GET /metrics: metrics for Prometheus; if keys are set, it needs one with the scope `observe`."""

from fastapi import APIRouter, Request
from prometheus_client.exposition import choose_encoder
from starlette.responses import PlainTextResponse, Response

from service.api.state import service_of

router = APIRouter(tags=["metrics"])


@router.get("/metrics", summary="Metrics for Prometheus", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    """Return every metric in the text format, or in OpenMetrics if the client accepts it.

    Runs in a thread, because drift is computed when it is read.
    """
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(service_of(request).metrics.registry), media_type=content_type)
