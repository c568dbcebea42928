"""The application: its routes, and what becomes of its background tasks."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from service import app
from service.api.routes.all import ROUTERS
from service.settings import Settings
from tests.stand_in import stand_in


def test_a_background_task_that_fails_is_logged_and_begins_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After pauses that grow; one that ends does not."""
    errors: list[Exception | None] = [OSError(24, "Too many open files"), RuntimeError("no"), None]
    pauses: list[float] = []

    async def work() -> None:
        if (error := errors.pop(0)) is not None:
            raise error

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("service.app.asyncio", stand_in(asyncio, sleep=pause))

    asyncio.run(app.keep_running(work))

    assert (errors, pauses) == ([], [1.0, 2.0])
    assert [str(one.exc_info[1]) for one in caplog.records if one.exc_info] == ["[Errno 24] Too many open files", "no"]


def test_a_background_task_is_cancelled_at_the_end() -> None:
    """It does not begin again."""

    async def run() -> bool:
        task = asyncio.create_task(app.keep_running(asyncio.Event().wait))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(run())


def test_the_routes_are_those_of_the_modules(tmp_path: Path) -> None:
    """Not copies of them, which FastAPI would build at the first request; those of health are there at once."""
    application = app.create_app(Settings(home=tmp_path), supervise=False)
    first = [one.path for one in application.routes if isinstance(one, Route)]

    application.late_routes.complete()

    assert set(first) == {"/health/live", "/health/ready"}
    assert set(map(id, application.routes)) == {id(one) for router in ROUTERS for one in router.routes}


def test_a_start_imports_no_routes_but_those_of_health() -> None:
    """They take a tenth of its time."""
    program = (
        "import sys, service.app; print(*(name for name in sys.modules if name.startswith('service.api.routes.')))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - ours

    assert {*done.stdout.split()} == {"service.api.routes.health", "service.api.routes.late"}


def test_the_first_request_waits_for_its_route(tmp_path: Path) -> None:
    """And for no other request's: an unknown path is one that no route has."""
    application = app.create_app(Settings(home=tmp_path), supervise=False)

    with TestClient(application) as client:
        application.late_routes.are_complete = False
        del application.routes[:]
        answers = [client.get(path).status_code for path in ("/openapi.json", "/nowhere")]

    assert answers == [200, 404]


def test_requests_that_wait_for_routes_leave_the_threads_in_which_a_model_is_loaded(tmp_path: Path) -> None:
    """They are as many as they like, asyncio's threads a few."""
    routes = app.create_app(Settings(home=tmp_path), supervise=False).late_routes
    imported = threading.Event()
    routes.complete = lambda: imported.wait(10)  # type: ignore[assignment, method-assign]

    async def run() -> None:
        waiting = [asyncio.create_task(routes.wait()) for _ in range(40)]
        await asyncio.sleep(0)
        await asyncio.to_thread(imported.set)
        await asyncio.gather(*waiting)

    asyncio.run(asyncio.wait_for(run(), 9))
