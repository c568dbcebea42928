"""LSTM: long short-term memory, a cell state controlled by three gates.

    f_t = σ(W_f x_t + U_f h_{t-1} + b_f)          forget gate: share of the old cell state that is kept
    i_t = σ(W_i x_t + U_i h_{t-1} + b_i)          input gate: share of the candidate that is added
    o_t = σ(W_o x_t + U_o h_{t-1} + b_o)          output gate: share of the cell state that is output
    c̃_t = tanh(W_c x_t + U_c h_{t-1} + b_c)       candidate
    c_t = f_t ⊙ c_{t-1} + i_t ⊙ c̃_t               cell state: an additive path, on which gradients do not vanish
    h_t = o_t ⊙ tanh(c_t)

Source: Hochreiter & Schmidhuber (1997), Long short-term memory; forget gate: Gers, Schmidhuber & Cummins (2000).

The layer is that of Keras, computed by TensorFlow's BlockLSTM, one operation for all steps and one for their gradient. XLA
cannot compile that; for it the gradient is written out here. With z_t = K x_t + R h_{t-1} + b and δ the gradient of the loss with respect to its index,

    δ_c = δ_h ⊙ o ⊙ (1 - tanh² c_t) + the part from t + 1
    δ_z = [δ_c c̃ i (1 - i), δ_c c_{t-1} f (1 - f), δ_c i (1 - c̃²), δ_h tanh(c_t) o (1 - o)]
    δ_h at t - 1 = Rᵀ δ_z,   δ_c at t - 1 = δ_c ⊙ f

A sigmoid is a tanh, σ(z) = (1 + tanh(z / 2)) / 2, so all gates of a step are one tanh, the halves folded into K, R, b.

Source: Werbos (1990), Backpropagation through time: what it does and how to do it.
"""

from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.networks.bptt import ManualGradient, array, gradients, loop, product
from models.networks.recurrent import ChronoBias, stack


@tf.custom_gradient
def _fused(x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """Return the state after each step, (time, batch, units), of inputs (time, batch, channels); and its gradient.

    The gradient that TensorFlow registers for BlockLSTMV2 is that of BlockLSTM, whose gates are in another order.
    """
    channels, units = kernel.shape[0], recurrent.shape[0]
    zero, peephole = tf.zeros((tf.shape(x)[1], units)), tf.zeros(units)
    given = {
        "seq_len_max": tf.constant(x.shape[0], tf.int64),
        "x": x,
        "cs_prev": zero,
        "h_prev": zero,
        "w": tf.concat([kernel, recurrent], axis=0),
        "wci": peephole,
        "wcf": peephole,
        "wco": peephole,
        "b": bias,
        "use_peephole": False,
    }
    made = tf.raw_ops.BlockLSTMV2(**given, cell_clip=0.0)

    def gradient(upstream: Any) -> tuple[Any, Any, Any, Any]:
        of = tf.raw_ops.BlockLSTMGradV2(**given, **made._asdict(), cs_grad=tf.zeros_like(made.cs), h_grad=upstream)
        return of.x_grad, of.w_grad[:channels], of.w_grad[channels:], of.b_grad

    return made.h, gradient


@tf.custom_gradient
def _written_out(x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """Return the state after each step, (time, batch, units), of inputs (time, batch, channels); and its gradient."""
    gates, cells, states = _forwards(x, kernel, recurrent, bias)

    def gradient(upstream: Any) -> tuple[Any, Any, Any, Any]:
        deltas = _backwards(upstream, gates, cells, recurrent)
        of_x, of_kernel, of_bias = gradients(deltas, x, kernel)
        return of_x, of_kernel, product(states[:-1], deltas), of_bias

    return states[1:], gradient


def _forwards(x: Any, kernel: Any, recurrent: Any, bias: Any) -> tuple[list[Any], Any, Any]:
    """Return the gates i, f, c̃, o of each step, each (time, batch, units), and all cells and states, (time + 1, batch, units)."""
    steps, units = x.shape[0], recurrent.shape[0]
    factor, shift = (
        np.repeat(np.array(one, np.float32), units) for one in ((0.5, 0.5, 1.0, 0.5), (0.5, 0.5, 0.0, 0.5))
    )
    kernel, recurrent, bias = kernel * factor, recurrent * factor, bias * factor
    projected = tf.tensordot(x, kernel, 1)
    zero = tf.zeros((tf.shape(x)[1], units))

    def step(t: Any, state: Any, cell: Any, arrays: Any) -> Any:
        gates, cells, states = arrays
        opened = tf.split(tf.tanh(projected[t] + tf.matmul(state, recurrent) + bias) * factor + shift, 4, axis=1)
        gates = [one.write(t, gate) for one, gate in zip(gates, opened, strict=True)]
        kept = (gates, cells.write(t, cell), states.write(t, state))
        i, f, candidate, o = opened
        cell = f * cell + i * candidate
        return t + 1, o * tf.tanh(cell), cell, kept

    arrays = ([array(steps, units) for _ in range(4)], array(steps + 1, units), array(steps + 1, units))
    _, state, cell, (gates, cells, states) = loop(step, steps, (0, zero, zero, arrays))
    return [gate.stack() for gate in gates], cells.write(steps, cell).stack(), states.write(steps, state).stack()


def _backwards(upstream: Any, gates: list[Any], cells: Any, recurrent: Any) -> Any:
    """Return the gradient with respect to z of each step, (time, batch, 4 units)."""
    steps, zero = upstream.shape[0], tf.zeros_like(upstream[0])

    def step(back: Any, above: Any, carried: Any, deltas: Any) -> Any:
        t = steps - 1 - back
        i, f, candidate, o = (gate[t] for gate in gates)
        shown = tf.tanh(cells[t + 1])
        above = above + upstream[t]
        carried = carried + above * o * (1.0 - shown * shown)
        delta = tf.concat(
            [
                carried * candidate * i * (1.0 - i),
                carried * cells[t] * f * (1.0 - f),
                carried * i * (1.0 - candidate * candidate),
                above * shown * o * (1.0 - o),
            ],
            axis=1,
        )
        return back + 1, tf.matmul(delta, recurrent, transpose_b=True), carried * f, deltas.write(t, delta)

    return loop(step, steps, (0, zero, zero, array(steps, recurrent.shape[1])))[-1].stack()


@keras.saving.register_keras_serializable(package="almanac")
class LSTM(ManualGradient, keras.layers.LSTM):
    """Keras's LSTM, computed faster.

    Attributes:
        for_xla: Whether XLA can compile it: then it is slower where XLA does not.
    """

    for_xla = False

    def through_time(self, x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
        """Return the state after each step, (time, batch, units)."""
        return (_written_out if self.for_xla else _fused)(x, kernel, recurrent, bias)


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
