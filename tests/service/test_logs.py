"""Logs: lines of JSON, and few of a library that repeats itself."""

import json
import logging
import time

import pytest

from service.logs import QUIET_SECONDS, JsonLines, Seldom
from tests.stand_in import stand_in


def record(logger: str) -> logging.LogRecord:
    """Return a warning of a logger."""
    return logging.LogRecord(logger, logging.WARNING, "", 0, "no answer after %d s", (5,), None)


def test_a_library_that_repeats_itself_is_logged_once_in_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an exporter of traces whose collector is down; the next line has the number of those left out."""
    now, filtered, exporter = [0.0], Seldom(), "opentelemetry.exporter.otlp"
    monkeypatch.setattr("service.logs.time", stand_in(time, monotonic=lambda: now[0]))

    passed = [filtered.filter(record(exporter)) for _ in range(5)]
    ours = [filtered.filter(record("almanac")) for _ in range(2)]
    now[0] = QUIET_SECONDS
    last = record(exporter)

    assert (passed, ours) == ([True] + [False] * 4, [True, True])
    assert filtered.filter(last)
    line = json.loads(JsonLines().format(last))
    assert (line["message"], line["logger"], line["left_out_before"]) == ("no answer after 5 s", exporter, 4)


def test_a_line_names_time_level_logger_fields_and_traceback() -> None:
    """The fields of `extra` beside the message; an API key is nowhere in it."""
    error = ValueError("alm_" + "k" * 40)
    made = logging.LogRecord("almanac", logging.ERROR, "", 0, "request failed", (), (ValueError, error, None))
    made.created, made.__dict__["fields"] = (
        1e9,
        {"request_id": "r1", "milliseconds": 1.5, "series": ["alm_" + "s" * 40]},
    )

    line = json.loads(JsonLines().format(made))

    assert line.pop("traceback").endswith("ValueError: alm_[hidden]")
    assert line.pop("series") == ["alm_[hidden]"]
    assert line == {
        "time": "2001-09-09T01:46:40.000+00:00",
        "level": "error",
        "logger": "almanac",
        "message": "request failed",
        "request_id": "r1",
        "milliseconds": 1.5,
    }
