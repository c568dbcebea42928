"""Middleware: gives each request an id, measures and logs it, and answers unexpected exceptions."""

import logging
import re
import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import AlmanacError
from service.api.security import protected_route
from service.api.tracing import Tracing
from service.callers import CALLER, CLIENT
from service.errors import MemoryShort, Unexpected
from service.monitoring.metrics import UNMATCHED, Metrics
from service.problems import CODE_HEADER, problem
from service.random_ids import new_id

logger = logging.getLogger("almanac")
access = logging.getLogger("almanac.access")

REFUSED = (400, 401, 403, 415, 421, 422, 429)
"""Statuses of requests that do not reach the router."""
REQUEST_ID = b"x-request-id"
SHOWN_PATH = 500
"""Characters of a path that the log has."""
_CODE = CODE_HEADER.encode()
_VALID_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")


class MetricsMiddleware:
    """ASGI middleware: gives each request an id (its own, if that is valid), and counts its response."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, access_log: bool, tracing: Tracing | None = None) -> None:
        """Wrap `app`."""
        self._tracing = tracing
        self._app = app
        self._metrics = metrics
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and record its outcome."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        status, code = 0, None
        if self._tracing is not None:
            self._tracing.hide_keys()

        async def recording_send(message: Message) -> None:
            nonlocal status, code
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
                if self._tracing is not None:
                    self._tracing.annotate(scope)
                if status >= HTTPStatus.BAD_REQUEST:
                    code = next((value.decode() for name, value in headers if name == _CODE), None)
                message["headers"] = [*headers, (REQUEST_ID, request_id.encode())]
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, recording_send)
        except Exception as cause:
            error = self._explain(cause, request_id)
            if status:
                raise  # the response has begun: only closing the connection shows that it is incomplete
            await problem(error)(scope, receive, recording_send)
        finally:
            self._metrics.in_flight.dec()
        self._record(scope, request_id, status, code, time.perf_counter() - started)

    def _explain(self, cause: Exception, request_id: str) -> AlmanacError:
        """Log why a request failed, and return the error that its client gets."""
        fields = {"fields": {"request_id": request_id}}
        if isinstance(cause, MemoryError):
            self._metrics.resources.note_memory()
            logger.error("request failed: the process got no more memory", extra=fields)
            return MemoryShort(
                "There is not enough memory for this request.",
                hint="Send fewer series at a time, or give the service more memory.",
            )
        logger.error("request failed", exc_info=cause, extra=fields)
        return Unexpected(
            f"The service failed; its log contains the cause under {request_id}.", hint="Report it as a bug."
        )

    def _record(self, scope: Scope, request_id: str, status: int, code: str | None, seconds: float) -> None:
        refused = protected_route(scope["path"]) if status in REFUSED else None
        route = getattr(scope.get("route"), "path", refused or UNMATCHED)
        trace = {} if self._tracing is None else {"trace_id": self._tracing.record(scope)}
        self._metrics.count_request(route, scope["method"], status, seconds, trace or None)
        if code is not None:
            self._metrics.count_errors([code])
        if self._access_log:
            fields = {
                "request_id": request_id,
                "method": scope["method"],
                "path": scope["path"][:SHOWN_PATH],
                "client": (scope.get("client") or ("",))[0],
                "status": status,
                "milliseconds": round(seconds * 1000, 3),
                "code": code,
                **trace,
            }
            fields |= {"key": scope[CLIENT]} if CLIENT in scope else {}
            fields |= scope[CALLER].notes() if CALLER in scope else {}
            access.info("request", extra={"fields": fields})


def record_refusal(metrics: Metrics, error: AlmanacError, client: str, *, access_log: bool) -> None:
    """Count and log an error that a client gets before its headers are complete: no route and no middleware is reached."""
    metrics.count_errors([error.code])
    if access_log:
        fields = {"client": client, "status": problem(error).status_code, "code": error.code}
        access.info("request refused", extra={"fields": fields})


def _request_id(scope: Scope) -> str:
    """Return the id in the request if it is short and harmless, else a new one."""
    own = dict(scope["headers"]).get(REQUEST_ID, b"")
    return own.decode() if own and _VALID_ID.fullmatch(own) else new_id()
