"""SqliteFile: a file that a database was opened as, and whether its name still means it, whole."""

from pathlib import Path

SECTOR = 512
"""What SQLite's files are a multiple of, in bytes."""


class SqliteFile:
    """A database's file: what is written to one that was removed or replaced is lost, though SQLite does not say so.

    It is looked at from outside alone: whoever opens a file of SQLite's beside it, and closes it, breaks its locks.
    """

    def __init__(self, path: Path) -> None:
        """Take any file, until one is known."""
        self.path = path
        self._known: tuple[int, int] | None = None

    def learn(self) -> None:
        """Take the file that is there now for the database, from here on."""
        found = self._look()
        self._known = found and found[:2]

    def is_gone(self) -> bool:
        """Return whether a file was known, and there is none."""
        return self._known is not None and self._look() is None

    def is_another(self) -> bool:
        """Return whether a file was known, and there is another."""
        found = self._look()
        return None not in {self._known, found} and found is not None and found[:2] != self._known

    def is_spoilt(self) -> bool:
        """Return whether the file that was known was emptied or written over with what SQLite did not write."""
        found = self._look()
        return self._known is not None and found is not None and (found[2] == 0 or found[2] % SECTOR != 0)

    def fault(self) -> str:
        """Return what became of the file that is known, as the middle of a sentence, "" while nothing did."""
        if self.is_gone():
            return "is gone: it was removed while it was in use"
        if self.is_another():
            return "is another file than the one that was opened"
        return "was written over while it was in use" if self.is_spoilt() else ""

    def _look(self) -> tuple[int, int, int] | None:
        """Return device, inode and size."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size
