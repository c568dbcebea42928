import os
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from models import artifact
from models.spec import ModelOptions
from tests.artifacts import make_artifact
from tests.training.fakes import make_epoch
from training.cli.tables import blocks_table, models_table, scores_table
from training.fit.candidate import Candidate
from training.progress import Progress, describe_fit, native_noise_hidden


def printed(*things: object, terminal: bool = False) -> str:
    """Return what a console makes of things."""
    console = Console(file=StringIO(), width=160, force_terminal=terminal)
    for thing in things:
        console.print(thing)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("transform", "options", "line"),
    [
        ("none", ModelOptions(steps=300), "lstm: 300 steps on plain values; validation MASE 0.7122"),
        (
            "log",
            ModelOptions(steps=900, calendar=False, synthetic_share=0.5),
            "lstm: 900 steps on logarithms, without the calendar, 50% of the windows synthetic; validation MASE 0.7122",
        ),
        (
            "none",
            ModelOptions(steps=100, synthetic_share=0.0, tuned_share=0.5),
            "lstm: 100 steps on plain values, 50% of the tuned weights; validation MASE 0.7122",
        ),
    ],
)
def test_what_a_training_chose_is_one_line(
    tmp_path: Path, progress: Progress, transform: str, options: ModelOptions, line: str
) -> None:
    """In words: the names of the trials are short for those who know them."""
    make_artifact(tmp_path)
    forecaster = artifact.update_spec(tmp_path, transform=transform, options=options)
    candidate = Candidate(tmp_path, forecaster, (), {"mase": 0.71218}, 1.0)

    progress.report_choice("lstm", candidate)

    assert describe_fit("lstm", candidate) == line
    assert isinstance(progress.console.file, StringIO)
    assert line in progress.console.file.getvalue()


@pytest.mark.parametrize(("is_terminal", "lines"), [(False, 2), (True, 1)])
def test_a_terminal_rewrites_its_line_and_a_file_collects_them(is_terminal: bool, lines: int) -> None:  # noqa: FBT001 - a parametrised truth
    """A person sees one line moving; a log keeps them all."""
    console = Console(file=StringIO(), width=160, force_terminal=is_terminal)

    with Progress(console).training("lstm") as show:
        for number in (1, 2):
            show(make_epoch(number))

    assert isinstance(console.file, StringIO)
    assert console.file.getvalue().count("\n") == lines
    assert "epoch   2" in console.file.getvalue()


@pytest.mark.parametrize(("is_terminal", "total", "lines"), [(False, 20, 0), (False, 100, 10), (True, 100, 1)])
def test_a_count_is_a_moving_line_or_ten_lines(is_terminal: bool, total: int, lines: int) -> None:  # noqa: FBT001 - a parametrised truth
    """A person sees it count, a log of many series gets a line for each tenth."""
    console = Console(file=StringIO(), width=160, force_terminal=is_terminal)

    with Progress(console).counting("auto_ets", total) as show:
        for done in range(1, total + 1):
            show(done)

    assert isinstance(console.file, StringIO)
    assert len(re.findall(r" series(, 0 s)?\n", console.file.getvalue())) == lines


def test_the_best_row_of_a_backtest_is_marked() -> None:
    """The least error stands out; dropped series are counted."""
    row = {"mase": 0.9, "mase_median": 0.8, "smape": 10.0, "mae": 1.0, "coverage_80": 0.8, "series_scored": 3.0}
    rows = {"lstm": {**row, "train_seconds": 2.0}, "seasonal_naive": {**row, "mase": 1.0, "train_seconds": 0.0}}

    text = printed(scores_table(rows, 2), terminal=True)

    marked = [line for line in text.splitlines() if "\x1b[1;32m" in line]
    assert len(marked) == 1
    assert "lstm" in marked[0]
    assert "2 series dropped" in text


def test_origins_stand_side_by_side() -> None:
    """A row for each model, its error and coverage at each origin."""
    newest = {"mase": 1.41, "coverage_80": 0.857, "series_scored": 366}
    blocks = {"lstm": [newest, {"mase": 1.68, "coverage_80": 0.798, "series_scored": 365}]}

    text = printed(blocks_table(blocks))

    assert "2: 365 series" in text
    assert "1.410 (0.857)" in text
    assert "1.680 (0.798)" in text


def test_models_are_listed_with_aliases_and_figures() -> None:
    """Metrics that a run does not have stay empty."""
    row = {"name": "weather", "version": "2", "aliases": ["champion"], "architecture": "lstm", "created": "2026"}

    text = printed(models_table([{**row, "metrics": {"backtest.mase": 0.8123}}, {**row, "metrics": {}}]))

    assert "champion" in text
    assert "0.812" in text


def test_noise_of_native_libraries_is_hidden_while_they_load(tmp_path: Path) -> None:
    """What is written to the file descriptor itself is gone; afterwards it is heard again."""
    kept = os.dup(2)
    with (tmp_path / "heard").open("wb") as file:
        os.dup2(file.fileno(), 2)
        with native_noise_hidden():
            os.write(2, b"noise")
        os.write(2, b"words")
        os.dup2(kept, 2)
    os.close(kept)

    assert (tmp_path / "heard").read_bytes() == b"words"
