"""Logs: JSON, one object per line, on standard error."""

import logging
import sys
from datetime import UTC, datetime

import orjson

FIELDS = "fields"
"""The `extra` of a log record whose entries are added to the line."""


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: time, level, logger, message, fields and any traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure_logging() -> None:
    """Write the service's records from level INFO, and all others from WARNING, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("almanac").setLevel(logging.INFO)
