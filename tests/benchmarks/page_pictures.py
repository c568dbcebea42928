"""Pictures of the page at / for the documents: a service with two trained versions and a job, in light and dark.

`make page-pictures` trains small networks on the demo's temperatures, lets a worker retrain them, and writes docs/page-*.png.
`python -m tests.benchmarks.page_pictures URL` takes the pictures of a running service that has such a model and a job.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
from PIL import Image

from tests.service.home import eventually
from tests.service.server_process import ServerProcess
from tests.system.browser import Visit, chromium

ROOT = Path(__file__).parents[2]
DATA = ROOT / "training" / "datasets" / "temperatures.csv"
NAME = "temperatures"
KNOWN, HORIZON = 360, 12
"""Newest months of each series that are stored, and steps of the forecasts that are scored."""
COLOURS = 96
ORIGINS = (72, 48, 24)
"""Months before the end at which these forecasts are made."""
SMALL = {"fit.units": 16, "fit.layers": 1, "fit.max_steps": 200, "fit.steps_per_epoch": 50}
BASELINES = ["seasonal_naive", "climatology"]
CONFIG = {
    "data": str(DATA),
    "horizon": HORIZON,
    "architecture": ["lstm", "wavenet"],
    "unit": "°C",
    "baselines": BASELINES,
}


def main() -> None:
    """Train, store, forecast, score and retrain, and take the pictures."""
    if sys.argv[1:]:
        with httpx.Client(base_url=sys.argv[1], timeout=30) as client:
            take(sys.argv[1], store(client))
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        train(home, "lstm", "first.log")
        train(home, "lstm,wavenet", "second.log", seed=1)
        with ServerProcess(home) as server, worker(home, str(server.client.base_url)):
            first = store(server.ready().client)
            retrain(server.client)
            take(str(server.client.base_url), first)


def take(address: str, series: str) -> None:
    """Take all pictures of a service; those of forecasts with one of its series."""
    with chromium() as browser:
        for scheme in ("light", "dark"):
            forecast(Visit(browser, address, color_scheme=scheme), scheme, series)
        for view, ready in {"accuracy": ".uplot", "models": "article", "jobs": ".job"}.items():
            look(Visit(browser, f"{address}/#{view}", ready=f"#{view} {ready}"), view)


def almanac(home: Path, *arguments: str) -> tuple[Sequence[str], Mapping[str, str]]:
    """Return the command line of the command `almanac`, and its environment."""
    return [sys.executable, "-m", "almanac", *arguments], {**os.environ, "ALMANAC_HOME": str(home)}


def train(home: Path, architecture: str, log: str, *, seed: int = 0) -> None:
    """Train a version of the model."""
    flags = [f"--set={name}={value}" for name, value in SMALL.items()]
    command, environment = almanac(
        home, "train", "--data", str(DATA), "--horizon", str(HORIZON), "--architecture", architecture, *flags
    )
    with (home / log).open("w") as output:
        subprocess.run(  # noqa: S603 (our own command)
            [*command, f"--seed={seed}", "--unit=°C", f"--baselines={','.join(BASELINES)}"],
            env=environment,
            check=True,
            stdout=output,
            stderr=output,
        )


@contextmanager
def worker(home: Path, service: str) -> Iterator[None]:
    """Run a worker."""
    command, environment = almanac(home, "worker")
    with (home / "worker.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 (our own command)
            command, env={**environment, "ALMANAC_SERVICE_URL": service}, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def retrain(client: httpx.Client) -> None:
    """Add a schedule, and run a job to its end."""
    fit = {name.partition(".")[2]: value for name, value in SMALL.items()}
    config = {**CONFIG, "fit": fit}
    schedule = {"name": "monthly", "cron": "0 3 1 * *", "config": {**config, "name": NAME}}
    client.post("/schedules", json=schedule).raise_for_status()
    job = client.post("/jobs", json={"name": NAME, "config": config}).raise_for_status().json()["id"]
    while (state := client.get(f"/jobs/{job}").json()["state"]) in {"QUEUED", "RUNNING"}:
        time.sleep(1)
    assert state == "SUCCEEDED", state


def store(client: httpx.Client) -> str:
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
        client.post("/observations", json={"observations": rows, "frequency": "M"}).raise_for_status()
        done = end
        if before:
            series = [
                {"id": name, "timestamps": history["ds"][:end].tolist(), "values": history["y"][:end].tolist()}
                for name, history in histories.items()
            ]
            for model in ("starter", NAME):
                body = {"series": series, "horizon": HORIZON, "levels": [80, 95], "model": model}
                client.post("/forecast", json=body).raise_for_status()
    eventually(lambda: is_scored(client.get("/accuracy").json()), "the forecasts were not scored")
    return str(next(iter(histories)))


def is_scored(accuracy: dict[str, Any]) -> bool:
    """Return whether there are scores, and no forecast waits for its own."""
    return bool(accuracy["rows"]) and not accuracy["due"]


def forecast(visit: Visit, scheme: str, name: str) -> None:
    """Take the picture of a forecast: in light colours of what comes, in dark ones of held-out points by the starter."""
    page, held_out = visit.page, scheme == "dark"
    page.set_viewport_size({"width": 1160, "height": 800})
    page.select_option("#stored", name)
    page.wait_for_selector("#go:not([disabled])")
    page.fill("#horizon", "24")
    if held_out:
        page.check("#held")
        page.get_by_label("starter").check()
        page.locator("input[name=model]:checked").first.uncheck()
    page.click("#go")
    page.wait_for_selector(".results:not([hidden])")
    page.wait_for_selector(f"text={'held-out points' if held_out else 'Known before'}")
    keep(page.screenshot(full_page=True), f"page-forecast-{scheme}.png")
    visit.context.close()


def look(visit: Visit, view: str) -> None:
    """Take the picture of another view, with its details open."""
    page = visit.page
    page.set_viewport_size({"width": 1160, "height": 800})
    if view == "models":
        page.locator("article", has_text="champion").locator("summary").first.click()
        page.locator(".moves > summary").click()
        page.wait_for_selector("#models .uplot")
    if view == "jobs":
        page.click("#dry-run")
        page.wait_for_selector("text=now.")
        page.locator(".job summary").first.click()
    page.wait_for_timeout(1_000)
    keep(page.screenshot(full_page=True), f"page-{view}.png")
    visit.context.close()


def keep(picture: bytes, name: str) -> None:
    """Write a picture with few colours, which takes a third of the bytes."""
    with Image.open(io.BytesIO(picture)) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(ROOT / "docs" / name, optimize=True)


if __name__ == "__main__":
    main()
