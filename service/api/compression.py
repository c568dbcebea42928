"""Compression: request bodies unpacked within a limit, and large responses packed for clients that accept it."""

import asyncio
import zlib
from collections.abc import Iterator
from contextlib import suppress

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.zstd_frames import check_frames
from service.errors import BodyTooLarge, EncodingUnsupported, FileInvalid

GZIP, ZSTD = "gzip", "zstd"
READ = {GZIP: GZIP, "x-gzip": GZIP, ZSTD: ZSTD}
CHUNK_BYTES = 65_536
MINIMUM_BYTES = 8_192
"""Smaller responses are sent as they are: a packet holds them, or nearly, and packing takes as long as a forecast."""
LOOP_BYTES = 32_768
"""Packing this much takes about a millisecond; more is packed in a thread."""
MOST_MEMBERS = 10_000
"""Most members of a gzip file; one of bgzip has one for each 64 KiB."""
LEVEL = 3
PACKED = (
    "application/json",
    "application/problem+json",
    "application/x-ndjson",
    "application/vnd.apache.arrow",
    "text/",
)
"""Types of responses that packing makes smaller; Parquet is packed already."""


def find_encoding(header: str) -> str | None:
    """Return `gzip` or `zstd` of a Content-Encoding, None without one; raises EncodingUnsupported for any other."""
    name = header.strip().lower()
    if name in {"", "identity"}:
        return None
    if name not in READ:
        raise EncodingUnsupported(
            f"The body is encoded as {header[:40]!r}.", hint="Send it with gzip or zstd, or uncompressed."
        )
    return READ[name]


def unpack_small(body: bytes, encoding: str, limit: int, hint: str) -> bytes | None:
    """Return a body, unpacked, or None if that takes so long that it needs a thread; raises as `unpack`."""
    if len(body) <= LOOP_BYTES:
        with suppress(BodyTooLarge):
            return unpack(body, encoding, min(limit, LOOP_BYTES), hint)
    return None


def unpack(body: bytes, encoding: str, limit: int, hint: str) -> bytes:
    """Return a body, unpacked in pieces so that never much more than `limit` bytes are held.

    Raises:
        BodyTooLarge: As soon as it has more than `limit` bytes.
        FileInvalid: If it is not in this encoding, or incomplete.
    """
    unpacked = bytearray()
    try:
        for piece in _gunzip(body) if encoding == GZIP else _unzstd(body):
            unpacked += piece
            if len(unpacked) > limit:
                raise BodyTooLarge(f"The body unpacks to more than {limit} bytes.", hint=hint)
    except (zlib.error, OSError, EOFError) as error:
        raise FileInvalid(
            f"The body cannot be unpacked as {encoding}: {error}.", hint="Pack it again, or send it uncompressed."
        ) from error
    return bytes(unpacked)


def _gunzip(body: bytes) -> Iterator[bytes]:
    """Yield the content of all members of a gzip file, which is read in pieces: zlib copies what it has not read yet."""
    member, members = zlib.decompressobj(wbits=31), 1
    for start in range(0, len(body), CHUNK_BYTES):
        left = body[start : start + CHUNK_BYTES]
        while left:
            if member.eof:
                member, members = zlib.decompressobj(wbits=31), members + 1
            if members > MOST_MEMBERS:
                raise EOFError(f"it has more than {MOST_MEMBERS} members")
            yield member.decompress(left, CHUNK_BYTES)
            left = member.unused_data if member.eof else member.unconsumed_tail
    while not member.eof:
        piece = member.decompress(b"", CHUNK_BYTES)
        if not piece:
            raise EOFError("it ends too early")
        yield piece


def _unzstd(body: bytes) -> Iterator[bytes]:
    """Yield the content of all frames; pyarrow's stream holds one piece and the window of a frame, which is bounded."""
    check_frames(body)
    import pyarrow as pa

    with pa.CompressedInputStream(pa.BufferReader(body), ZSTD) as stream:
        while piece := stream.read(CHUNK_BYTES):
            yield piece


def pack(content: bytes, encoding: str) -> bytes:
    """Return content packed."""
    if encoding == GZIP:
        packer = zlib.compressobj(LEVEL, wbits=31)
        return packer.compress(content) + packer.flush()
    import pyarrow as pa

    packed: bytes = pa.Codec(ZSTD, compression_level=LEVEL).compress(content, asbytes=True)
    return packed


def choose_encoding(accepted: str) -> str | None:
    """Return zstd or gzip, whichever an Accept-Encoding prefers (zstd if it likes both), or None."""
    weights = parse_weights(accepted)
    star = weights.get("*", 0.0)
    found = max((ZSTD, GZIP), key=lambda name: weights.get(name, star))
    weight = weights.get(found, star)
    return found if weight > 0 and weight >= weights.get("identity", 0.0) else None


def parse_weights(header: str) -> dict[str, float]:
    """Return each name in an Accept or Accept-Encoding header with its weight, from 0 to 1."""
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if not name:
            continue
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    weight = min(max(float(value), 0.0), 1.0)
                except ValueError:
                    weight = 0.0
        weights[name] = weight
    return weights


class CompressionMiddleware:
    """ASGI middleware: packs responses from MINIMUM_BYTES on for requests with Accept-Encoding; others pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a `send` that packs if the client accepts it."""
        encoding = None
        if scope["type"] == "http" and scope["method"] != "HEAD":
            accepted = dict(scope["headers"]).get(b"accept-encoding", b"")
            encoding = choose_encoding(accepted.decode("latin-1")) if accepted else None
        await self._app(scope, receive, send if encoding is None else _Packing(send, encoding))


class _Packing:
    """A `send` that packs the whole body of a response that comes in one piece, and each piece of a stream for gzip."""

    def __init__(self, send: Send, encoding: str) -> None:
        self._send = send
        self._encoding = encoding
        self._start: Message | None = None
        self._stream: zlib._Compress | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if _is_packed(Headers(raw=message["headers"])):
                self._start = message
                return
        elif self._start is not None:
            start, self._start = self._start, None
            message = await self._first(start, message)
            await self._send(start)
        elif self._stream is not None:
            message = await self._next(message)
        await self._send(message)

    async def _first(self, start: Message, message: Message) -> Message:
        body, headers = message.get("body", b""), MutableHeaders(raw=start["headers"])
        headers.add_vary_header("Accept-Encoding")
        start["headers"] = headers.raw
        if message.get("more_body", False):
            self._stream = zlib.compressobj(LEVEL, wbits=31)
            if self._encoding != GZIP:
                self._stream = None
                return message
            headers["content-encoding"] = GZIP
            del headers["content-length"]
            return await self._next(message)
        if len(body) < MINIMUM_BYTES:
            return message
        packed = (
            pack(body, self._encoding)
            if len(body) <= LOOP_BYTES
            else await asyncio.to_thread(pack, body, self._encoding)
        )
        headers["content-encoding"], headers["content-length"] = self._encoding, str(len(packed))
        return {**message, "body": packed}

    async def _next(self, message: Message) -> Message:
        """Return the next piece of a stream, flushed so that the client can read it at once."""
        stream = self._stream
        assert stream is not None  # noqa: S101 (only called for streams)
        end = zlib.Z_SYNC_FLUSH if message.get("more_body", False) else zlib.Z_FINISH

        def pack_piece() -> bytes:
            return stream.compress(message.get("body", b"")) + stream.flush(end)

        return {**message, "body": await asyncio.to_thread(pack_piece)}


def _is_packed(headers: Headers) -> bool:
    if "content-encoding" in headers or "content-range" in headers:
        return False
    return headers.get("content-type", "").startswith(PACKED)
