"""Settings: what the environment may say."""

from pathlib import Path

import pytest

from service.errors import SettingInvalid
from service.settings import Settings


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    """Everything lies under ./almanac-data, the registry in its SQLite file."""
    settings = Settings.from_environment({})

    assert settings.home == Path.cwd() / "almanac-data"
    assert settings.tracking_uri == f"sqlite:///{settings.home}/mlflow.db"
    assert settings.api_keys == settings.home / "keys.json"
    assert settings.model is None
    assert settings.database == f"sqlite:///{settings.home}/almanac.db"
    assert settings.jobs == f"sqlite:///{settings.home}/jobs.db"
    assert settings.ledger


def test_each_variable_sets_its_own_setting(tmp_path: Path) -> None:
    """What is set is what counts."""
    keys = tmp_path / "doors.json"
    keys.write_text("{}")

    settings = Settings.from_environment(
        {
            "ALMANAC_HOME": str(tmp_path),
            "MLFLOW_TRACKING_URI": "http://mlflow:5000",
            "ALMANAC_API_KEYS": str(keys),
            "ALMANAC_DATABASE_URL": "postgresql://me@db/almanac",
            "ALMANAC_JOBS_URL": "postgresql://me@db/jobs",
            "ALMANAC_MODEL": "rain@challenger",
            "ALMANAC_MAX_BODY_BYTES": "1",
            "ALMANAC_MAX_HORIZON": "2",
            "ALMANAC_MAX_SERIES": "3",
            "ALMANAC_MAX_POINTS": "4",
            "ALMANAC_MAX_STEPS": "5",
            "ALMANAC_MAX_NUMBERS": "55",
            "ALMANAC_MAX_OBSERVATIONS": "56",
            "ALMANAC_MAX_MODELS": "6",
            "ALMANAC_MAX_QUEUE": "7",
            "ALMANAC_MAX_LEDGER": "8",
            "ALMANAC_LEDGER": "off",
            "ALMANAC_RETENTION_DAYS": "10",
            "ALMANAC_POLL_SECONDS": "0.5",
            "ALMANAC_DRAIN_SECONDS": "9",
            "ALMANAC_BODY_TIMEOUT_SECONDS": "1.5",
            "ALMANAC_ACCESS_LOG": "on",
        }
    )

    assert settings == Settings(
        home=tmp_path,
        tracking_uri="http://mlflow:5000",
        api_keys=keys,
        database_url="postgresql://me@db/almanac",
        jobs_url="postgresql://me@db/jobs",
        model="rain@challenger",
        max_body_bytes=1,
        max_horizon=2,
        max_series=3,
        max_points=4,
        max_steps=5,
        max_numbers=55,
        max_observations=56,
        max_models=6,
        max_queue=7,
        max_ledger=8,
        ledger=False,
        retention_days=10,
        poll_seconds=0.5,
        drain_seconds=9,
        body_timeout_seconds=1.5,
        access_log=True,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALMANAC_HOME", "/tmp/50%41"),  # noqa: S108 (a name, nothing is written)
        ("ALMANAC_HOME", "/tmp/what?mode=ro"),  # noqa: S108
        ("ALMANAC_DATABASE_URL", "almanac.db"),
        ("ALMANAC_JOBS_URL", "jobs.db"),
        ("ALMANAC_RETENTION_DAYS", "0"),
        ("ALMANAC_MAX_BODY_BYTES", "16M"),
        ("ALMANAC_MAX_HORIZON", "0"),
        ("ALMANAC_MAX_SERIES", "-1"),
        ("ALMANAC_MAX_POINTS", "1e5"),
        ("ALMANAC_MAX_QUEUE", "²"),
        ("ALMANAC_POLL_SECONDS", "soon"),
        ("ALMANAC_POLL_SECONDS", "0"),
        ("ALMANAC_POLL_SECONDS", "nan"),
        ("ALMANAC_ACCESS_LOG", "maybe"),
        ("ALMANAC_API_KEYS", "/nowhere/keys.json"),
    ],
)
def test_a_value_that_cannot_be_read_names_its_variable(name: str, value: str) -> None:
    """The refusal says which variable, what it held and what it should hold."""
    with pytest.raises(SettingInvalid) as refusal:
        Settings.from_environment({name: value})

    assert name in refusal.value.detail
    assert value in refusal.value.detail
    assert refusal.value.hint


def test_the_password_of_a_database_is_not_repeated() -> None:
    """A refusal may end in a log."""
    with pytest.raises(SettingInvalid) as refusal:
        Settings.from_environment({"ALMANAC_DATABASE_URL": "mysql://me:secret@db/almanac"})

    assert "mysql" in str(refusal.value)
    assert "secret" not in str(refusal.value)
