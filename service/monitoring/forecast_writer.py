"""Forecast writer: writes served forecasts, many at once in a process of its own, so that requests have the interpreter.

Run as `python -m service.monitoring.forecast_writer`, it reads pickles from standard input: the database's URL, then batches
of `(entries, now)`. It answers each on standard output, and ends when its input closes, that is, when the server ends.
"""

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from models.errors import AlmanacError
from service.errors import DatabaseUnreachable, DatabaseUnusable
from service.store.database import Database
from service.store.forecasts import write_forecasts
from service.store.log_entry import LogEntry, ServedForecast, make_entry

logger = logging.getLogger("almanac")

MANY = 100
"""Entries that are worth a process of their own: it takes about 70 MB."""
IDLE_SECONDS = 60.0
"""The process ends after this long without so many."""
HUNG_SECONDS = 60.0
"""The process is killed if a batch takes longer; a database that is locked is waited for half as long."""
CLOSE_SECONDS = 0.5
NICENESS = 5
"""The process gives way to the server and to its clients on this machine."""
UNUSABLE = "forecast log: the process that writes it ended; the server writes the forecasts itself for a minute"

ERRORS = {one.__name__: one for one in (DatabaseUnreachable, DatabaseUnusable)}


class ForecastWriter:
    """Writes batches, one at a time."""

    def __init__(self) -> None:
        """Start no process yet."""
        self._child: subprocess.Popen[bytes] | None = None
        self._used = 0.0
        self._retry_at = 0.0

    def write(self, database: Database, served: Sequence[ServedForecast], now: int) -> int:
        """Write forecasts as `write_forecasts` does, and return what it returns.

        Raises:
            DatabaseUnreachable, DatabaseUnusable: As `write_forecasts` does.
            RuntimeError: If the process refused the batch for another reason.
        """
        entries = [make_entry(one) for one in served]
        if len(entries) >= MANY and time.monotonic() >= self._retry_at:
            with suppress(OSError, EOFError, pickle.UnpicklingError):  # it cannot run, or was killed
                return self._write_elsewhere(database, entries, now)
            logger.warning(UNUSABLE)
            self._retry_at = time.monotonic() + IDLE_SECONDS
            self.close()
        self.end_if_idle()
        return write_forecasts(database, entries, now)

    def end_if_idle(self) -> None:
        """End the process if it has not been used for IDLE_SECONDS."""
        if self._child is not None and time.monotonic() - self._used > IDLE_SECONDS:
            self.close()

    def close(self) -> None:
        """End the process, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            for pipe in (child.stdin, child.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr] # both are pipes
            try:
                child.wait(CLOSE_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _write_elsewhere(self, database: Database, entries: Sequence[LogEntry], now: int) -> int:
        if database.file is not None:
            database.file.check()  # the process may have opened the file before it was replaced, or would create it
        child = self._child = self._child or _start(database.url)
        self._used = time.monotonic()
        watch = threading.Timer(HUNG_SECONDS, child.kill)
        watch.daemon = True
        watch.start()
        try:
            _send(child, (entries, now))
            found = pickle.load(child.stdout)  # type: ignore[arg-type] # noqa: S301 (our own process)
        finally:
            watch.cancel()
        if isinstance(found, int):
            return found
        name, detail, hint = found
        raise ERRORS[name](detail, hint=hint) if name in ERRORS else RuntimeError(detail)


def _send(child: "subprocess.Popen[bytes]", message: object) -> None:
    """Write a message at once: each further system call would wait for the interpreter again."""
    assert child.stdin is not None  # noqa: S101 (it was started with a pipe)
    child.stdin.write(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
    child.stdin.flush()


def _start(url: str) -> "subprocess.Popen[bytes]":
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "service.monitoring.forecast_writer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C in the terminal reaches the server only, which then closes the child's input
    )
    _send(child, url)
    return child


def main() -> None:
    """Write batches until standard input closes."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the server ends it, after its last batch
    os.nice(NICENESS)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError, BrokenPipeError):
        database = Database(pickle.load(source))  # noqa: S301 (our own server)
        while True:
            pickle.dump(_try(database, *pickle.load(source)), sink)  # noqa: S301 (the same)
            sink.flush()


def _try(database: Database, entries: Sequence[LogEntry], now: int) -> int | tuple[str, str, str]:
    """Return what `write_forecasts` returns, or the name, the detail and the hint of its error."""
    try:
        return write_forecasts(database, entries, now, pause=0.0)
    except AlmanacError as error:
        return type(error).__name__, error.detail, error.hint
    except Exception as error:  # noqa: BLE001 (the server writes each forecast alone, and logs the one that fails)
        return type(error).__name__, str(error), ""


if __name__ == "__main__":
    main()
