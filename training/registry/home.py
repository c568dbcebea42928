"""The home's database: whether it can be read and belongs to its folder, and how it follows a home that was moved or copied.

MLflow stores the absolute address of every artifact. A copied home would therefore write into the original.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from models.errors import HomeMoved, RegistryUnreachable
from models.registry import home as homes
from models.registry.home import ARTIFACTS, EXPERIMENTS, local_folder, own_database
from training.registry.file_lock import lock_database
from training.registry.location import RegistryLocation

ADDRESSES = (
    EXPERIMENTS,
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)
"""Tables and columns in which MLflow stores absolute addresses."""

SHOWN = 3
BUSY_SECONDS = 60.0


def check_home(location: RegistryLocation) -> None:
    """Refuse a home whose database is damaged, or whose artifacts lie in another folder.

    Raises:
        RegistryUnreachable: If the file is no SQLite database. MLflow would try again for 100 s.
        HomeMoved: If the home was moved or copied.
    """
    database = location.database
    if database is None or not database.is_file() or database.stat().st_size == 0:
        return
    with _opened(database, "ro") as store:
        store.execute("SELECT count(*) FROM sqlite_master")  # raises for another file, and for one that was cut
        if own_database(location.home, location.uri) is not None:
            homes.require_own(location.home, _experiments(store))


def relocate(location: RegistryLocation) -> list[Path]:
    """Make the addresses in a home's database those of its own folder; return the folders that they had.

    Nothing changes if a file that an address needs is in the old folder alone.

    Raises:
        RegistryUnreachable: If there is no database, or it is damaged or in use.
        HomeMoved: If artifacts are missing.
    """
    location.require_registry()
    database, own = location.home / "mlflow.db", location.home / ARTIFACTS
    with lock_database(database), _opened(database, "rw") as store, store:
        roots = homes.foreign_roots(location.home, _experiments(store))
        moves = [(root, table, column) for root in roots for table, column in _present(store)]
        missing = [folder for root in roots for folder in _left_behind(store, root, own)]
        if missing:
            shown = ", ".join(map(str, missing[:SHOWN])) + (", …" if len(missing) > SHOWN else "")
            raise HomeMoved(
                f"{len(missing)} folders of artifacts are not in {own}: {shown}.",
                hint=f"Copy them first: cp -a {roots[0]}/. {own}/",
            )
        for root, table, column in moves:
            _rewrite(store, table, column, root, own)
    return [root.parent for root in roots]


def _experiments(store: sqlite3.Connection) -> list[str | None]:
    """Return the addresses of artifacts of the experiments, in order."""
    table, column = EXPERIMENTS
    if EXPERIMENTS not in _present(store):
        return []
    return [row[0] for row in store.execute(f"SELECT DISTINCT {column} FROM {table} ORDER BY 1")]  # noqa: S608 - our own names


@contextmanager
def _opened(database: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """Open a database by SQLite itself: a file that is opened beside it would lose SQLite's locks when it is closed."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS)) as store:
            yield store
    except sqlite3.Error as error:
        raise RegistryUnreachable(
            f"{database} cannot be read ({error}).",
            hint="If it is damaged, restore a copy or choose another ALMANAC_HOME.",
        ) from error


def _present(store: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the columns of addresses that a database has: MLflow makes its tables when it is first used."""
    return [
        (table, column)
        for table, column in ADDRESSES
        if column in {row[1] for row in store.execute(f"PRAGMA table_info({table})")}
    ]


def _left_behind(store: sqlite3.Connection, root: Path, own: Path) -> list[Path]:
    """Return the folders that exist below an old root and not in the home."""
    found: set[Path] = set()
    for table, column in _present(store):
        for (address,) in store.execute(f"SELECT DISTINCT {column} FROM {table}"):  # noqa: S608 - our own names
            folder = local_folder(address)
            if folder and folder.is_relative_to(root) and folder.exists():
                found |= {own / folder.relative_to(root)}
    return sorted(one for one in found if not one.exists())


def _rewrite(store: sqlite3.Connection, table: str, column: str, root: Path, own: Path) -> None:
    """Replace an old root in every address of a column."""
    for old in (root.as_uri(), str(root)):
        new = own.as_uri() if old == root.as_uri() else str(own)
        store.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",  # noqa: S608 - our own names
            (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
        )
