"""Board: a folder in which each server process publishes facts, and reads those of the others."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Board(Generic[T]):
    """The facts of each process in one file; only this user can read the folder.

    Attributes:
        folder: The folder.
        place: Number of this process.
    """

    folder: Path
    place: int
    _known: list[T] = field(default_factory=list)

    def publish(self, facts: T) -> None:
        """Replace the facts of this process."""
        draft = self.folder / f"facts-{self.place}.draft"
        draft.write_bytes(pickle.dumps(facts))
        draft.replace(_file(self.folder, self.place))

    def others(self) -> list[T]:
        """Return the facts of the other processes that have published any; the last ones if no file can be opened."""
        own = _file(self.folder, self.place)
        try:
            paths = [path for path in sorted(self.folder.glob("facts-*.pickle")) if path != own]
            found = [one for path in paths for one in _read(path)]
        except OSError:  # no file descriptor is left
            return list(self._known)
        self._known[:] = found
        return found


def forget(folder: Path, place: int) -> None:
    """Remove what a process that has ended published: its facts, and its gauges; its counters stay."""
    _file(folder, place).unlink(missing_ok=True)
    for path in folder.glob(f"gauge_live*_{place}.db"):
        path.unlink(missing_ok=True)


def _file(folder: Path, place: int) -> Path:
    return folder / f"facts-{place}.pickle"


def _read(path: Path) -> list[Any]:
    """Return the facts in a file, or none if its process has ended meanwhile."""
    try:
        return [pickle.loads(path.read_bytes())]  # noqa: S301 (our own process wrote it, in a folder of this user only)
    except FileNotFoundError:
        return []
