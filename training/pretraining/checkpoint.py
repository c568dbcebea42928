"""Checkpoint: a training on disk, from which it goes on as if it had not been interrupted."""

from pathlib import Path

import numpy as np

from models.networks.learner import Learner


def save(learner: Learner, path: Path, *, seconds: float) -> None:
    """Write all that the learner's next step depends on, and the seconds so far, in one atomic move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    progress = {"steps": np.array(learner.steps), "seconds": np.array(seconds)}
    with unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **progress, **learner.state())
    unfinished.replace(path)


def restore(learner: Learner, path: Path) -> float:
    """Load a checkpoint into a restarted learner and return its seconds, or 0 if there is no checkpoint."""
    if not path.is_file():
        return 0.0
    with np.load(path, allow_pickle=False) as found:
        state = {name: found[name] for name in found.files}
    learner.steps = int(state.pop("steps"))
    seconds = float(state.pop("seconds"))
    learner.load_state(state)
    return seconds


def seconds_of(path: Path) -> float:
    """Return the seconds that a training had taken at its checkpoint."""
    with np.load(path, allow_pickle=False) as found:
        return float(found["seconds"])
