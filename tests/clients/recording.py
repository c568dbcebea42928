"""Recording: a proxy in front of a running Almanac that keeps what clients send, byte for byte."""

import base64
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

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

    def __enter__(self) -> "Recorder":
        """Start to answer."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                recorder.keep(self.command, self.path, dict(self.headers.items()), body)
                connection = HTTPConnection(recorder._target)
                connection.request(self.command, self.path, body, {**self.headers, "Host": recorder._target})
                response = connection.getresponse()
                content = response.read()
                self.send_response(response.status)
                for name, value in response.getheaders():
                    if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                connection.close()

            do_GET = do_POST = do_DELETE = _pass

            def log_message(self, *_parts: object) -> None:
                """Write nothing."""

        return Handler

    def keep(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        """Keep one request."""
        sent = {name.lower(): value for name, value in headers.items()}
        self.requests.append(
            {
                "method": method,
                "path": path,
                "headers": {name: sent[name] for name in KEPT if name in sent},
                "body": base64.b64encode(body).decode(),
            }
        )
