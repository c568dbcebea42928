"""POST /models/{name}/champion and /rollback: which version answers, moved in the registry."""

from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from models.errors import PromotionRefused
from service.api.audit import actor_of
from service.api.examples.champion import PROMOTE_BODY, PROMOTE_RESPONSES, ROLLBACK_BODY, ROLLBACK_RESPONSES
from service.api.http import json_response, read_body
from service.api.schemas.models import ChampionRequest, ChampionResponse, RollbackRequest
from service.api.state import Service, service_of
from service.errors import ModelNotFound
from service.json_input import describe_value, parse_body
from service.monitoring.canary_errors import compare_live
from service.monitoring.score_figures import compare_versions
from service.serving.champion_move import ChampionMove, move_champion

router = APIRouter(prefix="/models/{name}", tags=["models"])

MAX_BODY_BYTES = 16_384
LONGEST_NAME = 250
"""MLflow stores names of up to 256 characters; the name also passes through a pipe whose writes are atomic up to 4 kB."""
TOO_LARGE = f"Send a version and a sentence: at most {MAX_BODY_BYTES} bytes."
PROMOTE_HINT = 'Send {"version": "7", "reason": "Calmer in July."}.'
REFUSED_HINT = "GET /accuracy?by=version compares the two; without `live_scores` it is promoted all the same."
ROLLBACK_HINT = 'Send {"reason": "Too high since Monday."}.'


@router.post(
    "/champion",
    summary="Promote a version",
    response_model=ChampionResponse,
    responses=PROMOTE_RESPONSES,
    openapi_extra={"requestBody": PROMOTE_BODY},
)
async def promote(request: Request, name: str) -> Response:
    """Make a version the champion in the registry, and the old champion `previous`; a repeated request changes nothing."""
    return await _move(request, "promote", name, ChampionRequest, PROMOTE_HINT)


@router.post(
    "/rollback",
    summary="Go back to the previous champion",
    response_model=ChampionResponse,
    responses=ROLLBACK_RESPONSES,
    openapi_extra={"requestBody": ROLLBACK_BODY},
)
async def rollback(request: Request, name: str) -> Response:
    """Swap champion and previous in the registry; with `version` a repeated request changes nothing."""
    return await _move(request, "rollback", name, RollbackRequest, ROLLBACK_HINT)


async def _move(
    request: Request,
    action: Literal["promote", "rollback"],
    name: str,
    schema: type[ChampionRequest | RollbackRequest],
    hint: str,
) -> Response:
    service = service_of(request)
    body = await read_body(request, MAX_BODY_BYTES, service.settings.body_timeout_seconds, too_large=TOO_LARGE)
    sent = parse_body(schema, body, hint)
    if len(name.encode()) > LONGEST_NAME or not name.isprintable():
        raise ModelNotFound(f"There is no model {describe_value(name)}.", hint="GET /models lists the models.")
    evidence = await _check_live(service, name, sent) if isinstance(sent, ChampionRequest) else None
    move = ChampionMove(action, name, sent.version, sent.reason, actor_of(request))
    answer = await move_champion(service.ask_registry, move)
    live = service.scorer.live.steps if service.scorer.live else ()
    versions = [one for one in (answer["champion"], answer["previous"]) if one]
    return json_response({**answer, "live": compare_versions(live, name, versions), "evidence": evidence})


async def _check_live(service: Service, name: str, sent: ChampionRequest) -> dict[str, Any] | None:
    """Return what live scores say of a version that may only be promoted by them, None if there is nothing to compare.

    Raises:
        PromotionRefused: If they are too few, or its errors are significantly larger.
    """
    champion = service.catalog.champions.get(name)
    if sent.live_scores is None or champion is None or champion.version == sent.version:
        return None
    found = await compare_live(service.database, name, sent.version, champion.version, sent.live_scores)
    if not found.allowed:
        raise PromotionRefused(found.reason, hint=REFUSED_HINT)
    return {"reason": found.reason, "figures": dict(found.figures)}
