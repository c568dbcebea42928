"""GRU: gated recurrent unit, with two gates and no separate cell state.

    z_t = σ(W_z x_t + U_z h_{t-1} + b_z)                  update gate: share of the old state that is kept
    r_t = σ(W_r x_t + U_r h_{t-1} + b_r)                  reset gate: share of it that the candidate reads
    h̃_t = tanh(W_h x_t + r_t ⊙ (U_h h_{t-1} + c_h) + b_h)
    h_t = z_t ⊙ h_{t-1} + (1 - z_t) ⊙ h̃_t

Source: Cho et al. (2014), Learning phrase representations using RNN encoder-decoder; the reset after the product, as
in Keras and cuDNN.

The layer is that of Keras with a hand-written gradient. With z, r, h̃, a = K x_t + b, s = R h_{t-1} + c, each in three parts, and

    z = σ(a_z + s_z),   r = σ(a_r + s_r),   h̃ = tanh(a_h + r ⊙ s_h),   h_t = z ⊙ h_{t-1} + (1 - z) ⊙ h̃

and δ the gradient of the loss with respect to its index,

    δ_a = [δ_h (h_{t-1} - h̃) z (1 - z), δ_{a_h} s_h r (1 - r), δ_h (1 - z) (1 - h̃²)]
    δ_s = δ_a, except δ_{s_h} = δ_{a_h} r
    δ_h at t - 1 = δ_h ⊙ z + Rᵀ δ_s

The gradients of K, b and x come from δ_a, those of R and c from δ_s; two thirds of both are the same.

A sigmoid is a tanh, σ(z) = (1 + tanh(z / 2)) / 2, the halves folded into K, R, b, c.

Source: Werbos (1990), Backpropagation through time: what it does and how to do it.
"""

from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from models.networks.bptt import ManualGradient, array, gradients, loop, product, total
from models.networks.recurrent import ChronoBias, stack


@tf.custom_gradient
def _through_time(x: Any, kernel: Any, recurrent: Any, bias: Any, within: Any) -> Any:
    """Return the state after each step, (time, batch, units), of inputs (time, batch, channels); and its gradient."""
    gates, states = _forwards(x, kernel, recurrent, bias, within)

    def gradient(upstream: Any) -> tuple[Any, Any, Any, Any, Any]:
        deltas = _backwards(upstream, gates, states, recurrent)
        of_x, of_kernel, of_bias = gradients(deltas, x, kernel)
        both = 2 * states.shape[-1]
        opened, shown = deltas[..., :both], deltas[..., both:] * gates[1]
        of_recurrent = tf.concat([product(states[:-1], one) for one in (opened, shown)], axis=1)
        return of_x, of_kernel, of_recurrent, of_bias, tf.concat([of_bias[:both], total(shown)], axis=0)

    return states[1:], gradient


def _forwards(x: Any, kernel: Any, recurrent: Any, bias: Any, within: Any) -> tuple[list[Any], Any]:
    """Return z, r, h̃ and s_h of each step, each (time, batch, units), and all states, (time + 1, batch, units)."""
    steps, units = x.shape[0], recurrent.shape[0]
    factor = np.repeat(np.array((0.5, 0.5, 1.0), np.float32), units)
    kernel, recurrent, bias, within = kernel * factor, recurrent * factor, bias * factor, within * factor
    projected = tf.tensordot(x, kernel, 1)

    def step(t: Any, state: Any, gates: Any, states: Any) -> Any:
        read = tf.split(projected[t] + bias, 3, axis=1)
        shown = tf.split(tf.matmul(state, recurrent) + within, 3, axis=1)
        z, r = (0.5 * tf.tanh(a + s) + 0.5 for a, s in zip(read[:2], shown[:2], strict=True))
        candidate = tf.tanh(read[2] + r * shown[2])
        gates = [one.write(t, gate) for one, gate in zip(gates, (z, r, candidate, shown[2]), strict=True)]
        return t + 1, z * state + (1.0 - z) * candidate, gates, states.write(t, state)

    arrays = ([array(steps, units) for _ in range(4)], array(steps + 1, units))
    _, state, gates, states = loop(step, steps, (0, tf.zeros((tf.shape(x)[1], units)), *arrays))
    return [gate.stack() for gate in gates], states.write(steps, state).stack()


def _backwards(upstream: Any, gates: list[Any], states: Any, recurrent: Any) -> Any:
    """Return the gradient with respect to a of each step, (time, batch, 3 units)."""
    steps = upstream.shape[0]

    def step(back: Any, above: Any, deltas: Any) -> Any:
        t = steps - 1 - back
        z, r, candidate, shown = (gate[t] for gate in gates)
        above = above + upstream[t]
        of_candidate = above * (1.0 - z) * (1.0 - candidate * candidate)
        of_gates = [above * (states[t] - candidate) * z * (1.0 - z), of_candidate * shown * r * (1.0 - r)]
        seen = tf.matmul(tf.concat([*of_gates, of_candidate * r], axis=1), recurrent, transpose_b=True)
        return back + 1, above * z + seen, deltas.write(t, tf.concat([*of_gates, of_candidate], axis=1))

    return loop(step, steps, (0, tf.zeros_like(upstream[0]), array(steps, recurrent.shape[1])))[-1].stack()


@keras.saving.register_keras_serializable(package="almanac")
class GRU(ManualGradient, keras.layers.GRU):
    """Keras's GRU, computed faster."""

    through_time = staticmethod(_through_time)


def encode(channels: Any, *, units: int, layers: int, every_step: bool, **_others: Any) -> Any:
    """Return the state after the last step (batch, units), or after every step (batch, time, units)."""
    cell = partial(GRU, bias_initializer=ChronoBias((1, 0, 0), channels.shape[1]))
    return stack(cell, channels, units=units, layers=layers, every_step=every_step)
