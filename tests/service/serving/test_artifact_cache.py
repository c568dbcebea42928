"""The cache: an artifact is there whole or not at all."""

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


def test_an_index_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Names, versions, aliases, errors and the state of the registry."""
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
def test_an_index_that_cannot_be_read_is_an_empty_one(tmp_path: Path, content: str) -> None:
    """The next poll writes it anew; until then nothing is known."""
    (tmp_path / "index.json").write_text(content)

    assert ArtifactCache(tmp_path).read() == RegistryIndex()


def test_two_servers_on_one_home_write_an_index_each(tmp_path: Path) -> None:
    """The second starts from the first's and never changes it; neither prunes what the other names."""
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


def test_a_new_server_starts_from_the_newest_index_that_can_be_read(tmp_path: Path) -> None:
    """A broken one is passed over."""
    for at, name in enumerate(["index.json", "index-elsewhere-1.json"]):
        ArtifactCache(tmp_path, name).write(RegistryIndex(checked=name))
        os.utime(tmp_path / name, (at, at))
    (tmp_path / "index-elsewhere-2.json").write_text("{")

    assert ArtifactCache.own(tmp_path).read().checked == "index-elsewhere-1.json"


def test_indexes_of_servers_that_are_gone_are_tidied_away(tmp_path: Path) -> None:
    """A dead process', one not written for days; a living server's stays, also one of another machine."""
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


def test_every_write_is_noticed(tmp_path: Path) -> None:
    """The server looks at nothing but this number."""
    cache = ArtifactCache(tmp_path)
    before = cache.changed()

    cache.write(RegistryIndex())

    assert before == 0
    assert cache.changed() != before


def test_an_artifact_lies_under_the_digest_of_its_content(home: ServiceHome) -> None:
    """The same content twice is one folder; other content another."""
    first, again, other = home.store(), home.store(), home.store(shift=1.0)

    assert first == again != other
    assert digest_of(home.cache.path(first)) == first
    assert home.cache.verified(first) == home.cache.path(first)


def test_an_artifact_that_changed_is_not_handed_out(home: ServiceHome) -> None:
    """A flipped byte, a missing file or an added one: each is noticed."""
    digest = home.store()
    folder = home.cache.path(digest)

    (folder / "added.txt").write_text("x")

    with pytest.raises(ArtifactIncomplete, match="damaged"):
        home.cache.verified(digest)


def test_a_damaged_artifact_is_replaced_by_a_sound_download(home: ServiceHome) -> None:
    """The broken one makes way."""
    digest = home.store()
    (home.cache.path(digest) / "network.onnx").write_bytes(b"")

    again = home.store()

    assert again == digest
    assert home.cache.holds(digest)


def test_a_download_that_breaks_off_leaves_nothing(home: ServiceHome) -> None:
    """Neither in the artifacts nor in the folder for downloads."""

    def broken_download() -> None:
        with home.cache.download() as folder:
            (folder / "spec.json").write_text("{")
            raise ConnectionError("the line went dead")

    with pytest.raises(ConnectionError):
        broken_download()

    assert [path for path in home.cache.root.rglob("*") if path.is_file()] == []


def test_what_is_no_artifact_is_not_taken_in(home: ServiceHome) -> None:
    """A foreign model has no spec.json beside a network.onnx."""
    with home.cache.download() as folder:
        (folder / "weights.txt").write_text("1 2 3")

        with pytest.raises(ArtifactIncomplete):
            home.cache.store(folder)


def test_the_starters_in_a_models_code_are_not_the_model(home: ServiceHome, artifacts: Artifacts) -> None:
    """Whoever logs a model with the whole of our code logs the starters too; they stand before it by name."""
    with home.cache.download() as folder:
        make_starters(folder / "code" / "models" / "starters")
        shutil.copytree(artifacts.get(name="rain"), folder / "data" / "rain")
        digest = home.cache.store(folder)

    assert '"name": "rain"' in (home.cache.path(digest) / "spec.json").read_text()


def test_pruning_keeps_what_the_index_names(home: ServiceHome) -> None:
    """The rest goes."""
    kept = home.publish("temperatures", "1")
    dropped = home.store(shift=1.0)

    home.cache.prune(home.cache.read())

    assert home.cache.holds(kept)
    assert not home.cache.path(dropped).exists()
