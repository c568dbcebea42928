"""Profile: where the processor time of one request goes, function by function."""

import http.client
import os
import pstats
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import psutil

from tests.benchmarks.serving.bodies import make_sample, to_almanac
from tests.benchmarks.serving.contestants import almanac
from tests.benchmarks.serving.plan import MeasurePlan
from tests.benchmarks.serving.prepare import ROOT, Prepared

WARM_REQUESTS = 300
SHOWN = 24
LOOP = "event loop, sockets and the system"
WAIT_SECONDS = 30.0

Function = tuple[str, int, str]
"""File, line and name, as pstats has them."""


def measure_profile(prepared: Prepared, scratch: Path, plan: MeasurePlan) -> dict[str, Any]:
    """Return the microseconds of one request by function and by package, and the processor time of one in all.

    The same requests are sent on one connection without and with cProfile. What the main
    thread uses beside the profiled functions is the event loop and its system calls. The profiler's own cost is taken off:
    it is the same for every call, and chosen so that the sum is the time that was measured without it.
    """
    bodies = [to_almanac(one) for one in make_sample(plan.profiled, seed=3).parts(1)]
    home = scratch / "profiled"
    with almanac(home, prepared.lstm, module="tests.benchmarks.serving.profiled") as child:
        server = psutil.Process(child.process.pid)
        with closing(http.client.HTTPConnection(urlsplit(child.address).netloc, timeout=60)) as connection:
            _post_all(connection, bodies[:WARM_REQUESTS])
            plain, others = _thread_seconds(server, lambda: _post_all(connection, bodies))
            server.send_signal(signal.SIGUSR1)
            slowed, _ = _thread_seconds(server, lambda: _post_all(connection, bodies))
            server.send_signal(signal.SIGUSR2)
            _post_all(connection, bodies[:1])
        _wait_for(home / "profile")
    stats: Any = pstats.Stats(str(home / "profile"))
    count = len(bodies)
    return {**summarize(stats.stats, count, plain / count, slowed / count), "other_threads": 1e6 * others / count}


def summarize(stats: Mapping[Function, Any], requests: int, seconds: float, slowed: float) -> dict[str, Any]:
    """Return a profile as microseconds of one request.

    Args:
        stats: Of pstats: by function (calls without recursion, calls, own seconds, seconds, callers).
        requests: Requests in the profile.
        seconds: Processor time of the main thread for one request without the profiler.
        slowed: The same with the profiler.
    """
    own = {function: row[2] / requests for function, row in stats.items() if not _is_loop(function)}
    calls = {function: row[1] / requests for function, row in stats.items() if not _is_loop(function)}
    loop = min(max(0.0, slowed - sum(own.values())), seconds)
    overhead = max(0.0, (sum(own.values()) - (seconds - loop)) / sum(calls.values()))
    net = {function: max(0.0, own[function] - overhead * calls[function]) for function in own}
    scale = min(1.0, (seconds - loop) / sum(net.values()))  # what became negative was cut at 0
    rows = sorted(((1e6 * scale * took, function) for function, took in net.items()), reverse=True)
    packages: dict[str, float] = {}
    for took, function in rows:
        packages[_package(function)] = packages.get(_package(function), 0.0) + took
    packages[LOOP] = 1e6 * loop
    return {
        "microseconds": 1e6 * seconds,
        "calls": sum(calls.values()),
        "profiler_microseconds_a_call": 1e6 * overhead,
        "functions": [
            {"name": _name(function), "own": took, "calls": calls[function]} for took, function in rows[:SHOWN]
        ],
        "others": sum(took for took, _ in rows[SHOWN:]),
        "packages": dict(sorted(packages.items(), key=lambda entry: -entry[1])),
    }


def _is_loop(function: Function) -> bool:
    """Return whether a function is the event loop itself, whose own time includes waiting."""
    return "uvloop" in function[2] or function[2].endswith("run_until_complete") or "_run_once" in function[2]


def _package(function: Function) -> str:
    file, _, name = function
    if file == "~":
        return next(
            (one for one in ("onnxruntime", "numpy", "orjson", "httptools") if one in name), "built-in functions"
        )
    path = Path(file)
    if path.is_relative_to(ROOT) and ".venv" not in path.parts:
        return "/".join(path.relative_to(ROOT).parts[:2])
    parts = path.parts
    return parts[parts.index("site-packages") + 1] if "site-packages" in parts else "Python's library"


def _name(function: Function) -> str:
    file, line, name = function
    if file == "~":
        return name.strip("<>").removeprefix("built-in method ")
    path = Path(file)
    if path.is_relative_to(ROOT) and ".venv" not in path.parts:
        return f"{path.relative_to(ROOT)}:{line} {name}"
    parts = path.parts
    start = parts.index("site-packages") + 1 if "site-packages" in parts else -2
    return f"{'/'.join(parts[start:])}:{line} {name}"


def _post_all(connection: http.client.HTTPConnection, bodies: list[dict[str, Any]]) -> None:
    import orjson

    for body in bodies:
        connection.request("POST", "/forecast", orjson.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise click.ClickException(f"{response.status}: {answer[:300]!r}")


def _thread_seconds(server: psutil.Process, work: Callable[[], None]) -> tuple[float, float]:
    """Return the processor time of the main thread and that of all others during some work."""
    main, all_threads = _main_seconds(server), server.cpu_times()
    work()
    main, after = _main_seconds(server) - main, server.cpu_times()
    return main, max(0.0, after.user + after.system - all_threads.user - all_threads.system - main)


def _main_seconds(server: psutil.Process) -> float:
    """Return the processor time of the main thread, whose id is that of the process."""
    return next(one.user_time + one.system_time for one in server.threads() if one.id == server.pid)


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not os.access(path, os.R_OK):
        if time.monotonic() > deadline:
            raise click.ClickException("The profiled service wrote no profile.")
        time.sleep(0.05)
