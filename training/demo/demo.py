"""The main job, as a person sees it: train on real temperatures, serve the winner, forecast, show the addresses."""

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

from training.demo.ascii_plot import forecast_table
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
WATCH_SECONDS = 1.0

console = Console(stderr=False, highlight=False)


@click.command()
@click.option("--once", is_flag=True, help="Stop after the first served forecast.")
@click.option("--port", default=8000, show_default=True, help="Port of the service; the next free one is taken.")
@click.option("--ui-port", default=5000, show_default=True, help="Port of MLflow's UI; the next free one is taken.")
@click.option("--home", type=click.Path(file_okay=False, path_type=Path), help="Folder for all that is written.")
@click.option("--live", "is_live", is_flag=True, help="Replay years against the service, through a break, to recovery.")
@click.option("--json", "as_json", is_flag=True, help="With --live: print each event as a line of JSON.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="With --live: seed of the trainings."
)
def demo(  # noqa: PLR0913 (click's way)
    *, once: bool, port: int, ui_port: int, home: Path | None, is_live: bool, as_json: bool, seed: int
) -> int:
    """Do the main job: train on real temperatures, serve the winner, forecast 24 months.

    Trains four networks on the monthly temperatures that ship, compares them on a held-out end, registers the winner
    in MLflow, serves it, posts ten years of Nottingham's temperatures to it and shows the forecast. Then the service
    and MLflow's UI go on until Ctrl-C.

    With --live, years are replayed month by month against the running service in a fresh folder below the home: it
    forecasts, the truth arrives, scores appear; then the seasons are turned by half a year, which is made and said so,
    a job retrains, the challenger is promoted on evidence and the service swaps to it. It ends with exit code 0 only if
    live accuracy recovered.

    \b
    Example:
        almanac demo --once
        almanac demo --live
        almanac demo --live --json > events.jsonl
    """  # noqa: D301 click's \b keeps the example's lines
    home = (home or Path(os.environ.get("ALMANAC_HOME") or "almanac-data")).expanduser().absolute()
    if is_live:
        return replay(home, port=port, seed=seed, as_json=as_json)
    if as_json or seed:
        raise click.UsageError("--json and --seed go with --live.")
    with interruptible():
        circle(home, port=port, ui_port=ui_port, once=once)
    return 0


def replay(home: Path, *, port: int, seed: int, as_json: bool) -> int:
    """Play the live story in a folder of its own below `home`, and return 0 if it ended in recovery, else 1.

    Raises:
        ChildFailed: If the training, the service, the worker or a job fails.
    """
    from training.demo.live import Stage, fresh_home, live
    from training.demo.replay import Plan
    from training.progress import plain_console

    folder = fresh_home(home, datetime.now())  # noqa: DTZ005 (a name for the person who sits here)
    with terminable():
        verdict = live(Stage(folder, plain_console(stderr=as_json), port, as_json=as_json), Plan(seed=seed))
    return 0 if verdict.recovered else 1


def circle(home: Path, *, port: int, ui_port: int, once: bool) -> None:
    """Go once round: train, serve, forecast; then go on serving unless it was `once`.

    Raises:
        ChildFailed: If the training, the service or MLflow's UI fails.
    """
    began = time.monotonic()
    environment = {"ALMANAC_HOME": str(home)}
    train(environment)
    with service(home, port, environment) as api, mlflow_ui(home, ui_port, environment, taken=(port,)) as ui:
        api.wait_until_ready("/health/ready", READY_SECONDS)
        request = nottingham_request()
        answer = post_forecast(api.address, request)
        show_forecast(request, answer)
        ui.wait_until_ready("/health", READY_SECONDS)
        show_addresses(api.address, ui.address, time.monotonic() - began, ended=once)
        if not once:
            watch(api, ui)


def train(environment: Mapping[str, str]) -> None:
    """Train, compare and register, with progress on the terminal.

    Raises:
        ChildFailed: If the training failed; it has said why.
    """
    console.rule("[bold]1  Train four networks on real temperatures")
    command = [sys.executable, "-m", "almanac", "train", str(CONFIG)]
    result = subprocess.run(command, env={**os.environ, **environment}, check=False)  # noqa: S603 our own command
    if result.returncode:
        raise ChildFailed(f"The training ended with exit code {result.returncode}.", hint="Its message stands above.")


@contextmanager
def service(home: Path, wanted_port: int, environment: Mapping[str, str]) -> Iterator[ChildProcess]:
    """Serve the champion on loopback while the block lasts."""
    console.rule("[bold]2  Serve the champion")
    port = chosen_port("the service", wanted_port)
    command = [sys.executable, "-m", "almanac", "serve", "--host", LOOPBACK, "--port", str(port)]
    address = f"http://{LOOPBACK}:{port}"
    log = home / "logs" / "service.log"
    with running("The service", command, address=address, log=log, environment=environment) as child:
        yield child


@contextmanager
def mlflow_ui(
    home: Path, wanted_port: int, environment: Mapping[str, str], taken: tuple[int, ...]
) -> Iterator[ChildProcess]:
    """Show the runs on loopback while the block lasts."""
    port = chosen_port("MLflow's UI", wanted_port, taken)
    command = [sys.executable, "-m", "almanac", "ui", "--port", str(port)]
    address = f"http://{LOOPBACK}:{port}"
    log = home / "logs" / "mlflow.log"
    with running("MLflow's UI", command, address=address, log=log, environment=environment) as child:
        yield child


def chosen_port(name: str, wanted: int, taken: tuple[int, ...] = ()) -> int:
    """Return the port for a server, saying so where it is not the one that was wanted."""
    port = free_port(wanted, taken)
    if port != wanted:
        console.print(f"Port {wanted} is taken; {name} goes to {port}.")
    return port


def nottingham_request() -> dict[str, Any]:
    """Return the question: the last ten measured years of Nottingham, and the 24 months after them."""
    with TEMPERATURES.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["unique_id"] == SERIES][-12 * YEARS_SENT :]
    values = [float(row["y"]) for row in rows]
    series = {"id": SERIES, "start": rows[0]["ds"][:7], "frequency": "M", "values": values}
    return {"series": [series], "horizon": HORIZON, "levels": [80], "model": MODEL}


def post_forecast(address: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the service's answer to a forecast request.

    Raises:
        ChildFailed: If the service refuses it; with what it said.
    """
    try:
        return post_json(Address(address, os.environ.get("ALMANAC_API_KEY") or None), "/forecast", request)
    except ServiceRefused as error:
        raise ChildFailed(f"The service refused the forecast. {error}") from error


def show_forecast(request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Print the question, who answered, and the forecast as table and sketch."""
    console.rule("[bold]3  Forecast")
    series, model = request["series"][0], answer["model"]
    console.print(
        f"POST /forecast: {len(series['values'])} months of {series['id']} from {series['start']}, "
        f"horizon {request['horizon']}. Answered by {model['name']} version {model['version']}.",
        soft_wrap=True,
    )
    console.print(forecast_table(series["values"], answer["forecasts"][0]))


def show_addresses(api: str, ui: str, seconds: float, *, ended: bool) -> None:
    """Print where everything answers, or answered before it ended, and how long the way took."""
    console.rule("[bold]4  These answered, and end now" if ended else "[bold]4  Look around")
    console.print(f"  service     {api}")
    console.print(f"  its docs    {api}/docs")
    console.print(f"  MLflow's UI {ui}")
    console.print(f"From measurements to a served forecast in {seconds:.0f} s.")


def watch(*children: ChildProcess) -> None:
    """Go on until Ctrl-C.

    Raises:
        ChildFailed: If one of the children ends by itself.
    """
    console.print("Serving until Ctrl-C.")
    while True:
        for child in children:
            child.check()
        time.sleep(WATCH_SECONDS)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the block as they should: children first, no traceback."""
    with terminable():
        try:
            yield
        except KeyboardInterrupt:
            console.print("Stopped.")


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, children first."""

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
