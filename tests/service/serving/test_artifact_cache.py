"""The artifact cache: complete artifacts, and one index for each server."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from models.errors import ArtifactIncomplete
from service.serving.artifact_cache import ArtifactCache, digest_of
from service.serving.registry_index import ModelVersion, RegisteredModel, RegistryIndex
from tests.service.home import Artifacts, ServiceHome
from tests.starters import make_starters


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    """With every field."""
    index = RegistryIndex(
        {
            "rain": RegisteredModel(
                {"1": ModelVersion("run", "abc"), "2": ModelVersion(None, None, "no model")}, {"champion": "1"}
            )
        },
        state="unreachable",
        detail="timed out",
        checked="2026-01-01T00:00:00+00:00",
        gone=("rain",),
        source="a registry",
    )

    ArtifactCache(tmp_path).write(index)

    assert ArtifactCache(tmp_path).read() == index
    assert [path.name for path in tmp_path.iterdir()] == ["index.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 2}', '{"format": 1, "models": 7}', '{"format": 1}'])
def test_an_unreadable_index_is_read_as_empty(tmp_path: Path, content: str) -> None:
    """Until the next poll writes it."""
    (tmp_path / "index.json").write_text(content)

    assert ArtifactCache(tmp_path).read() == RegistryIndex()


def test_each_server_in_a_home_has_its_own_index(tmp_path: Path) -> None:
    """A new server starts from the index of another, and does not prune its artifacts."""
    first, second = ArtifactCache(tmp_path, "index-elsewhere-1.json"), ArtifactCache.own(tmp_path)
    index = RegistryIndex(
        {"rain": RegisteredModel({"1": ModelVersion("run", "abc")}, {"champion": "1"})}, checked="now"
    )
    first.write(index)
    first.path("abc").mkdir(parents=True)
    seed = second.read()
    second.write(RegistryIndex(checked="later"))

    second.prune(second.read())

    assert seed == first.read() == index
    assert second.read().models == {}
    assert first.path("abc").is_dir()


def test_a_new_server_starts_from_the_newest_readable_index(tmp_path: Path) -> None:
    """It skips a broken one."""
    for at, name in enumerate(["index.json", "index-elsewhere-1.json"]):
        ArtifactCache(tmp_path, name).write(RegistryIndex(checked=name))
        os.utime(tmp_path / name, (at, at))
    (tmp_path / "index-elsewhere-2.json").write_text("{")

    assert ArtifactCache.own(tmp_path).read().checked == "index-elsewhere-1.json"


def test_indexes_of_ended_servers_are_removed(tmp_path: Path) -> None:
    """Of a dead process, or not written for days; those of running servers and of other hosts are kept."""
    here = socket.gethostname()
    dead = subprocess.Popen(["true"])  # noqa: S607
    dead.wait()
    names = ["index.json", f"index-{here}-{dead.pid}.json", f"index-{here}-{os.getppid()}.json"]
    for name in [*names, "index-elsewhere-1.json", "index-elsewhere-2.json"]:
        ArtifactCache(tmp_path, name).write(RegistryIndex())
    os.utime(tmp_path / "index-elsewhere-2.json", (0, 0))
    own = ArtifactCache.own(tmp_path)
    own.write(RegistryIndex())

    own.tidy()

    left = {path.name for path in tmp_path.iterdir()}
    assert left == {names[2], "index-elsewhere-1.json", own.index}


def test_every_write_changes_the_state(tmp_path: Path) -> None:
    """The server checks only this number."""
    cache = ArtifactCache(tmp_path)
    before = cache.changed()

    cache.write(RegistryIndex())

    assert before == 0
    assert cache.changed() != before


def test_an_artifact_is_stored_by_the_digest_of_its_content(home: ServiceHome) -> None:
    """The same content twice is stored once."""
    first, again, other = home.store(), home.store(), home.store(shift=1.0)

    assert first == again != other
    assert digest_of(home.cache.path(first)) == first
    assert home.cache.verify(first) == home.cache.path(first)


def test_a_changed_artifact_is_an_error(home: ServiceHome) -> None:
    """An added file is enough."""
    digest = home.store()
    folder = home.cache.path(digest)

    (folder / "added.txt").write_text("x")

    with pytest.raises(ArtifactIncomplete, match="damaged"):
        home.cache.verify(digest)


def test_a_damaged_artifact_is_replaced(home: ServiceHome) -> None:
    """By the next download."""
    digest = home.store()
    (home.cache.path(digest) / "network.onnx").write_bytes(b"")

    again = home.store()

    assert again == digest
    assert home.cache.contains(digest)


def test_an_interrupted_download_leaves_no_file(home: ServiceHome) -> None:
    """Neither in the artifacts nor in the folder for downloads."""

    def broken_download() -> None:
        with home.cache.download() as folder:
            (folder / "spec.json").write_text("{")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        broken_download()

    assert [path for path in home.cache.root.rglob("*") if path.is_file()] == []


def test_a_foreign_model_is_not_stored(home: ServiceHome) -> None:
    """It has no spec.json next to a network.onnx."""
    with home.cache.download() as folder:
        (folder / "weights.txt").write_text("1 2 3")

        with pytest.raises(ArtifactIncomplete):
            home.cache.store(folder)


def test_the_starters_in_a_models_code_are_ignored(home: ServiceHome, artifacts: Artifacts) -> None:
    """A model logged with all of Almanac's code contains them."""
    with home.cache.download() as folder:
        make_starters(folder / "code" / "models" / "starters")
        shutil.copytree(artifacts.get(name="rain"), folder / "data" / "rain")
        digest = home.cache.store(folder)

    assert '"name": "rain"' in (home.cache.path(digest) / "spec.json").read_text()


def test_pruning_keeps_the_artifacts_in_the_index(home: ServiceHome) -> None:
    """And removes all others."""
    kept = home.publish("temperatures", "1")
    dropped = home.store(shift=1.0)

    home.cache.prune(home.cache.read())

    assert home.cache.contains(kept)
    assert not home.cache.path(dropped).exists()
