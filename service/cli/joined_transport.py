"""Joined transport: sends the head of a response together with what follows, in one call of the system."""

from asyncio import AbstractEventLoop, Handle, Transport
from typing import Any

HEAD = b"HTTP/1.1 "
"""What uvicorn writes begins so if it is a head."""


class JoinedTransport:
    """A transport that keeps a head until its body is written, or until the event loop's next round.

    uvicorn writes both on their own. A replica that is killed between the two has sent half an answer, which nginx cannot ask another one
    for; and each call of the system takes as long as a tenth of a forecast.
    """

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        """Write to `transport`; all that is not written here is its own."""
        self._transport = transport
        self._loop = loop
        self._head = b""
        self._later: Handle | None = None
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (as the transport has it)
        """Return what the transport has."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, the head that waits first."""
        if self._head:
            self._transport.writelines((self._take(), data))
        elif data.startswith(HEAD):
            self._head, self._later = data, self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def write_eof(self) -> None:
        """End the stream after what waits."""
        self._flush()
        self._transport.write_eof()

    def close(self) -> None:
        """Close after what waits."""
        self._flush()
        self._transport.close()

    def _take(self) -> bytes:
        if self._later is not None:
            self._later.cancel()
        head, self._head, self._later = self._head, b"", None
        return head

    def _flush(self) -> None:
        if self._head:
            self._transport.write(self._take())
