"""Audit log: a file in ALMANAC_HOME to which lines are only appended; each has the hash of the line before it.

A second file has the number and the hash of the newest line, so that a log that was cut off at its end shows it.
"""

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

FILE, END_FILE = "audit.jsonl", "audit.end"
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


@dataclass(frozen=True, slots=True)
class End:
    """The end of the log.

    Attributes:
        lines: How many lines there are.
        hash: SHA-256 of the newest, in hexadecimal digits.
    """

    lines: int
    hash: str


def record(home: Path, actor: str, action: str, **details: str | int | None) -> End:
    """Append a line, and return the new end; several processes may do so at once.

    A line after an end that was cut off has the hash of what was there: it does not follow the line that is before it now.
    Raise FileNotFoundError without a home: none is created.

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
        last, before = _last_line(file), read_end(home)
        if before is None or (before.hash != _hash(last) and _has_line(file, before.hash)):
            before = End(_count(file), _hash(last))
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        data = {"time": now, "actor": hide_keys(actor, known), "action": action, **details, "previous": before.hash}
        line = json.dumps(data, ensure_ascii=False).encode()
        _append(descriptor, line + b"\n")
        end = End(before.lines + 1, _hash(line))
        _write_end(home, end, os.fstat(file.fileno()))
        return end


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


def read_end(home: Path) -> End | None:
    """Return the end as it was when a line was last appended; None before the first, and of a file that cannot be read."""
    try:
        lines, digest = (home / END_FILE).read_text().split()
        return End(int(lines), digest)
    except (FileNotFoundError, ValueError):
        return None


def is_whole(home: Path) -> bool:
    """Return whether the log still has the line that the end is of; True if nothing is known of an end."""
    try:
        with (home / FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            end = read_end(home)
            return end is None or end.hash == _hash(_last_line(file)) or _has_line(file, end.hash)
    except FileNotFoundError:
        return read_end(home) is None


def _append(descriptor: int, line: bytes) -> None:
    """Write a line, or nothing of it: the next one would continue what a full disk has taken of it."""
    size = os.fstat(descriptor).st_size
    try:
        while line:
            line = line[os.write(descriptor, line) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def _has_line(file: IO[bytes], digest: str) -> bool:
    """Return whether the log has a line with this hash.

    Others may come after it: of a process that was killed, of a full disk, or of an older version, which wrote no end.
    """
    file.seek(0)
    return any(_hash(line.rstrip(b"\n")) == digest for line in file)


def _write_end(home: Path, end: End, log: os.stat_result) -> None:
    """Write the end over that before it, which takes no room on a full disk; only the owner of the log may read it."""
    descriptor = os.open(home / END_FILE, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        if os.fstat(descriptor).st_uid != log.st_uid:  # made by root, for the service's log
            os.fchown(descriptor, log.st_uid, log.st_gid)
        file.write(f"{end.lines} {end.hash}\n".encode())
        file.truncate()


def _count(file: IO[bytes]) -> int:
    file.seek(0)
    return sum(1 for _ in file)


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
