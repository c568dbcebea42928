from pathlib import Path

import pytest

from models.errors import AlmanacError
from tests.training.cli.command_line import CONFIG, Run, printed_json


def test_a_schedule_keeps_its_configuration(run: Run, config: Path) -> None:
    """With an absolute path of the data; later changes of the file have no effect."""
    added = run("schedule", "add", "monthly", "--cron", "0 3 1 * *", "--timezone", "Europe/Berlin", "--config", config)
    config.write_text("nonsense")

    shown = printed_json(run("schedule", "show", "monthly", "--json"))

    assert "No worker is running" in added.stderr
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
    """Times are in the schedule's time zone."""
    listed = run("schedule", "list").stdout

    assert all(text in listed for text in ("monthly", "Europe/Berlin", "03:00 +0"))
    run("schedule", "pause", "monthly")
    assert printed_json(run("schedule", "list", "--json"))["schedules"][0]["paused"]
    run("schedule", "resume", "monthly")
    assert not printed_json(run("schedule", "list", "--json"))["schedules"][0]["paused"]
    run("schedule", "trigger", "monthly")
    assert "1 of its jobs still waits" in run("schedule", "remove", "monthly").stdout
    assert printed_json(run("schedule", "list", "--json")) == {"schedules": []}


def test_a_schedule_with_seconds_shows_them(run: Run, config: Path) -> None:
    """The next tick is not rounded to the minute."""
    added = run("schedule", "add", "often", "--config", config, "--cron", "30 0 3 1 * *").stdout

    assert "03:00:30 +0000" in added


@pytest.mark.parametrize("arguments", [["--cron", "0 25 * * *"], ["--cron", "0 3 1 * *", "--timezone", "Mars/Olympus"]])
def test_an_invalid_schedule_is_not_added(run: Run, config: Path, arguments: list[str]) -> None:
    """Cron expression and time zone are checked."""
    refused = run("schedule", "add", "monthly", "--config", config, *arguments)

    assert isinstance(refused.exception, AlmanacError)
    assert refused.exception.code == "SCHEDULE_INVALID"
    assert printed_json(run("schedule", "list", "--json")) == {"schedules": []}


def test_a_schedule_promotes_on_evidence_only(run: Run, config: Path) -> None:
    """`promote = true` would overwrite the champion every month; a single retraining may do so."""
    config.write_text(f"promote = true\n{CONFIG}")

    refused = run("schedule", "add", "monthly", "--cron", "0 3 1 * *", "--config", config)
    queued = run("retrain", "sales", "--config", config)

    assert isinstance(refused.exception, AlmanacError)
    assert queued.exit_code == 0


@pytest.mark.usefixtures("monthly")
def test_a_trigger_and_a_backfill_queue_jobs(run: Run) -> None:
    """A backfill queues one job for each tick in the schedule's time zone, once."""
    run("schedule", "trigger", "monthly")
    filled = [
        run("schedule", "backfill", "monthly", "--start", "2026-01-01", "--end", "2026-04-01T03:00") for _ in "ab"
    ]

    assert filled[0].stdout.split() == [f"sched-monthly-2026-0{month}-01T03:00:00+01:00" for month in (1, 2, 3)]
    assert filled[1].stdout == filled[0].stdout
    assert len(printed_json(run("jobs", "--json"))["jobs"]) == 4


@pytest.mark.usefixtures("monthly")
@pytest.mark.parametrize(
    ("start", "end"), [("2026-04-01", "2026-01-01"), ("2026-01-01", "2200-01-01"), ("1900-01-01", "2026-01-01")]
)
def test_an_invalid_backfill_is_refused(run: Run, start: str, end: str) -> None:
    """Out of order, in the future, or with too many ticks."""
    refused = run("schedule", "backfill", "monthly", "--start", start, "--end", end)

    assert refused.exit_code == 2
    assert printed_json(run("jobs", "--json")) == {"jobs": []}
