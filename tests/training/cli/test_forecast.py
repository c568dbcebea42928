"""`almanac forecast --model starter`: a file in, forecasts out, with neither registry nor training."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from almanac.command_line import almanac
from models import starters
from tests.starters import make_starters
from tests.training.evaluation.benchmark_folders import write_set


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of small starters."""
    return make_starters(tmp_path_factory.mktemp("starters"))


@pytest.fixture(autouse=True)
def _nowhere(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand at an empty home, with small starters for the shipped ones."""
    monkeypatch.setattr(starters, "FOLDER", folder)
    monkeypatch.setattr(starters, "BLENDS", {})
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def write_file(path: Path, frequency: str, count: int = 120) -> Path:
    """Write a long file of one series that counts up, and return its path."""
    dates = pd.date_range("2020-01-01", periods=count, freq=frequency)
    pd.DataFrame({"unique_id": "a", "ds": dates, "y": range(count)}).to_csv(path, index=False)
    return path


def run(*arguments: object) -> Result:
    """Run the command line."""
    return CliRunner().invoke(almanac, ["forecast", *(str(one) for one in arguments)])


@pytest.mark.parametrize(
    ("frequency", "season", "horizon"),
    [("MS", 12, 24), ("QS-FEB", 4, 8), ("W-WED", 52, 26), ("D", 7, 28), ("h", 24, 48), ("7min", 1, 4)],
)
def test_the_starter_of_the_files_frequency_answers(tmp_path: Path, frequency: str, season: int, horizon: int) -> None:
    """As far as it was trained, unless another horizon is given; it says which starter, and makes no home."""
    found = run("--model", "starter", "--data", write_file(tmp_path / "d.csv", frequency), "--json")

    assert found.exit_code == 0, found.output
    outcome = json.loads(found.stdout)
    assert outcome["model"] == {"name": "starter", "version": starters.version(), "run_id": None}
    assert len(outcome["forecasts"][0]["median"]) == horizon
    assert outcome["forecasts"][0]["median"][0] == 120 - season
    assert "80" in outcome["forecasts"][0]["intervals"]
    assert ("SEASON_UNKNOWN" in {one["code"] for one in outcome["forecasts"][0]["warnings"]}) is (season == 1)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("number", "option", "words"),
    [
        ("-9999", (), "the model reads the nearest plausible value instead"),
        ("-9999", ("--mask-outliers",), "they are treated as gaps"),
        ("0", (), "row 62): far below all other values, 1000 to 1119; read as measured"),
        ("0", ("--mask-outliers",), "read as a gap"),
    ],
)
def test_what_is_done_with_implausible_values_is_said(
    tmp_path: Path, number: str, option: tuple[str, ...], words: str
) -> None:
    """As the option says."""
    data = write_file(tmp_path / "d.csv", "D")
    data.write_text(re.sub(r",(\d+)\n", lambda found: f",{1000 + int(found[1])}\n", data.read_text()))
    data.write_text(data.read_text().replace(",1060\n", f",{number}\n"))

    assert words in run("--model", "starter", "--data", data, "--horizon", 1, *option).stderr


def test_a_longer_horizon_rolls_on_and_says_so(tmp_path: Path) -> None:
    """Forecasts from forecasts, with a warning."""
    found = run("--model", "starter", "--data", write_file(tmp_path / "d.csv", "QS"), "--horizon", 20, "--json")

    outcome = json.loads(found.stdout)["forecasts"][0]
    assert len(outcome["median"]) == 20
    assert [one["code"] for one in outcome["warnings"]] == ["HORIZON_EXTENDED"]


def test_means_paths_and_sums_are_there_if_asked_for(tmp_path: Path) -> None:
    """In JSON, in a file and on the screen; sums have no row in a table of steps."""
    data, file = write_file(tmp_path / "d.csv", "MS"), tmp_path / "f.csv"
    command = ("--model", "starter", "--data", data, "--horizon", 3)

    more = ("--mean", "--paths", 2, "--seed", 1)
    sums = ("--sums", "1-2,horizon")

    printed, usual = (
        json.loads(run(*command, *each, "--json").stdout)["forecasts"][0] for each in ((*more, *sums), ())
    )
    shown = run(*command, "--mean", *sums).stdout
    run(*command, *more, "--output", file)

    written = pd.read_csv(file)
    assert written["mean"].tolist() == pytest.approx(printed.pop("mean"))
    assert written[["path1", "path2"]].T.to_numpy().tolist() == pytest.approx(np.array(printed.pop("paths")))
    assert list(printed["sums"]) == ["1-2", "horizon"]
    assert list(printed.pop("sums")["1-2"]["quantiles"]) == list(usual["quantiles"])
    assert printed == usual
    assert " mean " in shown
    assert "horizon" in shown
    assert "--json" in run(*command, *sums, "--output", file).stderr
    assert "steps from 1 to 3" in str(run(*command, "--sums", "1-4").exception)


def test_neither_mlflow_nor_tensorflow_is_imported(folder: Path, tmp_path: Path) -> None:
    """In a process of its own, so that no other test has imported them; `evaluate-starter` imports neither."""
    write_set(tmp_path, "years", {"a": [1.0, 2.0, 3.0]}, frequency="Y", horizon=1)
    commands = [
        ["forecast", "--model", "starter", "--data", str(write_file(tmp_path / "d.csv", "D")), "--json"],
        ["evaluate-starter", str(tmp_path), "--no-baselines"],
    ]
    code = (
        "import sys, pathlib, almanac\n"
        "from models import starters\n"
        f"starters.FOLDER = pathlib.Path({str(folder)!r})\n"
        f"for one in {commands!r}:\n"
        "    try: almanac.main(one)\n"
        "    except SystemExit as done: assert done.code == 0, done.code\n"
        "print([name for name in ('mlflow', 'tensorflow', 'keras') if name in sys.modules], file=sys.stderr)"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603

    assert found.returncode == 0, found.stderr
    assert found.stderr.splitlines()[-1] == "[]"


def test_its_own_version_is_the_starter_and_another_is_asked_of_the_registry(tmp_path: Path) -> None:
    """A model that was registered under this name is found by alias or number."""
    data = write_file(tmp_path / "d.csv", "D")

    assert run("--model", f"starter/{starters.version()}", "--data", data).exit_code == 0
    for words in ("starter@champion", "starter/1"):
        assert "There is no registry yet" in str(run("--model", words, "--data", data).exception)


def test_without_a_model_the_starter_is_offered(tmp_path: Path) -> None:
    """Without a trained model the error says what works now."""
    data = write_file(tmp_path / "d.csv", "D")

    missing, unknown = run("--data", data), run("--model", "sales", "--data", data)

    assert missing.exit_code == 2
    assert "`--model starter` forecasts without training" in missing.output
    assert "`--model starter` forecasts without it" in str(unknown.exception)


def test_without_a_model_beside_a_registry_both_are_offered(tmp_path: Path) -> None:
    """MLflow is not asked for their names: that takes seconds."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mlflow.db").touch()

    found = run("--data", write_file(tmp_path / "d.csv", "D"))

    assert found.exit_code == 2
    assert "`almanac models`" in found.output
    assert "`--model starter`" in found.output


def test_dates_that_tell_no_frequency_are_refused(tmp_path: Path) -> None:
    """The starter is chosen by the frequency: nothing is assumed of a file."""
    (tmp_path / "d.csv").write_text("unique_id,ds,y\na,2020-01-01,1\n")

    found = run("--model", "starter", "--data", tmp_path / "d.csv")
    outcome = run("--model", "starter", "--data", tmp_path / "d.csv", "--frequency", "D", "--json")

    assert "Give it with --frequency" in str(found.exception)
    assert outcome.exit_code == 0, outcome.output


def test_the_name_is_reserved(tmp_path: Path) -> None:
    """A training under it is refused, also where the name is the file's."""
    data = write_file(tmp_path / "starter.csv", "MS")

    for name in (["--name", "starter"], []):
        found = CliRunner().invoke(almanac, ["train", "--data", str(data), "--horizon", "3", *name])

        assert found.exit_code == 1
        assert "'starter' is reserved" in str(found.exception)
        assert "--name" in str(found.exception)
