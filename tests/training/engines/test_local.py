import os
from collections.abc import Callable
from functools import partial

import pytest

from models.errors import ConfigInvalid, DataInvalid
from training.engines.choice import open_engine
from training.engines.engine import Work, WorkerLost
from training.engines.local import LocalEngine


def make(factor: int) -> Callable[[int], int]:
    """Return what a worker does."""
    return partial(run, factor)


def run(factor: int, task: int) -> int:
    """Return a product; 3 is refused, and 100 ends the process."""
    if task == 3:
        raise DataInvalid("Three.", hint="Take two.")
    if task == 100:
        os._exit(1)
    return factor * task


@pytest.mark.parametrize("workers", [1, 2])
def test_each_task_has_one_result(workers: int) -> None:
    """In this process or in others; an error of a task is its result."""
    found = sorted(LocalEngine(workers).run(Work(make, (10,)), range(6)), key=lambda one: one.at)

    assert [one.value for one in found] == [0, 10, 20, None, 40, 50]
    assert found[3].failure == "Three. Take two."
    assert found[3].code == "TRAINING_ERROR" or found[3].code


def test_a_killed_worker_is_an_error_with_a_remedy() -> None:
    """The same command goes on."""
    with pytest.raises(WorkerLost, match="fewer --workers"):
        list(LocalEngine(2).run(Work(make, (1,)), [1, 100]))


@pytest.mark.parametrize(("name", "said"), [("ray", r"almanac-forecast\[ray\]"), ("spark", "Use local or ray")])
def test_an_engine_that_is_not_there_is_named(name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that has it."""
    monkeypatch.setitem(__import__("sys").modules, "ray", None)

    with pytest.raises(ConfigInvalid, match=said):
        open_engine(name)
