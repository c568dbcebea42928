"""GET /models and GET /models/{model}: the registered models, and the card of one version."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from models import starters
from models.calendar.zoned_grid import parse_frequency
from models.forecaster import Forecaster
from service.api.examples.forecast import MODEL_RESPONSES
from service.api.http import json_response
from service.api.named_models import named_in_url
from service.api.schemas.models import ModelCard, ModelsResponse
from service.api.state import service_of
from service.selector import LoadedModel, SelectedModel
from service.serving.catalog import Catalog
from service.serving.registry_index import RegisteredModel

FEW = 200
"""So many models are listed on the event loop: in less than a millisecond."""

router = APIRouter(tags=["models"])

StarterFrequency = Annotated[str, Query(description="The frequency whose spec to show; for the starter only.")]


@router.get("/models", summary="List the models", response_model=ModelsResponse)
async def models(request: Request) -> Response:
    """Return every registered name with its aliases and versions, the starter, and the state of the registry."""
    service = service_of(request)
    catalog, index = service.catalog, service.catalog.index
    starter, default = await catalog.starter.warm(), service.settings.model or catalog.default
    champions = dict(catalog.champions)

    def write() -> Response:
        registered = [_summary(champions.get(name), name, model) for name, model in index.models.items()]
        return json_response(
            {
                "models": [*registered, _starter_summary(starter)],
                "default": default,
                "registry": {"state": index.state, "detail": index.detail, "checked": index.checked},
            }
        )

    return write() if len(index.models) <= FEW else await asyncio.to_thread(write)


@router.get("/models/{model:path}", summary="Show a model's card", response_model=ModelCard, responses=MODEL_RESPONSES)
async def model(request: Request, model: str, frequency: StarterFrequency = starters.DEFAULT) -> Response:
    """Return the card of a version; `model` is `name`, `name@alias`, `name/version` or `starter`."""
    if not model:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    catalog, step = service_of(request).catalog, parse_frequency(frequency)
    with named_in_url(model, catalog):
        selected = await catalog.select(model, lambda: [step])
    if selected.starters is not None:
        return json_response(_starter_card(selected, selected.starters[step.name]))
    registered = catalog.index.models.get(selected.model.name, RegisteredModel())
    spec = selected.model.forecaster.spec
    return json_response(
        {
            "model": selected.identity(),
            "aliases": registered.aliases,
            "versions": _versions(catalog, registered),
            "frequencies": [spec.frequency],
            "loaded_at": selected.model.loaded_at.isoformat(timespec="seconds"),
            "spec": spec.to_dict(),
        }
    )


def _summary(champion: LoadedModel | None, name: str, model: RegisteredModel) -> dict[str, Any]:
    return {
        "name": name,
        "source": "registry",
        "champion": champion.version if champion else None,
        "aliases": model.aliases,
        "versions": list(model.versions),
        "frequencies": [champion.forecaster.spec.frequency] if champion else [],
    }


def _starter_summary(starter: LoadedModel | None) -> dict[str, Any]:
    return {
        "name": starters.NAME,
        "source": "package",
        "champion": starter.version if starter else None,
        "aliases": {},
        "versions": [starter.version] if starter else [],
        "frequencies": list(starters.starter_folders()) if starter else [],
    }


def _starter_card(selected: SelectedModel, forecaster: Forecaster) -> dict[str, Any]:
    version: dict[str, Any] = {
        "version": selected.model.version,
        "run_id": None,
        "aliases": [],
        "cached": True,
        "error": "",
    }
    return {
        "model": selected.identity(),
        "aliases": {},
        "versions": [version],
        "frequencies": list(starters.starter_folders()),
        "loaded_at": selected.model.loaded_at.isoformat(timespec="seconds"),
        "spec": forecaster.spec.to_dict(),
    }


def _versions(catalog: Catalog, model: RegisteredModel) -> list[dict[str, Any]]:
    return [
        {
            "version": number,
            "run_id": version.run_id,
            "aliases": [alias for alias, target in model.aliases.items() if target == number],
            "cached": version.digest is not None,
            "error": version.error or catalog.loader.load_error(version.digest),
        }
        for number, version in model.versions.items()
    ]
