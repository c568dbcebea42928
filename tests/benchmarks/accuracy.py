"""The accuracy record: `almanac backtest` on the sets of a data folder, as a user runs it, into docs/accuracy.md.

make bench-accuracy
"""

import hashlib
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pandas as pd

from tests.benchmarks import starter_page
from tests.benchmarks.accuracy_page import render

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "accuracy.md"
RECORD = ROOT / "docs" / "accuracy.json"
CARD = "starter.md"
"""Beside the page: the starter's card, which has a table of its own."""

PUBLISHED = "published_monash.csv"
"""Beside the data folder: columns dataset, horizon, lags, metric, method, value."""

ZERO_SHOT = {
    "Tourism Monthly": {"TiRex": 1.449, "TimeCopilot": 1.429, "Chronos-Bolt": 1.528},
    "M3 Monthly": {"TiRex": 0.831, "TimesFM": 0.832, "TimeCopilot": 0.829},
    "M1 Monthly": {"TimesFM": 1.052, "TiRex": 1.060},
    "Hospital": {"TimesFM": 0.755},
}
"""Mean MASE that foundation models have published for these sets, which they had not been trained on."""

PLAIN = "seasonal_naive,climatology"
"""Baselines of a set's second network and further ones: the classical fits are the same as beside the first."""


@dataclass(frozen=True, slots=True)
class Question:
    """One command: a set, a horizon and an architecture, all seeds at once, since their ensemble is one of its rows.

    Attributes:
        file: Stem of the Parquet file.
        title: Of its section, which it shares with the set's other architectures.
        frequency: Given to the command.
        horizon: Steps held out.
        architecture: Network.
        published: Name of the set in the published table, or empty.
        cutoff: One calendar date for all series, or empty.
        classical: Whether AutoETS and AutoTheta are fitted too.
        settings: Handed on with `--set`, where settings are what is compared.
        origins: Blocks held out, one after another, a network trained before each.
    """

    file: str
    title: str
    frequency: str
    horizon: int
    architecture: str
    published: str = ""
    cutoff: str = ""
    classical: bool = True
    settings: tuple[str, ...] = ()
    origins: int = 1

    @property
    def key(self) -> str:
        """Name in the record."""
        blocks = f"{self.origins} origins" if self.origins > 1 else ""
        return "/".join(part for part in (self.file, self.cutoff, blocks, self.architecture, *self.settings) if part)

    def arguments(self, data: str, seeds: int, overrides: Sequence[str]) -> list[str]:
        """Return the arguments of `almanac`."""
        found = ["backtest", "--data", data, "--frequency", self.frequency, "--horizon", str(self.horizon)]
        found += ["--architecture", self.architecture, "--seeds", str(seeds)]
        found += ["--cutoff", self.cutoff] if self.cutoff else []
        found += ["--origins", str(self.origins)] if self.origins > 1 else []
        found += [] if self.classical else ["--baselines", PLAIN]
        return [*found, *(part for one in (*self.settings, *overrides) for part in ("--set", one)), "--json"]


TOURISM, STATIONS = "tourism_monthly", "station_temperatures_monthly"
SHAPES = "Sequence shapes at equal wall time: supervised at the last step, or at every step (Tourism, cut after 2003)"
EQUAL_TIME = "fit.max_seconds=90"
NETWORKS = (
    Question(TOURISM, "Tourism Monthly", "M", 24, "lstm", "Tourism Monthly"),
    *(
        Question(TOURISM, "Tourism Monthly", "M", 24, name, "Tourism Monthly", classical=False)
        for name in ("gru", "wavenet", "simple_rnn")
    ),
    # What one block covers is partly its own calm or turmoil, which all series share.
    Question(TOURISM, "Tourism Monthly, its newest four blocks", "M", 24, "lstm", classical=False, origins=4),
    Question(STATIONS, "Station temperatures, monthly", "M", 24, "wavenet"),
    # The year's end at which most of the stations, 247, have ten years behind them and two ahead.
    Question(STATIONS, "Station temperatures, all cut after 1969", "M", 24, "wavenet", cutoff="1969-12"),
    *(
        Question(TOURISM, SHAPES, "M", 24, "lstm", cutoff="2003-12", classical=False, settings=(shape, EQUAL_TIME))
        for shape in ("fit.shape=many_to_many", "fit.shape=many_to_many_equal")
    ),
    Question("m3_monthly", "M3 Monthly", "M", 18, "lstm", "M3 Monthly"),
    Question("m1_monthly", "M1 Monthly", "M", 18, "wavenet", "M1 Monthly"),
    Question("hospital", "Hospital", "M", 12, "wavenet", "Hospital"),
    Question("nn5_daily", "NN5 Daily", "D", 56, "wavenet", "NN5 Daily"),
    Question("melbourne_temperatures_daily", "Melbourne temperatures, daily", "D", 56, "wavenet"),
)
QUESTIONS = (
    *NETWORKS,
    *(
        replace(one, architecture=name, classical=False)
        for one in {
            one.title: one for one in reversed(NETWORKS) if not (one.cutoff or one.settings or one.origins > 1)
        }.values()
        for name in ("starter", "starter_tuned", "auto")
    ),
)
"""What is measured where its file is there; the architecture is fixed here, before anything is seen."""


@dataclass(frozen=True, slots=True)
class Order:
    """How the questions are put.

    Attributes:
        folder: With the Parquet files.
        seeds: Trainings of each architecture.
        overrides: Settings handed on; none in an honest record.
        fresh: Whether what was measured before is measured again.
        record: Where raw results are kept.
        page: What is made of them.
    """

    folder: Path
    seeds: int
    overrides: tuple[str, ...]
    fresh: bool
    record: Path
    page: Path


@click.command()
@click.option("--data", "folder", type=click.Path(path_type=Path), default=Path("../shared/data"), show_default=True)
@click.option("--only", multiple=True, metavar="TEXT", help="Only questions whose name holds this, such as tourism.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Handed on; the page then shows it.")
@click.option("--fresh", is_flag=True, help="Measure again what was measured before.")
@click.option("--record", type=click.Path(dir_okay=False, path_type=Path), default=RECORD, show_default=True)
@click.option("--page", type=click.Path(dir_okay=False, path_type=Path), default=PAGE, show_default=True)
def accuracy(only: tuple[str, ...], **order: Any) -> None:  # noqa: ANN401 - click's options
    """Put every question that is not answered yet, and write the page after each answer."""
    asked = Order(**order)
    questions = [one for one in present(asked.folder) if not only or any(text in one.key for text in only)]
    if not questions:
        raise click.ClickException(f"No question holds {' or '.join(only)}. Known: {', '.join(map(_key, QUESTIONS))}.")
    failed = []
    for number, question in enumerate(questions, start=1):
        click.echo(f"[{number}/{len(questions)}] {question.key}", err=True)
        if not answer(question, asked):
            failed.append(question.key)
    if failed:
        raise click.ClickException(f"{', '.join(failed)} failed, as said above; run again to go on there.")
    click.echo(f"{asked.page} is written.", err=True)


def present(folder: Path) -> list[Question]:
    """Return the questions whose file is there.

    Raises:
        ClickException: If there is no folder, or none of the files in it.
    """
    if not folder.is_dir():
        raise click.ClickException(f"No data folder {folder}. Name one: make bench-accuracy DATA=folder.")
    found = [one for one in QUESTIONS if (folder / f"{one.file}.parquet").is_file()]
    if not found:
        known = ", ".join(dict.fromkeys(f"{one.file}.parquet" for one in QUESTIONS))
        raise click.ClickException(f"{folder} holds none of {known}.")
    return found


def answer(question: Question, order: Order) -> bool:
    """Return whether a question has its answer in the record, having put it where it had none."""
    file = order.folder / f"{question.file}.parquet"
    shown = question.arguments(file.name, order.seeds, order.overrides)
    stamp = {"arguments": shown, "file_sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    record = read_record(order.record)
    known = record["answers"].get(question.key, {})
    if not order.fresh and all(known.get(key) == value for key, value in stamp.items()):
        click.echo(f"  measured {known['measured']}; --fresh measures it again", err=True)
    else:
        started = time.monotonic()
        result = run(question.arguments(str(file.resolve()), order.seeds, order.overrides))
        if result is None:
            return False
        result["provenance"] |= {"command": shlex.join(["almanac", *shown])}
        result["provenance"]["config"]["data"] = file.name
        measured = datetime.now(UTC).strftime("%Y-%m-%d")
        seconds = round(time.monotonic() - started, 1)
        record["answers"][question.key] = {
            **stamp,
            "question": asdict(question),
            "measured": measured,
            "seconds": seconds,
            "result": result,
        }
    record["published"] |= read_published(order.folder.resolve().parent / PUBLISHED, question.published)
    write(order.record, json.dumps(record, indent=1, allow_nan=False) + "\n")
    write(order.page, render(record, [one.key for one in QUESTIONS]))
    card = order.page.with_name(CARD)
    if card.is_file() and any(key.endswith("/starter") for key in record["answers"]):
        write(card, starter_page.put(card.read_text(encoding="utf-8"), record))
    return True


def run(arguments: Sequence[str]) -> dict[str, Any] | None:
    """Return what `almanac` prints as JSON, its progress shown as it comes; None where it fails."""
    command = [sys.executable, "-m", "almanac", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)  # noqa: S603 - our own program
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def read_record(path: Path) -> dict[str, Any]:
    """Return the record, empty where there is none."""
    if not path.exists():
        return {"answers": {}, "published": {}}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def read_published(path: Path, name: str) -> dict[str, dict[str, dict[str, float]]]:
    """Return a set's published figures by method and measure, or nothing if none are published."""
    if not name:
        return {}
    if not path.is_file():
        click.echo(f"  no {path}, so the page has no published rows of {name}", err=True)
        return {}
    rows = pd.read_csv(path).query("dataset == @name")
    table = {f"{model}, zero-shot": {"mean_MASE": mase} for model, mase in ZERO_SHOT.get(name, {}).items()}
    for method, metric, value in zip(rows["method"], rows["metric"], rows["value"], strict=True):
        if pd.notna(value):
            table.setdefault(str(method), {})[str(metric)] = float(value)
    return {name: table}


def write(path: Path, text: str) -> None:
    """Write a file whole: if the program is ended, there is the old one or the new one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _key(question: Question) -> str:
    return question.key


if __name__ == "__main__":
    accuracy()
