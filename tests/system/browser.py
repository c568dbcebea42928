"""Browser: Debian's Chromium, driven by Playwright, and a page that remembers what it asked for and what went wrong."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
SERIOUS = {"serious", "critical"}


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Run headless Chromium; Playwright's own browsers are not downloaded."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program is not None
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(OPTIONS))
        yield browser
        browser.close()


class Visit:
    """A page in a context of its own, with the requests that left it and the errors of its scripts."""

    def __init__(self, browser: "Browser", address: str, **options: Any) -> None:  # noqa: ANN401 (a context's options)
        """Open the address, and wait until its forecast view is drawn or it asks for a key."""
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.page.wait_for_selector("#go, #key")

    def audit(self) -> list[str]:
        """Return axe-core's serious and critical findings."""
        self.page.evaluate(_axe())
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary'][:300]}"
            for one in found["violations"]
            if one["impact"] in SERIOUS
        ]

    def fails_to_fit(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def _axe() -> str:
    """Return axe-core, which the package axe-playwright-python carries."""
    package = find_spec("axe_playwright_python")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")
