"""Client: a service, from Python; and its twin for asyncio."""

import asyncio
import os
from collections.abc import Mapping
from time import sleep
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from urllib.parse import urlsplit

import httpx

from almanac import service_calls as calls
from almanac.calls import Answer, Call, Pause, Request
from almanac.forecasts import Forecasts
from almanac.options import ForecastOptions, ReadingOptions
from almanac.service_calls import Observed
from models.errors import ConfigInvalid, RequestError, ServiceUnreachable

DEFAULT_URL = "http://127.0.0.1:8000"
TIMEOUT_SECONDS = 120.0

T = TypeVar("T")


def connect(
    url: str | None = None,
    api_key: str | None = None,
    *,
    timeout: float = TIMEOUT_SECONDS,
    transport: httpx.BaseTransport | None = None,
) -> "Client":
    """Return a client of a service; nothing is sent yet.

    Args:
        url: Address of the service. Default: ALMANAC_SERVICE_URL, else http://127.0.0.1:8000.
        api_key: A key, if the service has keys. Default: ALMANAC_API_KEY.
        timeout: Seconds that a response may take.
        transport: How httpx sends requests, such as through a proxy.

    Raises:
        ServiceUnreachable: If the address is none.
        ConfigInvalid: If the key is none.

    Example:
        >>> client = almanac.connect("http://localhost:8000", api_key="alm_0123")
        >>> client.url
        'http://localhost:8000/'
    """
    return Client(httpx.Client(**_settings(url, api_key, timeout), transport=transport))


def connect_async(
    url: str | None = None,
    api_key: str | None = None,
    *,
    timeout: float = TIMEOUT_SECONDS,
    transport: httpx.AsyncBaseTransport | None = None,
) -> "AsyncClient":
    """Return a client whose methods are awaited; otherwise as `connect`."""
    return AsyncClient(httpx.AsyncClient(**_settings(url, api_key, timeout), transport=transport))


def _settings(url: str | None, api_key: str | None, timeout: float) -> dict[str, Any]:
    address = url or os.environ.get("ALMANAC_SERVICE_URL") or DEFAULT_URL
    if urlsplit(address).scheme not in {"http", "https"} or not urlsplit(address).hostname:
        raise ServiceUnreachable(
            f"{address!r} is not the address of a service.", hint=f"Give one such as {DEFAULT_URL}."
        )
    key = api_key or os.environ.get("ALMANAC_API_KEY")
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigInvalid("The API key has characters that no key has.", hint="Copy it again: it begins with alm_.")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return {"base_url": f"{address.rstrip('/')}/", "headers": headers, "timeout": timeout, "follow_redirects": True}


class Client:
    """A service. Requests are sent again while it is busy (429, 503), as Retry-After says.

    Methods raise the errors of `almanac.errors`: ServiceUnreachable without a response, ServiceOverloaded if the service stays
    busy, otherwise the type of the problem, such as ModelUnknown.
    """

    def __init__(self, http: httpx.Client) -> None:
        """Send requests with a client of httpx, whose base URL is the service."""
        self._http = http

    @property
    def url(self) -> str:
        """The address of the service."""
        return str(self._http.base_url)

    def forecast(
        self,
        data: Any,  # noqa: ANN401 - a frame of any kind
        horizon: int,
        *,
        model: str | None = None,
        record: bool = True,
        chunk: int = calls.CHUNK_SERIES,
        **options: Unpack[ForecastOptions],
    ) -> Forecasts:
        """Return forecasts of the series of a frame.

        Args:
            data: As for `almanac.forecast`; a frame of many series becomes several requests.
            horizon: Steps ahead.
            model: `name`, `name@alias`, `name/version` or `starter`. Default: that of the service.
            record: Whether the service stores and scores the forecasts.
            chunk: Series in one request.
            options: See `ForecastOptions`.
        """
        return self.run(calls.forecast(data, horizon, model, options, record=record, chunk=chunk))

    def observe(self, data: Any, **options: Unpack[ReadingOptions]) -> Observed:  # noqa: ANN401 - any frame
        """Store the rows of a frame as observations; a row that is sent again replaces the old one.

        Raises:
            TypeError: If there is no such option; see `ReadingOptions`.
        """
        return self.run(calls.observe(data, options))

    def accuracy(self, model: str | None = None, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - query parameters
        """Return the live accuracy as `GET /accuracy` responds; `parameters` are its query, such as `by="step"`."""
        return self.run(calls.get("accuracy", {"model": model, **parameters}))

    def models(self) -> list[dict[str, Any]]:
        """Return the registered models and the starter."""
        return self.run(calls.models())

    def model(self, name: str) -> dict[str, Any]:
        """Return the card of a model."""
        return self.run(calls.model(name))

    def jobs(self, **parameters: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - query parameters
        """Return the jobs, the newest first; `parameters` are the query of `GET /jobs`, such as `state="RUNNING"`."""
        return self.run(calls.jobs(parameters))

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job with its steps and its progress."""
        return self.run(calls.job(job_id))

    def retrain(self, name: str, *, config: Mapping[str, Any] | None = None, if_needed: bool = False) -> dict[str, Any]:
        """Return a new job that retrains a model; without a configuration that of its schedule is taken."""
        return self.run(calls.retrain({"name": name, "config": config, "if_needed": if_needed}))

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Return a job that is cancelled."""
        return self.run(calls.cancel(job_id))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def run(self, call: Call[T]) -> T:
        """Return what a call returns, whose requests are sent and whose pauses are made here."""
        answer: Answer = None
        try:
            while True:
                step = call.send(answer)
                if isinstance(step, Pause):
                    sleep(step.seconds)
                    answer = None
                    continue
                try:
                    answer = self._http.send(_build(self._http, step))
                except httpx.HTTPError as error:
                    answer = error
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # T
        finally:
            call.close()


class AsyncClient:
    """A service, for asyncio: the methods of `Client`, awaited."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        """Send requests with a client of httpx, whose base URL is the service."""
        self._http = http

    @property
    def url(self) -> str:
        """The address of the service."""
        return str(self._http.base_url)

    async def forecast(
        self,
        data: Any,  # noqa: ANN401 - a frame of any kind
        horizon: int,
        *,
        model: str | None = None,
        record: bool = True,
        chunk: int = calls.CHUNK_SERIES,
        **options: Unpack[ForecastOptions],
    ) -> Forecasts:
        """Return forecasts of the series of a frame; see `Client.forecast`."""
        return await self.run(calls.forecast(data, horizon, model, options, record=record, chunk=chunk))

    async def observe(self, data: Any, **options: Unpack[ReadingOptions]) -> Observed:  # noqa: ANN401 - any frame
        """Store the rows of a frame as observations; see `Client.observe`."""
        return await self.run(calls.observe(data, options))

    async def accuracy(self, model: str | None = None, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - query parameters
        """Return the live accuracy; see `Client.accuracy`."""
        return await self.run(calls.get("accuracy", {"model": model, **parameters}))

    async def models(self) -> list[dict[str, Any]]:
        """Return the registered models and the starter."""
        return await self.run(calls.models())

    async def model(self, name: str) -> dict[str, Any]:
        """Return the card of a model."""
        return await self.run(calls.model(name))

    async def jobs(self, **parameters: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - query parameters
        """Return the jobs, the newest first; see `Client.jobs`."""
        return await self.run(calls.jobs(parameters))

    async def job(self, job_id: str) -> dict[str, Any]:
        """Return a job with its steps and its progress."""
        return await self.run(calls.job(job_id))

    async def retrain(
        self, name: str, *, config: Mapping[str, Any] | None = None, if_needed: bool = False
    ) -> dict[str, Any]:
        """Return a new job that retrains a model; see `Client.retrain`."""
        return await self.run(calls.retrain({"name": name, "config": config, "if_needed": if_needed}))

    async def cancel(self, job_id: str) -> dict[str, Any]:
        """Return a job that is cancelled."""
        return await self.run(calls.cancel(job_id))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def run(self, call: Call[T]) -> T:
        """Return what a call returns, whose requests are sent and whose pauses are made here."""
        answer: Answer = None
        try:
            while True:
                step = call.send(answer)
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    answer = None
                    continue
                try:
                    answer = await self._http.send(_build(self._http, step))
                except httpx.HTTPError as error:
                    answer = error
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # T
        finally:
            call.close()


def _build(http: httpx.Client | httpx.AsyncClient, step: Request) -> httpx.Request:
    if http.is_closed:
        raise RequestError("The client is closed.", hint="Make a new one with almanac.connect(url).")
    return http.build_request(
        step.method, step.path, params=dict(step.params) or None, content=step.content, headers=dict(step.headers)
    )
