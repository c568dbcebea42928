"""LSTM layer: Keras's own, with its gradient through time written out.

With z_t = K x_t + R h_{t-1} + b and i, f, c̃, o as in lstm.py, and δ the gradient of the loss with respect to its index,

    δ_c = δ_h ⊙ o ⊙ (1 - tanh² c_t) + what comes from t + 1
    δ_z = [δ_c c̃ i (1 - i), δ_c c_{t-1} f (1 - f), δ_c i (1 - c̃²), δ_h tanh(c_t) o (1 - o)]
    δ_h at t - 1 = Rᵀ δ_z,   δ_c at t - 1 = δ_c ⊙ f

Only R's products need the step before. All others, K x and the gradients of K, R, b and x, are one large product over
all steps, outside the loops; a gradient that is derived from the loop has them inside it.

A sigmoid is a tanh, σ(z) = (1 + tanh(z / 2)) / 2, so all gates of a step are one tanh, the halves folded into K, R, b.

Where a linear map made x out of fewer channels u, x = P u + p, the two maps are one, K x + b = (K P) u + (K p + b): K P
is formed once, and the products over all steps are as narrow as u.

Source: Werbos (1990), Backpropagation through time: what it does and how to do it.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="almanac")
class LSTM(keras.layers.LSTM):
    """Keras's LSTM, its weights, their names and their order, computed faster where there is no mask and no initial state; it has no dropout.

    Input: (batch, time, channels); where a `Projection` made it, also what that was made of, its kernel and its bias.
    Output: (batch, time, units) if `return_sequences`, else (batch, units).
    """

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,  # noqa: FBT001, FBT002 - as Keras has it
        projection: tuple[Any, Any, Any] | None = None,
    ) -> Any:
        """Return the state after each step, or after the last."""
        if initial_state is not None or mask is not None:
            return super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        kernel, recurrent, bias = (
            tf.identity(one.value) for one in (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        )
        if projection is not None:
            sequences, first, shift = projection
            kernel, bias = tf.matmul(first, kernel), tf.linalg.matvec(kernel, shift, transpose_a=True) + bias
        states = _through_time(ops.transpose(sequences, (1, 0, 2)), kernel, recurrent, bias)
        return ops.transpose(states, (1, 0, 2)) if self.return_sequences else states[-1]


@keras.saving.register_keras_serializable(package="almanac")
class Projection(keras.layers.Dense):
    """Keras's Dense layer, its weights, their names and their order, which hands its weights on to the layer behind it.

    Input: (..., channels). Output: what Dense returns, (..., units); its kernel (channels, units); its bias (units,).
    """

    def call(self, inputs: Any, training: Any = None) -> tuple[Any, Any, Any]:
        """Return P x + p, P and p."""
        return super().call(inputs, training=training), self.kernel.value, self.bias.value

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, Any, Any]:
        """Return the three shapes."""
        return super().compute_output_shape(input_shape), self.kernel.shape, self.bias.shape


@tf.custom_gradient
def _through_time(x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """Return the state after each step, (time, batch, units), of inputs (time, batch, channels); and its gradient."""
    gates, cells, states = _forwards(x, kernel, recurrent, bias)

    def gradient(upstream: Any) -> tuple[Any, Any, Any, Any]:
        deltas = _backwards(upstream, gates, cells, recurrent)
        flat = tf.reshape(deltas, (-1, deltas.shape[-1]))
        before = tf.reshape(states[:-1], (-1, states.shape[-1]))
        return (
            tf.tensordot(deltas, kernel, [[2], [1]]),
            tf.matmul(tf.reshape(x, (-1, x.shape[-1])), flat, transpose_a=True),
            tf.matmul(before, flat, transpose_a=True),
            tf.reduce_sum(flat, axis=0),
        )

    return states[1:], gradient


def _forwards(x: Any, kernel: Any, recurrent: Any, bias: Any) -> tuple[list[Any], Any, Any]:
    """Return the gates i, f, c̃, o of each step, each (time, batch, units), and cells and states from zero on, a step more."""
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
        gates = [array.write(t, gate) for array, gate in zip(gates, opened, strict=True)]
        kept = (gates, cells.write(t, cell), states.write(t, state))
        i, f, candidate, o = opened
        cell = f * cell + i * candidate
        return t + 1, o * tf.tanh(cell), cell, kept

    arrays = ([_array(steps, units) for _ in range(4)], _array(steps + 1, units), _array(steps + 1, units))
    _, state, cell, (gates, cells, states) = _loop(step, steps, (0, zero, zero, arrays))
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

    return _loop(step, steps, (0, zero, zero, _array(steps, recurrent.shape[1])))[-1].stack()


def _loop(step: Any, steps: int, first: Any) -> Any:
    """Return what `steps` calls of a step make of the first values, the count of steps foremost among them."""
    return tf.while_loop(lambda t, *_: t < steps, step, first, maximum_iterations=steps)


def _array(steps: int, width: int) -> Any:
    """Return an array to be written step by step, (batch, width) each."""
    return tf.TensorArray(tf.float32, size=steps, element_shape=(None, width))
