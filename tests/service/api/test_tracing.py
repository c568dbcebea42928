"""Traces: a span of each request with its stages, off unless an endpoint is set."""

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from fastapi import FastAPI, Request, Response
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.testclient import TestClient

from models.tracing.provider import ENDPOINTS
from service.api.middleware import MetricsMiddleware
from service.api.tracing import Tracing
from service.logs import JsonLines
from service.monitoring.metrics import Metrics
from tests.service.home import ServiceHome

REQUEST = {"series": [{"id": "a", "start": "2020-01", "frequency": "M", "values": [*range(24)]}], "horizon": 2}
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """Return what keeps the spans of the client's service."""
    return InMemorySpanExporter()


@pytest.fixture
def client(
    home: ServiceHome, start: Callable[..., TestClient], exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> TestClient:
    """Return a client of a service that traces and logs its requests, with the model `temperatures`."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(Tracing, "from_environment", lambda _keys: Tracing(provider))
    home.publish("temperatures", "1")
    return start(access_log=True)


def test_a_forecast_has_a_span_with_its_stages(
    client: TestClient, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """It continues the trace of its sender; log and metrics name the trace, the log the model and the series, too."""
    caplog.set_level(logging.INFO, "almanac.access")
    exporter.clear()
    caplog.clear()

    client.post("/forecast", json=REQUEST, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})

    spans = {span.name: span for span in exporter.get_finished_spans()}
    whole = spans.pop("POST /forecast")
    assert list(spans) == ["parse", "wait", "run", "write"]
    assert whole.parent is not None
    assert f"{whole.parent.span_id:016x}" == PARENT
    assert whole.attributes is not None
    assert (whole.attributes["almanac.model"], whole.attributes["http.response.status_code"]) == ("temperatures", 200)
    moments = [whole.start_time, *(one.end_time for one in spans.values())]
    assert moments == sorted(moments)  # type: ignore[type-var]
    assert {f"{one.context.trace_id:032x}" for one in spans.values()} == {TRACE}
    line = json.loads(JsonLines().format(caplog.records[-1]))
    assert (line["trace_id"], line["model"], line["version"], line["series"]) == (TRACE, "temperatures", "1", 1)


def test_a_forecast_of_a_stored_series_has_the_same(
    client: TestClient, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """The spans of its stages, and model and series in its line of the log."""
    rows = [{"id": "a", "timestamp": f"2020-{month:02}", "value": month} for month in range(1, 13)]
    client.post("/observations", json={"frequency": "M", "observations": rows})
    caplog.set_level(logging.INFO, "almanac.access")
    exporter.clear()

    client.get("/series/a/forecast", params={"horizon": 2})

    names = [span.name for span in exporter.get_finished_spans()]
    assert names == ["GET /series/{series_id}/forecast", "parse", "wait", "run", "write"]
    line = json.loads(JsonLines().format(caplog.records[-1]))
    assert (line["model"], line["version"], line["series"]) == ("temperatures", "1", 1)


def test_other_requests_have_one_span(client: TestClient, exporter: InMemorySpanExporter) -> None:
    """Nor does a request need a trace of its sender; no key of a client is in a span."""
    exporter.clear()

    key = "0123456789abcdef0123456789abcdef"
    client.get(f"/models/alm_{key}?limit=alm_{key}&a=alm%5F{key}&b=2")

    (span,) = exporter.get_finished_spans()
    assert key not in span.to_json()
    assert span.name == "GET /models/{model}"
    assert span.parent is None


def test_a_request_without_response_has_no_key_in_its_span(exporter: InMemorySpanExporter) -> None:
    """As one that the service ends while it stops; so its host has none."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider)
    application = FastAPI(telemetry=tracing.telemetry)
    application.add_middleware(MetricsMiddleware, metrics=Metrics(), access_log=False, tracing=tracing)

    async def end(_request: Request) -> Response:
        raise asyncio.CancelledError

    application.add_route("/{path}", end)

    with pytest.raises(CancelledError), TestClient(application) as client:
        client.get("/alm_0123456789abcdef0123456789abcdef", headers={"host": "alm_0123456789abcdef0123456789abcdef"})

    (span,) = exporter.get_finished_spans()
    assert "alm_0" not in span.to_json()


@pytest.mark.parametrize(
    "environment", [{}, {ENDPOINTS[0]: ""}, {ENDPOINTS[0]: "http://x", "OTEL_SDK_DISABLED": "true"}]
)
def test_without_an_endpoint_there_are_no_traces(environment: dict[str, str]) -> None:
    """And nothing of OpenTelemetry's SDK is imported."""
    assert Tracing.from_environment(Path(), environment) is None
