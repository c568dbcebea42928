"""The command line of retraining: schedules, jobs, and a retraining now."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from almanac import almanac
from models.errors import AlmanacError
from models.jobs.errors import WorkerAlive
from models.retraining.reasons import Reason, RetrainAssessment
from tests.training.jobs.workers import eventually, working
from training.cli.jobs import follow
from training.cli.requests import read_request
from training.config.retrain import RetrainConfig
from training.jobs.client import open_jobs
from training.service_client.client import Address

CONFIG = """
data = "sales.csv"
name = "sales"
horizon = 12
[retrain]
drift = 0.4
"""
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home that is not made yet."""
    return tmp_path / "home"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a configuration whose data lies beside it."""
    (tmp_path / "sales.csv").write_text("ds,y\n2024-01-01,1\n")
    path = tmp_path / "sales.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command line over the home."""
    for name in ("ALMANAC_JOBS_URL", "ALMANAC_SERVICE_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALMANAC_HOME", str(home))
    return lambda *arguments: CliRunner().invoke(almanac, list(map(str, arguments)))


@pytest.fixture
def monthly(run: Run, config: Path) -> None:
    """Make a schedule."""
    made = run("schedule", "add", "monthly", "--cron", "0 3 1 * *", "--timezone", "Europe/Berlin", "--config", config)
    assert made.exit_code == 0, made.output


def told(result: Result) -> Any:  # noqa: ANN401 (any JSON)
    """Return the JSON that a command has printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_schedule_keeps_its_configuration_as_it_is_now(run: Run, config: Path) -> None:
    """Its data is named wholly, and an edit of the file changes nothing; it says so."""
    made = run("schedule", "add", "monthly", "--cron", "0 3 1 * *", "--timezone", "Europe/Berlin", "--config", config)
    config.write_text("nonsense")

    shown = told(run("schedule", "show", "monthly", "--json"))

    assert "is kept as it is now" in made.stdout
    assert "retrains sales, next at " in made.stdout
    assert "(Europe/Berlin)" in made.stdout
    assert "No worker is running" in made.stderr
    assert shown["request"] == {
        "name": "sales",
        "config": {
            "data": str(config.with_name("sales.csv")),
            "name": "sales",
            "horizon": 12,
            "retrain": {"drift": 0.4},
        },
        "if_needed": False,
        "reason": "schedule",
    }
    assert shown["next_at"][8:19] == "01T03:00:00"


@pytest.mark.usefixtures("monthly")
def test_a_schedule_is_listed_paused_resumed_and_removed(run: Run) -> None:
    """Each says what it has done."""
    listed = run("schedule", "list").stdout

    assert "monthly" in listed
    assert "Europe/Berlin" in listed
    assert "03:00 +0" in listed
    assert "is paused" in run("schedule", "pause", "monthly").stdout
    assert told(run("schedule", "list", "--json"))["schedules"][0]["paused"]
    assert "paused" in run("schedule", "list").stdout
    assert "fires again, next at" in run("schedule", "resume", "monthly").stdout
    assert "is removed" in run("schedule", "remove", "monthly").stdout
    assert told(run("schedule", "list", "--json")) == {"schedules": []}


@pytest.mark.usefixtures("monthly")
def test_a_schedule_that_is_removed_says_which_of_its_jobs_wait(run: Run) -> None:
    """They go on, and whoever removed it may not want that."""
    run("schedule", "trigger", "monthly")

    removed = run("schedule", "remove", "monthly").stdout

    assert "1 of its jobs still waits: almanac jobs --schedule monthly" in removed


def test_seconds_are_said_of_a_schedule_that_has_them(run: Run, config: Path) -> None:
    """The next moment of one that fires at :30 is not the whole minute."""
    made = run("schedule", "add", "often", "--config", config, "--cron", "30 0 3 1 * *").stdout

    assert "03:00:30 +0000" in made
    assert "03:00:30 +0000" in run("schedule", "resume", "often").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cron", "0 25 * * *"], "The hour of the cron line is '25'"),
        (["--cron", "0 3 1 * *", "--timezone", "Mars/Olympus"], "no time zone 'Mars/Olympus'"),
    ],
)
def test_a_schedule_that_would_never_work_is_not_made(run: Run, config: Path, arguments: list[str], words: str) -> None:
    """The field is named."""
    refused = run("schedule", "add", "monthly", "--config", config, *arguments)

    assert isinstance(refused.exception, AlmanacError)
    assert words in str(refused.exception)
    assert told(run("schedule", "list", "--json")) == {"schedules": []}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('data = "sales.csv"\nhorizon = 12\nhorizn = 3', "horizn"),
        ('data = "sales.csv"', "No horizon given"),
        ('data = "sales.csv"\nhorizon = 12\nname = "starter"', "reserved"),
        ('data = "http://x/y"\nhorizon = 12', "data is an address: 'http://x/y'. Name a file"),
        ('data = "sales.csv"\nhorizon = 12\n[retrain]\ndrift = -1', "retrain.drift"),
        ("horizon =", "is no TOML"),
    ],
)
def test_a_configuration_is_checked_when_it_is_given(run: Run, config: Path, text: str, words: str) -> None:
    """Not at three in the morning of the first of next month; nothing is made."""
    config.write_text(text)

    for arguments in (["schedule", "add", "monthly", "--cron", "0 3 1 * *"], ["retrain", "sales"]):
        refused = run(*arguments, "--config", config)
        assert isinstance(refused.exception, AlmanacError)
        assert words in str(refused.exception)
    assert told(run("jobs", "--json")) == {"jobs": []}


def test_a_name_that_cannot_be_one_says_where_another_is_given(run: Run, tmp_path: Path) -> None:
    """A schedule and a job take it as their first word; there is no option --name."""
    path = tmp_path / "nameless.toml"
    path.write_text('data = "sales.csv"\nhorizon = 12')

    for arguments in (["schedule", "add", "a b", "--cron", "0 3 1 * *"], ["retrain", "a b"]):
        refused = str(run(*arguments, "--config", path).exception)
        assert "'a b'. Give one as NAME" in refused
        assert "--name" not in refused


def test_a_schedule_promotes_on_evidence_alone(run: Run, config: Path) -> None:
    """Or it would overwrite the champion every month; a person may, once."""
    config.write_text(f"promote = true\n{CONFIG}")

    refused = run("schedule", "add", "monthly", "--cron", "0 3 1 * *", "--config", config)
    asked = run("retrain", "sales", "--config", config)

    assert "evidence alone" in str(refused.exception)
    assert asked.exit_code == 0


def test_a_schedule_names_the_model_where_the_configuration_does_not(config: Path) -> None:
    """So does `almanac retrain`; `service` stays what it is."""
    config.write_text('data = "service"\nhorizon = 12')

    asked = read_request(config, "rain", if_needed=True, reason="manual")

    assert (asked["name"], asked["config"]["data"], asked["if_needed"]) == ("rain", "service", True)


def test_data_that_is_not_here_is_said(run: Run, config: Path) -> None:
    """The worker may have it; then nothing is wrong."""
    config.with_name("sales.csv").unlink()

    made = run("retrain", "sales", "--config", config)

    assert made.exit_code == 0
    assert "the worker must find it there" in made.stderr


@pytest.mark.usefixtures("monthly")
def test_a_triggered_schedule_and_a_backfill_make_jobs(run: Run) -> None:
    """One now, and one for each tick between two moments of the schedule's own clocks, once."""
    triggered = run("schedule", "trigger", "monthly")
    filled = [
        run("schedule", "backfill", "monthly", "--start", "2026-01-01", "--end", "2026-04-01T03:00") for _ in "ab"
    ]

    assert "almanac jobs sched-monthly-trigger-" in triggered.stdout
    assert filled[0].stdout.split() == [f"sched-monthly-2026-0{month}-01T03:00:00+01:00" for month in (1, 2, 3)]
    assert filled[1].stdout == filled[0].stdout
    assert len(told(run("jobs", "--json"))["jobs"]) == 4


@pytest.mark.usefixtures("monthly")
@pytest.mark.parametrize(
    ("start", "end"), [("2026-04-01", "2026-01-01"), ("2026-01-01", "2200-01-01"), ("1900-01-01", "2026-01-01")]
)
def test_a_backfill_that_makes_no_sense_is_refused(run: Run, start: str, end: str) -> None:
    """Backwards, of the future, or of more ticks than anybody means."""
    refused = run("schedule", "backfill", "monthly", "--start", start, "--end", end)

    assert refused.exit_code == 2
    assert told(run("jobs", "--json")) == {"jobs": []}


def test_looking_makes_no_database(run: Run, home: Path) -> None:
    """Lists are empty, and what is asked for by name is not there."""
    assert "No schedules" in run("schedule", "list").stdout
    assert "No jobs" in run("jobs").stdout
    assert "No jobs at" in str(run("jobs", "nobody").exception)
    assert "No jobs at" in str(run("schedule", "pause", "nobody").exception)
    assert not home.exists()


@pytest.mark.usefixtures("monthly")
@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs", "nobody"],
        ["jobs", "nobody", "--follow"],
        ["jobs", "cancel", "nobody"],
        ["schedule", "show", "nobody"],
        ["schedule", "trigger", "nobody"],
        ["schedule", "remove", "nobody"],
        ["schedule", "backfill", "nobody", "--start", "2026-01-01", "--end", "2026-02-01"],
    ],
)
def test_what_is_not_there_is_said(run: Run, arguments: list[str]) -> None:
    """By its name."""
    refused = run(*arguments)

    assert isinstance(refused.exception, AlmanacError)
    assert "nobody" in str(refused.exception)


@pytest.mark.usefixtures("monthly")
def test_a_retraining_takes_the_configuration_of_the_models_schedule(run: Run) -> None:
    """It waits for a worker, and says so; it can be cancelled, twice without harm."""
    job_id = told(run("retrain", "sales", "--json"))["id"]

    job = told(run("jobs", job_id, "--json"))
    assert (job["status"], job["request"]["reason"], job["request"]["config"]["horizon"]) == ("ENQUEUED", "manual", 12)
    assert "queued" in run("jobs").stdout
    assert "is cancelled" in run("jobs", "cancel", job_id).stdout
    assert run("jobs", "cancel", job_id).exit_code == 0
    assert "cancelled" in run("jobs", job_id).stdout


def test_a_retraining_without_a_configuration_says_what_to_give(run: Run, home: Path, config: Path) -> None:
    """So does one whose configuration is of another model; to look for a schedule makes no database."""
    alone = run("retrain", "sales")
    other = run("retrain", "rain", "--config", config)

    assert not home.exists()
    assert "No schedule retrains sales" in str(alone.exception)
    assert "--config FILE" in str(alone.exception)
    assert (other.exit_code, "'sales', not of 'rain'" in other.output) == (2, True)


def test_of_several_schedules_the_one_of_the_models_name_counts(run: Run, config: Path) -> None:
    """Where none has it, nobody guesses."""
    for name in ("monthly", "weekly"):
        run("schedule", "add", name, "--cron", "0 3 1 * *", "--config", config)
    torn = run("retrain", "sales")
    config.write_text(CONFIG.replace("12", "7"))
    run("schedule", "add", "sales", "--cron", "0 3 1 * *", "--config", config)

    job_id = told(run("retrain", "sales", "--json", "--if-needed"))["id"]

    assert "The schedules monthly, weekly retrain sales" in str(torn.exception)
    request = told(run("jobs", job_id, "--json"))["request"]
    assert (request["config"]["horizon"], request["if_needed"]) == (7, True)


def test_a_job_is_followed_until_it_has_ended(run: Run, home: Path, config: Path) -> None:
    """Step by step, to its version or to its error; the exit code says which, and a living worker keeps its jobs."""
    wrong = {"name": "sales", "config": {"read_fails": "invalid"}, "if_needed": False, "reason": "manual"}
    with open_jobs({"ALMANAC_HOME": str(home)}) as jobs, working(home):
        eventually(lambda: jobs.workers() != [])
        waited = run("retrain", "sales", "--config", config, "--wait")
        job_id = told(run("jobs", "--json"))["jobs"][0]["id"]
        failed = run("jobs", jobs.enqueue(wrong, now=NOW), "--follow")
        shown, late, alive = run("jobs", job_id), run("jobs", "cancel", job_id), run("jobs", "adopt", "a")

    assert (waited.exit_code, waited.stderr) == (0, ""), waited.output
    for words in ("read ", "fit lstm", "register", "Registered as sales version 7", "Run r1"):
        assert words in waited.stdout
        assert words in shown.stdout
    assert failed.exit_code == 1
    assert "read                 failed: Row 3 is wrong. Mend it." in failed.stdout
    assert "Failed. DATA_INVALID: Row 3 is wrong. Mend it." in failed.stdout
    assert (late.exit_code, "has succeeded already" in late.output) == (1, True)
    assert isinstance(alive.exception, WorkerAlive)
    assert "has left no jobs" in run("jobs", "adopt", "a").stdout


def test_progress_is_said_once_and_in_words() -> None:
    """What did not change is not said again; the queue is asked until the job has ended."""
    lines: list[str] = []
    steps = [{"name": "read", "seconds": 1.5, "error": None}]
    told_so_far: dict[str, Any] = {
        "steps": [],
        "progress": None,
        "summary": None,
        "result": None,
        "error": None,
        "name": "sales",
    }
    fitting = {"step": "fit lstm", "attempt": 2, "epoch": 3, "validation_mase": 0.8}
    rows: list[dict[str, Any]] = [
        {**told_so_far, "status": "ENQUEUED"},
        {**told_so_far, "status": "PENDING", "steps": steps, "progress": fitting},
        {**told_so_far, "status": "PENDING", "steps": steps, "progress": fitting},
        {**told_so_far, "status": "CANCELLED", "steps": steps},
    ]

    class Queue:
        def job(self, _job: str) -> dict[str, Any]:
            return rows.pop(0)

    follow(Queue(), "a-1", lines.append, pause=lambda _seconds: None)  # type: ignore[arg-type]

    assert lines == [
        "  a-1 is queued",
        "  read                 done  1.5 s",
        "  fit lstm, try 2: epoch 3, validation MASE 0.8000",
        "a-1 has been cancelled.",
    ]


def test_a_dry_run_before_the_first_training_says_that_there_is_no_champion(run: Run, home: Path, config: Path) -> None:
    """As REST does; neither a registry nor a database of jobs is made."""
    asked = run("retrain", "sales", "--dry-run", "--json", "--config", config)

    found = told(asked)
    assert (asked.exit_code, found["retrain"], found["version"]) == (0, True, None)
    assert [one["code"] for one in found["reasons"] if one["holds"]] == ["NO_CHAMPION"]
    assert not home.exists()


@pytest.mark.usefixtures("monthly")
def test_a_dry_run_lists_the_reasons_and_queues_nothing(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the thresholds of the file, of the model's schedule, or the usual ones; as a table and as JSON."""
    asked: list[float] = []

    def judge(
        name: str, config: RetrainConfig, address: Address, _registry: object, now: datetime
    ) -> RetrainAssessment:
        asked.append(config.drift)
        assert address.url == "http://127.0.0.1:8000"
        reason = Reason("INPUT_DRIFT", True, True, 0.41, config.drift, "The inputs differ.")  # noqa: FBT003
        return RetrainAssessment(name, "7", now.isoformat(), (reason,))

    monkeypatch.setattr("training.retraining.triggers.judge", judge)
    monkeypatch.setattr("training.cli.options.open_registry", lambda: None)

    table = run("retrain", "sales", "--dry-run").stdout
    config.write_text(CONFIG.replace("0.4", "0.3"))
    found = told(run("retrain", "sales", "--dry-run", "--json", "--config", config))
    run("retrain", "rain", "--dry-run")

    assert "sales version 7 would be retrained" in table
    assert "INPUT_DRIFT" in table
    assert (found["retrain"], found["reasons"][0]["value"]) == (True, 0.41)
    assert asked == [0.4, 0.3, 0.25]
    assert told(run("jobs", "--json")) == {"jobs": []}
