"""Training speed: windows a second of the same two-layer LSTM here and in neuralforecast, in turns, in one run.

make bench
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click

from tests.prove.figures import record

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "training" / "datasets" / "temperatures.csv"
PAGE = ROOT / "docs" / "benchmarks.md"
TITLE = "Training speed"

HORIZON, CONTEXT, BATCH = 24, 48, 256
"""48 steps of context, 256 windows in a step; the horizon of the other benchmark."""

UNITS, LAYERS, SEED = 64, 2, 0

EPOCHS, STEPS = 6, 50
"""Epochs and steps in each; the first epoch compiles and warms up and is not counted."""

REPEATS = 3

WANTED = 3.0
"""Times as fast as the peer that we want to be."""

BUSY = 0.1
"""Share of the machine that others may take before a ratio says little: on a machine with 2 cores at load 5 the peer's
threads, which wait for each other, swung between 51 and 819 windows/s within one run."""


@dataclass(frozen=True, slots=True)
class Speeds:
    """Windows a second of each repeat, ours and theirs, and the share of the machine that other programs took."""

    ours: list[float]
    theirs: list[float]
    others: float

    @property
    def ratio(self) -> float:
        """How many times as fast as the peer we are, by the medians."""
        return statistics.median(self.ours) / statistics.median(self.theirs)


@click.command()
@click.option(
    "--peers", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Python with neuralforecast."
)
@click.option("--repeats", type=click.IntRange(1), default=REPEATS, show_default=True)
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), default=PAGE, show_default=True)
@click.option("--own", is_flag=True, help="Measure Almanac alone, once, and print windows a second.")
def training_speed(peers: Path | None, repeats: int, page: Path, *, own: bool) -> None:
    """Measure both in turns and write the section."""
    if own:
        click.echo(own_speed())
        return
    if peers is None:
        raise click.UsageError("--peers is the Python of .venv-bench, which make bench makes.")
    write(measure(peers, repeats), page)


def measure(peers: Path, repeats: int = REPEATS) -> Speeds:
    """Return the speeds; ours and theirs take turns, each time in a new process."""
    ours = [sys.executable, "-m", "tests.benchmarks.training_speed", "--own"]
    script = Path(__file__).with_name("peers.py")
    work = {"horizon": HORIZON, "context": CONTEXT, "batch": BATCH, "units": UNITS, "layers": LAYERS, "seed": SEED}
    question = json.dumps({**work, "warm_up": STEPS, "steps": EPOCHS * STEPS})
    theirs = [str(peers.absolute()), str(script), "speed", str(DATA), question]
    found: dict[str, list[float]] = {"ours": [], "theirs": []}
    busy, own, began = machine_seconds(), own_seconds(), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(1, repeats + 1):
            for name, command, folder in (("ours", ours, str(ROOT)), ("theirs", theirs, scratch)):
                found[name].append(_last_number(command, folder))
                click.echo(f"training speed {number}/{repeats}: {name} {found[name][-1]:.0f} windows/s", err=True)
    share = others_share(machine_seconds() - busy, own_seconds() - own, time.monotonic() - began, os.cpu_count() or 1)
    return Speeds(found["ours"], found["theirs"], share)


def others_share(busy: float, own: float, wall: float, cores: int) -> float:
    """Return the share of a machine that other programs took, from processor seconds of all and ours, and wall time."""
    return max(0.0, busy - own) / (wall * cores)


def machine_seconds() -> float:
    """Return the processor seconds that all programs have used since the machine started, as Linux counts them."""
    user, nice, system, _, _, irq, softirq = Path("/proc/stat").read_text(encoding="ascii").split()[1:8]
    return sum(map(int, (user, nice, system, irq, softirq))) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """Return the processor seconds that this program and those that it waited for have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def write(speeds: Speeds, page: Path = PAGE) -> None:
    """Write the section: medians, every repeat, the ratio, and whether the machine was ours alone."""
    doubt = ", **so the ratio says little: measure again on a quiet machine**" if speeds.others > BUSY else ""
    record(
        TITLE,
        f"Windows per second of an LSTM of {LAYERS} layers of {UNITS}, batch {BATCH}, context {CONTEXT}, horizon {HORIZON}, "
        "on the six series that ship. The time includes drawing windows and the step, and for Almanac a validation every "
        f"{STEPS} steps; the first {STEPS} steps, with compilation, are left out. Medians of {len(speeds.ours)} alternating "
        "repeats, each in a new process. Almanac learns nine quantiles and logs the norm of every gradient; neuralforecast "
        "uses its own loss, one value per step.",
        {
            "Almanac LSTM, windows/s": _with_median(speeds.ours),
            "neuralforecast LSTM, windows/s": _with_median(speeds.theirs),
            "ratio": f"{speeds.ratio:.2f} (wanted: {WANTED:g} or more)",
            "taken by other programs": f"{speeds.others:.0%} of the machine{doubt}",
        },
        page,
    )


def own_speed(steps: int = STEPS, epochs: int = EPOCHS) -> float:
    """Return windows a second of the training that a user runs, from the times of its one trial's epochs."""
    from training.config.fit import FitConfig
    from training.data.series_set import read_series
    from training.fit.candidate import EpochRecord, TrainingSet
    from training.fit.request import FitRequest
    from training.pipeline.candidates import fit_with_keras

    data = read_series(DATA)
    config = FitConfig(
        units=UNITS,
        layers=LAYERS,
        context_length=CONTEXT,
        encoder_length=CONTEXT,
        transform="none",
        calendar=True,
        batch_size=BATCH,
        steps_per_epoch=steps,
        steps=epochs * steps,
        max_seconds=3600.0,
    )
    seen: list[EpochRecord] = []
    with tempfile.TemporaryDirectory() as scratch:
        fit_with_keras(
            FitRequest(
                training_set=TrainingSet(data.series, data.frequency.name, HORIZON, data.digest),
                architecture="lstm",
                name="speed",
                seed=SEED,
                config=config,
                directory=Path(scratch) / "lstm",
                on_epoch=seen.append,
            )
        )
    tried = [one for one in seen if one.stage == seen[0].stage]
    return BATCH * (tried[-1].step - tried[0].step) / (tried[-1].seconds - tried[0].seconds)


def _last_number(command: list[str], folder: str) -> float:
    """Return the number on the last line that a program prints; what it says beside goes to the terminal."""
    output = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - ours
    return float(output.strip().splitlines()[-1])


def _with_median(repeats: list[float]) -> str:
    return f"{statistics.median(repeats):.0f} ({', '.join(f'{one:.0f}' for one in repeats)})"


if __name__ == "__main__":
    training_speed()
