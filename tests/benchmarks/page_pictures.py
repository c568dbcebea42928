"""Pictures of the page at / for the documents: a service with some of the demo's temperatures, in light and dark.

`make page-pictures` writes docs/page-*.png.
"""

import io
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from tests.service.home import eventually
from tests.service.server_process import NO_REGISTRY, PROGRAM, ServerProcess
from tests.system.browser import Visit, chromium

ROOT = Path(__file__).parents[2]
DATA = ROOT / "training" / "datasets" / "temperatures.csv"
KNOWN, HORIZON = 360, 12
"""Newest months of each series that are stored, and steps of the forecasts that are scored."""
COLOURS = 96
ORIGINS = (72, 48, 24)
"""Months before the end at which these forecasts are made."""


def serving(home: Path) -> ServerProcess:
    """Start a service without a registry."""
    return ServerProcess(home, program=NO_REGISTRY + PROGRAM, ALMANAC_MODEL="starter")


def main() -> None:
    """Store, forecast and score temperatures, and take the pictures."""
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as server:
        name = store(server.ready())
        with chromium() as browser:
            for scheme in ("light", "dark"):
                take(Visit(browser, str(server.client.base_url), color_scheme=scheme), scheme, name)


def store(server: ServerProcess) -> str:
    """Post observations of some stations, with forecasts made on the way; return the id of the first."""
    frame = pd.read_csv(DATA)
    names = [name for name in frame["unique_id"].unique() if name.endswith("_max")][:4] or list(
        frame["unique_id"].unique()[:4]
    )
    histories = {name: rows.tail(KNOWN) for name, rows in frame[frame["unique_id"].isin(names)].groupby("unique_id")}
    done = 0
    for before in (*ORIGINS, 0):
        end = KNOWN - before
        rows = [
            {"id": name, "timestamp": stamp, "value": None if pd.isna(value) else value}
            for name, history in histories.items()
            for stamp, value in history[["ds", "y"]].iloc[done:end].itertuples(index=False)
        ]
        server.client.post("/observations", json={"observations": rows, "frequency": "M"}).raise_for_status()
        done = end
        if before:
            series = [
                {"id": name, "timestamps": history["ds"][:end].tolist(), "values": history["y"][:end].tolist()}
                for name, history in histories.items()
            ]
            body = {"series": series, "horizon": HORIZON, "levels": [80, 95], "model": "starter"}
            server.client.post("/forecast", json=body).raise_for_status()
    eventually(lambda: is_scored(server.client.get("/accuracy").json()), "the forecasts were not scored")
    return str(next(iter(histories)))


def is_scored(accuracy: dict[str, Any]) -> bool:
    """Return whether there are scores, and no forecast waits for its own."""
    return bool(accuracy["rows"]) and not accuracy["due"]


def take(visit: Visit, scheme: str, name: str) -> None:
    """Take the pictures of one colour scheme."""
    page, held_out = visit.page, scheme == "dark"
    page.set_viewport_size({"width": 1160, "height": 800})
    page.select_option("#stored", name)
    page.wait_for_selector("#go:not([disabled])")
    page.fill("#horizon", "24")
    if held_out:
        page.check("#held")
    page.click("#go")
    page.wait_for_selector(".results:not([hidden])")
    keep(page.screenshot(full_page=True), f"page-forecast-{scheme}.png")
    if not held_out:
        page.get_by_role("link", name="Accuracy").click()
        page.wait_for_selector("#accuracy .uplot")
        page.wait_for_timeout(1_000)
        keep(page.screenshot(full_page=True), "page-accuracy.png")
    visit.context.close()


def keep(picture: bytes, name: str) -> None:
    """Write a picture with few colours, which takes a third of the bytes."""
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(ROOT / "docs" / name, optimize=True)


if __name__ == "__main__":
    main()
