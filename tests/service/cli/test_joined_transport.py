"""The joined transport: a head and its body leave the process together, and no head waits for a body that takes time."""

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from service.cli.joined_transport import JoinedTransport

HEAD, BODY = b"HTTP/1.1 200 OK\r\n\r\n", b"body"


class Calls:
    """A transport that keeps each call."""

    def __init__(self) -> None:
        """Nothing was called yet."""
        self.made: list[object] = []

    def write(self, data: bytes) -> None:
        """Keep bytes."""
        self.made.append(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        """Keep parts that are sent together."""
        self.made.append(parts)

    def write_eof(self) -> None:
        """Keep the end of the stream."""
        self.made.append("end")

    def close(self) -> None:
        """Keep the end of the connection."""
        self.made.append("closed")

    def is_closing(self) -> bool:
        """Return False."""
        return False

    def get_extra_info(self, name: str) -> str:
        """Return the name."""
        return name


def respond(one: JoinedTransport) -> None:
    """Write a response, twice: the connection stays open."""
    for data in (HEAD, BODY, HEAD, BODY):
        one.write(data)


def stream(one: JoinedTransport) -> None:
    """Write a head, and its body once the event loop has gone on."""
    one.write(HEAD)
    asyncio.get_running_loop().call_soon(one.write, BODY)


def end(one: JoinedTransport) -> None:
    """Write a whole response, and end."""
    one.write(HEAD + BODY)
    one.write_eof()
    one.close()


def end_without_a_body(one: JoinedTransport) -> None:
    """Write a head, and close."""
    one.write(HEAD)
    one.close()


@pytest.mark.parametrize(
    ("use", "made"),
    [
        (respond, [(HEAD, BODY), (HEAD, BODY)]),
        (stream, [HEAD, BODY]),
        (end, [HEAD + BODY, "end", "closed"]),
        (end_without_a_body, [HEAD, "closed"]),
    ],
)
def test_all_is_written_once_and_in_order(use: Callable[[JoinedTransport], None], made: list[object]) -> None:
    """The head with the body where both are there at once."""
    calls = Calls()

    async def run() -> None:
        one = JoinedTransport(cast("asyncio.Transport", calls), asyncio.get_running_loop())
        use(one)
        await asyncio.sleep(0.01)
        assert (one.is_closing(), one.get_extra_info("peername")) == (False, "peername")

    asyncio.run(run())

    assert calls.made == made
