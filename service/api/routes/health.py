"""GET /health/live and /health/ready: whether the process runs, and whether it can answer a forecast."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from models.starters import NAME
from service.api.examples.forecast import READY_RESPONSES
from service.api.http import json_response
from service.api.schemas.models import LiveResponse, ReadyResponse
from service.api.state import service_of
from service.problems import problem
from service.selector import CHAMPION, SelectedModel

router = APIRouter(prefix="/health", tags=["health"])


@router.head("/live", include_in_schema=False)
@router.get("/live", summary="Whether the process runs", response_model=LiveResponse)
async def live() -> Response:
    """Return 200 for as long as the process answers at all."""
    return json_response({"status": "live"})


@router.head("/ready", include_in_schema=False)
@router.get("/ready", summary="Whether forecasts are answered", response_model=ReadyResponse, responses=READY_RESPONSES)
async def ready(request: Request) -> Response:
    """Return 200 once the default model is in memory: any champion where none is set, the starter where there is none.

    The database is told of and has no say: forecasts are answered without it.
    """
    service = service_of(request)
    catalog = service.catalog
    error = catalog.why_not_ready()
    if error is not None:
        return problem(error, status=503)
    answering = [SelectedModel(served, CHAMPION) for served in catalog.champions.values()]
    if catalog.default == NAME and catalog.starter.served is not None:
        answering.append(SelectedModel(catalog.starter.served, None))
    database = "ok" if service.database.error is None else service.database.error.code
    models = [choice.identity() for choice in answering]
    return json_response({"status": "ready", "models": models, "database": database})
