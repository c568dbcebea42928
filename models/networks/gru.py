"""GRU: gated recurrent unit, with two gates and no separate cell state.

    z_t = σ(W_z x_t + U_z h_{t-1} + b_z)                  update gate: share of the old state that is kept
    r_t = σ(W_r x_t + U_r h_{t-1} + b_r)                  reset gate: share of it that the candidate reads
    h̃_t = tanh(W_h x_t + r_t ⊙ (U_h h_{t-1} + c_h) + b_h)
    h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ h̃_t

Source: Cho et al. (2014), Learning phrase representations using RNN encoder-decoder; the reset after the product, as
in Keras and cuDNN.
"""

from functools import partial
from typing import Any

from models.networks.gru_layer import GRU
from models.networks.recurrent import ChronoBias, stack


def encode(channels: Any, *, units: int, layers: int, every_step: bool, **_others: Any) -> Any:
    """Return the state after the last step (batch, units), or after every step (batch, time, units)."""
    cell = partial(GRU, bias_initializer=ChronoBias((1, 0, 0), channels.shape[1]))
    return stack(cell, channels, units=units, layers=layers, every_step=every_step)
