"""Handing on keeps what does not depend on a season, and matches by name what does."""

from dataclasses import replace

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from models.networks.build import NetworkOptions, build
from models.networks.learner import Weights
from models.networks.transfer import transfer_weights
from models.windows import Contexts

MONTHLY = NetworkOptions("lstm", 8, 12, 60, 24, seasons=(12,), units=4, layers=2, calendar=False)
DAILY = replace(MONTHLY, season_length=7, seasons=(7, 30), context_length=90, encoder_length=14, horizon=10)


def shaken(options: NetworkOptions) -> Weights:
    """Return weights that are all off their start."""
    generator = np.random.default_rng(0)
    return [(one + generator.normal(0.0, 0.1, one.shape)).astype(one.dtype) for one in build(options).get_weights()]


def forecast(options: NetworkOptions, weights: Weights, contexts: Contexts) -> np.ndarray:
    """Return what a network of these weights forecasts."""
    network = build(options)
    network.set_weights(weights)
    return np.asarray(network(contexts.inputs(), training=False)["quantiles"])


def test_the_same_options_keep_every_weight() -> None:
    """Nothing is lost where nothing changes."""
    weights = shaken(MONTHLY)

    handed = transfer_weights(weights, MONTHLY, MONTHLY)

    for one, two in zip(weights, handed, strict=True):
        assert_array_equal(one, two)


def test_a_shorter_horizon_forecasts_the_same_steps() -> None:
    """Handing on to five steps gives the first five of eight."""
    weights, shorter = shaken(MONTHLY), replace(MONTHLY, horizon=5)
    contexts = Contexts(np.random.default_rng(1).normal(20.0, 3.0, (3, 60)), np.full(3, -1, np.int32))

    found = forecast(shorter, transfer_weights(weights, MONTHLY, shorter), contexts)

    assert_allclose(found, forecast(MONTHLY, weights, contexts)[:, :, :5], rtol=1e-6)


def test_recurrent_weights_pass_to_other_seasons_unchanged() -> None:
    """What an LSTM does with its inputs has nothing to do with the length of a season."""
    weights = shaken(MONTHLY)

    handed = transfer_weights(weights, MONTHLY, DAILY)

    paths = [one.path for one in build(MONTHLY).weights]
    there = [one.path for one in build(DAILY).weights]
    kept = [path for path in paths if path.startswith("recurrent_")]
    assert len(kept) >= 6
    for path in kept:
        assert_array_equal(handed[there.index(path)], weights[paths.index(path)])


def test_a_season_that_is_new_starts_as_a_new_network_does() -> None:
    """The first season's means keep their weights, those of a second one and its drift begin afresh."""
    weights = shaken(MONTHLY)

    handed = transfer_weights(weights, MONTHLY, DAILY)

    there = [one.path for one in build(DAILY).weights]
    here = [one.path for one in build(MONTHLY).weights]
    place = next(at for at, path in enumerate(there) if path.endswith("mix/bias"))
    old, new = weights[next(at for at, path in enumerate(here) if path.endswith("mix/bias"))], handed[place]
    fresh = np.asarray(build(DAILY).weights[place])
    assert_array_equal(new[:3], old[:3])  # last value, level, the first season's drift
    assert new[3] == fresh[3]  # the second season's drift
    assert_array_equal(new[4:8], old[3:7])  # the first season's means over 1, 2, 3, 5
