"""Overload: more requests than the service can answer, slow senders, and clients that hang up."""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.prove.figures import record
from tests.prove.pressure import Load, core_share, hang_up, press, probe, request_bytes, until
from tests.service.home import Artifacts, ServiceHome, ready
from tests.service.server_process import NO_REGISTRY, PROGRAM, ServerProcess
from tests.system.programs import eventually

PAGE = Path(__file__).resolve().parents[2] / "docs" / "resilience.md"
SECONDS, CONNECTIONS, TIMES = 60.0, 256, 5
DEADLINE = 5
LIVE_SECONDS, NORMAL_SECONDS = 0.5, 2.0
FULL_SHARE = 0.5
"""Of a core, on a full machine of two: with less, other programs take the rest, and all times may be as much longer."""
SLOW, GONE, FEWEST = 500, 1_000, 40
OTHER = "127.0.0.2"


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[str]:
    """Run a service with a champion and without a registry, and yield its address."""
    home = ServiceHome(folder / "home", Artifacts(folder / "artifacts"))
    home.publish("temperatures", "1")
    with ServerProcess(home.path, program=NO_REGISTRY + PROGRAM, arguments=(), **environment) as server:
        ready(server.client)  # type: ignore[arg-type]
        yield str(server.client.base_url).rstrip("/")


def body(series: int) -> dict[str, object]:
    """Return a request of so many series of ten years."""
    values = [float(i % 12) for i in range(120)]
    return {"series": [{"id": f"s{at}", "values": values} for at in range(series)], "horizon": 12}


def run_press(address: str, request: bytes, connections: int, seconds: float) -> Load:
    """Press in this process, another one than that of the probes."""
    load = Load()
    asyncio.run(press(address, request, connections, until(seconds), load))
    return load


def run_probes(address: str, seconds: float) -> tuple[Load, Load]:
    """Probe liveness, and forecast for a client at another address that sends one series at a time, in this process."""
    ask_live, ask_other = request_bytes(address, path="/health/live"), request_bytes(address, body(1))

    async def run() -> tuple[Load, Load]:
        is_over = until(seconds)
        return await asyncio.gather(
            probe(address, ask_live, 0.02, is_over), probe(address, ask_other, 0.2, is_over, sender=OTHER)
        )

    return asyncio.run(run())


def in_flight(address: str) -> float:
    """Return the gauge, without the request that reads it."""
    return sample(read_metrics(address), "almanac_requests_in_flight") - 1


def read_metrics(address: str) -> str:
    """Return all metrics as text."""
    return httpx.get(f"{address}/metrics", timeout=120).text


def sample(metrics: str, name: str) -> float:
    """Return the value of a metric with its labels."""
    return next(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith(f"{name} "))


def shed_by_reason(metrics: str) -> dict[str, float]:
    """Return how many requests were not answered, by reason."""
    lines = [line for line in metrics.splitlines() if line.startswith("almanac_requests_shed_total{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def milliseconds(seconds: float) -> str:
    """Return a time as text."""
    return f"{1000 * seconds:,.0f} ms"


def heavy_enough(address: str) -> int:
    """Return how many series a request has of which the service answers about seven times fewer a second than there are connections."""
    request = request_bytes(address, body(FEWEST))
    run_press(address, request, 4, 3)  # warms up
    rate = run_press(address, request, 8, 4).statuses[200] / 4
    return max(FEWEST, round(FEWEST * rate * (TIMES + 2) / CONNECTIONS))


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_five_times_the_bearable_load_is_shed(tmp_path: Path) -> None:
    """Every request is answered, refused or late; liveness answers meanwhile, and soon after all is as before."""
    context = multiprocessing.get_context("spawn")
    with serving(tmp_path, ALMANAC_DEADLINE_SECONDS=f"{DEADLINE}") as address:
        series = heavy_enough(address)
        request = request_bytes(address, body(series))
        alone = run_press(address, request, 8, 8)
        rate = alone.statuses[200] / 8
        with ProcessPoolExecutor(3, context) as processes:
            sharing = processes.submit(core_share, SECONDS)
            pressing = processes.submit(run_press, address, request, CONNECTIONS, SECONDS)
            live, other = processes.submit(run_probes, address, SECONDS).result()
            load, share = pressing.result(), sharing.result()
        slack = max(1.0, FULL_SHARE / share)
        after = run_press(address, request, 1, NORMAL_SECONDS * slack)

    assert TIMES * rate < CONNECTIONS  # what ALMANAC_MAX_WAIT_SECONDS lets wait
    assert set(load.statuses) <= {200, 429, 503}
    assert load.statuses[429] > 0
    assert load.quantile(200, 0.99) < DEADLINE * slack
    assert set(live.statuses) == set(other.statuses) == {200}
    assert live.quantile(200, 0.99) < LIVE_SECONDS * slack
    assert after.statuses[200] > 0
    assert after.seconds[200][-1] < 5 * alone.quantile(200, 0.5)
    record(
        "Overload",
        f"Requests of {series} series each, from {CONNECTIONS} connections for {SECONDS:.0f} s; the deadline is {DEADLINE} s. It is a machine whose cores are full: the clients "
        "run on it, too. Bearable is what eight connections get answered.",
        {
            "a program that computes without pause gets": f"{share:.0%} of a core",
            "bearable": f"{rate:.1f} requests a second",
            "in progress at once, over what a second can answer": f"{CONNECTIONS / rate:.1f} times",
            "answers by status": ", ".join(f"{status}: {count:,}" for status, count in sorted(load.statuses.items())),
            "answered a second under load": f"{load.statuses[200] / SECONDS:.1f}",
            "accepted requests: median, p99": f"{milliseconds(load.quantile(200, 0.5))}, {milliseconds(load.quantile(200, 0.99))}",
            "`/health/live` meanwhile: median, p99, longest": ", ".join(
                milliseconds(live.quantile(200, share)) for share in (0.5, 0.99, 1.0)
            ),
            "a client at another address, one series at a time: answered, refused, p99": (
                f"{other.statuses[200]:,}, {other.statuses[429]}, {milliseconds(other.quantile(200, 0.99))}"
            ),
            "first answer after the load": milliseconds(after.seconds[200][0]),
        },
        PAGE,
    )


async def send_slowly(address: str, count: int, is_over: Callable[[], bool]) -> None:
    """Open connections that announce a body, and send a byte of it every half second."""
    host, _, port = address.removeprefix("http://").partition(":")
    head = request_bytes(address, body(1)).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    async def one() -> None:
        while not is_over():
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(head)
            while not is_over() and not writer.is_closing():
                writer.write(b" ")
                await asyncio.sleep(0.5)
            writer.close()

    await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)


def run_slow(address: str, count: int, seconds: float) -> None:
    """Send slowly in this process."""
    asyncio.run(send_slowly(address, count, until(seconds)))


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_slow_senders_harm_nobody(tmp_path: Path) -> None:
    """Others are answered as before; the slow are cut off."""
    context = multiprocessing.get_context("spawn")
    seen: list[float] = []

    def are_many() -> bool:
        seen.append(in_flight(address))
        return seen[-1] >= SLOW / 2

    with serving(tmp_path, ALMANAC_BODY_TIMEOUT_SECONDS="3") as address:
        request = request_bytes(address, body(1))
        before = run_press(address, request, 2, 5)
        with ProcessPoolExecutor(1, context) as processes:
            slow = processes.submit(run_slow, address, SLOW, 60.0)
            eventually(are_many, 50)
            during = run_press(address, request, 2, 15)
            slow.result()
        metrics = httpx.get(f"{address}/metrics", timeout=30).text

    assert set(before.statuses) == set(during.statuses) == {200}
    shed = shed_by_reason(metrics)
    assert shed["slow sender"] >= SLOW
    record(
        "Slow senders",
        f"{SLOW} connections send a byte of their body every half second (`ALMANAC_BODY_TIMEOUT_SECONDS` is 3); two others forecast.",
        {
            "others before: median, p99": f"{milliseconds(before.quantile(200, 0.5))}, {milliseconds(before.quantile(200, 0.99))}",
            "others beside slow senders: median, p99": f"{milliseconds(during.quantile(200, 0.5))}, {milliseconds(during.quantile(200, 0.99))}",
            "others' requests that failed": sum(during.statuses.values()) - during.statuses[200],
            "slow senders in progress at once, cut off in all": f"{max(seen):.0f}, {shed['slow sender']:,.0f}",
        },
        PAGE,
    )


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_nothing_is_begun_for_clients_that_hang_up(tmp_path: Path) -> None:
    """Half of them after a whole request, half within one: no body is parsed, nothing stays in progress."""
    with serving(tmp_path) as address:
        sent = request_bytes(address, body(40))
        run_press(address, sent, 1, 2)  # warms up
        before, began = read_metrics(address), time.monotonic()
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(lambda at: hang_up(address, sent if at % 2 else sent[: len(sent) // 2]), range(GONE)))
        # those that wait to be accepted are not in progress yet
        eventually(lambda: shed_by_reason(read_metrics(address))["client gone"] >= GONE, 120)
        eventually(lambda: in_flight(address) == 0, 30)
        seconds, after = time.monotonic() - began, read_metrics(address)
        cpu = sample(after, "process_cpu_seconds_total") - sample(before, "process_cpu_seconds_total")

    assert sample(after, 'almanac_series_total{model="temperatures"}') == sample(
        before, 'almanac_series_total{model="temperatures"}'
    )
    record(
        "Clients that hang up",
        f"{GONE:,} clients send a request of 40 series, or half of one, and reset the connection without reading.",
        {
            "requests that were not answered, since the client was gone": f"{shed_by_reason(after)['client gone']:,.0f}",
            "forecasts begun for them": 0,
            "from the first client until nothing was in progress": f"{seconds:.1f} s",
            "CPU time of the service for it": f"{cpu:.2f} s",
        },
        PAGE,
    )
