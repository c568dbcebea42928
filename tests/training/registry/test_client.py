import ctypes
import fcntl
import shutil
import signal
from pathlib import Path

import pytest

from models.errors import RegistryUnreachable
from tests.training.registry.publishing import publish
from training.registry import client
from training.registry.client import Registry, restore_interrupts
from training.registry.location import RegistryLocation


def registry_in(home: Path) -> Registry:
    """Return the registry of a home."""
    return Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(home)}))


def test_a_home_can_have_spaces_and_a_hash_in_its_path(empty_store: Path, tmp_path: Path) -> None:
    """Nothing is written beside the home, although # ends the path of a URL."""
    home = tmp_path / "my data #1"
    home.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    registry = registry_in(home)

    publish(registry, tmp_path / "model")

    assert registry.models.download(registry.models.resolve("weather@challenger"), tmp_path / "fetched").is_dir()
    assert {path.name for path in tmp_path.iterdir()} == {"my data #1", "model", "fetched"}


def test_a_server_that_does_not_respond_is_named(tmp_path: Path) -> None:
    """The error has its address and the cause."""
    registry = Registry(RegistryLocation(tmp_path, "http://127.0.0.1:9"))

    with pytest.raises(RegistryUnreachable, match=r"^http://127\.0\.0\.1:9 .*Connection refused"):
        registry.models.names()


@pytest.mark.parametrize("words", ["file is not a database", "disk image is malformed"])
def test_a_damaged_database_is_named_at_once(
    empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """The error is one line with the file's path and without SQL; MLflow, which would try for 100 s, is not asked."""
    monkeypatch.setattr(client, "_point_mlflow_to", pytest.fail)
    whole = empty_store.read_bytes()
    (tmp_path / "mlflow.db").write_bytes(b"no database " * 99 if "not" in words else whole[:8192])

    with pytest.raises(RegistryUnreachable, match=words) as caught:
        registry_in(tmp_path)

    assert str(tmp_path / "mlflow.db") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_home_that_is_a_file_is_named(tmp_path: Path) -> None:
    """A home must be a folder."""
    (tmp_path / "home").write_text("")

    with pytest.raises(RegistryUnreachable, match="home: File exists"):
        registry_in(tmp_path / "home")


def test_a_database_that_another_process_opens_is_not_awaited_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the lock file, so that the user can find the process that holds it."""
    monkeypatch.setattr("training.registry.file_lock.LOCK_SECONDS", 0.0)
    with (tmp_path / "mlflow.db.lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(RegistryUnreachable, match=r"mlflow\.db\.lock"):
            registry_in(tmp_path)


def test_a_handler_below_pythons_does_not_keep_interrupts() -> None:
    """Libraries such as polars set one with sigaction, which Python does not see."""
    libc, before = ctypes.CDLL(None), signal.getsignal(signal.SIGINT)
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    pythons = libc.signal(signal.SIGINT, signal.SIG_DFL.value)

    restore_interrupts()

    assert libc.signal(signal.SIGINT, pythons) == pythons
    assert signal.getsignal(signal.SIGINT) is before
