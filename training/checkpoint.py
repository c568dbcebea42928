"""Checkpoint: a training on disk, from which it goes on as if it had never been cut off."""

from pathlib import Path

import numpy as np

from models.networks.learner import Learner


def save(learner: Learner, path: Path) -> None:
    """Write all that the learner's next step depends on; the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        np.savez(file, allow_pickle=False, steps=np.array(learner.steps), **learner.state())
    unfinished.replace(path)


def restore(learner: Learner, path: Path) -> int:
    """Bring a restarted learner to where a checkpoint left it; return the steps it has taken, 0 without a checkpoint."""
    if not path.is_file():
        return 0
    with np.load(path, allow_pickle=False) as found:
        state = {name: found[name] for name in found.files}
    learner.steps = int(state.pop("steps"))
    learner.recall(state)
    return learner.steps
