"""File: the one file that SQLite was opened as, and what is said once its name no longer means it."""

from models.opened import Opened
from service.errors import DatabaseUnreachable


class File(Opened):
    """The file of the service's own database."""

    def check(self) -> None:
        """Raise DatabaseUnreachable if the file is gone, or is another than the one that is known."""
        if self.is_gone():
            raise DatabaseUnreachable(
                f"{self.path} is gone: it was removed while the service ran.",
                hint="Put it back, or restart the service to begin a new one.",
            )
        if self.is_another():
            raise DatabaseUnreachable(
                f"{self.path} is another file than the one that was opened.",
                hint="Restart the service: it then reads the new one.",
            )
