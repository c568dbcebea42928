"""Open loop: a client that sends at a fixed rate; a latency begins when the request was due, not when it was sent.

    python -m tests.benchmarks.serving.open_loop URL BODIES RATE SECONDS FIRST_LINE

So a server that stops for a second makes all requests of that second late (no coordinated omission). wrk has no such mode.
It prints one line of JSON.
"""

import asyncio
import json
import selectors
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import httptools
import numpy as np

MOST_CONNECTIONS = 900
"""Below 1,024, which is the most that select() can wait for."""

GRACE_SECONDS = 30.0
"""How long answers may take after the last request."""


@dataclass(slots=True)
class Client:
    """Connections to a server, the requests that wait for one, and the latencies so far; `finished` after `expected`."""

    host: str
    port: int
    expected: int
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    broken: int = 0
    idle: list["Connection"] = field(default_factory=list)
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    connections: int = 0
    open: set["Connection"] = field(default_factory=set)
    opening: set["asyncio.Task[None]"] = field(default_factory=set)

    def note(self, latency: float | None) -> None:
        """Note the seconds of an answer, or None for a request that will never have one."""
        if latency is None:
            self.broken += 1
        else:
            self.latencies.append(latency)
        if len(self.latencies) + self.broken >= self.expected:
            self.finished.set()

    def send(self, due: float, request: bytes) -> None:
        """Send a request, at once if there is a free connection or may be another one."""
        if self.idle:
            self.idle.pop().send(due, request)
            return
        self.waiting.append((due, request))
        if self.connections < MOST_CONNECTIONS:
            self.connections += 1
            task = asyncio.get_running_loop().create_task(self._open())
            self.opening.add(task)
            task.add_done_callback(self.opening.discard)

    def release(self, connection: "Connection") -> None:
        """Let a connection send what waits longest, or keep it."""
        if self.waiting:
            connection.send(*self.waiting.popleft())
        else:
            self.idle.append(connection)

    def lost(self, connection: "Connection") -> None:
        """Forget a closed connection; its request is broken."""
        self.connections -= 1
        self.open.discard(connection)
        if connection.due is not None:
            self.note(None)
        if connection in self.idle:
            self.idle.remove(connection)

    async def _open(self) -> None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self), self.host, self.port
            )
        except OSError:
            self.connections -= 1
            if self.waiting:
                self.waiting.popleft()
                self.note(None)
            return
        self.release(connection)


class Connection(asyncio.Protocol):
    """A kept-alive connection with at most one request on its way."""

    def __init__(self, client: Client) -> None:
        """Belong to a client."""
        self.client = client
        self.due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.client.open.add(self)

    def send(self, due: float, request: bytes) -> None:
        """Send a request that was due at a time of the event loop."""
        self.due = due
        self.parser = httptools.HttpResponseParser(self)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Read an answer."""
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Note the latency, and take the next request."""
        assert self.due is not None
        self.client.refused += self.parser.get_status_code() != HTTPStatus.OK
        self.client.note(asyncio.get_running_loop().time() - self.due)
        self.due = None
        self.client.release(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Tell the client."""
        self.client.lost(self)


async def send_all(url: str, bodies: list[bytes], rate: float, seconds: float, first: int = 0) -> dict[str, float]:
    """Return the figures of `load.Load` after sending `rate` requests a second."""
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\nContent-Length: "
    count, loop = max(1, round(rate * seconds)), asyncio.get_running_loop()
    client = Client(str(parts.hostname), int(parts.port or 80), count)
    began = loop.time() + 0.05
    for place in range(count):
        due = began + place / rate
        if (pause := due - loop.time()) > 0:
            await asyncio.sleep(pause)
        body = bodies[(first + place) % len(bodies)]
        client.send(due, f"{head}{len(body)}\r\n\r\n".encode() + body)
    with suppress(TimeoutError):
        await asyncio.wait_for(client.finished.wait(), GRACE_SECONDS)
    latencies, refused = client.latencies[:], client.refused
    for connection in client.open:
        connection.transport.abort()
    answered = 1000 * np.array(latencies or [np.nan])
    p50, p95, p99 = np.percentile(answered, [50, 95, 99])
    return {
        "requests": len(latencies),
        "seconds": max(seconds, loop.time() - began),
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "refused": refused,
        "broken": count - len(latencies),
    }


def main() -> None:
    """Send, and print the figures."""
    url, path, rate, seconds, first = sys.argv[1:]
    bodies = Path(path).read_bytes().splitlines()
    loop = asyncio.SelectorEventLoop(
        selectors.SelectSelector()
    )  # select() wakes within microseconds, epoll within 1 ms
    print(json.dumps(loop.run_until_complete(send_all(url, bodies, float(rate), float(seconds), int(first)))))  # noqa: T201


if __name__ == "__main__":
    main()
