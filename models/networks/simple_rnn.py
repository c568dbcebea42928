"""SimpleRNN: the simplest recurrent network, for comparison.

    h_t = tanh(W x_t + U h_{t-1} + b)

Backpropagated through k steps, the gradient is a product of k factors U diag(1 - h²): it vanishes if they are below one and
explodes if they are above.

Source: Elman (1990), Finding structure in time; Bengio, Simard & Frasconi (1994), Learning long-term dependencies with
gradient descent is difficult.
"""

from typing import Any

from models.networks.recurrent import stack
from models.networks.simple_rnn_layer import SimpleRNN


def encode(channels: Any, *, units: int, layers: int, every_step: bool, **_others: Any) -> Any:
    """Return the state after the last step (batch, units), or after every step (batch, time, units)."""
    return stack(SimpleRNN, channels, units=units, layers=layers, every_step=every_step)
