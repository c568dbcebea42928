"""Admission: how long requests wait is known, and the event loop looks at what has arrived between them."""

import asyncio
import time
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.requests import ClientDisconnect

from service.admission import ALWAYS_ADMITTED, LOOP_SECONDS, Costs, Lane, Turns, parse_seconds
from service.api.rates import Rates
from service.callers import RUN_DEADLINES, Caller, Clients, Share
from service.errors import DeadlinePassed, QueueFull
from service.forecasting.answer import NOTICED_BYTES, REFUSAL_PAUSES, REFUSAL_SECONDS, ForecastHandler
from service.forecasting.blocks import BLOCK_SERIES
from service.forecasting.request import ForecastQuery
from service.settings import Settings
from service.thread_pool import ThreadPool
from tests.stand_in import stand_in


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time that the lanes see, in a list to change it."""
    now = [0.0]
    monkeypatch.setattr("service.admission.time", stand_in(time, monotonic=lambda: now[0]))
    return now


@pytest.fixture
def lane(clock: list[float]) -> Lane:
    """Return a lane that a request has left every tenth of a second."""
    lane = Lane(ThreadPool(1), limit=100, most_seconds=1.0)
    for _ in range(200):
        with lane.enter():
            clock[0] += 0.1
    return lane


def test_a_request_that_would_wait_for_too_long_is_refused(lane: Lane) -> None:
    """The wait is the number in progress times the time between two ends; afterwards requests are admitted again."""
    with ExitStack() as stack:
        for _ in range(11):
            stack.enter_context(lane.enter())
        with pytest.raises(QueueFull, match=r"11 requests are in progress; another would wait for 1\.1 s") as refused:
            lane.check()

    assert refused.value.retry_after == 1
    lane.check(waiting=9)
    with pytest.raises(QueueFull):
        lane.check(waiting=60)


def test_a_few_requests_are_admitted_however_slow_they_are(clock: list[float]) -> None:
    """Up to the lane's limit."""
    lane = Lane(ThreadPool(1), limit=ALWAYS_ADMITTED, most_seconds=1.0)
    with lane.enter():
        clock[0] += 1000

    with ExitStack() as stack:
        for _ in range(ALWAYS_ADMITTED):
            stack.enter_context(lane.enter())
        with pytest.raises(QueueFull):
            stack.enter_context(lane.enter())


def test_turns_are_taken_in_order_and_other_work_runs_between_them() -> None:
    """Requests of half a round run two at a time; one that was cancelled is skipped."""
    events: list[object] = []

    async def request(number: int, turns: Turns) -> None:
        await turns.take()
        events.append(number)

    async def other() -> None:
        for _ in range(6):
            events.append("other")
            await asyncio.sleep(0)

    async def run() -> None:
        turns = Turns()
        for _ in range(200):
            turns.learn(0.005)
        tasks = [asyncio.create_task(request(number, turns)) for number in range(7)]
        tasks.append(asyncio.create_task(other()))
        await asyncio.sleep(0)
        tasks[3].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())

    assert [event for event in events if event != "other"] == [0, 1, 2, 4, 5, 6]
    assert "other" in events[events.index(2) : events.index(5)]


def test_the_wait_for_a_turn_is_that_of_the_newest_rounds(clock: list[float]) -> None:
    """Whatever else takes the time of the event loop: ten requests behind rounds of a second."""

    async def run() -> float:
        turns = Turns()
        turns.learn(1.0)
        tasks = [asyncio.create_task(turns.take()) for _ in range(60)]
        for _ in range(50):
            await asyncio.sleep(0)
            clock[0] += 1.0
        waiting, expected = turns.waiting, turns.expected
        await asyncio.gather(*tasks)
        return expected / waiting

    assert asyncio.run(run()) == pytest.approx(1.0, rel=0.1)


def test_a_round_ends_with_the_round_of_the_event_loop() -> None:
    """A request whose body comes later waits again."""

    async def run() -> tuple[bool, bool]:
        turns = Turns()
        number = await turns.take()
        at_once = turns.is_current(number)
        await asyncio.sleep(0.001)
        return at_once, turns.is_current(number)

    assert asyncio.run(run()) == (True, False)


def test_the_cost_of_a_forecast_is_learned_by_model() -> None:
    """A slow network runs in threads after its first forecast, a fast one on the event loop."""
    costs = Costs()
    for _ in range(100):
        costs.learn("slow", 2, 0.02)
        costs.learn("fast", 2, 0.001)

    assert costs.expect("slow", 1) == pytest.approx(0.01)
    assert costs.expect("fast", 1) < LOOP_SECONDS < costs.expect("fast", 100)
    assert costs.expect("new", 1) == 0


def test_a_batch_teaches_as_much_as_its_passes_alone() -> None:
    """Else the first passes of many, which take longest, would keep batches small."""
    costs = Costs()
    for _ in range(100):
        costs.learn("mixed", 1, 0.001)
        costs.learn("mixed", 9, 0.002)

    assert costs.expect("mixed", 10) == pytest.approx(0.003, rel=0.1)


def test_what_is_parsed_on_the_event_loop_is_small() -> None:
    """One series of usual length is, 200 series are not (64 kB: 37 ms), nor is one of a million bytes."""
    assert parse_seconds(1, 1_000) < LOOP_SECONDS
    assert parse_seconds(50, 25_000) < LOOP_SECONDS
    assert parse_seconds(50, 64_000, dated=50) > 4 * LOOP_SECONDS
    assert parse_seconds(1, 1_000_000) > LOOP_SECONDS


@pytest.mark.parametrize("error", [DeadlinePassed("late"), ClientDisconnect()])
def test_what_ends_without_its_work_sets_no_pace(lane: Lane, error: Exception) -> None:
    """Else many that come too late would let as many others in."""
    for _ in range(500):
        with suppress(type(error)), lane.enter():
            raise error

    with ExitStack() as stack:
        for _ in range(11):
            stack.enter_context(lane.enter())
        with pytest.raises(QueueFull):
            lane.check()


def test_one_client_cannot_keep_the_others_out(lane: Lane) -> None:
    """Where the time is used up, a client with less than its fair share is admitted, and one with more is not."""
    with ExitStack() as stack:
        for _ in range(11):
            stack.enter_context(lane.enter())

        lane.check(share=Share(own=4, clients=2))
        for share in (Share(own=11, clients=1), Share(own=11, clients=2), Share(own=6, clients=2)):
            with pytest.raises(QueueFull):
                lane.check(share=share)
        for _ in range(10):
            stack.enter_context(lane.enter(Share(own=0, clients=2)))
        lane.check(share=Share(own=0, clients=ALWAYS_ADMITTED))
        for share in (Share(own=1, clients=2), Share(own=0, clients=ALWAYS_ADMITTED + 1)):
            with pytest.raises(QueueFull):
                lane.check(share=share)


@pytest.mark.parametrize(
    ("share", "places"), [(Share(0, 1), 10), (Share(5, 2), 10), (Share(4, 2), 20), (Share(0, 2), 20)]
)
def test_a_client_with_less_than_its_share_has_twice_the_places(share: Share, places: int) -> None:
    """However fast the requests are: one client cannot take all places of a lane."""
    lane = Lane(ThreadPool(1), limit=10, most_seconds=1.0)

    with ExitStack() as stack:
        for _ in range(places):
            stack.enter_context(lane.enter(share))
        with pytest.raises(QueueFull):
            lane.check(share=share)


def test_the_share_of_a_client_is_what_it_has_in_progress() -> None:
    """Clients without requests do not count."""
    clients = Clients()

    with clients.enter("a"), clients.enter("a"), clients.enter("b"):
        with clients.enter("c"):
            pass
        shares = [clients.share(name) for name in "abc"]

    assert shares == [Share(2, 2), Share(1, 2), Share(0, 3)]
    assert clients.share("a") == Share(0, 1)


def test_a_request_that_is_counted_already_is_none_of_the_others() -> None:
    """Its client's first request is judged as its first, also once its body has come."""
    clients = Clients()

    with clients.enter("a"), clients.enter("b"):
        assert clients.share("b", counted=1) == Share(0, 2)


@pytest.mark.parametrize(
    ("is_gone", "seconds", "error"), [(True, 60, ClientDisconnect), (False, -1, DeadlinePassed), (False, 60, None)]
)
def test_work_begins_for_clients_that_wait_for_it(
    *, is_gone: bool, seconds: float, error: type[Exception] | None
) -> None:
    """Not for one that is gone, nor after the deadline."""
    caller = Caller(is_gone=lambda: is_gone)
    caller.start(seconds)

    assert type(caller.fault()) is (error or type(None))


@pytest.mark.parametrize("is_late", [True, False])
def test_a_large_request_that_has_begun_is_finished(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, is_late: bool
) -> None:
    """Its deadline counts until its first block; its wait is observed once."""
    lanes, waits, done = (Lane(ThreadPool(8), 8, 1.0), Lane(ThreadPool(8), 8, 1.0)), list[float](), list[int]()
    missing: Any = None
    handler = ForecastHandler(Settings(home=tmp_path), *lanes, missing, missing, waits.append)
    caller = Caller()
    caller.start(-1 if is_late else 60)

    def forecast(_handler: ForecastHandler, query: ForecastQuery, _selected: object) -> None:
        caller.deadline = 0.0
        done.append(len(query.series))

    monkeypatch.setattr(ForecastHandler, "forecast_block", forecast)
    monkeypatch.setattr("service.forecasting.answer.check_parts", lambda *_: None)
    query = ForecastQuery(((0, missing),) * 3 * BLOCK_SERIES, 1, (), (), None)

    with pytest.raises(DeadlinePassed) if is_late else nullcontext():
        asyncio.run(handler.forecast_large(query, missing, lanes[1].threads, lambda _one: None, caller))
    handler.close()

    assert (len(waits), done) == ((0, []) if is_late else (1, [BLOCK_SERIES] * 3))


def test_a_rate_counts_each_client_by_itself() -> None:
    """Its own rate has precedence over the general one; without any, nothing is counted."""
    rates = Rates("2/hour")

    found = [rates.check(name) is None for name in ("a", "a", "a", "b")]
    refused = rates.check("a")

    assert found == [True, True, False, True]
    assert refused is not None
    assert 1 <= refused.retry_after <= 3600
    assert rates.check("c", "1/hour") is None
    assert rates.check("c", "1/hour") is not None
    assert Rates(None).check("a") is None


def test_a_large_request_does_not_run_for_ever(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It ends between two blocks when many times its deadline have passed, and says how far it came."""
    lanes, missing = (Lane(ThreadPool(8), 8, 1.0), Lane(ThreadPool(8, threads=1), 8, 1.0)), cast("Any", None)
    handler = ForecastHandler(Settings(home=tmp_path), *lanes, missing, missing)
    caller = Caller(series=3 * BLOCK_SERIES)
    caller.start(30)

    def forecast(_handler: ForecastHandler, _query: ForecastQuery, _selected: object) -> None:
        if caller.done:
            caller.began -= RUN_DEADLINES * 30

    monkeypatch.setattr(ForecastHandler, "forecast_block", forecast)
    monkeypatch.setattr("service.forecasting.answer.check_parts", lambda *_: None)
    query = ForecastQuery(((0, missing),) * caller.series, 1, (), (), None)

    with pytest.raises(DeadlinePassed, match="after 300 s: 128 of 192 series were forecast") as ended:
        asyncio.run(handler.forecast_large(query, missing, lanes[1].threads, lambda _one: None, caller))
    handler.close()

    assert "application/x-ndjson" in ended.value.hint


def test_no_body_is_parsed_for_a_client_that_has_hung_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its connection ends in the round of the event loop after its body came."""
    lanes = (Lane(ThreadPool(8), 8, 1.0), Lane(ThreadPool(8), 8, 1.0))
    handler = ForecastHandler(Settings(home=tmp_path), *lanes, select_model=None, record=None)  # type: ignore[arg-type]
    monkeypatch.setattr("service.forecasting.answer.parse_typed", lambda *_: pytest.fail("it was parsed"))
    gone: list[bool] = []

    async def run() -> None:
        asyncio.get_running_loop().call_soon(gone.append, True)  # noqa: FBT003 (a value of the list)
        await handler.answer_body(b" " * (NOTICED_BYTES + 1), Caller(is_gone=lambda: bool(gone)))

    with pytest.raises(ClientDisconnect):
        asyncio.run(run())
    handler.close()


def test_a_refusal_ends_when_its_client_hangs_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is in progress for it while others would still wait for theirs."""
    full = Lane(ThreadPool(1), 0, 1.0)
    handler = ForecastHandler(Settings(home=tmp_path), full, full, select_model=None, record=None)  # type: ignore[arg-type]
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("service.forecasting.answer.asyncio", stand_in(asyncio, sleep=pause))

    for _ in range(2):
        with pytest.raises(QueueFull):
            asyncio.run(handler.admit(0, Caller(is_gone=lambda: len(pauses) >= REFUSAL_PAUSES + 1)))
    handler.close()

    assert len(pauses) == REFUSAL_PAUSES + 1
    assert 0.5 <= sum(pauses[:REFUSAL_PAUSES]) / REFUSAL_SECONDS <= 1.5
