"""Bulk: answers forecast requests whose body or response is not JSON: Parquet, Arrow and NDJSON."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

import orjson
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from models.errors import AlmanacError
from service.callers import Caller
from service.errors import Unexpected
from service.forecasting.answer import ForecastHandler, begin, model_key
from service.forecasting.blocks import split
from service.forecasting.predict import check_size
from service.forecasting.request import ForecastQuery
from service.forecasting.response import OPTIONS, ForecastResult, join_response, merge_results, to_response, write_part
from service.forecasting.routing import forecast_family
from service.json_input import fault_at
from service.random_ids import new_id
from service.selector import SelectedModel

logger = logging.getLogger("almanac")


@dataclass(frozen=True, slots=True)
class BulkFormat:
    """The format of a response.

    Attributes:
        media_type: Its media type.
        write: Returns a result in it; None for NDJSON, which is written in blocks.
        lines: Whether it is NDJSON.
    """

    media_type: str
    write: Callable[[ForecastResult], bytes] | None = None
    lines: bool = False


async def answer_bulk(
    handler: ForecastHandler, parse: Callable[[], ForecastQuery], made: BulkFormat, caller: Caller | None = None
) -> Response:
    """Return the response to a request; all of its work runs in threads, beside other large requests.

    Raises:
        AlmanacError: If the whole request is wrong, too large, or has to wait for too long.
    """
    threads, caller = handler.large.threads, caller or Caller()
    caller.start(handler.settings.deadline_seconds)
    with ExitStack() as place:
        place.enter_context(handler.large.enter(handler.clients.share(caller.client, counted=1)))
        query = await threads.run(begin, caller, parse)
        caller.check()

        async def respond(selected: SelectedModel) -> Response:
            caller.model = model_key(selected)
            if made.lines:
                return await _stream(handler, query, selected, made, place, caller)
            check_size(query, selected, handler.settings.max_numbers)
            return await _whole(handler, query, selected, made, caller)

        caller.parsed, caller.series = time.monotonic(), len(query.series)
        family = handler.find_family(query.model, [*query.segments.values()])
        try:
            if family is None:
                response = await handler.respond(query, respond)
            else:
                result = await forecast_family(handler, query, family, threads, caller)
                response = await threads.run(_respond, result, made)
        finally:
            threads.discard(query.series, query.faults)
        caller.ended = time.monotonic()
        return response


async def _stream(  # noqa: PLR0913, PLR0917 (what `_whole` has, and the place)
    handler: ForecastHandler,
    query: ForecastQuery,
    selected: SelectedModel,
    made: BulkFormat,
    place: ExitStack,
    caller: Caller,
) -> Response:
    """Return the response whose lines are written while they are forecast, or that of a request without a forecast."""
    threads, blocks = handler.large.threads, split(query)
    await threads.run(handler.begin_run, caller)
    first = await threads.run(_block, handler, next(blocks), selected)
    while not first.rows and (block := next(blocks, None)) is not None:
        found = await threads.run(_block, handler, block, selected)
        first = replace(found, faults=[*first.faults, *found.faults])
    if not first.rows:
        return await threads.run(to_response, first)
    lines = _lines(handler, selected, first, blocks)
    place.callback(threads.discard, query.series, query.faults)
    return _Stream(lines, made.media_type, place.pop_all(), handler.settings.body_timeout_seconds)


class _Stream(StreamingResponse):
    """A stream that keeps its place among large requests until it ends, or its client is gone or takes no lines for long."""

    def __init__(self, lines: AsyncIterator[bytes], media_type: str, place: ExitStack, seconds: float) -> None:
        super().__init__(lines, media_type=media_type, headers={"X-Accel-Buffering": "no"})
        self._place = place
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_slow = False

        async def send_soon(message: Message) -> None:
            nonlocal is_slow
            try:
                async with asyncio.timeout(self._seconds):
                    await send(message)
            except TimeoutError:
                is_slow = True
                raise

        with self._place:
            try:
                await super().__call__(scope, receive, send_soon)
            except (OSError, ClientDisconnect):
                if not is_slow:
                    raise
                logger.info("a stream was ended: its client took no line for %.0f s", self._seconds)


async def _whole(
    handler: ForecastHandler, query: ForecastQuery, selected: SelectedModel, made: BulkFormat, caller: Caller
) -> Response:
    threads = handler.large.threads
    if made.write is None:
        parts = await handler.forecast_large(query, selected, threads, write_part, caller)
        return await threads.run(join_response, parts)
    results = await handler.forecast_large(query, selected, threads, _same, caller)
    return await threads.run(_write_once, results, made)


def _write_once(results: list[ForecastResult], made: BulkFormat) -> Response:
    """Return the response of all results, which are freed here: `results` is empty then."""
    result = merge_results(results)
    results.clear()
    return _respond(result, made)


def _respond(result: ForecastResult, made: BulkFormat) -> Response:
    """Return the response that is written at once, such as that of a family: its models forecast one after the other."""
    if not result.rows or not (made.lines or made.write):
        return to_response(result)
    content = _line({"model": result.body["model"]}) + _text(result) if made.write is None else made.write(result)
    return Response(content, media_type=made.media_type)


def _same(result: ForecastResult) -> ForecastResult:
    """Return the result: the file is written once, of all forecasts."""
    return result


async def _lines(
    handler: ForecastHandler, selected: SelectedModel, first: ForecastResult, blocks: Iterator[ForecastQuery]
) -> AsyncIterator[bytes]:
    """Yield the model, then each forecast or error on its line, in the order in which they are ready."""
    yield _line({"model": first.body["model"]})
    text = _text(first)
    del first
    yield text
    for block in blocks:
        try:
            text = await handler.large.threads.run(_block_text, handler, block, selected)
        except AlmanacError as error:
            text = _errors(block, error)
        except Exception:
            error_id = new_id()
            logger.exception("lines of a forecast failed", extra={"fields": {"error_id": error_id}})
            detail = f"The service failed; its log contains the cause under {error_id}."
            text = _errors(block, Unexpected(detail, hint="Report it as a bug."))
        yield text


def _errors(block: ForecastQuery, error: AlmanacError) -> bytes:
    """Return an error as that of each series of a block; it points to an option of the request, or to the series."""
    return b"".join(
        _line({"error": fault_at(_pointer(index, error), series.id, error).to_dict()}) for index, series in block.series
    )


def _pointer(index: int, error: AlmanacError) -> str:
    return error.pointer if error.pointer in OPTIONS else f"/series/{index}"


def _block(handler: ForecastHandler, query: ForecastQuery, selected: SelectedModel) -> ForecastResult:
    check_size(query, selected, handler.settings.max_numbers)
    return handler.forecast_block(query, selected)


def _block_text(handler: ForecastHandler, query: ForecastQuery, selected: SelectedModel) -> bytes:
    return _text(_block(handler, query, selected))


def _text(result: ForecastResult) -> bytes:
    forecasts = (_line({"forecast": entry}) for entry in result.body["forecasts"])
    return b"".join((*forecasts, *(_line({"error": fault.to_dict()}) for fault in result.faults)))


def _line(data: Mapping[str, object]) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)
