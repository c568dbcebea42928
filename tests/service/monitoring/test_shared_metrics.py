"""Metrics of several processes: counted once, whichever of them answers."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry, values

from service.monitoring.facts import Facts, SharedFacts
from service.monitoring.metrics import DatabaseMetrics, Metrics
from service.monitoring.shared_metrics import FOLDER_VARIABLE, ProcessSums, share_values
from service.processes.board import Board, forget

Make = Callable[[int], Metrics]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Return a function that makes the metrics of one process, all in this one."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv(FOLDER_VARIABLE, "")

    def make(place: int) -> Metrics:
        share_values(tmp_path, place)
        return Metrics(tmp_path)

    yield make
    values.close_all_multiprocess_files()  # type: ignore[no-untyped-call]


def read(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Return a sample."""
    return metrics.registry.get_sample_value(f"almanac_{name}", labels)


def facts(**changes: Any) -> Facts:  # noqa: ANN401 (any field)
    """Return the facts of a process."""
    return Facts(**{"pid": 1, "leads": False, "is_database_up": True, "loaded": {}, "inputs": {}, **changes})


def test_every_process_returns_the_sums_of_all(make: Make) -> None:
    """Counters, histograms and gauges."""
    both = [make(0), make(1)]
    for metrics in both:
        metrics.count_request("/forecast", "POST", 200, 0.002)
        metrics.in_flight.inc()
        metrics.forecasts_waiting.set(3)

    for metrics in both:
        assert read(metrics, "requests_total", route="/forecast", method="POST", status="200") == 2
        assert read(metrics, "request_seconds_bucket", route="/forecast", le="0.0025") == 2
        assert (read(metrics, "requests_in_flight"), read(metrics, "ledger_waiting")) == (2, 6)


def test_without_file_descriptors_the_last_counts_are_returned(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So are the facts of the others: no file can be opened, nor the folder listed."""
    metrics = make(0)
    boards: list[Board[Facts]] = [Board(tmp_path, place) for place in (0, 1)]
    metrics.count_request("/forecast", "POST", 200, 0.002)
    boards[1].publish(facts(pid=7))
    before = [one.pid for one in boards[0].others()], read(metrics, "errors_total", code="X")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    assert read(metrics, "requests_total", route="/forecast", method="POST", status="200") == 1
    with monkeypatch.context() as patched:
        for name in ("scandir", "listdir"):
            patched.setattr(os, name, refuse)
        patched.setattr("builtins.open", refuse)
        patched.setattr("io.open", refuse)
        after = [one.pid for one in boards[0].others()], read(metrics, "errors_total", code="X")
        assert read(metrics, "requests_total", route="/forecast", method="POST", status="200") == 1

    assert before == after == ([7], None)


def test_a_counter_does_not_decrease_when_a_process_ends(make: Make, tmp_path: Path) -> None:
    """Its gauges vanish with it; the process that replaces it goes on counting."""
    dead, other = make(0), make(1)
    dead.count_errors(["QUEUE_FULL"])
    dead.in_flight.inc()

    forget(tmp_path, 0)
    after = (read(other, "errors_total", code="QUEUE_FULL"), read(other, "requests_in_flight"))
    make(0).count_errors(["QUEUE_FULL"])

    assert after == (1, 0)
    assert read(other, "errors_total", code="QUEUE_FULL") == 2


def test_facts_of_other_processes_are_read_until_they_end(tmp_path: Path) -> None:
    """The leader's counts are found, and a database that one of them cannot reach is down."""
    boards: list[Board[Facts]] = [Board(tmp_path, place) for place in range(3)]
    boards[1].publish(facts(pid=11, leads=True, is_database_up=False))
    boards[2].publish(facts(pid=12))
    shared = SharedFacts(boards[0])
    up = DatabaseMetrics(cast("Any", SimpleNamespace(error=None)), shared.others)

    leader = shared.leader()
    before = next(iter(up.collect())).samples[0].value
    forget(tmp_path, 1)

    assert leader is not None
    assert (leader.pid, before) == (11, 0)
    assert (shared.leader(), next(iter(up.collect())).samples[0].value) == (None, 1)
    assert shared.pids() == [os.getpid(), 12]


def test_process_metrics_are_those_of_all_processes_together() -> None:
    """Memory and descriptors are summed, the start is the first; a process that has ended is left out."""
    one, two = CollectorRegistry(), CollectorRegistry()
    one.register(ProcessSums(lambda: [os.getpid(), 2**22 + 1]))
    two.register(ProcessSums(lambda: [os.getpid()] * 2))

    def value(registry: CollectorRegistry, name: str) -> float:
        return registry.get_sample_value(f"process_{name}") or 0.0

    assert value(two, "resident_memory_bytes") == pytest.approx(2 * value(one, "resident_memory_bytes"), rel=0.1)
    assert value(two, "start_time_seconds") == value(one, "start_time_seconds") > 0
