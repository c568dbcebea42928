"""A fake service with GET /accuracy and GET /models/{name}, on a loopback port."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


def make_row(**keys: Any) -> dict[str, Any]:  # noqa: ANN401 (any key of a row)
    """Return a row of GET /accuracy."""
    return {
        "model": "temperatures",
        "scores": 120,
        "mase": 0.612,
        "naive_mase": 0.987,
        "skill": 0.38,
        "pinball": 0.2,
        "coverage": {"80": 0.79, "95": None},
        "backtest": None,
        **keys,
    }


def make_forecast(number: int) -> dict[str, Any]:
    """Return a forecast of three months with a year of observed values."""
    months = [f"2024-{month:02d}" for month in range(1, 13)]
    return {
        "forecast_id": f"f{number}",
        "id": f"station {number}",
        "model": "temperatures",
        "version": "10",
        "timestamps": ["2024-10", "2024-11", "2024-12"],
        "median": [3.0, 2.0, 1.0],
        "lower": [2.0, 1.0, 0.0] if number else None,
        "upper": [4.0, 3.0, 2.0] if number else None,
        "observed": {"timestamps": months, "values": [float(month) for month in range(12)]},
    }


class FakeService:
    """Settings of the fake service, and the queries that it received."""

    def __init__(self) -> None:
        """Two versions of `temperatures` have scores."""
        self.requests: list[dict[str, str]] = []
        self.keys: list[str | None] = []
        self.status = 200
        self.problem = b"no JSON"
        self.versions = ["9", "10"]
        self.models = {"temperatures"}

    def respond(self, query: dict[str, str]) -> dict[str, Any]:
        """Return what GET /accuracy says."""
        rows = [make_row(version=version, scores=1200) for version in self.versions]
        if query.get("by") == "step,version":
            backtest = {"mase": 0.6, "naive_mase": 0.99}
            rows = [make_row(version="10", step=step, backtest=backtest if step < 3 else None) for step in (2, 1, 3)]
        if query.get("by") == "period,version":
            rows = [make_row(version="10", period=period) for period in ("2024-11", "2024-10")]
        drift = {
            "inputs": [
                {
                    "model": "temperatures",
                    "version": "10",
                    "feature": "level",
                    "index": 0.31,
                    "distance": None,
                    "p_value": 0.002,
                    "inputs": 512,
                    "confirmed_index": 0.31,
                    "confirmed_inputs": 480,
                }
            ],
            "errors": [
                {
                    "model": "temperatures",
                    "version": "10",
                    "scores": 240,
                    "mase": 0.61,
                    "backtest_mase": 0.6,
                    "ratio": 1.017,
                    "naive_ratio": None,
                }
            ],
        }
        shown = int(query.get("forecasts", 0))
        empty: dict[str, Any] = {"inputs": [], "errors": []}
        return {
            "rows": rows,
            "truncated": False,
            "drift": drift if self.versions else empty,
            "forecasts": [make_forecast(number) for number in range(min(shown, 3))],
            "due": 4,
        }


@contextmanager
def serving(service: FakeService) -> Iterator[str]:
    """Serve them on a loopback port, and yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/models/"):
                is_known = unquote(self.path.removeprefix("/models/")) in service.models
                self.send_response(200 if is_known else 404)
                self.send_header("content-length", "0")
                self.end_headers()
                return
            query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            service.requests.append(query)
            service.keys.append(self.headers["authorization"])
            body = json.dumps(service.respond(query)).encode() if service.status == 200 else service.problem
            self.send_response(service.status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
