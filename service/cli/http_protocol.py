"""HTTP protocol: uvicorn's HTTP protocol with limits on the bytes and the time of a request's headers.

httptools keeps every byte of a header until it ends, and uvicorn sets no limit and no time: one connection could fill the
memory before a key is checked.
"""

from asyncio import Transport
from asyncio.events import TimerHandle
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from models.errors import AlmanacError
from service.callers import ARRIVED, TRANSPORT
from service.cli.joined_transport import JoinedTransport
from service.errors import HeadersTooLarge, HeadersTooSlow, RequestUnreadable
from service.problems import problem

MAX_HEADER_BYTES = 65_536
"""Request line, headers and trailers of one request."""
LINGER_SECONDS = 1.0
"""How long a refused client has to read the answer, while what it still sends is discarded."""

TOO_LARGE = HeadersTooLarge(
    f"The request line and the headers have more than {MAX_HEADER_BYTES} bytes.",
    hint="Send data in the body, and fewer or shorter headers.",
)


NoteRefusal = Callable[[AlmanacError, str], None]


class BoundedProtocol(HttpToolsProtocol):
    """A connection that refuses long headers (431) and slow ones (408), and closes if an unread body does not end.

    Attributes:
        header_seconds: How long headers may take, from the first byte, or from the beginning of a new connection.
        body_seconds: How long a body may take that no route has read.
        note_refusal: Is called with each error that is sent, and the address it is sent to.
    """

    header_seconds = 10.0
    body_seconds = 30.0
    note_refusal: NoteRefusal = staticmethod(lambda _error, _client: None)

    _header_bytes = 0
    _pending_bytes = 0  # received since the parser reported anything: a header's value is reported once it has ended
    _in_head = False
    _in_body = False
    _is_refused = False
    _is_misdirected = False
    _deadline: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Start the time for the first headers."""
        super().connection_made(cast("Transport", JoinedTransport(transport, self.loop)))
        self._start_deadline(self.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self._stop_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, within the limits."""
        if self._is_refused:
            return
        self._in_head = self._in_head or not self._in_body
        self._pending_bytes += len(data)
        super().data_received(data)
        if self._pending_bytes > MAX_HEADER_BYTES:
            self._refuse(TOO_LARGE)
        elif self._in_head and self._deadline is None:
            self._start_deadline(self.header_seconds)

    def on_message_begin(self) -> None:
        """Start to count."""
        self._header_bytes = self._pending_bytes = 0
        self._in_head = True
        super().on_message_begin()
        self.scope["state"][TRANSPORT] = self.transport

    def on_url(self, url: bytes) -> None:
        """Count a part of the path."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header or a trailer."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the time; a body's time is limited where it is read. A target with another host than Host is refused."""
        if not self.url.startswith((b"/", b"*")):
            hosts = {value.strip().lower() for name, value in self.headers if name == b"host"}
            self._is_misdirected = not hosts <= {self.url.partition(b"://")[2].partition(b"/")[0].lower()}
            if self._is_misdirected:
                raise ValueError(self.url)  # as in _count
        self._pending_bytes = 0
        self._in_head, self._in_body = False, True
        self._stop_deadline()
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Note that the body continues."""
        self._pending_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Note that the body continues."""
        self._pending_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop the time of an unread body."""
        self._pending_bytes = 0
        self._in_head = self._in_body = False
        self._stop_deadline()
        self.scope["state"][ARRIVED] = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Limit the time of a body that no route has read."""
        super().on_response_complete()
        if self._in_body and self._deadline is None:
            self._start_deadline(self.body_seconds)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or too long, with a problem document."""
        if self._is_misdirected:
            msg = "The request line names another host than the Host header."
        is_long = self._header_bytes > MAX_HEADER_BYTES
        self._refuse(TOO_LARGE if is_long else RequestUnreadable(msg, hint="Send HTTP/1.1."))

    def _count(self, size: int) -> None:
        self._pending_bytes = 0
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            raise ValueError(self._header_bytes)  # ends the parser, which calls send_400_response

    def _start_deadline(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        self._refuse(
            HeadersTooSlow(
                f"The headers were not complete after {self.header_seconds:g} seconds.",
                hint="Send them faster, or raise ALMANAC_HEADER_TIMEOUT_SECONDS.",
            )
            if self._in_head
            else None
        )

    def _refuse(self, error: AlmanacError | None) -> None:
        """Send an error, unless a response is being sent, and close the connection."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        self._stop_deadline()
        self._unset_keepalive_if_required()
        if error is None or (self.cycle is not None and not self.cycle.response_complete):
            self.transport.close()
            return
        self.note_refusal(error, (self.client or ("",))[0])
        self.transport.write(_response_bytes(error))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)


def bounded_protocol(
    header_seconds: float, body_seconds: float, note_refusal: NoteRefusal = BoundedProtocol.note_refusal
) -> type[BoundedProtocol]:
    """Return the protocol with these attributes, for uvicorn, which creates it for each connection."""
    seconds = {"header_seconds": header_seconds, "body_seconds": body_seconds}
    return type("ConfiguredProtocol", (BoundedProtocol,), {**seconds, "note_refusal": staticmethod(note_refusal)})


def _response_bytes(error: AlmanacError) -> bytes:
    """Return an error as the bytes of an HTTP response."""
    answer = problem(error)
    status = f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}".encode()
    headers = [name + b": " + value for name, value in answer.raw_headers if name != b"connection"]
    return b"\r\n".join([status, *headers, b"connection: close", b"", bytes(answer.body)])
