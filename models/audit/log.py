"""Audit log: a file in ALMANAC_HOME to which lines are only appended; each has the hash of the line before it."""

import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from models.audit.hidden_keys import KnownKeys, hide_keys, key_file

FILE = "audit.jsonl"
LONGEST_LINE = 65_536
FIRST = "0" * 64
"""What the first line has as the hash of the line before it."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One line.

    Attributes:
        number: From 1.
        data: What was recorded: time, actor, action, and what it was done to.
        is_intact: Whether it follows the line before it; a line that was changed or removed breaks the one after it.
    """

    number: int
    data: Mapping[str, Any]
    is_intact: bool


def record(home: Path, actor: str, action: str, **details: str | int | None) -> None:
    """Append a line; several processes may do so at once. Raise FileNotFoundError without a home: none is created.

    Args:
        home: ALMANAC_HOME; one that has vanished, such as an unmounted volume, must not come back empty.
        actor: Who did it: `user:NAME` of the system, `key:NAME`, or `address:IP` of a service without keys.
        action: What, such as `alias.set`, `schedule.create`, `key.add` or `series.erase`.
        details: To what, never the id of an erased series. A key in it is hidden.
    """
    known = KnownKeys(key_file(home, os.environ)).digests()
    details = {name: hide_keys(one, known) if isinstance(one, str) else one for name, one in details.items()}
    descriptor = os.open(home / FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "rb+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {
            "time": now,
            "actor": hide_keys(actor, known),
            "action": action,
            **details,
            "previous": _hash(_last_line(file)),
        }
        file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def record_own(home: Path, action: str, **details: str | int | None) -> None:
    """Append a line of this system's user; a home that does not exist yet is created."""
    home.mkdir(parents=True, exist_ok=True)
    record(home, f"user:{_user()}", action, **details)


def read(home: Path) -> Iterator[AuditLine]:
    """Yield the lines, the oldest first; a line that is not JSON has no data."""
    try:
        content = (home / FILE).read_bytes()
    except FileNotFoundError:
        return
    previous = FIRST
    for number, line in enumerate(content.splitlines(), 1):
        try:
            data = dict(json.loads(line))
        except ValueError:
            data = {}
        yield AuditLine(number, data, data.get("previous") == previous)
        previous = _hash(line)


def _last_line(file: IO[bytes]) -> bytes:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LONGEST_LINE))
    return file.read().rstrip(b"\n").rpartition(b"\n")[2]


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest() if line else FIRST


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
