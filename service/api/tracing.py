"""Tracing: OpenTelemetry spans of forecast requests, exported over OTLP if an endpoint is set; else nothing is imported.

The times are written down while a request is answered, and become spans when it is: parse, wait, run and write.
"""

import itertools
import os
import time
from collections.abc import Mapping
from typing import Any, Self

from starlette.types import Scope

from models.tracing.provider import tracer_provider
from service.callers import CALLER, Caller


class Tracing:
    """Makes a span of each request."""

    def __init__(self, provider: Any) -> None:  # noqa: ANN401 (OpenTelemetry is optional)
        """Record spans with a tracer provider."""
        from opentelemetry.trace import set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("almanac")
        self._in_context = set_span_in_context
        self._extract = TraceContextTextMapPropagator().extract

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self | None:
        """Return what the standard variables of OpenTelemetry ask for, None without an endpoint; raises ConfigInvalid."""
        provider = tracer_provider(environment)
        return None if provider is None else cls(provider)

    def record(self, scope: Scope, route: str, status: int, seconds: float) -> str:
        """Record the span of an answered request and those within it; return the id of its trace.

        Args:
            scope: Of the request; its `traceparent` header makes the span part of a longer trace.
            route: Its route.
            status: Of the response.
            seconds: How long it took, until now.
        """
        now, clock = time.time_ns(), time.monotonic()
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        span = self._tracer.start_span(
            f"{scope['method']} {route}",
            context=self._extract(headers),
            start_time=now - int(seconds * 1e9),
            attributes={
                "http.request.method": scope["method"],
                "http.route": route,
                "http.response.status_code": status,
                **_attributes(scope.get(CALLER)),
            },
        )
        within = self._in_context(span)
        for name, start, end in _stages(scope.get(CALLER), clock):
            stage = self._tracer.start_span(name, context=within, start_time=now - int((clock - start) * 1e9))
            stage.end(now - int((clock - end) * 1e9))
        span.end(now)
        return f"{span.get_span_context().trace_id:032x}"

    def close(self) -> None:
        """Export what waits."""
        self._provider.shutdown()


def _attributes(caller: Caller | None) -> dict[str, str | int]:
    return {} if caller is None else {f"almanac.{name}": value for name, value in caller.notes().items()}


def _stages(caller: Caller | None, now: float) -> list[tuple[str, float, float]]:
    """Return name, start and end of the stages that a forecast has passed, by the monotonic clock."""
    if caller is None:
        return []
    moments = [caller.arrived, caller.parsed, caller.began, caller.ended, now]
    stages = zip(("parse", "wait", "run", "write"), itertools.pairwise(moments), strict=True)
    return [(name, *one) for name, one in stages if all(one)]
