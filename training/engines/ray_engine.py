"""Ray engine: tasks in actors of a Ray cluster, or of this machine where there is no cluster."""

import logging
import os
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from models.errors import ConfigInvalid
from training.engines.engine import RAY, Done, Work, attempt

ADDRESS = "RAY_ADDRESS"
"""Variable with the address of a cluster; without one, Ray starts on this machine."""


class RayEngine:
    """Tasks in actors, which `ray.data` starts again on another node if theirs is lost.

    Args:
        workers: Actors; None takes one for each core of the cluster.

    Raises:
        ConfigInvalid: If Ray is not installed, or does not start.
    """

    name = RAY

    def __init__(self, workers: int | None = None) -> None:
        """Join the cluster of RAY_ADDRESS, or start Ray on this machine."""
        _connect()
        self.workers = workers

    def run(self, work: Work, tasks: Sequence[Any]) -> Iterator[Done]:
        """Yield the result of each task, in the order in which they end.

        A task whose node is lost runs again elsewhere: tasks write the same files again, and each result counts once.
        """
        import ray
        import ray.data

        if not tasks:
            return
        cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
        count = min(self.workers or max(1, cores // work.threads), len(tasks))
        rows = [{"at": at, "task": pickle.dumps(task)} for at, task in enumerate(tasks)]
        found = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Actor,
            fn_constructor_args=(work,),
            batch_size=1,
            num_cpus=work.threads,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=count, initial_size=count),
        )
        seen = set[int]()
        for row in found.iter_rows():
            done: Done = pickle.loads(row["done"])  # noqa: S301 - written by our own actor
            if done.at not in seen:
                seen.add(done.at)
                yield done


class _Actor:
    """One worker: a function made once, called with one task at a time."""

    def __init__(self, work: Work) -> None:
        self._run = work.make(*work.arguments)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return the pickled results of pickled tasks."""
        done = [
            attempt(self._run, int(at), pickle.loads(task))  # noqa: S301 - written by our own engine
            for at, task in zip(batch["at"], batch["task"], strict=True)
        ]
        return {"done": np.array([pickle.dumps(one) for one in done], dtype=object)}


def _connect() -> None:
    """Connect to Ray once for this process; raises ConfigInvalid."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no usage reports to Ray's developers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigInvalid(
            "The engine ray needs the ray extra, which is not installed.",
            hint="Install almanac-forecast[ray], or use --engine local.",
        ) from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    if ray.is_initialized():
        return
    try:
        ray.init(
            address=os.environ.get(ADDRESS),
            include_dashboard=False if ADDRESS not in os.environ else None,
            configure_logging=True,
            logging_level=logging.WARNING,
            log_to_driver=False,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ConfigInvalid(f"Ray does not start: {error}", hint=f"Check {ADDRESS}, or use --engine local.") from error
