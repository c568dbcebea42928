"""Answer: the use case of POST /forecast and GET /series/{id}/forecast, from a request to its response."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from starlette.responses import Response

from models.calendar.on_calendar import Frequency
from service.forecasting.predict import check_size, is_large, predict
from service.forecasting.request import ForecastQuery, parse_request
from service.forecasting.response import ForecastResult, make_result, to_response
from service.selector import SelectedModel
from service.settings import Settings
from service.thread_pool import ThreadPool

LARGE_BODY_BYTES = 65_536
"""Parsing this much JSON takes about a millisecond."""

SelectModel = Callable[[str | None, Callable[[], Iterable[Frequency]]], Awaitable[SelectedModel]]
RecordResult = Callable[[ForecastQuery, SelectedModel, ForecastResult], None]


@dataclass(frozen=True, slots=True)
class ForecastHandler:
    """Answers forecast requests; large ones in a thread, so that they do not delay others.

    Attributes:
        settings: Contains the limits of a request.
        threads: The pool for large requests.
        select_model: Returns the model for a request's `model` and the frequencies of its series.
        record: Is called with each result.
    """

    settings: Settings
    threads: ThreadPool
    select_model: SelectModel
    record: RecordResult

    async def answer_body(self, body: bytes) -> Response:
        """Return the response to a body of POST /forecast; raises an AlmanacError if the whole request is wrong."""
        is_long = len(body) > LARGE_BODY_BYTES
        query = (
            await self.threads.run(parse_request, body, self.settings)
            if is_long
            else parse_request(body, self.settings)
        )
        return await self.answer(query, in_thread=is_long)

    async def answer(self, query: ForecastQuery, *, in_thread: bool = False) -> Response:
        """Return the response to a query; raises an AlmanacError if the model cannot answer it."""
        selected = await self.select_model(query.model, query.frequencies)
        check_size(query, selected, self.settings.max_numbers)
        if in_thread or is_large(query, selected):
            return await self.threads.run(self._answer, query, selected)
        return self._answer(query, selected)

    def _answer(self, query: ForecastQuery, selected: SelectedModel) -> Response:
        result = make_result(selected, *predict(query, selected))
        self.record(query, selected, result)
        return to_response(result)
