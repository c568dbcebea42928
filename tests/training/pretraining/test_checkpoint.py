"""A training goes on from its checkpoint as if it had never been cut off."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from models.networks.build import NetworkOptions
from models.networks.learner import Learner, Recipe
from models.windows import Contexts
from training.pretraining.checkpoint import restore, save, seconds_of

OPTIONS = NetworkOptions("lstm", 3, 4, 12, 8, units=4, layers=1)


def make_learner(seed: int = 0) -> Learner:
    """Return a learner at its beginning."""
    learner = Learner(Recipe(OPTIONS, 1.0, 0.01))
    learner.restart(seed)
    return learner


def take(learner: Learner, seed: int) -> None:
    """Take one step on windows of a seed."""
    generator = np.random.default_rng(seed)
    contexts = Contexts(generator.normal(20.0, 3.0, (6, 12)), np.full(6, -1, np.int32))
    learner.step(contexts, generator.normal(20.0, 3.0, (6, 1, 3)), rate=0.01, total=10)


@pytest.mark.prove
def test_a_restored_learner_takes_the_same_next_step(tmp_path: Path) -> None:
    """Weights, their averages and the optimizer's memory are all there, bit for bit, in another learner too."""
    learner = make_learner()
    take(learner, 1)
    take(learner, 2)
    save(learner, tmp_path / "deep" / "M.npz", seconds=4.5)
    take(learner, 3)

    other = make_learner(seed=7)
    seconds = restore(other, tmp_path / "deep" / "M.npz")
    done = other.steps
    take(other, 3)

    assert (done, seconds, seconds_of(tmp_path / "deep" / "M.npz")) == (2, 4.5, 4.5)
    for one, two in zip(learner.averaged_weights(), other.averaged_weights(), strict=True):
        assert_array_equal(one, two)
    for one, two in zip(learner.network.get_weights(), other.network.get_weights(), strict=True):
        assert_array_equal(one, two)


def test_without_a_checkpoint_nothing_was_done(tmp_path: Path) -> None:
    """A learner stays at its beginning, and no file is left half written."""
    learner = make_learner()
    before = learner.averaged_weights()

    seconds = restore(learner, tmp_path / "M.npz")

    assert (learner.steps, seconds) == (0, 0.0)
    assert_array_equal(learner.averaged_weights()[0], before[0])
    assert not list(tmp_path.iterdir())
