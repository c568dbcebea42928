import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.prove.figures import record
from tests.system.programs import postgres
from tests.training.jobs.endurance import Endurance, endure
from tests.training.jobs.killed_jobs import JobHome

TICKS, KILLS = 200, 20
POINTS = 20


@contextmanager
def jobs_address(where: str) -> Iterator[str | None]:
    """Yield the URL of an empty PostgreSQL, or None for the SQLite of the home."""
    if where == "SQLite":
        yield None
        return
    with postgres() as database:
        yield database.url


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("where", ["SQLite", "PostgreSQL"])
def test_each_tick_takes_effect_exactly_once(where: str, tmp_path: Path) -> None:
    """Two workers, 200 ticks and random kills: one version a tick, and no recorded step runs again."""
    with jobs_address(where) as url:
        endured = endure(tmp_path, ticks=TICKS, kills=KILLS, url=url, seed=6)

    assert (endured.ticks, endured.succeeded, endured.effects) == (TICKS, TICKS, TICKS)
    assert endured.repeated == []
    assert endured.kills >= KILLS
    write_down(where, endured)


def write_down(where: str, endured: Endurance) -> None:
    """Record the figures."""
    claim = (
        "Two workers run the ticks of one schedule, all due at once. Workers are killed with SIGKILL at random moments and "
        "started again. A fit takes half a second, other stages no time. Each stage leaves a mark beside the job, and "
        "registering writes a file."
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


@pytest.mark.timeout(7200)
def test_a_job_killed_at_any_point_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every alias has a complete version at any time, and the job makes one version."""
    began = time.monotonic()
    home = JobHome.make(tmp_path / "home", monkeypatch)
    calls = len(home.run([]).calls)
    points = [1 + round(point * (calls - 1) / (POINTS - 1)) for point in range(POINTS)]
    killed = [home.run([point]) for point in points]

    assert [one.died for one in killed] == [1] * POINTS
    assert [one.row["status"] for one in killed] == ["SUCCESS"] * POINTS
    assert [one.repeated for one in killed] == [[]] * POINTS
    versions = [home.versions_of(one.row["id"]) for one in killed]
    assert versions == [[str(number)] for number in range(2, POINTS + 2)]
    assert home.aliases() == {"champion": versions[-1][0], "challenger": versions[-1][0], "previous": versions[-2][0]}
    record(
        "Killed at twenty points",
        "A job runs from data to champion. Its worker and the stage's process are killed with SIGKILL right after one of its "
        "writes to MLflow, at twenty points spread over all of them; then a worker is started again. After each kill and each "
        "end every alias is checked: its version is downloaded and loaded, and its golden forecasts are replayed. The training "
        "itself is a fake.",
        {
            "writes of one job": calls,
            "points": POINTS,
            "killed after": ", ".join(
                f"{point} {one.calls[point - 1]}" for point, one in zip(points, killed, strict=True)
            ),
            "jobs that ended well when run again": sum(one.row["status"] == "SUCCESS" for one in killed),
            "aliases that named a version that was not whole": 0,
            "versions made": sum(map(len, versions)),
            "steps begun again after they were recorded": sum(len(one.repeated) for one in killed),
            "in all": f"{time.monotonic() - began:.0f} s",
        },
    )
