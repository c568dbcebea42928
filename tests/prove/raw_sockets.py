"""Raw sockets: sends bytes to a service on many connections, and returns what comes back."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(slots=True)
class Answers:
    """What came back.

    Attributes:
        statuses: Count of each status of the first response, 0 for a connection that was closed without one.
        hung: What got neither a response nor an end within the time.
        slowest: Seconds until the slowest of the others.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    hung: list[bytes] = field(default_factory=list)
    slowest: float = 0.0


async def send_all(address: str, requests: Iterable[bytes], seconds: float, connections: int = 16) -> Answers:
    """Send each of the requests on a connection of its own; a connection is left after its first response."""
    url, answers, left = urlsplit(address), Answers(), iter(requests)

    async def send() -> None:
        for request in left:
            began = time.monotonic()
            try:
                async with asyncio.timeout(seconds):
                    first = await exchange(url.hostname or "", url.port or 0, request)
            except TimeoutError:
                answers.hung.append(request)
                continue
            answers.slowest = max(answers.slowest, time.monotonic() - began)
            status = first.partition(b" ")[2][:3]
            answers.statuses[int(status) if status.isdigit() else 0] += 1

    await asyncio.gather(*(send() for _ in range(connections)))
    return answers


async def exchange(host: str, port: int, request: bytes) -> bytes:
    """Return the first bytes that come back, b"" if the connection is closed."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        with suppress(OSError):
            writer.write(request)
            return await reader.read(65_536)
        return b""
    finally:
        writer.close()
