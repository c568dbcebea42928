"""When the scorer scores and counts; the test sets its clock."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.errors import DatabaseUnreachable
from service.monitoring.scorer import MIN_REFRESH_SECONDS, MISSED_SECONDS, PAUSE_SECONDS, REFRESH_SECONDS, Scorer
from service.store.async_database import AsyncDatabase
from service.store.scoring.score_due import BATCH, score_due

NOW = 1_800_000_000.0


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        """Start in 2027."""
        self.now = NOW

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[AsyncDatabase]:
    """Return an empty database, open."""
    with closing(AsyncDatabase(f"sqlite:///{tmp_path / 'almanac.db'}", 8)) as database:
        asyncio.run(database.open())
        yield database


@pytest.fixture
def calls(database: AsyncDatabase, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return a list that receives each call of the database: the function and its first argument."""
    calls: list[tuple[str, int]] = []
    run = database.run

    async def spy(work: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 (any result)
        calls.append((work.__name__, args[0]))
        return await run(work, *args)

    monkeypatch.setattr(database, "run", spy)
    return calls


def give(database: AsyncDatabase, monkeypatch: pytest.MonkeyPatch, scored: list[int]) -> list[float]:
    """Let `score_due` return these numbers in turn, for this database alone, and return a list that receives its times."""
    times: list[float] = []
    run = database.run

    async def answer(work: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 (any result)
        if work is not score_due:
            return await run(work, *args)
        times.append(time.monotonic())
        return scored.pop(0)

    monkeypatch.setattr(database, "run", answer)
    return times


def names(calls: list[tuple[str, int]]) -> list[str]:
    """Return the functions that were called, and clear the list."""
    found = [name for name, _ in calls]
    calls.clear()
    return found


def test_the_first_round_looks_a_day_back_scores_and_counts(
    database: AsyncDatabase, calls: list[tuple[str, int]]
) -> None:
    """Forecasts may have been missed while the process was down."""
    scorer = Scorer(database, 30, Clock())

    assert asyncio.run(scorer.work()) == 0

    assert [name for name, _ in calls] == ["mark_missed", "score_due", "_count"]
    assert calls[0][1] <= (NOW - 86_400) * 1_000_000
    assert calls[1][1] == NOW * 1_000_000
    assert calls[2][1] == (NOW - 30 * 86_400) * 1_000_000
    assert scorer.live is not None
    assert (scorer.live.counted, scorer.live.steps, scorer.live.due) == (NOW, (), 0)


def test_others_can_write_between_full_batches(database: AsyncDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a pause one that waits for SQLite waited for 20 batches, 24 seconds."""
    times = give(database, monkeypatch, [BATCH, BATCH, 1, 0])

    assert asyncio.run(Scorer(database, 30, Clock()).work()) == 2 * BATCH + 1
    assert min(times[1] - times[0], times[2] - times[1]) >= PAUSE_SECONDS


def test_later_rounds_score_and_do_the_rest_when_it_is_time(
    database: AsyncDatabase, calls: list[tuple[str, int]]
) -> None:
    """They mark missed forecasts every MISSED_SECONDS, and count the figures every REFRESH_SECONDS."""
    clock = Clock()
    scorer = Scorer(database, 30, clock)
    asyncio.run(scorer.work())
    names(calls)

    clock.now += 1
    asyncio.run(scorer.work())
    assert names(calls) == ["score_due"]
    clock.now += MISSED_SECONDS
    asyncio.run(scorer.work())
    assert calls[0][1] < NOW * 1_000_000
    assert names(calls) == ["mark_missed", "score_due"]
    clock.now += REFRESH_SECONDS
    asyncio.run(scorer.work())
    assert names(calls) == ["mark_missed", "score_due", "_count"]


def test_after_scoring_the_figures_are_counted_sooner(
    database: AsyncDatabase, calls: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not after every round."""
    clock = Clock()
    scorer = Scorer(database, 30, clock)
    asyncio.run(scorer.work())
    names(calls)
    give(database, monkeypatch, [3, 2, 0, 1, 0, 0])

    clock.now += 1
    assert asyncio.run(scorer.work()) == 5
    clock.now += 1
    assert asyncio.run(scorer.work()) == 1
    assert "_count" not in names(calls)
    clock.now += MIN_REFRESH_SECONDS
    asyncio.run(scorer.work())
    assert names(calls)[-1] == "_count"
    assert scorer.scored == 6


def test_only_the_leader_scores(database: AsyncDatabase, calls: list[tuple[str, int]]) -> None:
    """Observations of another process wake it; the other takes over once it leads."""
    leads, woken = [False], list[int]()
    scorer = Scorer(database, 30, Clock(), leads=lambda: leads[0], wake_leader=lambda: woken.append(1))

    async def scenario() -> None:
        running = asyncio.create_task(scorer.run())
        await asyncio.sleep(0)
        scorer.wake()
        assert (calls, woken) == ([], [1])
        leads[0] = True
        scorer.wake()
        while scorer.live is None:  # noqa: ASYNC110 (the scorer has no event for it)
            await asyncio.sleep(0.001)
        running.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 30))

    assert "score_due" in names(calls)


def test_errors_do_not_stop_the_scorer(
    database: AsyncDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is down is not logged here, a defect is; the next round scores."""
    failures: list[Exception | None] = [DatabaseUnreachable("down"), ValueError("a defect"), None]
    scorer = Scorer(database, 30, Clock())
    done = asyncio.Event()

    async def work() -> int:
        failure = failures.pop(0)
        if failure is not None:
            scorer.wake()
            raise failure
        done.set()
        return 0

    async def until_done() -> None:
        running = asyncio.create_task(scorer.run())
        await asyncio.wait_for(done.wait(), 30)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    monkeypatch.setattr(scorer, "work", work)

    asyncio.run(until_done())

    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "scoring failed; it is tried again"
    ]


@pytest.mark.parametrize("later", range(5))
def test_a_scorer_that_is_woken_and_cancelled_at_once_ends(
    database: AsyncDatabase, monkeypatch: pytest.MonkeyPatch, later: int
) -> None:
    """However few turns of the loop lie between observations that arrive and a shutdown."""
    scorer = Scorer(database, 30, Clock())
    monkeypatch.setattr(scorer, "work", lambda: asyncio.sleep(0))

    async def scenario() -> bool:
        running = asyncio.create_task(scorer.run())
        for _ in range(10):
            await asyncio.sleep(0)
        scorer.wake()
        for _ in range(later):
            await asyncio.sleep(0)
        running.cancel()
        done, _ = await asyncio.wait({running}, timeout=10.0)
        running.cancel()
        return running in done

    assert asyncio.run(scenario())
