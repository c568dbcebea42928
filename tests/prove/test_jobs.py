from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.prove.figures import record
from tests.system.programs import postgres
from tests.training.jobs.endurance import Endured, endure

pytestmark = pytest.mark.prove

TICKS, KILLS = 200, 20


@contextmanager
def jobs_address(where: str) -> Iterator[str | None]:
    """Yield the address of an empty PostgreSQL, or nothing for the home's own SQLite."""
    if where == "SQLite":
        yield None
        return
    with postgres() as database:
        yield database.url


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("where", ["SQLite", "PostgreSQL"])
def test_each_tick_takes_effect_exactly_once(where: str, tmp_path: Path) -> None:
    """Two workers, 200 ticks, random kills: one version a tick, and no step again that was recorded."""
    with jobs_address(where) as url:
        endured = endure(tmp_path, ticks=TICKS, kills=KILLS, url=url, seed=6)

    assert (endured.ticks, endured.succeeded, endured.effects) == (TICKS, TICKS, TICKS)
    assert endured.repeated == []
    assert endured.kills >= KILLS // 2
    tell(where, endured)


def tell(where: str, endured: Endured) -> None:
    """Write down what came of it."""
    claim = (
        "Two workers, the ticks of a schedule made at once, and one worker or the other killed with SIGKILL at random "
        "moments and started again. Stages take no time; each leaves a mark beside the job, and registering makes a file."
    )
    record(
        f"Each tick once, on {where}",
        claim,
        {
            "ticks": endured.ticks,
            "jobs that ended well": endured.succeeded,
            "versions": endured.effects,
            "workers killed": endured.kills,
            "stages begun, of which again after a kill": f"{endured.stages}, {endured.stages - 6 * endured.ticks}",
            "stages begun again after their step was recorded": len(endured.repeated),
            "jobs ended by each worker": ", ".join(str(count) for count in endured.workers.values()),
            "in all": f"{endured.seconds:.0f} s",
        },
    )
