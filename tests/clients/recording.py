"""Recording: a proxy in front of a running Almanac that keeps what clients send, byte for byte."""

import base64
import json
import threading
from collections.abc import Sequence
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

RECORDED = Path(__file__).with_name("recorded.json")
MOST_BYTES = 6_000
"""Longer bodies are not recorded."""
KEPT = (
    "authorization",
    "content-type",
    "content-encoding",
    "accept-encoding",
    "inference-header-content-length",
    "nixtla-client-version",
    "nixtla-model",
)
"""Headers that a recording has; the others change with the machine."""


class Recorder:
    """A proxy; `requests` has what was sent through it."""

    def __init__(self, target: str) -> None:
        """Listen on a free port, and pass everything on to `target`."""
        self.requests: list[dict[str, Any]] = []
        self._target = urlsplit(target).netloc
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Start to answer."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                connection = HTTPConnection(recorder._target)
                connection.request(self.command, self.path, body, {**self.headers, "Host": recorder._target})
                response = connection.getresponse()
                content = response.read()
                recorder.keep(self, body, response.status)
                self.send_response(response.status)
                for name, value in response.getheaders():
                    if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                connection.close()

            do_GET = do_POST = do_DELETE = _pass  # noqa: N815 (http.server's names)

            def log_message(self, *_parts: object) -> None:
                """Write nothing."""

        return Handler

    def keep(self, sent: BaseHTTPRequestHandler, body: bytes, status: int) -> None:
        """Keep one request, and the status of its response."""
        self.requests.append(
            {
                "method": sent.command,
                "path": sent.path,
                "headers": {name: sent.headers[name] for name in KEPT if name in sent.headers},
                "body": base64.b64encode(body).decode(),
                "status": status,
            }
        )


def keep_few(requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the short requests, each once, in the order in which they were first sent."""
    found = {json.dumps(one, sort_keys=True): one for one in requests if len(one["body"]) <= MOST_BYTES}
    return list(found.values())
