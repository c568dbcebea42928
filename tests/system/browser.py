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
FEWEST_RULES = 10
"""Rules of axe-core that any view passes."""


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
    """A page in a context of its own, with the requests that it made and the errors of its scripts."""

    def __init__(
        self,
        browser: "Browser",
        address: str,
        script: str = "",
        *,
        ready: str = "#go, #key:visible",
        missing: str | None = None,
        **options: Any,  # noqa: ANN401 (of a context)
    ) -> None:
        """Open the address after a script has run, and wait for what shows that it is ready; files like `missing` are not found."""
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)
        self.page: Page = self.context.new_page()
        self.page.add_init_script(script)
        self.page.set_default_timeout(60_000)
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        if missing is not None:
            self.page.route(missing, lambda route: route.fulfill(status=404))
        self.page.goto(address)
        self.page.wait_for_selector(ready)

    def drop(self, name: str, text: str, *others: str) -> None:
        """Drop a file on the page, and others with the same text."""
        script = "([names, text]) => { const made = new DataTransfer(); for (const name of names) made.items.add(new File([text], name)); return made; }"
        files = self.page.evaluate_handle(script, [[name, *others], text])
        self.page.dispatch_event("#paste", "drop", {"dataTransfer": files})

    def shift(self) -> float:
        """Return how far the layout has shifted without an action of the person (Cumulative Layout Shift)."""
        script = """() => new Promise((resolve) => new PerformanceObserver((list) => resolve(list.getEntries()
            .filter((one) => !one.hadRecentInput).reduce((sum, one) => sum + one.value, 0)))
            .observe({ type: "layout-shift", buffered: true }) ?? setTimeout(() => resolve(0), 300))"""
        return float(self.page.evaluate(script))

    def thinnest_stroke(self, button: str) -> float:
        """Return the width of the thinnest line that charts draw when a button is pressed."""
        self.page.evaluate("""() => {
            const { prototype } = CanvasRenderingContext2D, { stroke } = prototype;
            window.strokes = [];
            prototype.stroke = function (...paths) { if (paths.length) strokes.push(this.lineWidth); stroke.apply(this, paths); };
        }""")
        self.page.get_by_role("button", name=button).click()
        drawn = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(Math.min(...strokes)))))"
        return float(self.page.evaluate(drawn))

    def seconds(self, stamps: list[str]) -> list[float] | None:
        """Return where the charts of the page draw timestamps, null if these do not rise."""
        script = "async (stamps) => (await import(document.querySelector('[href$=\"chart.js\"]').href)).seconds(stamps)"
        found: list[float] | None = self.page.evaluate(script, stamps)
        return found

    def background(self) -> int:
        """Return how bright the page is, 0 to 255."""
        script = "() => Number(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0])"
        return int(self.page.evaluate(script))

    def audit(self) -> list[str]:
        """Return axe-core's serious and critical findings."""
        self.page.evaluate(_axe())
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert len(found["passes"]) > FEWEST_RULES, "axe-core has not looked at the page"
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
