"""Recurrent stack: the encoder of SimpleRNN, GRU and LSTM, a projection and residual layers over time."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from models.networks.bptt import Projection


@keras.saving.register_keras_serializable(package="almanac")
class ChronoBias(keras.initializers.Initializer):
    """Initial gate biases for a long memory: the logarithms of times between 1 and the number of steps.

    A gate σ(log T) keeps (T - 1) / T of a state each step, so the state lasts about T steps; with the usual bias of 1 it
    lasts about four, and older steps have no gradient.

    Args:
        gates: The sign of the bias of each gate, in the layer's order; 0 for a bias of zero.
        steps: Steps that the layer reads.
        seed: Seed of the times.

    Source: Tallec & Ollivier (2018), Can recurrent neural networks warp time?
    """

    def __init__(self, gates: tuple[int, ...], steps: int, seed: int = 0) -> None:
        """Keep the options."""
        self.gates, self.steps, self.seed = tuple(gates), steps, seed

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        """Return biases, shape (..., gates * units); only the first row is not zero."""
        units = shape[-1] // len(self.gates)
        times = np.random.default_rng(self.seed).uniform(1.0, max(self.steps - 1.0, 1.0), units)
        biases = np.zeros(shape)
        row = biases.reshape(-1, shape[-1])[0]
        row[:] = np.concatenate([sign * np.log(times) for sign in self.gates])
        return keras.ops.convert_to_tensor(biases, dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {"gates": self.gates, "steps": self.steps, "seed": self.seed}


def stack(cell: Callable[..., Any], channels: Any, *, units: int, layers: int, every_step: bool) -> Any:
    """Return the output of stacked recurrent layers.

    All layers but the last return their whole sequence; the last returns its final state unless `every_step`. Each layer
    has a residual path. If the channels are fewer than the units, the first layer merges the projection with its kernel,
    which is faster.

    Args:
        cell: Returns a layer such as `models.networks.lstm.LSTM` from units, `return_sequences` and `name`.
        channels: (batch, time, channels).
        units: Width of each layer.
        layers: Number of layers.
        every_step: (batch, time, units) if true, else (batch, units).
    """
    x, first = _project(channels, units)
    for depth in range(1, layers + 1):
        sequences = every_step or depth < layers
        y = cell(units, return_sequences=sequences, name=f"recurrent_{depth}")(x, **(first if depth == 1 else {}))
        x = keras.layers.Add()([y, x if sequences else x[:, -1, :]])
    return x


def _project(channels: Any, units: int) -> tuple[Any, dict[str, Any]]:
    """Return the projected channels, and further arguments of the first layer to merge its kernel with the projection."""
    if channels.shape[-1] >= units:
        return keras.layers.Dense(units, name="input_projection")(channels), {}
    x, kernel, bias = Projection(units, name="input_projection")(channels)
    return x, {"projection": (channels, kernel, bias)}
