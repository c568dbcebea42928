"""LSTM: a memory cell that gates let forget, take in and speak.

    f_t = σ(W_f x_t + U_f h_{t-1} + b_f)          forget gate: what of the old cell state stays
    i_t = σ(W_i x_t + U_i h_{t-1} + b_i)          input gate: what of the candidate comes in
    o_t = σ(W_o x_t + U_o h_{t-1} + b_o)          output gate: what of the cell state is shown
    c̃_t = tanh(W_c x_t + U_c h_{t-1} + b_c)       candidate
    c_t = f_t ⊙ c_{t-1} + i_t ⊙ c̃_t               cell state: an additive path, along which gradients survive
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
