"""Page service: a running service with keys, two versions of a model and scored forecasts, and what tests do on its page."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from service.api.key_file import make_key, write_keys
from tests.service.home import Artifacts, ServiceHome
from tests.service.server_process import NO_REGISTRY, PROGRAM, ServerProcess
from tests.system.browser import Visit
from tests.system.page_inputs import HOSTILE, MONTHS, VALUES

REGISTRY_IN_THE_INDEX = """
from dataclasses import replace
async def ask(self, question):
    move, index = question["move"], self._cache.read()
    model = index.models[move["name"]]
    if move["reason"] == "Denied.":
        return {"error": "RegistryError", "detail": "The registry refuses.", "hint": "Ask its owner."}
    old, new = model.aliases["champion"], move["version"] if move["action"] == "promote" else model.aliases["previous"]
    moved = replace(model, aliases={**model.aliases, "champion": new, "previous": old})
    self._cache.write(replace(index, models={**index.models, move["name"]: moved}))
    return {"name": move["name"], "champion": new, "previous": old, "changed": True}
Supervisor.ask = ask
"""
"""Follows NO_REGISTRY: moves the champion where the registry process would have written it."""


Open = Callable[..., Visit]
"""Opens the page with the key of a scope."""


@dataclass(frozen=True, slots=True)
class Served:
    """A running service with keys: its address and a key for each set of scopes."""

    server: ServerProcess
    address: str
    keys: dict[str, str]

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401 (any JSON)
        """Send JSON with the key of an administrator; waits up to a minute for the database to open."""
        for _ in range(60):
            answer = self.server.client.post(path, json=body, headers={"x-api-key": self.keys["admin"]})
            if answer.status_code != 503:
                break
            time.sleep(1)
        assert answer.status_code < 400, answer.text
        return answer.json()


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Run a service with two versions of a model, scored forecasts of series with hostile ids, and a schedule."""
    home = ServiceHome(folder / "home", Artifacts(folder / "artifacts"))
    home.publish("temperatures", "1")
    home.publish("temperatures", "2", alias="challenger", shift=1.0)
    made = {name: make_key(name, (name,), "2026-01-01") for name in ("admin", "forecast", "erase")}
    write_keys(home.path / "keys.json", tuple(key for _, key in made.values()))
    with ServerProcess(home.path, program=NO_REGISTRY + REGISTRY_IN_THE_INDEX + PROGRAM) as server:
        server.ready()
        found = Served(server, str(server.client.base_url), {name: secret for name, (secret, _) in made.items()})
        _observe(found, 0, 60)
        history = [{"id": one, "timestamps": MONTHS[:60], "values": VALUES[:60]} for one in (HOSTILE, "leeds")]
        found.post("/forecast", {"series": history, "horizon": 6, "model": "temperatures"})
        _observe(found, 60, 66)
        config = {"data": "service", "horizon": 12, "frequency": "M"}
        found.post("/schedules", {"name": "temperatures", "cron": "0 3 1 * *", "config": config})
        found.post("/jobs", {"name": "temperatures", "config": config})
        yield found


def _observe(served: Served, first: int, last: int) -> None:
    rows = [
        {"id": one, "timestamp": MONTHS[at], "value": VALUES[at]}
        for one in (HOSTILE, "leeds")
        for at in range(first, last)
    ]
    served.post("/observations", {"observations": rows, "frequency": "M"})


def paste(page: Page, text: str) -> None:
    """Paste a text, and wait until the service has read it."""
    page.fill("#paste", text)
    expect(page.locator("#go")).to_be_enabled()


def forecast(page: Page) -> dict[str, list[float]]:
    """Press the button, and return the columns of the table of numbers."""
    page.click("#go")
    page.wait_for_selector(".results:not([hidden])")
    head = page.locator("#numbers thead th").all_text_contents()
    rows = page.locator("#numbers tbody tr")
    cells = [[float(one.get_attribute("value") or "") for one in row.locator("data").all()] for row in rows.all()]
    return {name: [row[place] for row in cells] for place, name in enumerate(head[1:])}
