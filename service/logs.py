"""Logs: JSON, one object per line, on standard error."""

import logging
import sys
from datetime import UTC, datetime

import orjson

FIELDS = "fields"
"""The `extra` of a record whose entries stand beside the message."""


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: time, level, logger, message, fields and, if any, the traceback."""

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
    """Send the service's and uvicorn's records to standard error as JSON lines, and the rest from warnings upwards."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("almanac").setLevel(logging.INFO)
