"""Logs: lines of JSON, and few of a library that repeats itself."""

import json
import logging

import pytest

from service.logs import QUIET_SECONDS, JsonLines, Seldom


def record(logger: str) -> logging.LogRecord:
    """Return a warning of a logger."""
    return logging.LogRecord(logger, logging.WARNING, "", 0, "no answer after %d s", (5,), None)


def test_a_library_that_repeats_itself_is_logged_once_in_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an exporter of traces whose collector is down; the next line has the number of those left out."""
    now, filtered, exporter = [0.0], Seldom(), "opentelemetry.exporter.otlp"
    monkeypatch.setattr("service.logs.time.monotonic", lambda: now[0])

    passed = [filtered.filter(record(exporter)) for _ in range(5)]
    ours = [filtered.filter(record("almanac")) for _ in range(2)]
    now[0] = QUIET_SECONDS
    last = record(exporter)

    assert (passed, ours) == ([True] + [False] * 4, [True, True])
    assert filtered.filter(last)
    line = json.loads(JsonLines().format(last))
    assert (line["message"], line["logger"], line["left_out_before"]) == ("no answer after 5 s", exporter, 4)
