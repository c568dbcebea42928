"""Places: folders and files of this machine or of an object store, by one address."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import ConfigInvalid, DataInvalid

SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")

PIECE = 1 << 20
"""Bytes that are read at once to compute a checksum."""

HIDDEN = ("_", ".")
"""First characters of files and folders that are not data, as for Spark and pyarrow."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or a file.

    Attributes:
        address: A path, or an address such as `s3://bucket/folder`. What pyarrow does not know is asked of fsspec.
    """

    address: str

    @classmethod
    def of(cls, text: str) -> "Place":
        """Return the place of a path or address; a path is absolute, since workers may stand elsewhere."""
        return cls(text if is_address(text) else str(Path(text).absolute()))

    def open(self) -> tuple[Any, str]:
        """Return its `pyarrow.fs.FileSystem` and its path there; raises ConfigInvalid."""
        import pyarrow as pa
        from pyarrow import fs

        try:
            if not is_address(self.address):
                return fs.LocalFileSystem(), str(Path(self.address).absolute())
            try:
                found: tuple[Any, str] = fs.FileSystem.from_uri(self.address)
            except pa.ArrowInvalid:
                import fsspec

                system, path = fsspec.core.url_to_fs(self.address)
                found = fs.PyFileSystem(fs.FSSpecHandler(system)), path
        except (ImportError, OSError, ValueError) as error:
            raise ConfigInvalid(
                f"{self.address} cannot be opened: {error}",
                hint="Use a folder, or an address such as s3://bucket/folder or gs://bucket/folder.",
            ) from error
        return found

    def files(self) -> list["DataFile"]:
        """Return the Parquet files of a folder and its folders in order of their names, or the one file.

        Raises:
            DataInvalid: If there is none.
        """
        from pyarrow import fs

        system, path = self.open()
        try:
            info = system.get_file_info(path)
            there = info.type != fs.FileType.NotFound
            infos = (
                [info] if info.is_file else system.get_file_info(fs.FileSelector(path, recursive=True)) if there else []
            )
        except OSError as error:
            raise DataInvalid(f"{self.address}: cannot be read ({error}).", hint="Check the address.") from error
        found = [_data_file(one, path) for one in infos if one.is_file]
        found = [one for one in found if _is_data(one.name)]
        if not found:
            what = "no Parquet file in it" if there else "no such file or folder"
            raise DataInvalid(f"{self.address}: {what}.", hint="Give a .parquet file, or a folder of them.")
        return sorted(found, key=lambda one: one.path)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file in the folder, or None if there is none."""
        system, path = self.open()
        try:
            with system.open_input_file(f"{path}/{name}") as file:
                content: bytes = file.read()
        except FileNotFoundError:
            return None
        return content

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a file in the folder, 64 hexadecimal digits; it is read piece by piece."""
        system, path = self.open()
        digest = hashlib.sha256()
        with system.open_input_stream(f"{path}/{name}") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        return digest.hexdigest()

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the folder at once: another process sees the whole file or none.

        Raises:
            ConfigInvalid: If it cannot be written.
        """
        from pyarrow import fs

        system, path = self.open()
        target = f"{path}/{name}"
        local = isinstance(system, fs.LocalFileSystem)
        parent, _, last = target.rpartition("/")
        written = f"{parent}/.{last}.{os.getpid()}" if local else target
        try:
            if local:
                system.create_dir(parent, recursive=True)
            with system.open_output_stream(written) as file:
                file.write(content)
            if local:
                Path(written).replace(target)
        except OSError as error:
            raise ConfigInvalid(f"{target}: cannot be written ({error}).", hint="Check --output.") from error

    def sizes(self, folder: str = "") -> dict[str, int]:
        """Return the size of each file of the folder, or of a folder in it, by name; empty if there is no such folder."""
        from pyarrow import fs

        system, path = self.open()
        where = f"{path}/{folder}".rstrip("/")
        infos = system.get_file_info(fs.FileSelector(where, allow_not_found=True))
        return {one.base_name: one.size for one in infos if one.is_file}


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of data: its path on its file system, its name below the folder, its size and when it was written."""

    path: str
    name: str
    size: int
    written: int


def is_address(text: str) -> bool:
    """Return whether a text is an address with a scheme, and not a path."""
    return SCHEME.match(text) is not None


def is_bulk(data: str, output: str | None, engine: str | None) -> bool:
    """Return whether forecasts are made part by part: of a folder or an address, into one, or on a named engine."""
    return bool(engine) or is_address(data) or Path(data).is_dir() or (output is not None and is_address(output))


def _data_file(info: Any, root: str) -> DataFile:  # noqa: ANN401 - pyarrow's
    name = info.path.removeprefix(root).lstrip("/") or info.base_name
    return DataFile(info.path, name, info.size, info.mtime_ns or 0)


def _is_data(name: str) -> bool:
    parts = name.split("/")
    return name.lower().endswith((".parquet", ".pq")) and not any(one.startswith(HIDDEN) for one in parts)
