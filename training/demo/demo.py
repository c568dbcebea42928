"""Demo command: `almanac demo` trains on real temperatures, serves the winner and forecasts; --live replays years."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console

from training.config.toml import read_config
from training.demo.forecast_table import forecast_table
from training.processes import LOOPBACK, ChildFailed, ChildProcess, free_port, running
from training.service_client.client import Address, ServiceRefused, post_json

HERE = Path(__file__).parents[1]
CONFIG = HERE / "configs" / "temperatures.toml"
TEMPERATURES = HERE / "datasets" / "temperatures.csv"
MODEL = "temperatures"
SERIES = "nottingham"
YEARS_SENT = 10
HORIZON = 24
READY_SECONDS = 120.0
CHECK_SECONDS = 1.0

console = Console(stderr=False, highlight=False)


@click.command()
@click.option("--once", is_flag=True, help="Stop after the first served forecast.")
@click.option("--port", default=8000, show_default=True, help="Port of the service; if in use, the next free one.")
@click.option("--ui-port", default=5000, show_default=True, help="Port of MLflow's UI; if in use, the next free one.")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Folder for everything that is written.")
@click.option("--live", "is_live", is_flag=True, help="Replay years against the service, through a break, to recovery.")
@click.option("--json", "as_json", is_flag=True, help="With --live: print each event as a line of JSON.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="With --live: seed of the trainings."
)
def demo(  # noqa: PLR0913 (click's way)
    *, once: bool, port: int, ui_port: int, home: Path | None, is_live: bool, as_json: bool, seed: int
) -> int:
    """Train on real temperatures, serve the winner, forecast 24 months.

    Trains two networks and tunes the starter on the monthly temperatures in the package, compares them on held-out months, registers the winner
    in MLflow, serves it, and requests a forecast for ten years of Nottingham's temperatures. The service and MLflow's UI run
    until Ctrl-C.

    With --live, years are replayed month by month against a running service in a new folder below the home: it forecasts,
    gets observations and scores its forecasts. Then the seasons are shifted by half a year, an artificial break: a job
    retrains, the challenger is promoted on evidence, and the service uses it. The exit code is 0 only if live accuracy
    recovered.

    \b
    Example:
        almanac demo --once
        almanac demo --live
        almanac demo --live --json > events.jsonl
    """  # noqa: D301 click's \b keeps the example's lines
    home = (home or Path(os.environ.get("ALMANAC_HOME") or "almanac-data")).expanduser().absolute()
    if not is_live and (as_json or seed):
        raise click.UsageError("--json and --seed need --live.")
    with sigterm_as_interrupt():
        if is_live:
            return replay(home, port=port, seed=seed, as_json=as_json)
        try:
            train_and_serve(home, port=port, ui_port=ui_port, once=once)
        except KeyboardInterrupt:
            console.print("Stopped.")
    return 0


def replay(home: Path, *, port: int, seed: int, as_json: bool) -> int:
    """Run the live demo in a new folder below `home`, and return 0 if accuracy recovered, else 1."""
    from training.demo.live import LiveDemo, make_home, run_live
    from training.demo.replay import ReplayPlan
    from training.progress import plain_console

    folder = make_home(home, datetime.now())  # noqa: DTZ005 (local time, for the user)
    recovery = run_live(LiveDemo(folder, plain_console(stderr=as_json), port, as_json=as_json), ReplayPlan(seed=seed))
    return 0 if recovery.recovered else 1


def train_and_serve(home: Path, *, port: int, ui_port: int, once: bool) -> None:
    """Train, serve and forecast; then serve until Ctrl-C unless `once`.

    Raises:
        ChildFailed: If the training, the service or MLflow's UI fails.
    """
    began, environment = time.monotonic(), {"ALMANAC_HOME": str(home)}
    console.rule("[bold]1  Train on real temperatures")
    train(environment)
    console.rule("[bold]2  Serve the champion")
    serve, ui = ["serve", "--host", LOOPBACK], ["ui"]
    with (
        serving("The service", serve, home / "logs" / "service.log", port, environment) as api,
        serving("MLflow's UI", ui, home / "logs" / "mlflow.log", ui_port, environment, taken=(port,)) as mlflow_ui,
    ):
        api.wait_until_ready("/health/ready", READY_SECONDS)
        console.rule("[bold]3  Forecast")
        show_forecast(api.address)
        mlflow_ui.wait_until_ready("/health", READY_SECONDS)
        console.rule("[bold]4  Addresses")
        console.print(
            f"  service     {api.address}\n  API docs    {api.address}/docs\n  MLflow's UI {mlflow_ui.address}"
        )
        console.print(f"From measurements to a served forecast in {time.monotonic() - began:.0f} s.")
        if not once:
            console.print("Serving until Ctrl-C.")
        while not once:
            api.check()
            mlflow_ui.check()
            time.sleep(CHECK_SECONDS)


def train(environment: Mapping[str, str]) -> None:
    """Train, compare and register, with progress on the terminal; raises ChildFailed if the training failed."""
    from training.config.fit import FitConfig

    minutes = read_config(CONFIG).get("fit", {}).get("max_seconds", FitConfig().max_seconds) / 60
    console.print(f"Each candidate takes up to {minutes:.0f} minutes, and the winner as long again on all data.")
    command = [sys.executable, "-m", "almanac", "train", str(CONFIG)]
    code = subprocess.run(command, env={**os.environ, **environment}, check=False).returncode  # noqa: S603 our own command
    if code:
        raise ChildFailed(f"The training ended with exit code {code}.", hint="See its message above.")


@contextmanager
def serving(  # noqa: PLR0913, PLR0917 (a program, its log and its port)
    name: str,
    arguments: list[str],
    log: Path,
    wanted_port: int,
    environment: Mapping[str, str],
    taken: tuple[int, ...] = (),
) -> Iterator[ChildProcess]:
    """Run a server of `almanac` on a free loopback port while the block lasts."""
    port = free_port(wanted_port, taken)
    if port != wanted_port:
        console.print(f"Port {wanted_port} is in use; {name} uses {port}.")
    command = [sys.executable, "-m", "almanac", *arguments, "--port", str(port)]
    with running(name, command, address=f"http://{LOOPBACK}:{port}", log=log, environment=environment) as child:
        yield child


def nottingham_request() -> dict[str, Any]:
    """Return the request: the last ten years of Nottingham, and the 24 months after them."""
    with TEMPERATURES.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["unique_id"] == SERIES][-12 * YEARS_SENT :]
    values = [float(row["y"]) for row in rows]
    series = {"id": SERIES, "start": rows[0]["ds"][:7], "frequency": "M", "values": values}
    return {"series": [series], "horizon": HORIZON, "levels": [80], "model": MODEL}


def show_forecast(address: str) -> None:
    """Request the forecast and print it as a table; raises ChildFailed if the service refuses it."""
    request = nottingham_request()
    try:
        response = post_json(Address(address, os.environ.get("ALMANAC_API_KEY") or None), "/forecast", request)
    except ServiceRefused as error:
        raise ChildFailed(f"The service refused the forecast. {error}") from error
    series, model = request["series"][0], response["model"]
    console.print(
        f"POST /forecast: {len(series['values'])} months of {series['id']} from {series['start']}, horizon "
        f"{request['horizon']}. The forecast is from {model['name']} version {model['version']}.",
        soft_wrap=True,
    )
    console.print(forecast_table(series["values"], response["forecasts"][0]))


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, so that the child processes are ended as on Ctrl-C."""

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
