"""OpenAPI: the document behind /docs, and the page itself, which needs no internet."""

import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from pydantic.json_schema import models_json_schema
from starlette.responses import HTMLResponse

from service.api.examples.described import REF
from service.api.operations import complete
from service.api.schemas.forecast import ForecastProblem
from service.api.schemas.models import ChampionRequest, RollbackRequest
from service.api.schemas.observations import ObservationsProblem, ObservationsRequest
from service.api.schemas.problems import Problem
from service.api.schemas.validation import ValidationRequest
from service.forecasting.schema import ForecastRequest
from service.jobs.requests import BackfillRequest, JobRequest, ScheduleRequest

ASSETS: Mapping[str, str] = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}

DESCRIBED = (
    ForecastRequest,
    ValidationRequest,
    ObservationsRequest,
    JobRequest,
    ScheduleRequest,
    BackfillRequest,
    ChampionRequest,
    RollbackRequest,
    Problem,
    ForecastProblem,
    ObservationsProblem,
)
"""Schemas that no route declares, because their bodies are parsed by hand."""

DESCRIPTION = """Self-hosted forecasting: post series, get forecasts with calibrated intervals.

Every error is `{code, detail, pointer, hint}`: the code is stable, the pointer shows where in the request, the hint what to
do. A request that fails as a whole returns `application/problem+json`; one wrong series does not fail its batch.
"""

SECURITY: Mapping[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key from `almanac key add`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
}


_DESCRIBING = threading.Lock()
"""FastAPI's models of a document cannot be built by two threads at once."""


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an app, created once."""
    with _DESCRIBING:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    _restore_examples(app, document["paths"])
    wanted = [(model, "validation") for model in DESCRIBED]
    _, definitions = models_json_schema(wanted, ref_template=REF)  # type: ignore[arg-type]
    components = document.setdefault("components", {})
    components["schemas"] = {**definitions["$defs"], **components.get("schemas", {})}
    components["securitySchemes"] = dict(SECURITY)
    complete(document["paths"])
    document["security"] = [{}, *({name: []} for name in SECURITY)]
    return document


def _restore_examples(app: FastAPI, paths: Mapping[str, Mapping[str, Any]]) -> None:
    """Put our examples in place of those from which FastAPI has removed every null."""
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            written = paths.get(route.path_format or "", {}).get(method.lower())
            if written is None:
                continue  # not in the document
            bodies = [(written.get("requestBody", {}), (route.openapi_extra or {}).get("requestBody", {}))]
            bodies += [(written["responses"][str(status)], one) for status, one in route.responses.items()]
            for shown, ours in bodies:
                for media, content in ours.get("content", {}).items():
                    if "examples" in content:
                        shown["content"][media]["examples"] = content["examples"]


def docs_page(title: str) -> HTMLResponse:
    """Return the page of /docs, which loads everything from this service."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title=title,
        swagger_js_url="static/swagger-ui-bundle.js",
        swagger_css_url="static/swagger-ui.css",
        swagger_favicon_url="data:,",
        swagger_ui_parameters={"defaultModelsExpandDepth": 0, "tryItOutEnabled": True, "validatorUrl": None},
    )


def asset(name: str) -> Path | None:
    """Return the file of one of the page's assets, or None.

    The package fastapi-offline contains Swagger UI; its code is not imported.
    """
    package = find_spec("fastapi_offline")
    if name not in ASSETS or package is None or package.origin is None:
        return None
    return Path(package.origin).parent / "static" / name
