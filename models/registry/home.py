"""Home: whether the artifacts that a home's database names lie in that home; a copied home would write into the original."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from models.errors import HomeMoved
from models.jobs.database import sqlite_file

ARTIFACTS = "artifacts"
"""Folder of a home that MLflow's addresses point into."""

EXPERIMENTS = ("experiments", "artifact_location")
"""Table and column of the addresses that tell which home a database belongs to."""


def own_database(home: Path, uri: str) -> Path | None:
    """Return the database of a home if it is the registry with this address, else None."""
    database = home / "mlflow.db"
    return database if sqlite_file(uri) == database else None


def require_own(home: Path, addresses: Iterable[str | None]) -> None:
    """Raise HomeMoved if addresses of a home's experiments are those of another home."""
    roots = foreign_roots(home, addresses)
    if roots:
        raise HomeMoved(
            f"{home} was copied or moved: its database names the artifacts in {roots[0]}.",
            hint=f"Give it its own: ALMANAC_HOME={shlex.quote(str(home))} almanac home relocate",
        )


def foreign_roots(home: Path, addresses: Iterable[str | None]) -> list[Path]:
    """Return the folders of artifacts among addresses of experiments that are not the home's own, in order."""
    own = home / ARTIFACTS
    folders = [folder for address in addresses if (folder := local_folder(address)) and folder.name == ARTIFACTS]
    return [one for one in folders if one != own and not (own.exists() and one.exists() and one.samefile(own))]


def local_folder(address: str | None) -> Path | None:
    """Return the local folder of an address, or None for a server's or a relative one."""
    parts = urlsplit(address or "")
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(address or "")
    return path if parts.scheme in {"", "file"} and path.is_absolute() else None
