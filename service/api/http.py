"""HTTP: reads request bodies within limits, and writes JSON responses."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive

from service.admission import ALONE
from service.api.compression import find_encoding, unpack, unpack_small
from service.api.state import service_of
from service.callers import CALLER
from service.errors import BodyTooLarge, BodyTooSlow
from service.json_input import reject_unknown_fields
from service.memory import BODY_BYTES, check_memory

LOOP_BYTES = 1_000_000
"""So many bytes are joined on the event loop: in less than a millisecond."""
FEWER_SERIES = "Send fewer series at a time, or raise ALMANAC_MAX_BODY_BYTES."


async def read_body(request: Request, limit: int, seconds: float, *, too_large: str = FEWER_SERIES) -> bytes:
    """Return the body, unpacked; `too_large` is the hint if it is.

    Raises:
        EncodingUnsupported: If it is compressed in another way than with gzip or zstd.
        FileInvalid: If it cannot be unpacked.
        BodyTooLarge: As soon as more than `limit` bytes are announced, received or unpacked.
        BodyTooSlow: If it is not complete after `seconds`.
        QueueFull: If it would wait for too long to be unpacked.
    """
    encoding = find_encoding(request.headers.get("content-encoding", ""))
    if announced_bytes(request) > limit:
        raise too_many_bytes(limit, too_large)
    body = await receive_body(request.receive, limit, seconds, too_large=too_large)
    if encoding is None:
        return body
    unpacked = unpack_small(body, encoding, limit, too_large)
    if unpacked is not None:
        return unpacked
    forecasting, caller = service_of(request).forecasting, request.scope.get(CALLER)
    share = ALONE if caller is None else forecasting.clients.share(caller.client, counted=1)
    with forecasting.large.enter(share):
        unpacked = await forecasting.large.threads.run(unpack, body, encoding, limit, too_large)
    check_memory(BODY_BYTES * len(unpacked))
    return unpacked


async def receive_body(receive: Receive, limit: int, seconds: float | None, *, too_large: str = FEWER_SERIES) -> bytes:
    """Return the body of a request as it was sent; raises as `read_body`, ClientDisconnect, and MemoryError if it is too much.

    `seconds` is None if it has arrived: a timer takes longer than to receive it.
    """
    if seconds is None:
        message, body = await _receive_all(receive, limit)
    else:
        try:
            async with asyncio.timeout(seconds):
                message, body = await _receive_all(receive, limit)
        except TimeoutError as error:
            raise BodyTooSlow(
                f"The body was not complete after {seconds:g} seconds.",
                hint="Send smaller batches, or raise ALMANAC_BODY_TIMEOUT_SECONDS.",
            ) from error
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    if len(body) > limit:
        raise too_many_bytes(limit, too_large)
    check_memory(BODY_BYTES * len(body))
    return body


async def _receive_all(receive: Receive, limit: int) -> tuple[Message, bytes]:
    """Return the last message of a body, and the body, which is not complete if it is above the limit."""
    message = await receive()
    if not message.get("more_body"):
        return message, message.get("body", b"")
    chunks = [message.get("body", b"")]
    size = len(chunks[0])
    while message.get("more_body") and size <= limit and message["type"] != "http.disconnect":
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
    return message, _join(chunks) if size <= LOOP_BYTES else await asyncio.to_thread(_join, chunks)


def _join(chunks: list[bytes]) -> bytes:
    """Return the chunks as one, and free them here: to copy megabytes takes milliseconds."""
    body = b"".join(chunks)
    chunks.clear()
    return body


def announced_bytes(request: Request) -> int:
    """Return the size of the body that a request announces, 0 if it announces none."""
    announced = request.headers.get("content-length", "")
    return int(announced) if announced.isdecimal() and announced.isascii() else 0


def too_many_bytes(limit: int, hint: str = FEWER_SERIES) -> BodyTooLarge:
    """Return the error of a body that is too large."""
    return BodyTooLarge(f"The body has more than {limit} bytes.", hint=hint)


async def only_known_parameters(request: Request) -> None:
    """Raise FieldUnknown for the first query parameter that the route does not have."""
    known = tuple(parameter.alias for parameter in request.scope["route"].dependant.query_params)
    reject_unknown_fields(dict.fromkeys(request.query_params.keys()), known)


def json_response(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:  # noqa: ANN401 (any JSON)
    """Return data, numpy arrays included, as a JSON response."""
    content = orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(content, status, headers, media_type="application/json")
