"""Late routes: all routes but those of health are imported after a server has started, since a start waits for none of them."""

import asyncio
import gc
import threading
from collections.abc import Callable

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.routes import health

WAIT_SECONDS = 10.0
"""The routes are imported once forecasts are answered, which their import would delay, or after this time."""
POLL_SECONDS = 0.02


class LateRoutes:
    """The routes of an application: first those of health, and all once they are imported."""

    def __init__(self, routes: list[BaseRoute]) -> None:
        """Add the first routes to an application's."""
        self._routes = routes
        self._lock, self._turn = threading.Lock(), asyncio.Lock()
        self.are_complete = False
        routes.extend(health.router.routes)

    async def complete_after(self, is_starting: Callable[[], bool]) -> None:
        """Add the others when the start is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_SECONDS
        while is_starting() and loop.time() < deadline:  # noqa: ASYNC110 (as for a probe)
            await asyncio.sleep(POLL_SECONDS)
        await self.wait()

    async def wait(self) -> None:
        """Return when all are there; of those that wait, one takes a thread: a model is loaded in the others."""
        if not self.are_complete:
            async with self._turn:
                await asyncio.to_thread(self.complete)

    def complete(self) -> None:
        """Add the others, unless they are there."""
        with self._lock:
            if self.are_complete:
                return
            from service.api.routes.all import ROUTERS

            # `include_router` would build each of them again at the first request
            self._routes[:] = [route for router in ROUTERS for route in router.routes]
            self.are_complete = True
        if gc.get_freeze_count():
            gc.freeze()  # as what a server imports before: no search for garbage looks at it


class LateRoutesMiddleware:
    """ASGI middleware: a request that comes before its route waits for it."""

    def __init__(self, app: ASGIApp, routes: LateRoutes) -> None:
        """Wrap `app`."""
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on when there is its route."""
        if scope["type"] == "http" and not scope["path"].startswith("/health/"):
            await self._routes.wait()
        await self._app(scope, receive, send)
