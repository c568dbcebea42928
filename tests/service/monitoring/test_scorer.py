"""Scorer: when it looks, when it counts, and that nothing stops it; the clock is the test's."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.errors import DatabaseUnreachable
from service.monitoring.scorer import MIN_REFRESH_SECONDS, MISSED_SECONDS, REFRESH_SECONDS, Scorer
from service.store.async_database import AsyncDatabase
from service.store.score_due import mark_missed, score_due

NOW = 1_800_000_000.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        """It is a moment of 2027."""
        self.now = NOW

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        return self.now


@pytest.fixture
def records(tmp_path: Path) -> Iterator[AsyncDatabase]:
    """Return an empty database, open."""
    with closing(AsyncDatabase(f"sqlite:///{tmp_path / 'almanac.db'}", 8)) as records:
        asyncio.run(records.open())
        yield records


@pytest.fixture
def asked(records: AsyncDatabase, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return what the database is asked, as it is asked: what is done and its first number."""
    seen: list[tuple[str, int]] = []
    run = records.run

    async def spy(work: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 (anything that a database returns)
        seen.append((work.__name__, args[0]))
        return await run(work, *args)

    monkeypatch.setattr(records, "run", spy)
    return seen


def names(asked: list[tuple[str, int]]) -> list[str]:
    """Return what was asked since the last time, and forget it."""
    told = [name for name, _ in asked]
    asked.clear()
    return told


def test_the_first_round_looks_a_day_back_scores_and_counts(
    records: AsyncDatabase, asked: list[tuple[str, int]]
) -> None:
    """A process that was down may have missed what was made before it went."""
    scorer = Scorer(records, 30, Clock())

    assert asyncio.run(scorer.work()) == 0

    assert [name for name, _ in asked] == ["mark_missed", "score_due", "_count"]
    assert asked[0][1] <= (NOW - 86_400) * 1_000_000
    assert asked[1][1] == NOW * 1_000_000
    assert asked[2][1] == (NOW - 30 * 86_400) * 1_000_000
    assert scorer.live is not None
    assert (scorer.live.counted, scorer.live.steps, scorer.live.due) == (NOW, (), 0)


def test_quiet_rounds_only_score(records: AsyncDatabase, asked: list[tuple[str, int]]) -> None:
    """Young forecasts are looked at, and the figures counted, when it is time."""
    clock = Clock()
    scorer = Scorer(records, 30, clock)
    asyncio.run(scorer.work())
    names(asked)

    clock.now += 1
    asyncio.run(scorer.work())
    assert names(asked) == ["score_due"]
    clock.now += MISSED_SECONDS
    asyncio.run(scorer.work())
    assert asked[0][1] < NOW * 1_000_000
    assert names(asked) == ["mark_missed", "score_due"]
    clock.now += REFRESH_SECONDS
    asyncio.run(scorer.work())
    assert names(asked) == ["mark_missed", "score_due", "_count"]


def test_what_was_scored_is_counted_soon_but_not_at_once(
    records: AsyncDatabase, asked: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many observations, one after the other, do not make a count each."""
    clock, left = Clock(), [3, 2, 0, 1, 0, 0]
    scorer = Scorer(records, 30, clock)
    asyncio.run(scorer.work())
    names(asked)
    monkeypatch.setattr("service.monitoring.scorer.score_due", lambda *_: left.pop(0))

    clock.now += 1
    assert asyncio.run(scorer.work()) == 5
    clock.now += 1
    assert asyncio.run(scorer.work()) == 1
    assert "_count" not in names(asked)
    clock.now += MIN_REFRESH_SECONDS
    asyncio.run(scorer.work())
    assert names(asked)[-1] == "_count"
    assert scorer.scored == 6


def test_nothing_stops_it(
    records: AsyncDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is gone says nothing here, a defect is logged; the next round scores."""
    failures: list[Exception | None] = [DatabaseUnreachable("gone"), ValueError("a defect"), None]
    scorer = Scorer(records, 30, Clock())
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


def test_its_names_are_those_that_the_database_is_asked() -> None:
    """What these tests look for is what the store calls it."""
    assert (mark_missed.__name__, score_due.__name__) == ("mark_missed", "score_due")
