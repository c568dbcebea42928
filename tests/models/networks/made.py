"""Made networks: small ones of every architecture, compiled once for all tests, their weights set by each test."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.networks.build import NetworkOptions, build

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

ARCHITECTURES = ("lstm", "gru", "simple_rnn", "wavenet")
SEASON, CONTEXT, ENCODER, HORIZON = 12, 36, 16, 6


def make_options(architecture: str, **changes: Any) -> NetworkOptions:  # noqa: ANN401 - any field of NetworkOptions
    """Return options of a network small enough for a test."""
    small = NetworkOptions(
        architecture,
        horizon=HORIZON,
        season_length=SEASON,
        context_length=CONTEXT,
        encoder_length=ENCODER,
        units=8,
        layers=1,
    )
    return replace(small, **changes)


@dataclass(frozen=True, slots=True)
class Made:
    """A network and its outputs as numpy."""

    options: NetworkOptions
    network: keras.Model
    run: Callable[..., dict[str, Any]]

    def answer(self, context: Floats, phase: Integers | None = None, *covariates: Floats) -> dict[str, NDArray[Any]]:
        """Return every output for raw contexts (batch, context_length); unknown dates where no phase is given."""
        known = np.full(len(context), -1, dtype=np.int32) if phase is None else phase
        outputs = self.run(*map(tf.constant, (context, known, *covariates)))
        return {key: np.asarray(value) for key, value in outputs.items()}

    def quantiles(self, context: Floats, phase: Integers | None = None) -> Floats:
        """Return the forecast from the newest step, (batch, horizon, levels), in raw units."""
        newest: Floats = self.answer(context, phase)["quantiles"][:, -1]
        return newest


def make_network(options: NetworkOptions, *, seed: int, spread: float = 0.3, supervised_steps: int = 1) -> Made:
    """Return a network whose every weight is drawn from a normal distribution of this spread."""
    made = _compiled(options, supervised_steps)
    made.network.set_weights(random_weights(made.network, seed, spread))
    return made


def random_weights(network: keras.Model, seed: int, spread: float) -> list[NDArray[Any]]:
    """Return weights of a network's shapes."""
    generator = np.random.default_rng(seed)
    return [spread * generator.normal(size=one.shape).astype(one.dtype) for one in network.get_weights()]


@cache
def _compiled(options: NetworkOptions, supervised_steps: int) -> Made:
    """Return a network that is traced once, its batch axis free."""
    network = build(options, supervised_steps=supervised_steps)
    signature = [tf.TensorSpec(one.shape, one.dtype) for one in network.inputs]
    run = tf.function(lambda *inputs: network([*inputs], training=False), input_signature=signature)
    return Made(options, network, run)


def make_contexts(batch: int, *, seed: int = 0, length: int = CONTEXT) -> Floats:
    """Return windows with season, trend and noise, all positive, in degrees Fahrenheit say."""
    generator = np.random.default_rng(seed)
    steps = np.arange(length)
    season = 10 * np.sin(2 * np.pi * (steps + generator.integers(0, SEASON, (batch, 1))) / SEASON)
    windows: Floats = 50 + season + 0.1 * steps + generator.normal(0.0, 2.0, (batch, length))
    return windows


def make_phases(batch: int) -> Integers:
    """Return phases that begin with the unknown."""
    return (np.arange(batch, dtype=np.int32) % (SEASON + 1)) - 1
