"""Settings: what the environment variables mean."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.errors import SettingInvalid
from service.settings import Settings


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    """Everything is below ./almanac-data, the registry in a SQLite file."""
    settings = Settings.from_environment()

    assert settings.home == Path.cwd() / "almanac-data"
    assert settings.tracking_uri == f"sqlite:///{settings.home}/mlflow.db"
    assert settings.api_keys == settings.home / "keys.json"
    assert settings.model is None
    assert settings.database == f"sqlite:///{settings.home}/almanac.db"
    assert settings.jobs == f"sqlite:///{settings.home}/jobs.db"
    assert settings.ledger


def test_each_variable_sets_its_own_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ALMANAC_ and the name in capitals; an empty variable counts as unset."""
    keys = tmp_path / "my-keys.json"
    keys.write_text("{}")
    numbers = [name for name, field in Settings.model_fields.items() if field.annotation in {int, float}]
    expected = {
        "home": tmp_path,
        "tracking_uri": "http://mlflow:5000",
        "api_keys": keys,
        "database_url": "postgresql://me@db/almanac",
        "jobs_url": "postgresql://me@db/jobs",
        "model": "rain@challenger",
        "rate": "100/second",
        "allowed_hosts": "service,*.example.org",
        "forwarded_allow_ips": "10.0.0.0/8, ::1",
        **{name: 0.5 if name.endswith("_share") else at + 1 for at, name in enumerate(numbers)},
    }
    for name, value in expected.items():
        monkeypatch.setenv("MLFLOW_TRACKING_URI" if name == "tracking_uri" else f"ALMANAC_{name.upper()}", str(value))
    monkeypatch.setenv("ALMANAC_LEDGER", "off")
    monkeypatch.setenv("ALMANAC_RETENTION_ALL", "on")
    monkeypatch.setenv("ALMANAC_ACCESS_LOG", "")

    settings = Settings.from_environment()

    assert settings.model_dump() == {**expected, "ledger": False, "retention_all": True, "access_log": False}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALMANAC_HOME", "/tmp/50%41"),  # noqa: S108 (a name, nothing is written)
        ("ALMANAC_HOME", "/tmp/what?mode=ro"),  # noqa: S108
        ("ALMANAC_DATABASE_URL", "almanac.db"),
        ("ALMANAC_JOBS_URL", "jobs.db"),
        ("ALMANAC_RETENTION_DAYS", "0"),
        ("ALMANAC_MAX_BODY_BYTES", "16M"),
        ("ALMANAC_MAX_HORIZON", "-1"),
        ("ALMANAC_MAX_POINTS", "1e5"),
        ("ALMANAC_MAX_QUEUE", "²"),
        ("ALMANAC_POLL_SECONDS", "soon"),
        ("ALMANAC_POLL_SECONDS", "0"),
        ("ALMANAC_POLL_SECONDS", "nan"),
        ("ALMANAC_ACCESS_LOG", "maybe"),
        ("ALMANAC_API_KEYS", "/nowhere/keys.json"),
        ("ALMANAC_ALLOWED_HOSTS", "https://example.org"),
        ("ALMANAC_ALLOWED_HOSTS", "example.org:8000"),
        ("ALMANAC_FORWARDED_ALLOW_IPS", "proxy"),
    ],
)
def test_an_invalid_value_is_an_error_with_variable_and_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one line, with what is accepted."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingInvalid) as refusal:
        Settings.from_environment()

    assert name in refusal.value.detail
    assert value in refusal.value.detail
    assert refusal.value.hint
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("url", ["mysql://me:secret@db/almanac", "me:secret@db/almanac"])
def test_the_password_of_a_database_is_not_shown(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error may end in a log."""
    monkeypatch.setenv("ALMANAC_DATABASE_URL", url)

    with pytest.raises(SettingInvalid) as refusal:
        Settings.from_environment()

    assert "ALMANAC_DATABASE_URL" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_settings_cannot_be_changed() -> None:
    """They are read once."""
    with pytest.raises(ValidationError):
        Settings().model = "rain"
