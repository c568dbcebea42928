import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import almanac
from tests.training.fakes import make_fit
from training.pipeline import candidates

pytestmark = pytest.mark.usefixtures("no_figures")

ONE = ("--baselines", "seasonal_naive")


@pytest.fixture
def run(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return a function that runs a command at an empty home, its trainings made up."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    monkeypatch.setenv("ALMANAC_HOME", str(home))
    monkeypatch.setattr(candidates, "fit_with_keras", make_fit())
    return lambda *arguments: CliRunner().invoke(almanac.almanac, [str(one) for one in arguments])


def test_a_run_is_set_beside_itself(run: Callable[..., Result], data_file: Path) -> None:
    """Each figure twice, and whether the weights are the same; programs read it as JSON."""
    ask: tuple[Any, ...] = ("train", "--data", data_file, "--horizon", 12, "--architecture", "lstm", *ONE, "--json")
    run_id = json.loads(run(*ask).stdout)["run_id"]

    said = run("reproduce", run_id)
    printed = json.loads(run("reproduce", run_id, "--json").stdout)

    assert said.exit_code == 0, said.output
    assert "backtest.mase" in said.stdout
    assert "weights are the same, bit by bit" in said.stdout
    assert printed["same_figures"]
    assert printed["figures"]["backtest.mase"]["recorded"] == printed["figures"]["backtest.mase"]["now"]


def test_figures_that_differ_end_with_exit_code_1(
    run: Callable[..., Result], data_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script sees that a result did not come out again."""
    ask: tuple[Any, ...] = ("train", "--data", data_file, "--horizon", 12, "--architecture", "lstm", *ONE, "--json")
    run_id = json.loads(run(*ask).stdout)["run_id"]
    monkeypatch.setattr(candidates, "fit_with_keras", make_fit(shifts={"lstm": 0.5}))

    found = CliRunner().invoke(almanac.almanac, ["reproduce", run_id], standalone_mode=False)

    assert found.return_value == 1
    assert "not the same" in found.stdout
