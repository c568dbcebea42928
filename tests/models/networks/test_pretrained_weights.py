"""A starter keeps its forecasts whatever horizon it is rebuilt for."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models import artifact
from models.errors import ArtifactIncomplete, ArtifactMismatch
from models.networks.build import build, serving_network
from models.networks.pretrained_weights import (
    blend_weights,
    nearest_trained_steps,
    pretrained_options,
    pretrained_weights,
)
from models.spec import ModelSpec
from tests.training.starters import HORIZON, make_starter


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a quarterly starter: eight steps are two of its seasons."""
    return make_starter(tmp_path_factory.mktemp("starters"), "Q")


@cache
def spec_of(folder: Path) -> ModelSpec:
    """Return what a starter's spec says."""
    return artifact.load(folder).spec


@pytest.mark.parametrize("horizon", [3, HORIZON, 13])
def test_every_step_that_was_trained_is_forecast_alike(starter: Path, horizon: int) -> None:
    """Shorter, as it was, or longer: the steps that both have are those of the shipped network."""
    spec = spec_of(starter)
    contexts = artifact.golden_contexts(spec)
    options = pretrained_options(spec, horizon)
    network = build(options)

    network.set_weights(pretrained_weights(starter, spec, horizon))

    found = np.asarray(serving_network(network, options)([contexts.context, contexts.phase]))
    expected = artifact.load(starter).quantiles(contexts)
    shared = min(horizon, HORIZON)
    assert found.shape == (len(contexts.context), horizon, 9)
    assert_allclose(found[:, :shared], expected[:, :shared], rtol=1e-5, atol=1e-4)


def test_a_step_beyond_takes_the_weights_of_its_season_position() -> None:
    """Of the last season that was trained; of the very last step where less than one was."""
    assert_array_equal(nearest_trained_steps(8, 13, 4), [0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 4])
    assert_array_equal(nearest_trained_steps(7, 12, 4), [0, 1, 2, 3, 4, 5, 6, 3, 4, 5, 6, 3])
    assert_array_equal(nearest_trained_steps(3, 6, 12), [0, 1, 2, 2, 2, 2])
    assert_array_equal(nearest_trained_steps(8, 2, 4), [0, 1])


def test_a_logarithm_needs_no_other_weights(starter: Path) -> None:
    """The same weights fit the network that takes logarithms inside."""
    options = replace(pretrained_options(spec_of(starter), HORIZON), transform="log")

    network = build(options)
    network.set_weights(pretrained_weights(starter, spec_of(starter), HORIZON))

    contexts = artifact.golden_contexts(spec_of(starter))
    assert np.isfinite(np.asarray(serving_network(network, options)([contexts.context, contexts.phase]))).all()


def test_a_network_of_another_size_is_refused(starter: Path) -> None:
    """Weights that its spec does not describe are not the starter's."""
    other = replace(spec_of(starter), options=replace(spec_of(starter).options, units=5))

    with pytest.raises(ArtifactMismatch, match=r"network\.keras"):
        pretrained_weights(starter, other, HORIZON)


def test_a_starter_without_its_keras_file_is_refused(starter: Path, tmp_path: Path) -> None:
    """What forecasts needs none, but what is trained on does."""
    with pytest.raises(ArtifactIncomplete, match=r"network\.keras"):
        pretrained_weights(tmp_path, spec_of(starter), HORIZON)


def test_weights_are_blended_in_their_own_type() -> None:
    """A share of 0 is what was before, of 1 what came after."""
    before, after = [np.zeros(3, np.float32)], [np.full(3, 2.0, np.float32)]

    assert [float(blend_weights(before, after, share)[0][0]) for share in (0.0, 0.25, 1.0)] == [0.0, 0.5, 2.0]
    assert blend_weights(before, after, 0.5)[0].dtype == np.float32
