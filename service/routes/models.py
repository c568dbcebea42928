"""GET /models and GET /models/{model}: what is registered, and the card of one version."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from models.errors import ModelUnknown
from service.cache import Registered
from service.catalog import Catalog
from service.errors import problem
from service.examples import MODEL_RESPONSES
from service.rendering import json_response
from service.schemas import ModelCard, ModelsAnswer
from service.state import service_of

router = APIRouter(tags=["models"])


@router.get("/models", summary="List the registered models", response_model=ModelsAnswer)
async def models(request: Request) -> Response:
    """Return every registered name with its aliases and versions, and how the registry is doing."""
    service = service_of(request)
    catalog, index = service.catalog, service.catalog.index
    names = catalog.names()
    return json_response(
        {
            "models": [_summary(catalog, name, model) for name, model in index.models.items()],
            "default": service.settings.model or (names[0] if len(names) == 1 else None),
            "registry": {"state": index.state, "detail": index.detail, "checked": index.checked},
        }
    )


@router.get("/models/{model:path}", summary="Show a model's card", response_model=ModelCard, responses=MODEL_RESPONSES)
async def model(request: Request, model: str) -> Response:
    """Return all that a version promises; `model` is `name`, `name@alias` or `name/version`."""
    if not model:
        return await models(request)
    catalog = service_of(request).catalog
    try:
        choice = await catalog.choose(model)
    except ModelUnknown as error:
        return problem(ModelUnknown(error.detail, hint=error.hint), status=404)
    registered = catalog.index.models.get(choice.served.name, Registered())
    return json_response(
        {
            "model": choice.identity(),
            "aliases": registered.aliases,
            "versions": _versions(catalog, registered),
            "loaded_at": choice.served.loaded_at.isoformat(timespec="seconds"),
            "spec": choice.served.forecaster.spec.to_dict(),
        }
    )


def _summary(catalog: Catalog, name: str, model: Registered) -> dict[str, Any]:
    champion = catalog.champions.get(name)
    return {
        "name": name,
        "champion": champion.version if champion else None,
        "aliases": model.aliases,
        "versions": list(model.versions),
    }


def _versions(catalog: Catalog, model: Registered) -> list[dict[str, Any]]:
    return [
        {
            "version": number,
            "run_id": version.run_id,
            "aliases": [alias for alias, target in model.aliases.items() if target == number],
            "cached": version.digest is not None,
            "error": version.error or catalog.why_refused(version.digest),
        }
        for number, version in model.versions.items()
    ]
