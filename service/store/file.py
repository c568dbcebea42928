"""File: the one file that SQLite was opened as, and whether its name still means it."""

from pathlib import Path

from service.errors import DatabaseUnreachable


class File:
    """A database's file: what is written to one that was removed or replaced is lost, though SQLite does not say so."""

    def __init__(self, path: Path) -> None:
        """Take any file, until one is known."""
        self.path = path
        self._known: tuple[int, int] | None = None

    def learn(self) -> None:
        """Take the file that is there now for the database, from here on."""
        self._known = self._identity()

    def check(self) -> None:
        """Raise DatabaseUnreachable if the file is gone, or is another than the one that is known."""
        now = self._identity()
        if self._known is None or now == self._known:
            return
        if now is None:
            raise DatabaseUnreachable(
                f"{self.path} is gone: it was removed while the service ran.",
                hint="Put it back, or restart the service to begin a new one.",
            )
        raise DatabaseUnreachable(
            f"{self.path} is another file than the one that was opened.",
            hint="Restart the service: it then reads the new one.",
        )

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
