"""Cache: downloaded artifacts under the SHA-256 of their content, and the index that says which version is which.

    cache/index-<host>-<pid>.json    what the registry said last, to one server: names, versions, aliases, digests
    cache/artifacts/<sha256>/        one artifact; appears whole or not at all, by rename
    cache/partial/                   downloads under way

A server's child process writes, the server reads. Neither locks: every change is one atomic rename, and servers that
share a home share its artifacts, but each has an index of its own and starts from the newest of all.
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

import orjson

from models.errors import ArtifactIncomplete
from service.serving.registry_index import RegistryIndex

INDEX = "index.json"
INDEXES = "index*.json"
STALE_SECONDS = 2 * 86_400
"""An index that was written so long ago has no server: the longest poll is a day."""
SPEC = "spec.json"
NETWORK = "network.onnx"
CODE = "code"
"""Where MLflow keeps a model's program."""


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
        """Return the cache as this process, a server, sees it: with an index that no other one writes."""
        return cls(root, f"index-{socket.gethostname()}-{os.getpid()}.json")

    def read(self) -> RegistryIndex:
        """Return the index, the newest of all servers' before the first `write`; an empty one where none can be read."""
        return next((index for path in self._sources() if (index := _read(path)) is not None), RegistryIndex())

    def write(self, index: RegistryIndex) -> None:
        """Replace the index."""
        self.root.mkdir(parents=True, exist_ok=True)
        draft = self.root / f"{self.index}.{uuid.uuid4().hex}"
        draft.write_bytes(orjson.dumps(index.to_dict(), option=orjson.OPT_INDENT_2))
        draft.replace(self.root / self.index)

    def changed(self) -> int:
        """Return a number that differs after every `write`, 0 before the first."""
        return next((_modified(path) for path in self._sources()), 0)

    def _sources(self) -> list[Path]:
        """Return the files to read the index from: its own, before there is one all others, the newest first."""
        own = self.root / self.index
        return [own] if own.exists() else sorted(self.root.glob(INDEXES), key=_modified, reverse=True)

    def tidy(self) -> None:
        """Remove the indexes whose servers are gone: of this machine's dead processes, and those not written for days."""
        for path in self.root.glob(INDEXES):
            if path.name != self.index and _is_stale(path):
                path.unlink(missing_ok=True)

    def path(self, digest: str) -> Path:
        """Return where the artifact with this digest lies, or would lie."""
        return self.root / "artifacts" / digest

    @contextmanager
    def download(self) -> Iterator[Path]:
        """Lend an empty folder for a download; it is gone afterwards, whatever happened."""
        folder = self.root / "partial" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def store(self, download: Path) -> str:
        """Take the artifact found beneath `download` in, whole, and return its digest.

        Raises:
            ArtifactIncomplete: If there is no artifact of Almanac's beneath it.
            OSError: If it cannot be kept: no fault of the artifact, and tried again.
        """
        artifact = _find(download)
        digest = digest_of(artifact)
        target = self.path(digest)
        if self.holds(digest):
            return digest
        with self.download() as away:
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                target.rename(away / "broken")
            with suppress(OSError):
                artifact.rename(target)
        if not self.holds(digest):
            raise OSError(
                f"The artifact {digest[:12]} could not be kept in {target.parent}. Is the disk full, or read-only?"
            )
        return digest

    def holds(self, digest: str) -> bool:
        """Return whether the artifact is here and its content still has its digest."""
        target = self.path(digest)
        return (target / SPEC).is_file() and digest_of(target) == digest

    def verified(self, digest: str) -> Path:
        """Return the folder of an artifact whose content has been checked.

        Raises:
            ArtifactIncomplete: If it is missing or its content has changed.
        """
        if not self.holds(digest):
            raise ArtifactIncomplete(
                f"The cached artifact {digest[:12]} is missing or damaged.", hint="It is being fetched again."
            )
        return self.path(digest)

    def prune(self, index: RegistryIndex) -> None:
        """Remove the artifacts that no version of the index names, nor of another server's."""
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
    """Return the SHA-256 over the names and contents of the files beneath a folder, hexadecimal."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return total.hexdigest()


def _read(path: Path) -> RegistryIndex | None:
    """Return the index in a file, or None where there is none to be read."""
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
    """Return whether nobody writes an index any more: the shared one of older versions, a dead server's, an old one."""
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


def _find(download: Path) -> Path:
    """Return the folder beneath `download` that holds spec and network: not the starters in a model's copy of our code."""
    for spec in sorted(download.rglob(SPEC)):
        if CODE not in spec.relative_to(download).parts and (spec.parent / NETWORK).is_file():
            return spec.parent
    raise ArtifactIncomplete(
        f"There is no {SPEC} beside a {NETWORK} in it: this is no model of Almanac's.",
        hint="Register a model with `almanac train`.",
    )
