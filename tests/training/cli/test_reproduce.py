import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from almanac.command_line import almanac
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
    return lambda *arguments: CliRunner().invoke(almanac, [str(one) for one in arguments])


def test_a_run_is_set_beside_itself(
    run: Callable[..., Result], data_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs read it as JSON; people read a table, and a script sees by exit code 1 that a figure is another one."""
    ask: tuple[Any, ...] = ("train", "--data", data_file, "--horizon", 12, "--architecture", "lstm", *ONE, "--json")
    run_id = json.loads(run(*ask).stdout)["run_id"]

    same = run("reproduce", run_id, "--json")
    monkeypatch.setattr(candidates, "fit_with_keras", make_fit(shifts={"lstm": 0.5}))
    other = CliRunner().invoke(almanac, ["reproduce", run_id], standalone_mode=False)

    assert same.exit_code == 0, same.output
    printed = json.loads(same.stdout)
    assert printed["same_figures"]
    assert printed["figures"]["backtest.mase"]["recorded"] == printed["figures"]["backtest.mase"]["now"]
    assert other.return_value == 1
    assert "backtest.mase" in other.stdout
    assert "not the same" in other.stdout
