"""Fixtures of the tests of the page."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.system.browser import Visit, chromium
from tests.system.page_service import Open, Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a running service."""
    with serving(tmp_path_factory.mktemp("page")) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the browser of all tests of a file."""
    expect.set_options(timeout=60_000)
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Open]:
    """Return a function that opens the page; at the end no request has left the service, and no script has failed."""
    opened: list[Visit] = []

    def visit(*, key: str | None = "admin", hash: str = "", **options: Any) -> Visit:  # noqa: A002, ANN401
        script = f"sessionStorage.setItem('almanac.key', '{served.keys[key]}')" if key else ""
        opened.append(Visit(browser, f"{served.address}/{hash}", script, **options))
        return opened[-1]

    yield visit
    for one in opened:
        assert one.errors == []
        assert {url for url in one.asked if not url.startswith((served.address, f"blob:{served.address}"))} == set()
        one.context.close()
