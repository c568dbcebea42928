"""`almanac evaluate-starter`: a folder of sets in, errors of the starter and the baselines out."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import starters
from tests.artifacts import make_artifact
from tests.starters import make_starters
from tests.training.cli.command_line import Run
from tests.training.evaluation.benchmark_folders import write_set
from training.evaluation import classical, zero_shot
from training.evaluation.benchmark_sets import SetSplit
from training.evaluation.classical import ClassicalForecast, Work

YEARS = [1.0, 3.0, 2.0, 6.0, 8.0, 4.0]
MONTHS = [*range(24), 30.0, 1.0]
HALF_HOURS = [float(step % 48) for step in range(48 * 4)]


@pytest.fixture(autouse=True)
def _small_starters(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Use starters that repeat the last season, each alone."""
    monkeypatch.setattr(starters, "BLENDS", {})
    monkeypatch.setattr(starters, "FOLDER", make_starters(tmp_path_factory.mktemp("starters"), only=("Y", "M", "h")))


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Return a folder of three sets."""
    folder = tmp_path / "sets"
    folder.mkdir()
    write_set(folder, "years", {"a": YEARS}, frequency="Y", horizon=2)
    write_set(folder, "months", {"b": MONTHS, "c": [5.0] * 20}, frequency="M", horizon=2, season=12)
    write_set(folder, "halves", {"d": HALF_HOURS}, frequency="30min", horizon=48, season=48)
    return folder


def fit_one(work: Work) -> dict[str, ClassicalForecast]:
    """Return a forecast of 5 with intervals of the width of their level; series that end in 9 fail."""
    ones = np.ones(work.horizon)
    bounds = {level: (5 * ones - level, 5 * ones + level) for level in work.levels}
    return dict.fromkeys(work.names, ClassicalForecast(5 * ones, bounds, 0.1, "no" if work.values[-1] == 9 else ""))


def evaluate(run: Run, *arguments: object, code: int = 0) -> Mapping[str, Any]:
    """Return the JSON of the command."""
    found = run("evaluate-starter", *arguments, "--json")
    assert found.exit_code == code, found.output
    result: Mapping[str, Any] = json.loads(found.stdout)
    return result


def test_errors_are_those_computed_by_hand(run: Run, sets: Path) -> None:
    """The starter repeats the last value or season; the scale is the mean difference over a season; a history that repeats itself has none."""
    found = evaluate(run, sets, "--no-baselines")["sets"]

    years = found["years"]["models"]["starter"]
    assert years["mase"] == pytest.approx((2 + 2) / 2 / ((2 + 1 + 4) / 3))
    assert found["years"]["starter"] == "Y"
    assert found["months"]["models"]["starter"]["mase"] == pytest.approx((18 + 12) / 2 / 12)
    assert found["months"]["unscaled"] == 1
    assert found["months"]["models"]["starter"]["coverage_80"] == 0.5
    assert found["halves"]["starter"] == "h, interleaved"
    assert found["halves"]["models"]["starter"]["mase"] is None
    assert found["halves"]["models"]["starter"]["coverage_80"] == 1.0


def test_means_are_relative_to_the_seasonal_naive(run: Run, sets: Path) -> None:
    """A starter whose every quantile is 1 higher: its errors over those of the naive, by frequency and over all."""
    make_artifact(sets / "own" / "Y", name="starter", frequency="Y-DEC", season_length=1, horizon=4, shift=1.0)

    found = evaluate(run, sets, "--no-baselines", "--starters", sets / "own", "--only", "years,months")["means"]

    assert found["Y"]["relative"]["starter"]["mase"] == pytest.approx((1 + 3) / (2 + 2))
    assert found["M"]["relative"]["starter"]["mase"] == pytest.approx(1.0)
    assert found["all"]["relative"]["starter"]["mase"] == pytest.approx(1.0)
    assert found["all"]["sets"] == 2
    assert list(found) == ["Y", "M", "all"]


def test_auto_ets_is_fitted_once_and_kept(run: Run, sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seasonal naive stands in where a fit fails and where the season is too long; a second run fits nothing."""
    monkeypatch.setattr(classical, "fit_one", fit_one)
    write_set(sets, "more", {"a": YEARS, "b": [1.0, 2.0, 9.0, 3.0, 5.0]}, frequency="Y", horizon=2)

    first = evaluate(run, sets)
    monkeypatch.setattr(classical, "fit_one", None)
    second = evaluate(run, sets)

    assert first["sets"]["years"]["models"]["auto_ets"]["mase"] == pytest.approx((3 + 1) / 2 / ((2 + 1 + 4) / 3))
    assert {name: one["stand_ins"] for name, one in first["sets"].items()} == {
        "years": 0,
        "months": 0,
        "halves": 1,
        "more": 1,
    }
    assert first["means"]["all"]["relative"].keys() == {"starter", "auto_ets"}
    assert [one["models"] for one in second["sets"].values()] == [one["models"] for one in first["sets"].values()]


def test_a_set_that_fails_is_named_and_the_others_go_on(run: Run, sets: Path) -> None:
    """A missing file, one of other columns, and one of a frequency that no date has: the exit code is 1."""
    (sets / "years.parquet").unlink()
    (sets / "halves.parquet").write_bytes(b"PAR1")

    found = evaluate(run, sets, "--no-baselines", code=1)

    assert list(found["sets"]) == ["months"]
    assert found["failures"]["years"].startswith(f"{sets}/years.parquet: no such file")
    assert "halves.parquet" in found["failures"]["halves"]


def test_a_series_that_the_starter_refuses_gets_the_seasonal_naive(run: Run, sets: Path) -> None:
    """It is named, and counts as well as the naive does."""
    write_set(sets, "gaps", {"a": [1.0, 2.0, *[math.nan] * 40, 3.0]}, frequency="Y", horizon=1)

    found = run("evaluate-starter", sets, "--no-baselines", "--only", "gaps", "--json")

    assert (
        "a has the seasonal naive in place of the starter's forecast: The newest 36 values are missing" in found.stderr
    )
    assert json.loads(found.stdout)["sets"]["gaps"]["models"]["starter"]["mase"] == pytest.approx(1.0)


def test_an_unexpected_error_ends_its_own_set_only(run: Run, sets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every set is tried, and its error is in the result."""

    def fail(held: SetSplit, season: int) -> None:
        raise RuntimeError(f"{len(held.histories)} series of season {season}")

    monkeypatch.setattr(zero_shot, "forecast_naive", fail)

    assert evaluate(run, sets, "--no-baselines", code=1)["failures"] == {
        "years": "RuntimeError: 1 series of season 1",
        "months": "RuntimeError: 2 series of season 12",
        "halves": "RuntimeError: 1 series of season 48",
    }


def test_tables_have_a_row_for_each_set_and_frequency(run: Run, sets: Path) -> None:
    """Undefined figures are a dash."""
    found = run("evaluate-starter", sets, "--no-baselines", "--max-series", 1)

    assert found.exit_code == 0, found.output
    rows = [[cell.strip() for cell in line.split("│")] for line in found.stdout.splitlines() if "│" in line]
    assert [row[1] for row in rows] == ["years", "months", "halves", "Y", "M", "30min", "all"]
    assert rows[1][3] == "1"
    assert rows[2][4] == "-"
    assert "[3/3] halves: 1 series" in found.stderr


def test_folders_that_cannot_be_used_are_refused(run: Run, sets: Path, tmp_path: Path) -> None:
    """One without INDEX.csv, and one without starters."""
    assert "INDEX.csv cannot be read" in str(run("evaluate-starter", tmp_path).exception)
    assert "There is no starter in" in str(run("evaluate-starter", sets, "--starters", sets).exception)
