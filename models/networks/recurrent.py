"""Recurrent stack: what SimpleRNN, GRU and LSTM share: a projection, then residual layers over time."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from models.networks.bptt import Projection


@keras.saving.register_keras_serializable(package="almanac")
class ChronoBias(keras.initializers.Initializer):
    """Gate biases with which a network remembers from its first step: log of times drawn from 1 to the steps it reads.

    A gate σ(log T) keeps (T - 1) / T of a state each step, so it holds it for about T steps; the usual bias of 1 holds
    it for four, and what lies further back has no gradient to be learned by.

    Args:
        gates: For each gate of the layer, in its order, the sign of its bias; 0 leaves it at zero.
        steps: Steps that the layer reads.
        seed: Of the times.

    Source: Tallec & Ollivier (2018), Can recurrent neural networks warp time?
    """

    def __init__(self, gates: tuple[int, ...], steps: int, seed: int = 0) -> None:
        """Keep the options."""
        self.gates, self.steps, self.seed = tuple(gates), steps, seed

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        """Return biases of shape (..., gates * units); of several rows only the first is set."""
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
    """Return stacked recurrent layers unrolled over the input.

    All but the last layer pass their whole sequence on (`return_sequences`); the last passes its final state, unless
    every step is asked for. A residual path around each layer lets depth cost no signal. The first layer takes the
    projection and its own kernel as one where the channels are fewer than the units, which is less work.

    Args:
        cell: Makes one of the recurrent layers of lstm_layer.py and its like from units, `return_sequences` and `name`.
        channels: (batch, time, channels).
        units: Width of each layer.
        layers: How many.
        every_step: (batch, time, units) if true, else (batch, units).
    """
    x, first = _project(channels, units)
    for depth in range(1, layers + 1):
        sequences = every_step or depth < layers
        y = cell(units, return_sequences=sequences, name=f"recurrent_{depth}")(x, **(first if depth == 1 else {}))
        x = keras.layers.Add()([y, x if sequences else x[:, -1, :]])
    return x


def _project(channels: Any, units: int) -> tuple[Any, dict[str, Any]]:
    """Return the projected channels, and what the first layer is given to take its kernel and the projection as one."""
    if channels.shape[-1] >= units:
        return keras.layers.Dense(units, name="input_projection")(channels), {}
    x, kernel, bias = Projection(units, name="input_projection")(channels)
    return x, {"projection": (channels, kernel, bias)}
