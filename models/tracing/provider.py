"""Provider: where spans go, by the standard variables of OpenTelemetry; nothing of it is imported without an endpoint."""

import os
from collections.abc import Mapping
from typing import Any

from models.errors import ConfigInvalid

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SERVICE_NAME = "almanac"


def tracer_provider(environment: Mapping[str, str] = os.environ) -> Any | None:  # noqa: ANN401 (OpenTelemetry is optional)
    """Return what exports spans over OTLP, None without an endpoint.

    Raises:
        ConfigInvalid: If an endpoint is set, but the packages are not installed.
    """
    if not any(environment.get(name) for name in ENDPOINTS) or environment.get("OTEL_SDK_DISABLED") == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigInvalid(
            f"{' or '.join(ENDPOINTS)} is set, but {error.name} is not installed.",
            hint="Install Almanac with its extra: pip install '.[otel]'. Or unset the variable.",
        ) from error
    name = environment.get("OTEL_SERVICE_NAME") or SERVICE_NAME
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
