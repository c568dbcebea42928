"""The HTTP protocol: headers are limited in bytes and in time, whatever a client sends."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from service.api.middleware import record_refusal
from service.callers import ARRIVED
from service.cli.http_protocol import MAX_HEADER_BYTES, BoundedProtocol, NoteRefusal, bounded_protocol
from service.monitoring.metrics import Metrics
from tests.service.raw_requests import mutations

HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n"


class Connection(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        """Start open and empty."""
        super().__init__()
        self.written = b""
        self.is_closed = False

    def write(self, data: Any) -> None:  # noqa: ANN401 (any bytes)
        """Keep the bytes."""
        self.written += bytes(data)

    def can_write_eof(self) -> bool:
        """Return that one side can be closed."""
        return True

    def write_eof(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Close."""
        self.is_closed = True

    def is_closing(self) -> bool:
        """Return whether it is closed."""
        return self.is_closed

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


def exchange(
    parts: Iterable[bytes],
    *,
    seconds: float = 5.0,
    until: Callable[[Connection], object],
    app: ASGIApp = PlainTextResponse("ok"),  # noqa: B008 (sends the same each time)
    note: NoteRefusal = BoundedProtocol.note_refusal,
) -> Connection:
    """Return a connection after it received these parts, once `until` is true of it."""

    async def run() -> Connection:
        config = uvicorn.Config(app, lifespan="off", log_config=None)
        protocol = bounded_protocol(seconds, seconds, note)(config, ServerState(), {})
        connection = Connection()
        protocol.connection_made(connection)
        for part in parts:
            protocol.data_received(part)
        async with asyncio.timeout(5):
            while not until(connection):  # noqa: ASYNC110 (nothing to wait for: the transport is written to)
                await asyncio.sleep(0.001)
        protocol.connection_lost(None)
        return connection

    return asyncio.run(run())


def answered(connection: Connection) -> bool:
    """Return whether there is a response."""
    return b"\r\n\r\n" in connection.written


@pytest.mark.parametrize(
    "parts",
    [
        [HEAD, *[b"x: " + b"a" * 1000 + b"\r\n"] * 70],
        [HEAD, b"x: ", *[b"a" * 1000] * 70],
        [HEAD, *[b"a" * 1000] * 70],
        [b"GET /", *[b"a" * 1000] * 70],
        [HEAD + b"x: " + b"a" * 100_000 + b"\r\n\r\n"],
        [HEAD, b"transfer-encoding: chunked\r\n\r\n1;", *[b"a" * 1000] * 70],
    ],
    ids=["many headers", "endless value", "endless name", "endless path", "one packet", "endless chunk extension"],
)
def test_headers_above_the_limit_are_refused(parts: list[bytes]) -> None:
    """With a problem document, if no response has begun, and the parser gets nothing more."""
    connection = exchange(parts, until=lambda one: answered(one) or one.is_closed)

    if b"chunked" not in b"".join(parts[:2]):
        head, _, body = connection.written.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large")
        assert (json.loads(body)["code"], str(MAX_HEADER_BYTES) in json.loads(body)["detail"]) == (
            "HEADERS_TOO_LARGE",
            True,
        )


@pytest.mark.parametrize("parts", [[], [HEAD], [b"\r\n"], [HEAD + b"\r\n", HEAD]])
def test_headers_that_do_not_end_in_time_close_the_connection(parts: list[bytes]) -> None:
    """Also if none begin, and after a request that was answered; with a 408 if they have begun."""
    connection = exchange(parts, seconds=0.05, until=lambda one: one.is_closed or b" 408 " in one.written)

    assert (b" 408 " in connection.written) is (parts != [])


@pytest.mark.parametrize(
    ("parts", "status", "code", "shed"),
    [([HEAD], 408, "HEADERS_TOO_SLOW", 1.0), ([b"GET /", *[b"a" * 1000] * 70], 431, "HEADERS_TOO_LARGE", 0.0)],
)
def test_headers_that_are_refused_are_counted_and_logged(
    caplog: pytest.LogCaptureFixture, parts: list[bytes], status: int, code: str, shed: float
) -> None:
    """As bodies are; slow ones are shed."""
    metrics = Metrics()
    caplog.set_level(logging.INFO, "almanac.access")

    exchange(parts, seconds=0.05, until=lambda one: one.written, note=partial(record_refusal, metrics, access_log=True))

    value = metrics.registry.get_sample_value
    assert value("almanac_errors_total", {"code": code}) == 1.0
    assert value("almanac_requests_shed_total", {"reason": "slow sender"}) == shed
    logged = [one.__dict__["fields"] for one in caplog.records if one.name == "almanac.access"]
    assert logged == [{"client": "", "status": status, "code": code}]


def test_a_body_that_no_route_reads_must_end_in_time() -> None:
    """The response is sent at once, and the connection is closed."""
    unread = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1"

    connection = exchange([unread], seconds=0.05, until=lambda one: one.is_closed)

    assert connection.written.startswith(b"HTTP/1.1 200")


def test_headers_of_the_limit_and_long_bodies_are_accepted() -> None:
    """Chunks have a header each, which does not count."""
    long = HEAD + b"x: " + b"a" * (MAX_HEADER_BYTES - 100) + b"\r\n\r\n"
    chunked = (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n"
    )

    for request in (long, chunked):
        assert exchange([request], until=answered).written.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("target", "is_refused"), [(b"http://b/", True), (b"http://A/", False), (b"/", False)])
def test_a_target_with_another_host_is_refused(target: bytes, is_refused: bool) -> None:  # noqa: FBT001 (parametrized)
    """Of two names the service would check only one."""
    sent = HEAD.replace(b" / ", b" " + target + b" ") + b"\r\n"

    answer = exchange([sent], until=lambda connection: connection.written).written

    assert answer.startswith(b"HTTP/1.1 400" if is_refused else b"HTTP/1.1 200")


def test_what_is_not_http_is_refused_with_a_problem_document() -> None:
    """As every other error."""
    connection = exchange([b"\x16\x03\x01 TLS\r\n\r\n"], until=answered)

    assert connection.written.startswith(b"HTTP/1.1 400 Bad Request")
    assert b'"code":"REQUEST_UNREADABLE"' in connection.written


def test_any_bytes_are_answered_or_end_the_connection() -> None:
    """Damaged requests of every kind; `make prove` sends thousands to a real service."""
    config = uvicorn.Config(PlainTextResponse("ok"), lifespan="off", log_config=None)

    async def feed(request: bytes) -> Connection:
        protocol, connection = bounded_protocol(0.05, 0.05)(config, ServerState(), {}), Connection()
        protocol.connection_made(connection)
        protocol.data_received(request)
        while not (connection.written or connection.is_closed):  # noqa: ASYNC110 (nothing to wait for)
            await asyncio.sleep(0.01)
        protocol.connection_lost(None)
        return connection

    async def feed_all() -> list[Connection]:
        async with asyncio.timeout(30):
            return await asyncio.gather(*(feed(request) for request in mutations(1, 100)))

    found = [one.written for one in asyncio.run(feed_all()) if one.written]

    assert all(one.startswith(b"HTTP/1.1 ") and not one.startswith(b"HTTP/1.1 5") for one in found)


@pytest.mark.parametrize(("rest", "has_arrived"), [(b"ab", True), (b"a", False)])
def test_the_application_knows_whether_the_body_has_arrived(rest: bytes, *, has_arrived: bool) -> None:
    """Then it needs no timer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(f"arrived: {ARRIVED in scope['state']}")(scope, receive, send)

    request = HEAD.replace(b"GET", b"POST") + b"Content-Length: 2\r\n\r\n" + rest

    connection = exchange([request], until=lambda one: b"arrived" in one.written, app=app)

    assert f"arrived: {has_arrived}".encode() in connection.written
