"""The registry process and its SQLite file: missing, replaced, or being created."""

import fcntl
from dataclasses import replace
from pathlib import Path

import pytest

from service.serving.registry_process import RegistryPoller
from tests.service.home import ServiceHome
from tests.service.serving.fake_mlflow import FakeMlflow

NOW = "2026-02-02T00:00:00+00:00"


def test_a_missing_sqlite_file_is_an_absent_registry(home: ServiceHome, tmp_path: Path) -> None:
    """It is not created."""
    index = RegistryPoller(home.cache, f"sqlite:///{tmp_path / 'mlflow.db'}").poll(NOW)

    assert index.state == "absent"
    assert list(tmp_path.glob("mlflow.db")) == []


def test_a_registry_that_is_gone_leaves_its_models(home: ServiceHome, tmp_path: Path) -> None:
    """As one that cannot be reached, also in a new process."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    home.publish("rain", "1")
    home.cache.write(replace(home.cache.read(), source=RegistryPoller(home.cache, uri).source))

    index = RegistryPoller(home.cache, uri).poll(NOW)

    assert (index.state, [*index.models]) == ("unreachable", ["rain"])
    assert "any more" in index.detail


def test_a_replaced_sqlite_file_is_detected(home: ServiceHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After it was opened; an open connection would read the old file."""
    path = tmp_path / "mlflow.db"
    poller = RegistryPoller(home.cache, f"sqlite:///{path}")
    monkeypatch.setattr(poller, "_connect", lambda: FakeMlflow({"rain": ["1"]}, {}))
    path.write_text("first")
    assert not poller.was_replaced()
    poller.poll(NOW)
    assert not poller.was_replaced()

    path.unlink()
    gone = poller.was_replaced()
    path.write_text("second")

    assert gone
    assert poller.was_replaced()


def test_a_database_is_opened_under_the_lock_of_training(
    home: ServiceHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only at the first poll."""
    path = tmp_path / "mlflow.db"
    path.write_text("half")
    poller = RegistryPoller(home.cache, f"sqlite:///{path}")
    locked: list[bool] = []

    def connect() -> FakeMlflow:
        with (tmp_path / "mlflow.db.lock").open("ab") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                locked.append(True)
            else:
                locked.append(False)
        return FakeMlflow({"rain": ["1"]}, {})

    monkeypatch.setattr(poller, "_connect", connect)

    poller.poll(NOW)
    poller.poll(NOW)

    assert locked == [True, False]


def test_a_file_that_is_replaced_during_the_poll_is_ignored(
    home: ServiceHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index does not change."""
    home.publish("rain", "1")
    before = home.cache.read()
    path = tmp_path / "mlflow.db"
    path.write_text("first")
    poller = RegistryPoller(home.cache, f"sqlite:///{path}")

    def connect() -> FakeMlflow:
        path.unlink()
        path.write_text("second")
        return FakeMlflow({}, {})

    monkeypatch.setattr(poller, "_connect", connect)

    poller.poll(NOW)

    assert poller.was_replaced()
    assert home.cache.read() == before
