import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from almanac.command_line import almanac
from tests.system.browser import Visit, chromium
from tests.system.programs import START_SECONDS, eventually
from tests.training.fakes import combine_graphs, make_fit
from tests.training.registry.publishing import publish
from training.config.training import BASELINES
from training.fit import ensemble
from training.pipeline import candidates
from training.registry.client import Registry
from training.registry.location import RegistryLocation

Run = Callable[..., Result]


@pytest.fixture
def run(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command at an empty home, its trainings made up."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    monkeypatch.setenv("ALMANAC_HOME", str(home))
    monkeypatch.setattr(candidates, "fit_with_keras", make_fit())
    monkeypatch.setattr(ensemble, "combine_with_keras", combine_graphs)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(almanac, [str(one) for one in arguments])

    return run


def here() -> Registry:
    """Return the registry of the test's home."""
    return Registry(RegistryLocation.from_environment(os.environ))


@pytest.mark.usefixtures("no_figures")
def test_train_prints_the_comparison_and_the_decision(run: Run, data_file: Path) -> None:
    """A table with baselines, who won, and what became of the champion alias; progress apart from it."""
    found = run("train", "--data", data_file, "--horizon", 12, "--architecture", "lstm,gru")

    assert found.exit_code == 0, found.output
    for part in ("seasonal_naive", "climatology", "winner", "is champion", "First model of this name"):
        assert part in found.stdout
    assert "epoch" in found.stderr
    assert "epoch" not in found.stdout


@pytest.mark.usefixtures("no_figures")
def test_train_takes_a_configuration_and_flags_go_before_it(run: Run, data_file: Path, tmp_path: Path) -> None:
    """The file says what a flag does not."""
    config = tmp_path / "c.toml"
    config.write_text(f'data = "{data_file.name}"\nhorizon = 24\nname = "rain"\narchitecture = ["lstm"]\n')

    found = run("train", config, "--horizon", 12, "--json")

    outcome = json.loads(found.stdout)
    assert outcome["name"] == "rain"
    version = here().models.resolve("rain@champion")
    assert here()._client.get_run(version.run_id).data.params["architecture"] == "lstm"
    parent = here()._client.get_run(outcome["run_id"])
    assert parent.data.params["horizon"] == "12"


def test_backtest_prints_one_json_object_alone_on_standard_output(run: Run, data_file: Path) -> None:
    """Programs read standard output; progress goes to standard error."""
    found = run("backtest", "--data", data_file, "--horizon", 12, "--architecture", "lstm", "--seeds", 2, "--json")

    printed = json.loads(found.stdout)
    assert set(printed["models"]) == {"lstm", "lstm/0", "lstm/1", "ensemble", *BASELINES}
    assert printed["provenance"]["config"]["seeds"] == printed["seeds"] == 2
    assert "lstm/0" in found.stderr


def test_backtest_cuts_at_a_date(run: Run, data_file: Path) -> None:
    """The date is in the JSON; one that is none is said in one line."""
    ask: tuple[Any, ...] = ("backtest", "--data", data_file, "--horizon", 12, "--architecture", "lstm", "--json")

    assert json.loads(run(*ask, "--cutoff", "2005-12", "--origins", 2).stdout)["cutoff"] == "2005-12"
    assert "The cutoff is not a date" in str(run(*ask, "--cutoff", "christmas").exception)


def test_backtest_prints_a_table_otherwise(run: Run, data_file: Path) -> None:
    """People read a table."""
    found = run("backtest", "--data", data_file, "--horizon", 12, "--architecture", "lstm", "--frequency", "MS")

    assert "mase_median" in found.stdout


def test_a_model_is_listed_promoted_and_rolled_back(run: Run, tmp_path: Path) -> None:
    """Aliases move by hand, forth and back."""
    for name in ("one", "two"):
        publish(here(), tmp_path / name)

    assert "version 1 is champion." in run("promote", "weather", "1").output
    assert "version 2 is champion; version 1 is now previous" in run("promote", "weather", "challenger").output
    rolled = run("rollback", "weather").output
    assert "version 1 is champion again" in rolled
    assert "rollback.json" in rolled
    rows = json.loads(run("models", "--json").stdout)["models"]
    assert [(row["version"], row["aliases"]) for row in rows] == [
        ("2", ["challenger", "previous"]),
        ("1", ["champion"]),
    ]
    assert "challenger, previous" in run("models").output


@pytest.mark.parametrize(("error", "words"), [(0.9, "not significantly larger"), (1.5, "larger by at least")])
def test_a_model_is_promoted_by_live_scores_if_they_allow_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: float, words: str
) -> None:
    """What was compared is said either way; the first champion has nothing to be compared with."""
    for name in ("one", "two"):
        publish(here(), tmp_path / name)
    rows = {"1": 1.0, "2": error}

    def read(_: object, __: str, version: str) -> dict[tuple[str, str, int], tuple[float, int]]:
        return {(series, "2026-11-01", 1): (rows[version], 9) for series in "abcdef"}

    monkeypatch.setattr("training.service_client.live_accuracy.read_scored_steps", read)
    assert "version 1 is champion." in run("promote", "weather", "1", "--live-scores", 50).output

    few = run("promote", "weather", "2", "--live-scores", 60)
    found = run("promote", "weather", "2", "--live-scores", 50)

    assert "Too few live scores: 54 scored forecasts" in str(few.exception)
    assert words in (found.output if error < 1 else str(found.exception))
    assert ("version 2 is champion" in found.output) == (error < 1)


def test_a_champion_that_is_promoted_again_stays_as_it_was_written_down(run: Run, tmp_path: Path) -> None:
    """Nothing moves, so nothing is written: the record says what it was champion instead of."""
    for name in ("one", "two"):
        publish(here(), tmp_path / name)
    run("promote", "weather", "1")
    run("promote", "weather", "2")
    run_id = here().models.resolve("weather/2").run_id
    written = here().read_json(run_id, "promoted.json")

    again = run("promote", "weather", "2")

    assert again.exit_code == 0
    assert here().read_json(run_id, "promoted.json") == written
    assert here().models.resolve("weather@previous").version == "1"


def test_a_move_by_hand_is_written_down(run: Run, tmp_path: Path) -> None:
    """In the run of the version that gained the alias, and of the one that lost it; a training's own decision stays."""
    for name in ("one", "two"):
        publish(here(), tmp_path / name)
    first, second = (here().models.resolve(f"weather/{version}").run_id for version in "12")

    run("promote", "weather", "1")
    run("promote", "weather", "2", "--reason", "Calmer in July.")
    promoted = here().read_json(second, "promoted.json") or {}
    tags = here().run(second).tags
    run("rollback", "weather")
    rolled = here().read_json(second, "rollback.json") or {}

    assert (promoted["champion"], promoted["before"], promoted["by"]) == ("2", "1", "hand")
    assert (tags["promoted"], tags["promotion.forced"]) == ("True", "True")
    assert (rolled["champion"], rolled["before"]) == ("1", "2")
    assert (promoted["reason"], rolled["reason"]) == ("Calmer in July.", "Moved by hand.")
    assert here().run(second).tags["promoted"] == "False"
    assert here().read_json(first, "rollback.json") is None


def test_an_empty_registry_says_what_to_do(run: Run) -> None:
    """A registry without models is not an error."""
    found = run("models")

    assert found.exit_code == 0
    assert "almanac train" in found.output


def test_forecast_writes_prints_and_draws(run: Run, data_file: Path, tmp_path: Path) -> None:
    """A table on standard output, or a file and a picture, or JSON."""
    publish(here(), tmp_path / "one")
    ask: tuple[Any, ...] = ("forecast", "--model", "weather/1", "--data", data_file, "--horizon", 2)

    assert "80 % interval" in run(*ask).stdout
    written = run(*ask, "--output", tmp_path / "f.csv", "--plot", tmp_path / "f.png", "--levels", "80,95")
    assert written.exit_code == 0, written.output
    assert (tmp_path / "f.csv").read_text().startswith("unique_id,ds,median,q0.1")
    assert (tmp_path / "f.png").exists()
    assert len(json.loads(run(*ask, "--json").stdout)["forecasts"]) == 3


def test_the_ui_of_a_server_is_its_address(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a tracking server runs there is nothing to start."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking.example:5000")

    assert "http://tracking.example:5000" in run("ui").output


@pytest.mark.system
@pytest.mark.usefixtures("no_figures")
def test_the_ui_shows_the_comparison_until_it_is_interrupted(run: Run, data_file: Path, tmp_path: Path) -> None:
    """In Chromium: the MASE of every candidate and baseline at first sight, least first; Ctrl-C ends MLflow, exit code 0."""
    trained = run("train", "--data", data_file, "--horizon", 12, "--architecture", "lstm,gru", "--json")
    models = json.loads(trained.stdout)["models"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "ui.log"
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "almanac", "ui", "--port", str(port)],
            stdout=output, stderr=output, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        )  # fmt: skip

    try:
        eventually(lambda: child.poll() is not None or answers(port), 2 * START_SECONDS)
        assert child.poll() is None, log.read_text()
        shown = comparison_in_chromium(re.findall(r"Newest comparison: (\S+)", log.read_text())[0])
    finally:
        child.send_signal(signal.SIGINT)
        code = child.wait(60)

    assert code == 0
    assert not answers(port)
    assert "Traceback" not in log.read_text()
    errors = [float(models[name]["backtest.mase"]) for name in shown]
    assert errors == sorted(errors)
    assert shown == {name: str(one["backtest.mase"])[:6] for name, one in models.items()}


def comparison_in_chromium(address: str) -> dict[str, str]:
    """Return what MLflow's runs table shows at an address: the beginning of MASE by the run's name, in order."""
    row = "[role=row]:has-text('seasonal_naive')"
    with chromium() as browser:
        page = Visit(browser, address, ready=row).page
        names, errors = (
            page.locator(f"[role=gridcell][col-id='{column}']").all_inner_texts()
            for column in ("attributes.`Run Name`", "metrics.`backtest.mase`")
        )
    return {name.splitlines()[-1]: error[:6] for name, error in zip(names, errors, strict=True)}


def answers(port: int) -> bool:
    """Return whether MLflow answers at a port."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
