"""LSTM: long short-term memory, a cell state controlled by three gates.

    f_t = σ(W_f x_t + U_f h_{t-1} + b_f)          forget gate: share of the old cell state that is kept
    i_t = σ(W_i x_t + U_i h_{t-1} + b_i)          input gate: share of the candidate that is added
    o_t = σ(W_o x_t + U_o h_{t-1} + b_o)          output gate: share of the cell state that is output
    c̃_t = tanh(W_c x_t + U_c h_{t-1} + b_c)       candidate
    c_t = f_t ⊙ c_{t-1} + i_t ⊙ c̃_t               cell state: an additive path, on which gradients do not vanish
    h_t = o_t ⊙ tanh(c_t)

Source: Hochreiter & Schmidhuber (1997), Long short-term memory; forget gate: Gers, Schmidhuber & Cummins (2000).
"""

from functools import partial
from typing import Any

from models.networks.lstm_layer import LSTM
from models.networks.recurrent import ChronoBias, stack


def encode(channels: Any, *, units: int, layers: int, every_step: bool, **_others: Any) -> Any:
    """Return the state after the last step, or after every step.

    Args:
        channels: (batch, time, channels).
        units: Width of each layer.
        layers: Stacked layers.
        every_step: (batch, time, units) if true, else (batch, units).
    """
    cell = partial(LSTM, bias_initializer=ChronoBias((-1, 1, 0, 0), channels.shape[1]), unit_forget_bias=False)
    return stack(cell, channels, units=units, layers=layers, every_step=every_step)
