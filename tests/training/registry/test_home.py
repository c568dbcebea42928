"""A home that was copied or moved is refused, and follows its folder after `almanac home relocate`."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.errors import HomeMoved, RegistryUnreachable
from tests.training.registry.publishing import publish
from training.cli.home import home as command
from training.cli.jobs import worker
from training.registry.client import Registry
from training.registry.home import relocate
from training.registry.location import RegistryLocation


def at(home: Path) -> RegistryLocation:
    """Return the location of a home."""
    return RegistryLocation.from_environment({"ALMANAC_HOME": str(home)})


@pytest.fixture(scope="module")
def published(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with one model, which no test changes."""
    home = tmp_path_factory.mktemp("first") / "my home"
    home.mkdir()
    shutil.copy(empty_store, home / "mlflow.db")
    publish(Registry(at(home)), home.parent / "model")
    return home


def files(home: Path) -> set[Path]:
    """Return the artifacts of a home."""
    return {path.relative_to(home) for path in (home / "artifacts").rglob("*")}


def test_a_copied_home_writes_into_itself_after_relocation(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, it is refused with the command; the original stays as it is, and is not needed any more."""
    before, copy = files(published), tmp_path / "copy"
    shutil.copytree(published, copy)
    monkeypatch.setenv("ALMANAC_HOME", str(copy))

    with pytest.raises(HomeMoved, match=rf"{copy} was copied or moved.*ALMANAC_HOME={copy} almanac home relocate"):
        Registry(at(copy))
    outcome = [CliRunner().invoke(command, ["relocate"]).output for _ in range(2)]
    registry = Registry(at(copy))
    version = publish(registry, tmp_path / "model")

    assert [str(published) in outcome[0], "nothing has changed" in outcome[1]] == [True, True]
    assert files(published) == before
    assert len(files(copy)) > len(before)
    published.rename(published.with_name("away"))
    try:
        for number in ("1", version):
            found = registry.models.resolve(f"weather/{number}")
            assert registry.models.download(found, tmp_path / number).is_dir()
    finally:
        published.with_name("away").rename(published)


def test_a_worker_of_a_copied_home_does_not_start(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused with the command before anything else is looked at, such as a wrong name."""
    shutil.copytree(published, tmp_path / "copy")
    monkeypatch.setenv("ALMANAC_HOME", str(tmp_path / "copy"))
    monkeypatch.setenv("ALMANAC_WORKER_ID", "x" * 1_000)

    error = CliRunner().invoke(worker, []).exception

    assert isinstance(error, HomeMoved)
    assert "almanac home relocate" in error.hint


def test_a_moved_home_is_relocated(published: Path, tmp_path: Path) -> None:
    """Its old folder does not exist any more, and its runs are found in the new one."""
    first, second = tmp_path / "first", tmp_path / "second"
    shutil.copytree(published, first)
    relocate(at(first))
    first.rename(second)

    with pytest.raises(HomeMoved, match=r"artifacts in .*first"):
        Registry(at(second))

    assert relocate(at(second)) == [first]
    registry = Registry(at(second))
    assert registry.models.download(registry.models.resolve("weather/1"), tmp_path / "model").is_dir()


def test_a_home_behind_a_link_is_the_same_home(published: Path, tmp_path: Path) -> None:
    """It is one folder, whatever it is called."""
    (tmp_path / "link").symlink_to(published)

    assert Registry(at(tmp_path / "link")).models.names() == ["weather"]


def test_a_home_without_its_artifacts_is_not_relocated(published: Path, tmp_path: Path) -> None:
    """A copy of the database alone would lose its models."""
    shutil.copy(published / "mlflow.db", tmp_path)

    with pytest.raises(HomeMoved, match=r"are not in .*cp -a .*my home/artifacts"):
        relocate(at(tmp_path))
    with pytest.raises(RegistryUnreachable, match="no registry yet"):
        relocate(at(tmp_path / "none"))
