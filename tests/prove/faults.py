"""Faults of the machine that a running service meets: each begins with its block and ends with it."""

import os
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.service.server_process import ServerProcess
from tests.system.programs import Postgres, revived

SPARE_BYTES = 60_000_000
"""What a process may take beyond what it has, when its memory is limited."""
BUSY = "import service.store.database as database; database.BUSY_SECONDS = 1\n"
"""Begins the program of a server that waits for a locked database for a second."""
FAKETIME = next((str(one) for one in Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), "")

Fault = Callable[[ServerProcess, Path], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Expected:
    """A fault, and what shows it.

    Attributes:
        fault: Begins and ends it.
        member: The member of /health/ready that has its state, "" if none has.
        state: What it says.
        gauge: The metric that has its state, with its labels.
        value: What it says.
        environment: Variables of the service.
        program: Begins its program.
        seconds: How long it lasts at least; forecasts are asked for all the time.
    """

    fault: Fault
    member: str = ""
    state: str = ""
    gauge: str = ""
    value: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)
    program: str = ""
    seconds: float = 0.0


@contextmanager
def small_disk(folder: Path, size: str = "64m") -> Iterator[Path]:
    """Mount a disk in memory; needs root."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)  # noqa: S603, S607
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S603, S607


@contextmanager
def full_disk(_server: ServerProcess, home: Path) -> Iterator[None]:
    """Fill the disk of the home to its last byte."""
    filler = home / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 16)):
            pass
    yield
    filler.unlink()


@contextmanager
def locked(_server: ServerProcess, home: Path) -> Iterator[None]:
    """Hold the lock of the SQLite file."""
    with closing(sqlite3.connect(home / "almanac.db", isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def read_only(server: ServerProcess, home: Path) -> Iterator[None]:
    """Start the service again while its home cannot be written."""
    server.stop()
    remount(home, "ro")
    server.start()
    server.ready()
    yield
    remount(home, "rw")


def remount(folder: Path, mode: str) -> None:
    """Make a mounted disk read-only or writable."""
    subprocess.run(["mount", "-o", f"remount,{mode}", folder], check=True)  # noqa: S603, S607


def gone(database: Postgres, stack: ExitStack) -> Fault:
    """Return the fault that kills PostgreSQL; it is started again at the end, and stopped by the stack."""

    @contextmanager
    def kill(_server: ServerProcess, _home: Path) -> Iterator[None]:
        database.kill()
        yield
        stack.enter_context(revived(database))

    return kill


@contextmanager
def few_files(server: ServerProcess, _home: Path) -> Iterator[None]:
    """Limit the open files of the process, and take those that are left with connections."""
    process = psutil.Process(server.process.pid)
    before, most = process.rlimit(psutil.RLIMIT_NOFILE), process.num_fds() + 10
    process.rlimit(psutil.RLIMIT_NOFILE, (most, before[1]))
    url = server.client.base_url
    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(closing(socket.create_connection((url.host, url.port or 0), timeout=10)))
        yield
    process.rlimit(psutil.RLIMIT_NOFILE, before)


@contextmanager
def little_memory(server: ServerProcess, _home: Path) -> Iterator[None]:
    """Limit the memory of the process (`ulimit -v`), and send a request that needs more."""
    process = psutil.Process(server.process.pid)
    before = process.rlimit(psutil.RLIMIT_AS)
    process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms + SPARE_BYTES, before[1]))
    series = b'{"values":[' + b",".join([b"1"] * 700) + b"]}"
    body = b'{"horizon":20,"paths":20,"series":[' + b",".join([series] * 10_000) + b"]}"
    refused = server.client.post("/forecast", content=body, headers={"content-type": "application/json"}, timeout=300)
    assert (refused.status_code, refused.json()["code"]) == (503, "MEMORY_SHORT"), refused.text[:500]
    yield
    process.rlimit(psutil.RLIMIT_AS, before)


def clock(offset: str, state: str, seconds: float) -> Expected:
    """Return a clock that is set by an offset, as "-1d"; the service runs with libfaketime."""

    @contextmanager
    def step(server: ServerProcess, home: Path) -> Iterator[None]:
        file = home / "offset"
        assert str(file) in Path(f"/proc/{server.process.pid}/environ").read_text()
        file.write_text(offset)
        yield
        file.write_text("+0")

    environment = {
        "LD_PRELOAD": FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": "{home}/offset",
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Else its waits with a monotonic timeout end at once, and a thread that waits for the interpreter takes a whole core.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
    return Expected(step, "clock", state, "almanac_clock_jump_seconds", seconds, environment=environment)


DATABASE = ("database", "DATABASE_UNREACHABLE", "almanac_database_up", 0.0)
FAULTS: Mapping[str, Expected] = {
    "disk full": Expected(full_disk, *DATABASE),
    "read-only home, from the start on": Expected(read_only, *DATABASE),
    "SQLite locked": Expected(locked, *DATABASE, program=BUSY),
    "file descriptors exhausted": Expected(
        few_files, "files", "short", 'almanac_resource_short{resource="files"}', 1.0
    ),
    "memory limit met by a request": Expected(
        little_memory, "memory", "short", 'almanac_resource_short{resource="memory"}', 1.0
    ),
    "clock set back a day": clock("-1d", "set back", -86_400),
    "clock set forward a day": clock("+1d", "set forward", 86_400),
}


def can_mount() -> bool:
    """Return whether this user may mount disks."""
    return os.geteuid() == 0
