"""Ray engine: tasks on a Ray cluster, or on this machine where there is no cluster."""

import logging
import os
import socket
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from models.errors import ConfigInvalid
from training.engines.engine import QUEUED, RAY, Done, Work, WorkerLost, attempt

ADDRESS = "RAY_ADDRESS"
"""Variable with the address of a cluster; without one, Ray starts on this machine."""

CHECK = f"Start Ray there (ray start --head), correct {ADDRESS}, or use --engine local."

ANSWER_SECONDS = 5.0
"""Within which a cluster must take a connection."""

RETRIES = 3
"""Times that a task runs again after its worker or its node was lost."""

STARTS = 3
"""Times that Ray is started on this machine: it gives up when its processes need over half a minute, as on a busy one."""

_here: dict[str, Callable[[Any], Any]] = {}
"""In a worker process: what it does in the newest run."""


class RayEngine:
    """Tasks of Ray: one whose node is lost runs again on another.

    Args:
        workers: Tasks at once; None takes as many as the cluster has cores, also while it grows.

    Raises:
        ConfigInvalid: If Ray is not installed, does not answer, or does not start.
    """

    name = RAY

    def __init__(self, workers: int | None = None) -> None:
        """Join the cluster of RAY_ADDRESS, or start Ray on this machine."""
        _connect()
        self.workers = workers

    def run(self, work: Work, tasks: Sequence[Any]) -> Iterator[Done]:
        """Yield the result of each task, in the order in which they end, each once; raises WorkerLost.

        A task that is lost after it wrote its files writes the same files again.
        """
        import ray

        if not tasks:
            return
        run = ray.remote(num_cpus=work.threads, max_retries=RETRIES)(_run)
        key, sent = uuid.uuid4().hex, [ray.put(work)]  # in a list it is fetched once by each worker, not by each task
        left, waiting = iter(enumerate(tasks)), list[Any]()
        try:
            while True:
                room = self._at_once(work.threads) - len(waiting)
                waiting += [run.remote(key, sent, at, task) for at, task in islice(left, max(room, 0))]
                if not waiting:
                    return
                ended, waiting = ray.wait(waiting)
                yield from map(_result, ended)
        finally:
            for one in waiting:
                ray.cancel(one)

    def _at_once(self, threads: int) -> int:
        """Return how many tasks Ray may have at once; some wait, so that no core does."""
        import ray

        cores = int(ray.cluster_resources().get("CPU", 1))
        return self.workers or QUEUED * max(cores // threads, 1)


def _result(reference: Any) -> Done:  # noqa: ANN401 - Ray's
    """Return the result of a task that ended; raises WorkerLost if it was lost too often."""
    import ray
    from ray import exceptions

    lost = (
        exceptions.WorkerCrashedError,
        exceptions.NodeDiedError,
        exceptions.OutOfMemoryError,
        exceptions.ObjectLostError,
    )
    try:
        done: Done = ray.get(reference)
    except lost as error:
        raise WorkerLost(
            f"A task was lost {RETRIES + 1} times with its worker or its node: {str(error).splitlines()[0]}",
            hint="Run the same command with fewer --workers, or on nodes with more memory.",
        ) from error
    return done


def _run(key: str, sent: Sequence[Any], at: int, task: object) -> Done:
    """Carry out a task in a worker process of Ray; its function is made once for each run."""
    import ray

    if key not in _here:
        _here.clear()
        work: Work = ray.get(sent[0])
        _here[key] = work.make(*work.arguments)
    return attempt(_here[key], at, task)


def _connect() -> None:
    """Connect to Ray once for this process; raises ConfigInvalid."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage reports to Ray's developers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigInvalid(
            "The engine ray needs the ray extra, which is not installed.",
            hint="Install almanac-forecast[ray], or use --engine local.",
        ) from error
    if ray.is_initialized():
        return
    address = os.environ.get(ADDRESS)
    if address:
        _check_address(address)
    for left in reversed(range(STARTS)):
        try:
            ray.init(
                address=address or None,
                include_dashboard=None if address else False,
                configure_logging=True,
                logging_level=logging.WARNING,
                log_to_driver=False,
            )
        except Exception as error:  # Ray raises any type, also Exception itself
            ray.shutdown()
            cause = f"{str(error).strip().rstrip('.')}."
            if address:
                raise ConfigInvalid(f"Ray at {address} cannot be used: {cause}", hint=CHECK) from error
            if not left:
                hint = "Run the same command when the machine has less to do, or use --engine local."
                raise ConfigInvalid(f"Ray does not start on this machine: {cause}", hint=hint) from error
        else:
            return


def _check_address(address: str) -> None:
    """Raise ConfigInvalid if nothing answers at a cluster's HOST:PORT: Ray itself tries for a quarter of an hour."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():
        return  # `auto` or `local`
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ConfigInvalid(f"Ray at {address} does not answer: {error}.", hint=CHECK) from error
