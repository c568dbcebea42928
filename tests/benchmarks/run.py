"""The benchmark: Almanac and its peers on the temperatures that ship, side by side in one run, into docs/benchmarks.md.

make bench
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd

from models.accuracy import mase
from tests.benchmarks import ledger, training_speed
from tests.prove.figures import record
from tests.system.programs import almanac_service
from training.processes import ChildProcess

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "training" / "datasets" / "temperatures.csv"
PAGE = ROOT / "docs" / "benchmarks.md"
HORIZON = 24
SEASON = 12
REQUESTS = 2_000


@click.command()
@click.option("--peers", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--architecture", default="lstm,wavenet", show_default=True)
def benchmark(peers: Path, architecture: str) -> None:
    """Measure everything and write the page."""
    frame = pd.read_csv(DATA, parse_dates=["ds"])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        rows = almanac_rows(folder, architecture)
        rows |= peer_rows(peers, frame, folder)
        with serving(folder) as service:
            body = make_body(frame)
            rows["Almanac served, one connection"] = {"forecast_ms": 1000 * http_latency(service, body)}
            rows["Almanac served, 8 connections"] = {"requests_per_second": throughput(service, body, folder)}
    record(
        "Monthly temperatures",
        f"The six series that ship; the last {HORIZON} months of each are held out. MASE is the mean over series (season "
        f"{SEASON}), with one seed and the defaults of each package. `forecast ms` is the median time of one forecast of one "
        "series; for the classical methods it includes the fit. Gaps are filled for the other packages, because they refuse "
        "NaN.",
        {name: cells(row) for name, row in rows.items()},
        PAGE,
    )
    ledger.write()
    training_speed.write(training_speed.measure(peers))
    click.echo(PAGE.read_text(encoding="utf-8"))


def almanac_rows(folder: Path, architecture: str) -> dict[str, dict[str, float]]:
    """Return the rows of `almanac backtest`: networks and baselines."""
    command = [sys.executable, "-m", "almanac", "backtest", "--data", str(DATA), "--horizon", str(HORIZON)]
    command += ["--architecture", architecture, "--set", "fit.transform=none", "--json"]
    environment = {**os.environ, "ALMANAC_HOME": str(folder / "home")}
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE).stdout  # noqa: S603 ours
    return {f"Almanac {name}": row for name, row in json.loads(output)["models"].items()}


def peer_rows(python: Path, frame: pd.DataFrame, folder: Path) -> dict[str, dict[str, float]]:
    """Return what the peers reach on the same histories, scored by the same function."""
    held_out = frame.groupby("unique_id").tail(HORIZON)
    histories = frame.drop(held_out.index)
    histories.to_csv(folder / "histories.csv", index=False)
    script = Path(__file__).with_name("peers.py")
    arguments = [str(folder / "histories.csv"), str(HORIZON), str(folder / "peers.json")]
    subprocess.run([str(python.absolute()), str(script), *arguments], check=True, cwd=folder)  # noqa: S603 ours
    found: dict[str, Any] = json.loads((folder / "peers.json").read_text(encoding="utf-8"))
    return {
        name: {
            "mase": mean_mase(one["forecasts"], histories, held_out),
            "train_seconds": one["train_seconds"],
            "forecast_ms": one["forecast_ms"],
        }
        for name, one in found.items()
    }


def mean_mase(forecasts: dict[str, list[float]], histories: pd.DataFrame, held_out: pd.DataFrame) -> float:
    """Return the mean over series of the MASE of their forecasts."""
    errors = []
    for name, forecast in forecasts.items():
        monthly = histories[histories["unique_id"] == name].set_index("ds")["y"].asfreq("MS")
        target = held_out[held_out["unique_id"] == name]["y"].to_numpy(dtype=np.float64)
        errors.append(mase(target, np.asarray(forecast), monthly.to_numpy(dtype=np.float64), SEASON))
    return statistics.mean(errors)


def serving(folder: Path) -> Any:  # noqa: ANN401 a context manager of ChildProcess
    """Train one small LSTM with everything that registering needs, and serve it."""
    home = folder / "serving"
    command = [sys.executable, "-m", "almanac", "train", "--data", str(DATA), "--horizon", str(HORIZON)]
    command += ["--architecture", "lstm", "--no-refit", "--set", "fit.max_steps=50", "--set", "fit.transform=none"]
    subprocess.run(command, env={**os.environ, "ALMANAC_HOME": str(home)}, check=True)  # noqa: S603 ours
    return almanac_service(home, f"sqlite:///{home / 'mlflow.db'}")


def make_body(frame: pd.DataFrame) -> str:
    """Return the request that is timed: the last 60 months of Nottingham, 24 months ahead."""
    values = frame[frame["unique_id"] == "nottingham"]["y"].tolist()[-60:]
    series = {"start": "1935-01", "frequency": "M", "values": values}
    return json.dumps({"series": [series], "horizon": HORIZON})


def http_latency(service: ChildProcess, body: str) -> float:
    """Return the median seconds of one request over a kept-alive connection."""
    took = []
    with closing(http.client.HTTPConnection(service.address.removeprefix("http://"), timeout=30)) as connection:
        for _ in range(REQUESTS):
            began = time.perf_counter()
            connection.request("POST", "/forecast", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def throughput(service: ChildProcess, body: str, folder: Path) -> float:
    """Return the requests a second that wrk gets through eight connections, all of them answered with 200."""
    script = folder / "post.lua"
    script.write_text(f"wrk.method = 'POST'\nwrk.body = [[{body}]]\n", encoding="utf-8")
    url = f"{service.address}/forecast"
    command = ["wrk", "--threads", "1", "--connections", "8", "--duration", "10s", "--script", str(script), url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 ours
    if "Non-2xx" in output:
        raise click.ClickException(output)
    return float(output.split("Requests/sec:")[1].split()[0])


def cells(row: dict[str, float]) -> str:
    """Return a row's figures as one cell."""
    shown = {
        "MASE": "mase",
        "train s": "train_seconds",
        "forecast ms": "forecast_ms",
        "requests/s": "requests_per_second",
    }
    return ", ".join(f"{label} {row[key]:.4g}" for label, key in shown.items() if row.get(key) is not None)


if __name__ == "__main__":
    benchmark()
