"""Artifact cache: downloaded artifacts by the SHA-256 of their content, and the index of the registry's versions.

    cache/index-<host>-<pid>.json    one server's copy of the registry: names, versions, aliases, digests
    cache/artifacts/<sha256>/        one artifact; a rename makes it appear whole
    cache/partial/                   downloads in progress

A server's child process writes, the server reads. Neither locks, because every change is one atomic rename. Servers with
the same home share the artifacts, but each has its own index, and starts from the newest of all.
"""

import hashlib
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit
from urllib.request import url2pathname

import orjson

from models.artifact import MOST_NETWORK_BYTES, STORED_HINT, check_file
from models.errors import ArtifactIncomplete
from service.serving.registry_index import FOREIGN, RegistryIndex

INDEX = "index.json"
INDEXES = "index*.json"
STALE_SECONDS = 2 * 86_400
"""An index this old belongs to no running server: the longest poll interval is a day."""
CHECK_BYTES = 4096
SPEC = "spec.json"
NETWORK = "network.onnx"
CODE = "code"
"""The folder in which MLflow stores a model's Python code."""


@dataclass(frozen=True, slots=True)
class ArtifactCache:
    """The folder of downloaded artifacts, and one server's index of them.

    Attributes:
        root: The folder.
        index: The name of the index that `write` writes.
    """

    root: Path
    index: str = INDEX

    @classmethod
    def own(cls, root: Path) -> Self:
        """Return the cache of this server process, with its own index."""
        return cls(root, f"index-{socket.gethostname()}-{os.getpid()}.json")

    def read(self) -> RegistryIndex:
        """Return the index (before the first `write` the newest of any server), or an empty one if none can be read."""
        return next((index for path in self._sources() if (index := _read(path)) is not None), RegistryIndex())

    def write(self, index: RegistryIndex) -> None:
        """Replace the index."""
        self.root.mkdir(parents=True, exist_ok=True)
        draft = self.root / f"{self.index}.{uuid.uuid4().hex}"
        try:
            draft.write_bytes(orjson.dumps(index.to_dict(), option=orjson.OPT_INDENT_2))
            draft.replace(self.root / self.index)
        finally:
            draft.unlink(missing_ok=True)  # what a full disk left of it

    def write_error(self) -> OSError | None:
        """Return why the cache cannot be written, or None; a small file is written and deleted."""
        try:
            with self.download() as folder:
                (folder / INDEX).write_bytes(bytes(CHECK_BYTES))
        except OSError as error:
            return error
        return None

    def changed(self) -> int:
        """Return a number that changes with every `write`, 0 before the first."""
        return next((_modified(path) for path in self._sources()), 0)

    def _sources(self) -> list[Path]:
        """Return the files to read the index from: its own, or all others, newest first, until it exists."""
        own = self.root / self.index
        return [own] if own.exists() else sorted(self.root.glob(INDEXES), key=_modified, reverse=True)

    def tidy(self) -> None:
        """Remove the indexes of servers that no longer run: of dead processes on this host, and those not written for days."""
        for path in self.root.glob(INDEXES):
            if path.name != self.index and _is_stale(path):
                path.unlink(missing_ok=True)

    def path(self, digest: str) -> Path:
        """Return the folder for the artifact with this digest."""
        return self.root / "artifacts" / digest

    @contextmanager
    def download(self) -> Iterator[Path]:
        """Yield an empty folder for a download, and delete it afterwards."""
        folder = self.root / "partial" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def store(self, download: Path) -> str:
        """Move the artifact below `download` into the cache, and return its digest.

        Raises:
            ArtifactIncomplete: If it contains no Almanac artifact, or a file that is a link or too large.
            OSError: If it cannot be stored; the next poll tries again.
        """
        artifact = find_artifact(download)
        for path in sorted(artifact.rglob("*")):
            check_file(path, MOST_NETWORK_BYTES)
        digest = digest_of(artifact)
        target = self.path(digest)
        if self.contains(digest):
            return digest
        with self.download() as away:
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                target.rename(away / "broken")
            with suppress(OSError):
                artifact.rename(target)
        if not self.contains(digest):
            raise OSError(
                f"The artifact {digest[:12]} could not be stored in {target.parent}. Is the disk full or read-only?"
            )
        return digest

    def contains(self, digest: str) -> bool:
        """Return whether the artifact is cached and its content matches its digest."""
        target = self.path(digest)
        return (target / SPEC).is_file() and digest_of(target) == digest

    def verify(self, digest: str) -> Path:
        """Return the folder of an artifact after checking its content; raises ArtifactIncomplete."""
        if not self.contains(digest):
            raise ArtifactIncomplete(
                f"The cached artifact {digest[:12]} is missing or damaged.", hint="It is being downloaded again."
            )
        return self.path(digest)

    def prune(self, index: RegistryIndex) -> None:
        """Remove the artifacts that neither this index nor another server's refers to."""
        others = [_read(path) for path in self.root.glob(INDEXES) if path.name != self.index]
        named = {
            version.digest
            for one in [index, *filter(None, others)]
            for model in one.models.values()
            for version in model.versions.values()
        }
        for folder in (self.root / "artifacts").glob("*"):
            if folder.name not in named:
                shutil.rmtree(folder, ignore_errors=True)


def digest_of(folder: Path) -> str:
    """Return the hexadecimal SHA-256 of the names and contents of the files below a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return total.hexdigest()


def _read(path: Path) -> RegistryIndex | None:
    try:
        return RegistryIndex.from_dict(orjson.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _is_stale(path: Path) -> bool:
    """Return whether no server writes an index any more: that of older Almanac versions, of a dead process, or an old one."""
    host, _, pid = path.stem.removeprefix("index-").rpartition("-")
    if path.name == INDEX or time.time_ns() - _modified(path) > STALE_SECONDS * 1_000_000_000:
        return True
    return host == socket.gethostname() and pid.isdigit() and not _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def refuse_links(uri: str) -> None:
    """Raise ArtifactIncomplete for a symbolic link in a registered folder of this machine: a download has a file in its place.

    The folder itself may be behind one. Of an artifact that a server hands out nothing is known: it sends files.
    """
    place = urlsplit(uri)
    if place.scheme not in {"", "file"}:
        return
    folder = Path(url2pathname(place.path))
    for path in folder.rglob("*"):
        if path.is_symlink():
            name = path.relative_to(folder).as_posix()
            raise ArtifactIncomplete(f"{name} is a symbolic link, which is never followed.", hint=STORED_HINT)


def find_artifact(download: Path) -> Path:
    """Return the folder below `download` with spec and network, ignoring the starters in a model's copy of our code."""
    for spec in sorted(download.rglob(SPEC)):
        if CODE not in spec.relative_to(download).parts and (spec.parent / NETWORK).is_file():
            return spec.parent
    raise ArtifactIncomplete(
        f"{FOREIGN}: it has no {SPEC} next to a {NETWORK}.", hint="Register a model with `almanac train`."
    )
