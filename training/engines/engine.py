"""Engine: runs independent tasks in workers that are made once; the numbers are the same on every engine."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from models.errors import AlmanacError, TrainingError

LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)

QUEUED = 2
"""Tasks handed out for each worker: the next one waits while one runs."""


class WorkerLost(TrainingError):
    """A worker process ended in the middle of a task."""

    code = "WORKER_LOST"


@dataclass(frozen=True, slots=True)
class Work:
    """What workers do.

    Attributes:
        make: Called once in each worker; returns the function of one task. It is sent by its name, so it is a function or a
            class of a module.
        arguments: Of `make`.
        threads: CPU cores of one task.
    """

    make: Callable[..., Callable[[Any], Any]]
    arguments: tuple[Any, ...] = ()
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Done:
    """The result of one task.

    Attributes:
        at: Place of the task in its sequence.
        value: What the task returned; None if it failed.
        failure: The error's text; "" if it did not fail.
        code: The error's code.
    """

    at: int
    value: Any = None
    failure: str = ""
    code: str = field(default="")


class Engine(Protocol):
    """Runs tasks."""

    name: str

    def run(self, work: Work, tasks: Sequence[Any]) -> Iterator[Done]:
        """Yield the result of each task, in the order in which they end, each exactly once.

        Raises:
            WorkerLost: If a worker ended and the engine cannot replace it.
        """


def attempt(run: Callable[[Any], Any], at: int, task: object) -> Done:
    """Return the result of a task; an AlmanacError is a result too, and any other error is raised."""
    try:
        return Done(at, run(task))
    except AlmanacError as error:
        return Done(at, failure=str(error), code=error.code)
