"""Tracing: FastAPI's OpenTelemetry span of each request, and the stages of a forecast in it, exported if an endpoint is set.

The times are written down while a request is answered, and become spans when it is: parse, wait, run and write.
"""

import itertools
import os
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote_plus

from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import get_current_span
from starlette.types import Scope

from models.audit.hidden_keys import KnownKeys, hide_keys
from models.tracing.provider import tracer_provider
from service.callers import CALLER, Caller

UNTRACED = TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)
"""FastAPI's settings without an endpoint: prometheus-client measures, and structlog's lines are the log."""


class Tracing:
    """Adds to FastAPI's span of a request what is known of its forecast."""

    def __init__(self, provider: Any, known: Callable[[], Collection[str]] = tuple) -> None:  # noqa: ANN401 (OpenTelemetry's SDK is optional)
        """Record spans with a tracer provider; `known` returns the SHA-256 of keys to hide beside ours."""
        self._provider, self._known = provider, known
        self._tracer = provider.get_tracer("almanac")
        self.telemetry = UNTRACED | TelemetryConfig(tracing=True, tracer_provider=provider, operation_spans=False)

    @classmethod
    def from_environment(cls, keys: Path, environment: Mapping[str, str] = os.environ) -> Self | None:
        """Return what the standard variables of OpenTelemetry ask for, None without an endpoint; raises ConfigInvalid.

        `keys` is the file of the API keys, which no span has.
        """
        provider = tracer_provider(environment)
        return None if provider is None else cls(provider, KnownKeys(keys).digests)

    def hide_keys(self) -> None:
        """Hide keys in what the span of a request says of its URL and its host, as it begins: it may have no response."""
        span, known = get_current_span(), self._known()
        attributes: Mapping[str, Any] = getattr(span, "attributes", None) or {}
        texts = {name: text for name, text in attributes.items() if isinstance(text, str)}
        span.set_attributes({name: _without_keys(text, known) for name, text in texts.items()})

    def annotate(self, scope: Scope) -> None:
        """Add model, version and number of series to the span of the request, before it ends."""
        caller: Caller | None = scope.get(CALLER)
        if caller is not None:
            get_current_span().set_attributes({f"almanac.{name}": value for name, value in caller.notes().items()})

    def record(self, scope: Scope) -> str:
        """Record the stages of an answered request within its span; return the id of its trace."""
        now, clock = time.time_ns(), time.monotonic()
        for name, start, end in _stages(scope.get(CALLER), clock):
            stage = self._tracer.start_span(name, start_time=now - int((clock - start) * 1e9))
            stage.end(now - int((clock - end) * 1e9))
        return f"{get_current_span().get_span_context().trace_id:032x}"

    def close(self) -> None:
        """Export what waits."""
        self._provider.shutdown()


def _without_keys(text: str, known: Collection[str]) -> str:
    """Return a text without keys, decoded if one is percent-encoded."""
    shown = hide_keys(text, known)
    decoded = unquote_plus(shown)
    hidden = hide_keys(decoded, known)
    return shown if hidden == decoded else hidden


def _stages(caller: Caller | None, now: float) -> list[tuple[str, float, float]]:
    """Return name, start and end of the stages that a forecast has passed, by the monotonic clock."""
    if caller is None:
        return []
    moments = [caller.arrived, caller.parsed, caller.began, caller.ended, now]
    stages = zip(("parse", "wait", "run", "write"), itertools.pairwise(moments), strict=True)
    return [(name, *one) for name, one in stages if all(one)]
