"""Logs: JSON, one object per line, on standard error; structlog makes it from the records of Python's logging."""

import logging
import sys
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import orjson
from structlog.processors import EventRenamer, JSONRenderer, format_exc_info
from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name
from structlog.types import EventDict

from models.audit.hidden_keys import HIDDEN, OWN, KnownKeys, hide_keys

FIELDS = "fields"
"""The `extra` of a log record whose entries are added to the line."""
REPEATING = ("opentelemetry", "urllib3")
"""Libraries that log each try to reach a server that does not answer."""
QUIET_SECONDS = 600.0
"""How long nothing more is logged of such a library after a line of it."""


class JsonLines(ProcessorFormatter):
    """Formats a record as one JSON object: time, level, logger, message, fields and any traceback; no API key is in it."""

    def __init__(self, known: Callable[[], Collection[str]] = tuple) -> None:
        """Have the processors of structlog that make the line; `known` returns the SHA-256 of keys to hide beside ours."""
        self._known = known
        super().__init__(
            foreign_pre_chain=[_add_time, add_log_level, add_logger_name, format_exc_info, _add_fields],
            processors=[
                ProcessorFormatter.remove_processors_meta,
                EventRenamer("message"),
                JSONRenderer(serializer=self._dump),
            ],
        )

    def _dump(self, line: EventDict, **_options: object) -> str:
        known = self._known()
        shown = {name: hide_keys(value, known) if isinstance(value, str) else value for name, value in line.items()}
        text = orjson.dumps(shown, default=lambda value: hide_keys(str(value), known)).decode()
        return OWN.sub(HIDDEN, text)  # also within lists and tables


def _add_time(_logger: object, _method: str, line: EventDict) -> EventDict:
    made = datetime.fromtimestamp(line["_record"].created, UTC)
    return {"time": made.isoformat(timespec="milliseconds"), **line}


def _add_fields(_logger: object, _method: str, line: EventDict) -> EventDict:
    """Add what the record has as `extra`, and name its exception as other lines of this service do."""
    traceback = {"traceback": line.pop("exception")} if "exception" in line else {}
    return {**line, **getattr(line["_record"], FIELDS, {}), **traceback}


class Seldom(logging.Filter):
    """Passes one record of a library that repeats itself, and the next one QUIET_SECONDS later, with the number of those between."""

    def __init__(self, libraries: tuple[str, ...] = REPEATING) -> None:
        """Have seen nothing yet."""
        super().__init__()
        self._libraries = libraries
        self._newest: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is logged."""
        library = record.name.partition(".")[0]
        if library not in self._libraries:
            return True
        now, newest = time.monotonic(), self._newest.get(library)
        if newest is not None and now - newest < QUIET_SECONDS:
            self._left_out[library] = self._left_out.get(library, 0) + 1
            return False
        self._newest[library] = now
        setattr(record, FIELDS, {**getattr(record, FIELDS, {}), "left_out_before": self._left_out.pop(library, 0)})
        return True


def configure_logging(keys: Path) -> None:
    """Write the service's records from level INFO, and all others from WARNING, to standard error, without the keys in a file."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(KnownKeys(keys).digests))
    handler.addFilter(Seldom())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("almanac").setLevel(logging.INFO)
