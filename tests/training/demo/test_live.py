"""Live demo: where it writes, what it prints, and how it ends."""

import io
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from training.config.toml import merge, read_config
from training.config.training import train_config
from training.demo import demo
from training.demo.events import Event, Verdict
from training.demo.live import CONFIG, Stage, fresh_home, listener_of, train_first
from training.demo.replay import Plan, World
from training.processes import ChildFailed, ChildProcess

NOW = datetime(2026, 3, 1, 12, 30, 15)  # noqa: DTZ001 (a name for a folder)
STEP = {"name": "read", "started_at": "12:30", "seconds": 1.0, "error": None}


def make_stage(home: Path, *, as_json: bool = False) -> Stage:
    """Return a stage whose console writes into memory."""
    return Stage(home, Console(file=io.StringIO(), width=200), as_json=as_json)


def written(stage: Stage) -> str:
    """Return what a stage's console has printed."""
    file = stage.console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_every_story_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """What lies in the home stays untouched, and a folder that is there is refused."""
    (tmp_path / "mlflow.db").write_text("mine")

    folder = fresh_home(tmp_path, NOW)

    assert folder == tmp_path / "live" / "2026-03-01-123015"
    assert (tmp_path / "mlflow.db").read_text() == "mine"
    with pytest.raises(ChildFailed, match="is there already"):
        fresh_home(tmp_path, NOW)


def test_no_program_reaches_the_users_own_databases(tmp_path: Path) -> None:
    """Whatever the user's settings name, registry, observations and jobs are files of this story's folder."""
    environment = make_stage(tmp_path).environment

    for name, file in (
        ("MLFLOW_TRACKING_URI", "mlflow.db"),
        ("ALMANAC_DATABASE_URL", "almanac.db"),
        ("ALMANAC_JOBS_URL", "jobs.db"),
    ):
        assert environment[name] == f"sqlite:///{tmp_path / file}"
    assert environment["ALMANAC_API_KEYS"] == environment["ALMANAC_API_KEY"] == ""


def test_the_configuration_can_be_trained() -> None:
    """The file that ships says what it is for: observations of the service, one network, thresholds."""
    config = train_config(merge(read_config(CONFIG), {"data": "service"}))

    assert config.architecture == ("lstm",)
    assert config.retrain.warm_start


def test_json_goes_to_standard_output_and_lines_to_the_console(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every event is a line of JSON; people read the console, which says that the break is made."""
    stage = make_stage(tmp_path, as_json=True)
    listener = listener_of(stage, Plan())

    listener.event(Event("observed", Plan().broken, {"observations": 5}))
    listener.event(Event("not_needed", "1987-01", {"job": "j", "version": "1", "seconds": 1.0}))

    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in printed] == ["observed", "not_needed"]
    assert "This break is made" in written(stage)
    assert "finds no reason" in written(stage)


def test_without_json_nothing_goes_to_standard_output_but_the_consoles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Events are lines for people alone."""
    listener_of(make_stage(tmp_path), Plan()).event(Event("observed", "1985-05", {"observations": 5}))

    assert capsys.readouterr().out == ""


def test_each_step_of_a_job_is_told_once(tmp_path: Path) -> None:
    """A job is looked at again and again; a step that has ended has one line."""
    stage = make_stage(tmp_path)
    listener = listener_of(stage, Plan())

    listener.job({"id": "j", "steps": [STEP]})
    listener.job({"id": "j", "steps": [STEP, {**STEP, "name": "compare"}]})

    assert [line.split(",")[0].strip() for line in written(stage).splitlines()] == ["read", "compare"]


def test_a_program_that_ended_is_not_waited_for(tmp_path: Path) -> None:
    """Without its worker a job would wait for ever, so each look at the job looks at the worker too."""
    log = tmp_path / "worker.log"
    log.write_text("It is dark here.\n", encoding="utf-8")
    with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as process:
        process.wait()
    listener = listener_of(make_stage(tmp_path), Plan(), (ChildProcess("The worker", process, "", log),))

    with pytest.raises(ChildFailed, match=r"(?s)The worker ended with exit code 3.*It is dark here"):
        listener.job({"id": "j", "steps": []})


def test_a_first_training_that_fails_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """The error names the exit code, what the training said, and the file."""
    stage = Stage(tmp_path, make_stage(tmp_path).console, config=tmp_path / "none.toml")

    with pytest.raises(ChildFailed, match=r"(?s)exit code.*none\.toml.*train\.log"):
        train_first(stage, World({"a": {"1984-12": 1.0}}), ["a"], Plan())


@pytest.mark.parametrize(("recovered", "code"), [(True, 0), (False, 1)])
def test_the_exit_code_says_whether_it_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, recovered: bool, code: int
) -> None:
    """0 for recovery alone; seed and port are handed on."""
    played: list[tuple[Stage, Plan]] = []

    def live(stage: Stage, plan: Plan) -> Verdict:
        played.append((stage, plan))
        return Verdict(recovered, {})

    monkeypatch.setattr(live, "live", live)
    arguments = ["--live", "--json", "--seed", "3", "--port", "8123", "--home", str(tmp_path)]

    result: Any = CliRunner().invoke(demo.demo, arguments, standalone_mode=False)

    assert result.return_value == code
    stage, plan = played[0]
    assert (stage.port, stage.as_json, plan.seed) == (8123, True, 3)
    assert stage.home.parent == tmp_path / "live"


def test_json_belongs_to_the_live_story() -> None:
    """The plain demo prints no events, and says so instead of ignoring the wish."""
    result = CliRunner().invoke(demo.demo, ["--json"])

    assert result.exit_code == 2
    assert "--live" in result.output
