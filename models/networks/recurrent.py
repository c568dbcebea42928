"""Recurrent stack: what SimpleRNN, GRU and LSTM share: a projection, then residual layers over time."""

from collections.abc import Callable
from typing import Any

import keras


def stack(cell: Callable[..., Any], channels: Any, *, units: int, layers: int, every_step: bool) -> Any:
    """Return stacked recurrent layers unrolled over the input.

    All but the last layer pass their whole sequence on (`return_sequences`); the last passes its final state, unless
    every step is asked for. A residual path around each layer lets depth cost no signal.

    Args:
        cell: A Keras recurrent layer class.
        channels: (batch, time, channels).
        units: Width of each layer.
        layers: How many.
        every_step: (batch, time, units) if true, else (batch, units).
    """
    x = keras.layers.Dense(units, name="input_projection")(channels)
    for depth in range(1, layers + 1):
        sequences = every_step or depth < layers
        y = cell(units, return_sequences=sequences, name=f"recurrent_{depth}")(x)
        x = keras.layers.Add()([y, x if sequences else x[:, -1, :]])
    return x
