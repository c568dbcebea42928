"""Checkpoint: a training on disk, from which it goes on as if it had never been cut off."""

from pathlib import Path

import numpy as np

from models.networks.learner import Learner


def save(learner: Learner, path: Path, *, seconds: float) -> None:
    """Write all that the learner's next step depends on, and the seconds so far; the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    told = {"steps": np.array(learner.steps), "seconds": np.array(seconds)}
    with unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, **told, **learner.state())
    unfinished.replace(path)


def restore(learner: Learner, path: Path) -> float:
    """Bring a restarted learner to where a checkpoint left it; return the seconds it had taken, 0 without a checkpoint."""
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
