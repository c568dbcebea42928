from datetime import datetime
from pathlib import Path

import pytest

from models.errors import AlmanacError, ConfigInvalid
from models.retraining.reasons import Reason, RetrainAssessment
from tests.training.cli.command_line import CONFIG, Run, printed_json
from training.cli.requests import read_request
from training.config.retrain import RetrainConfig
from training.service_client.client import Address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('data = "sales.csv"\nhorizon = 12\nhorizn = 3', "horizn"),
        ('data = "sales.csv"', "horizon"),
        ('data = "sales.csv"\nhorizon = 12\nname = "starter"', "reserved"),
        ('data = "http://x/y"\nhorizon = 12', "http://x/y"),
        ('data = "sales.csv"\nhorizon = 12\n[retrain]\ndrift = -1', "retrain.drift"),
        ("horizon =", "TOML"),
    ],
)
def test_an_invalid_configuration_is_refused_at_once(run: Run, config: Path, text: str, words: str) -> None:
    """Not at the next tick; nothing is queued."""
    config.write_text(text)

    for arguments in (["schedule", "add", "monthly", "--cron", "0 3 1 * *"], ["retrain", "sales"]):
        refused = run(*arguments, "--config", config)
        assert isinstance(refused.exception, AlmanacError)
        assert words in str(refused.exception)
    assert printed_json(run("jobs", "--json")) == {"jobs": []}


def test_an_invalid_name_is_an_error_about_the_argument(run: Run, tmp_path: Path) -> None:
    """These commands have no option --name."""
    path = tmp_path / "nameless.toml"
    path.write_text('data = "sales.csv"\nhorizon = 12')

    for arguments in (["schedule", "add", "a b", "--cron", "0 3 1 * *"], ["retrain", "a b"]):
        refused = str(run(*arguments, "--config", path).exception)
        assert "'a b'" in refused
        assert "NAME" in refused


def test_the_argument_names_the_model_if_the_configuration_does_not(config: Path) -> None:
    """`service` as data stays as it is."""
    config.write_text('data = "service"\nhorizon = 12')

    request = read_request(config, "rain", if_needed=True, reason="manual")

    assert (request["name"], request["config"]["data"], request["if_needed"]) == ("rain", "service", True)


def test_missing_data_is_a_warning(run: Run, config: Path) -> None:
    """The worker may have it."""
    config.with_name("sales.csv").unlink()

    queued = run("retrain", "sales", "--config", config)

    assert queued.exit_code == 0
    assert "sales.csv" in queued.stderr


@pytest.mark.usefixtures("monthly")
def test_a_retraining_uses_the_configuration_of_the_schedule(run: Run) -> None:
    """It waits for a worker, and can be cancelled twice."""
    job_id = printed_json(run("retrain", "sales", "--json"))["id"]

    job = printed_json(run("jobs", job_id, "--json"))
    assert (job["status"], job["request"]["reason"], job["request"]["config"]["horizon"]) == ("ENQUEUED", "manual", 12)
    assert "queued" in run("jobs").stdout
    assert [run("jobs", "cancel", job_id).exit_code for _ in "ab"] == [0, 0]
    assert "cancelled" in run("jobs", job_id).stdout


def test_a_retraining_needs_a_configuration_of_its_model(run: Run, home: Path, config: Path) -> None:
    """Looking for a schedule creates no database."""
    without = run("retrain", "sales")
    other = run("retrain", "rain", "--config", config)

    assert not home.exists()
    assert isinstance(without.exception, ConfigInvalid)
    assert "--config FILE" in str(without.exception)
    assert other.exit_code == 2


def test_of_several_schedules_the_one_with_the_models_name_counts(run: Run, config: Path) -> None:
    """Without one of that name, a configuration is needed."""
    for name in ("monthly", "weekly"):
        run("schedule", "add", name, "--cron", "0 3 1 * *", "--config", config)
    ambiguous = run("retrain", "sales")
    config.write_text(CONFIG.replace("12", "7"))
    run("schedule", "add", "sales", "--cron", "0 3 1 * *", "--config", config)

    job_id = printed_json(run("retrain", "sales", "--json", "--if-needed"))["id"]

    assert "monthly, weekly" in str(ambiguous.exception)
    request = printed_json(run("jobs", job_id, "--json"))["request"]
    assert (request["config"]["horizon"], request["if_needed"]) == (7, True)


def test_a_dry_run_before_the_first_training_finds_no_champion(run: Run, home: Path, config: Path) -> None:
    """It creates neither a registry nor a database of jobs."""
    found = printed_json(run("retrain", "sales", "--dry-run", "--json", "--config", config))

    assert (found["retrain"], found["version"]) == (True, None)
    assert [one["code"] for one in found["reasons"] if one["holds"]] == ["NO_CHAMPION"]
    assert not home.exists()


@pytest.mark.usefixtures("monthly")
def test_a_dry_run_shows_the_reasons_and_queues_nothing(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thresholds are those of the file, of the model's schedule, or the defaults."""
    thresholds: list[float] = []

    def assess(
        name: str, config: RetrainConfig, address: Address, _registry: object, now: datetime
    ) -> RetrainAssessment:
        thresholds.append(config.drift)
        assert address.url == "http://127.0.0.1:8000"
        reason = Reason("INPUT_DRIFT", True, True, 0.41, config.drift, "The inputs differ.")  # noqa: FBT003
        return RetrainAssessment(name, "7", now.isoformat(), (reason,))

    monkeypatch.setattr("training.retraining.triggers.assess", assess)
    monkeypatch.setattr("training.cli.options.open_registry", lambda: None)

    table = run("retrain", "sales", "--dry-run").stdout
    config.write_text(CONFIG.replace("0.4", "0.3"))
    found = printed_json(run("retrain", "sales", "--dry-run", "--json", "--config", config))
    run("retrain", "rain", "--dry-run")

    assert "INPUT_DRIFT" in table
    assert (found["retrain"], found["reasons"][0]["value"]) == (True, 0.41)
    assert thresholds == [0.4, 0.3, 0.25]
    assert printed_json(run("jobs", "--json")) == {"jobs": []}
