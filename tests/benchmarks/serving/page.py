"""Page: docs/serving.md, written from the results in docs/serving.json and from nothing else."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.benchmarks.serving.bars import BARS, Results
from tests.benchmarks.serving.contestants import BARE
from tests.benchmarks.serving.rates import SLOW

BUSY = 0.1
"""Share of the machine that others may take before the figures say little."""

INTRODUCTION = """# Serving

How fast Almanac answers, beside other ways to serve the same network, measured in one run on one machine.
`make bench-serving` writes this page; the figures are in `serving.json` beside it.
"""

METHOD = """Every request is another series: 60 months, 24 steps ahead, nine quantiles (0.1 to 0.9), with its own id and values.
A rate counts answers with status 200 only. The servers run at the same time, idle but for the one that is measured; they take
turns in every round, so that noise hits all. Load generator and servers share the cores. uvicorn with uvloop and httptools
serves the bare route, Keras and Almanac. Almanac has its default settings, the forecast log included; only its registry is
polled every 60 s instead of 2, because idle servers should be idle. All peers serve the same LSTM (2 layers of 64, 60 steps of
context), take tensors and return quantiles alone; Almanac also reads dates, checks, repairs and calibrates, and stores what it
forecasts.
"""


def make_page(results: Results) -> str:
    """Return the whole page; parts that were not measured are left out."""
    sections = [INTRODUCTION, _run(results["run"]), METHOD, _bars(results)]
    parts = {
        "closed": _closed,
        "open": _open,
        "batches": _batches,
        "bulk": _bulk,
        "endurance": _endurance,
        "start": _start,
        "memory": _memory,
        "profile": _profile,
        "graph": _graph,
    }
    sections += [write(results) for name, write in parts.items() if name in results]
    return "\n".join(sections)


def _run(run: Mapping[str, Any]) -> str:
    quick = "\n**A quick run: its figures are only a look.**\n" if run["quick"] else ""
    doubt = " **Too much: measure again on a quiet machine.**" if run["others"] > BUSY else ""
    return (
        f"Measured {run['date']} with `{run['command']}` at commit `{run['commit']}` on {run['machine']}, "
        f"Python {run['python']}, in {run['minutes']:.0f} minutes. Other programs took {run['others']:.0%} of the machine."
        f"{doubt}\n{quick}"
    )


def _bars(results: Results) -> str:
    rows = [(bar.text, *bar.judge(results)) for bar in BARS]
    return f"## What was wanted\n\n{_table(('bar', 'wanted', 'found', ''), rows)}"


def _closed(results: Results) -> str:
    closed, rows = results["closed"], []
    for name, entries in closed.items():
        for connections, one in entries.items():
            bare = closed.get(BARE, {}).get(connections, {}).get("rate")
            share = f"{one['rate'] / bare:.1%}" if bare else "-"
            faults = f"{one['refused']:.0f} / {one['broken']:.0f}"
            row = (
                f"{one['rate']:,.0f}",
                share,
                *_latencies(one),
                f"{one['processor_ms']:.2f}",
                f"{one['requests']:,.0f}",
                faults,
            )
            rows.append((name, connections, *row))
    head = (
        "server",
        "connections",
        "requests/s",
        "of bare",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "answers",
        "not 200 / broken",
    )
    missing = "".join(f"\nNot measured: {name}, because {why}.\n" for name, why in results.get("missing", {}).items())
    return (
        "## Closed loop\n\nwrk with one thread; each connection sends the next request when it has its answer. `processor ms` is "
        "what the processes of the server use for each answer. Medians of "
        f"{_count_rounds(closed)} rounds; of one for servers below {SLOW:g} a second.\n\n{_table(head, rows)}{missing}"
    )


def _open(results: Results) -> str:
    rows = [
        (name, rate, *_latencies(one), f"{one['requests']:,.0f}", f"{one['refused']:.0f} / {one['broken']:.0f}")
        for name, entries in results["open"].items()
        for rate, one in entries.items()
    ]
    head = ("server", "requests/s sent", "p50 ms", "p95 ms", "p99 ms", "answers", "not 200 / broken")
    return (
        "## Open loop\n\nRequests are sent at a fixed rate, whether or not earlier ones are answered; a latency begins when the "
        "request was due. Rates that a server did not reach in the closed loop are left out.\n\n" + _table(head, rows)
    )


def _batches(results: Results) -> str:
    rows = [
        (
            size,
            *(f"{one[kind]:,.0f}" for kind in ("served", "alone", "cores")),
            f"{one['served'] / one['alone']:.0%}",
            f"{one['served'] / one['cores']:.0%}",
        )
        for size, one in results["batches"].items()
    ]
    head = (
        "series in a request",
        "Almanac, LSTM",
        "onnxruntime, one thread",
        "onnxruntime, all cores",
        "of one thread",
        "of all cores",
    )
    return (
        "## Many series in a request\n\nSeries per second of one client that posts one JSON request after another, against "
        "onnxruntime alone on the same contexts in runs of the best size. Medians, in turns.\n\n" + _table(head, rows)
    )


def _bulk(results: Results) -> str:
    bulk, rows = results["bulk"], []
    for connections, kinds in bulk.items():
        if connections != "bulk_requests":
            for kind, one in kinds.items():
                rows.append((connections, kind, f"{one['rate']:,.0f}", *_latencies(one)))
    head = ("connections", "bulk requests", "requests/s", "p50 ms", "p95 ms", "p99 ms")
    return (
        "## Single requests beside bulk requests\n\nwrk sends single requests, while another client posts requests of 1,000 "
        f"series without pause ({bulk['bulk_requests']} of them were answered).\n\n{_table(head, rows)}"
    )


def _endurance(results: Results) -> str:
    found = results["endurance"]
    rows = [
        (f"{one['requests']:,.0f}", f"{one['rss']:.1f}", f"{one['pss']:.1f}", f"{one['files']:.0f}")
        for one in found["readings"]
    ]
    return (
        "## Many requests\n\nMemory and open files of the server process after so many single requests over 8 connections; "
        f"{found['not_answered']:.0f} were not answered with 200.\n\n"
        + _table(("requests", "resident MiB", "proportional MiB", "open files"), rows)
    )


def _start(results: Results) -> str:
    start = results["start"]
    seconds = ", ".join(f"{one:.2f}" for one in start["seconds"])
    return (
        f"## Start\n\nFrom the start of `almanac serve` to the first 200 of `/health/ready`, with a cached LSTM: {seconds} s. "
        f"The server used {statistics.median(start['processor_seconds']):.2f} s of processor time until then (median).\n"
    )


def _memory(results: Results) -> str:
    memory = results["memory"]
    rows = [
        ("server, models loaded", *_mebibytes(memory["loaded"])),
        ("server, after requests to each", *_mebibytes(memory["after_requests"])),
        *(("registry process", *_mebibytes(one)) for one in memory["children"]),
    ]
    return (
        f"## Memory\n\nWith {memory['models']} registered models in memory: four LSTMs of 2 layers of 64 and an ensemble of four "
        f"networks.\n\n{_table(('process', 'resident MiB', 'proportional MiB'), rows)}"
    )


def _profile(results: Results) -> str:
    found = results["profile"]
    functions = [(f"`{one['name']}`", f"{one['own']:.1f}", f"{one['calls']:.1f}") for one in found["functions"]]
    packages = [(name, f"{took:.1f}") for name, took in found["packages"].items() if took >= 1]
    return (
        "## One request\n\nWhere the processor time of one request to Almanac with the LSTM goes, on one connection. One request "
        f"takes {found['microseconds']:.0f} µs of the main thread and {found['other_threads']:.0f} µs of others (the forecast "
        f"log), with {found['calls']:.0f} calls. The profiler's own cost, {found['profiler_microseconds_a_call']:.2f} µs a "
        "call, is taken off.\n\nBy package, own time:\n\n"
        + _table(("package", "µs"), packages)
        + "\nBy function, own time:\n\n"
        + _table(("function", "µs", "calls"), [*functions, ("all others", f"{found['others']:.1f}", "")])
    )


def _graph(results: Results) -> str:
    graph = results["graph"]
    nodes = ", ".join(f"{name} {count}" for name, count in graph["nodes"].items())
    times = (
        f" One series takes {graph['whole']:.0f} µs through the LSTM's graph and {graph['recurrent']:.0f} µs through its recurrent "
        "nodes alone, on one thread."
        if "whole" in graph
        else " The LSTM's graph has no native recurrent nodes, so nothing is compared."
    )
    return f"## Graphs\n\nNodes, without constants: {nodes}.{times}\n"


def _latencies(one: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(f"{one[name]:.3g}" for name in ("p50", "p95", "p99"))


def _mebibytes(one: Mapping[str, float]) -> tuple[str, str]:
    return f"{one['rss']:.0f}", f"{one['pss']:.0f}"


def _count_rounds(closed: Mapping[str, Any]) -> int:
    return len(next(iter(next(iter(closed.values())).values()))["rates"])


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)
