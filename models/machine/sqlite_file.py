"""SqliteFile: the file of an open database, and whether it was removed, replaced or overwritten."""

import os
from contextlib import suppress
from pathlib import Path

SECTOR = 512
"""Unit of the size of SQLite's files, in bytes."""


def create_private(path: Path) -> None:
    """Create an empty file that only its owner reads, for SQLite to fill; an existing file stays as it is.

    The files that SQLite puts beside a database have its mode. Where no file can be created, SQLite reports it.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


class SqliteFile:
    """The file of an open database. Writes to a removed or replaced file are lost, and SQLite does not report that.

    The file is never opened here: opening and closing it beside SQLite would release SQLite's locks.
    """

    def __init__(self, path: Path) -> None:
        """Keep the path; `learn` records the file."""
        self.path = path
        self._known: tuple[int, int] | None = None

    def learn(self) -> None:
        """Record the file that has the path now as the database's file."""
        found = self._identity()
        self._known = found and found[:2]

    def is_gone(self) -> bool:
        """Return whether the recorded file was removed."""
        return self._known is not None and self._identity() is None

    def is_another(self) -> bool:
        """Return whether another file has replaced the recorded one."""
        found = self._identity()
        return None not in {self._known, found} and found is not None and found[:2] != self._known

    def is_damaged(self) -> bool:
        """Return whether the recorded file was emptied, or overwritten by another program."""
        found = self._identity()
        return self._known is not None and found is not None and (found[2] == 0 or found[2] % SECTOR != 0)

    def fault(self) -> str:
        """Return what happened to the recorded file, as the rest of a sentence, or "" if nothing."""
        if self.is_gone():
            return "was removed while it was in use"
        if self.is_another():
            return "was replaced by another file"
        return "was overwritten while it was in use" if self.is_damaged() else ""

    def _identity(self) -> tuple[int, int, int] | None:
        """Return device, inode and size, or None without a file."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size
