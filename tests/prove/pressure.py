"""Pressure: many connections to one service at once, by bare sockets, so that the clients take little of the machine."""

import asyncio
import itertools
import json
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np

CONNECTIONS = 16
"""Of `pace`: more than it takes to keep its rate while a few requests are slow."""
SAMPLE_SECONDS = 0.05
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing sends a reset, as a client that ends."""


@dataclass(slots=True)
class Load:
    """What many connections received.

    Attributes:
        statuses: Count of each status; 0 for a connection that ended without one.
        seconds: How long the responses of each status took.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: dict[int, list[float]] = field(default_factory=dict)

    def add(self, status: int, seconds: float) -> None:
        """Count one response."""
        self.statuses[status] += 1
        self.seconds.setdefault(status, []).append(seconds)

    def quantile(self, status: int, share: float) -> float:
        """Return a quantile of the seconds of a status."""
        return float(np.quantile(self.seconds[status], share))


def request_bytes(address: str, body: object | None = None, path: str = "/forecast") -> bytes:
    """Return a request as it is sent: POST with a body, else GET."""
    content = b"" if body is None else json.dumps(body).encode()
    method, length = (
        ("GET", "")
        if body is None
        else ("POST", f"content-type: application/json\r\ncontent-length: {len(content)}\r\n")
    )
    host = urlsplit(address).netloc
    return f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{length}\r\n".encode() + content


async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    """Return status and body of the response to a request; 0 and nothing if the connection ends before."""
    try:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
    except (OSError, asyncio.IncompleteReadError):
        return 0, b""
    return int(head.split(b" ", 2)[1]), body


async def ask_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
    """Return the status of the response to a request; 0 if the connection ends before."""
    status, _ = await receive(reader, writer, request)
    return status


async def pace(
    address: str, request: bytes, rate: float, is_over: Callable[[], bool], found: Callable[[int, bytes], None]
) -> None:
    """Send so many requests a second on CONNECTIONS connections, and pass each status and body on; late ones follow at once."""
    url, began, numbers = urlsplit(address), time.monotonic(), itertools.count()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        for number in numbers:
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            if is_over():
                break
            found(*await receive(reader, writer, request))
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))


async def press(address: str, request: bytes, connections: int, is_over: Callable[[], bool], load: Load) -> None:
    """Send a request on each of many connections again and again, each as soon as it has its answer."""
    url = urlsplit(address)

    async def connection() -> None:
        while not is_over():
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(url.hostname, url.port)
                status = 1
                while status and not is_over():
                    began = time.perf_counter()
                    status = await ask_once(reader, writer, request)
                    load.add(status, time.perf_counter() - began)
                writer.close()

    await asyncio.gather(*(connection() for _ in range(connections)))


async def probe(
    address: str, request: bytes, seconds: float, is_over: Callable[[], bool], sender: str = "127.0.0.1"
) -> Load:
    """Send a request every so many seconds on one connection, from an address of this machine; return what it received."""
    url, load = urlsplit(address), Load()
    reader, writer = await asyncio.open_connection(url.hostname, url.port, local_addr=(sender, 0))
    while not is_over():
        began = time.perf_counter()
        load.add(await ask_once(reader, writer, request), time.perf_counter() - began)
        await asyncio.sleep(seconds)
    writer.close()
    return load


def core_share(seconds: float) -> float:
    """Return the share of a core that a program gets which computes for a twentieth of each second: 1 if nothing else runs."""
    is_over, wall, cpu = until(seconds), 0.0, 0.0
    while not is_over():
        began, before = time.perf_counter(), time.thread_time()
        while time.perf_counter() - began < SAMPLE_SECONDS:
            pass
        wall += time.perf_counter() - began
        cpu += time.thread_time() - before
        time.sleep(1 - SAMPLE_SECONDS)
    return cpu / wall


def until(seconds: float) -> Callable[[], bool]:
    """Return a function that tells whether so many seconds have passed."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() > end


def hang_up(address: str, sent: bytes) -> None:
    """Send bytes, and end the connection at once, without reading."""
    url = urlsplit(address)
    with suppress(OSError), socket.create_connection((url.hostname, url.port or 0), timeout=10) as client:
        client.sendall(sent)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
