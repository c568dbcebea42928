"""Audit: records who changes something over REST, in the audit log of ALMANAC_HOME."""

import asyncio
import logging

from starlette.requests import Request

from models.audit import log
from service.api.state import service_of
from service.callers import CLIENT

logger = logging.getLogger("almanac")


def actor_of(request: Request) -> str:
    """Return who sends a request: `key:NAME`, or `address:IP` without keys."""
    key, address = request.scope.get(CLIENT), request.client.host if request.client else ""
    return f"key:{key}" if key else f"address:{address}"


async def audit(request: Request, action: str, **details: str | int | None) -> None:
    """Append a line about what a request has done; that it cannot be written is logged, since it is done by then."""
    actor = actor_of(request)
    try:
        end = await asyncio.to_thread(log.record, service_of(request).settings.home, actor, action, **details)
        logger.info("audit log: %s", action, extra={"fields": {"actor": actor, "line": end.lines, "hash": end.hash}})
    except OSError as error:
        logger.error("the audit log cannot be written (%s): %s by %s", error, action, actor)  # noqa: TRY400 (no traceback)
