"""GET /health/live and /health/ready: whether the process runs, and whether it can answer a forecast."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from models.names import CHAMPION, STARTER
from service.api.examples.health import READY_RESPONSES
from service.api.http import json_response
from service.api.schemas.models import LiveResponse, ReadyResponse
from service.api.state import service_of
from service.problems import problem
from service.selector import SelectedModel

router = APIRouter(prefix="/health", tags=["health"])


@router.head("/live", include_in_schema=False)
@router.get("/live", summary="Whether the process runs", response_model=LiveResponse)
async def live() -> Response:
    """Return 200 while the process can answer at all."""
    return json_response({"status": "live"})


@router.head("/ready", include_in_schema=False)
@router.get("/ready", summary="Whether forecasts are answered", response_model=ReadyResponse, responses=READY_RESPONSES)
async def ready(request: Request) -> Response:
    """Return 200 once the default model is in memory, or any champion if no default is set, or the starter.

    The state of the database is reported, but forecasts do not need it.
    """
    service = service_of(request)
    catalog = service.catalog
    error = catalog.readiness_error()
    if error is not None:
        return problem(error, status=503)
    available = [SelectedModel(champion, CHAMPION) for champion in catalog.champions.values()]
    if catalog.default == STARTER and catalog.starter.model is not None:
        available.append(SelectedModel(catalog.starter.model, None))
    database = "ok" if service.database.error is None else service.database.error.code
    short = service.metrics.resources.states()
    models = [selected.identity() for selected in available]
    registry = catalog.index.state
    members = {"status": "ready", "models": models, "database": database, "registry": registry, **short}
    return json_response(members)
