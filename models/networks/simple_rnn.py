"""SimpleRNN: the simplest recurrent network, for comparison.

    h_t = tanh(W x_t + U h_{t-1} + b)

Backpropagated through k steps, the gradient is a product of k factors U diag(1 - h²): it vanishes if they are below one and
explodes if they are above.

Source: Elman (1990), Finding structure in time; Bengio, Simard & Frasconi (1994), Learning long-term dependencies with
gradient descent is difficult.

The layer is that of Keras with a hand-written gradient. With h_t = tanh(z_t), z_t = K x_t + R h_{t-1} + b, and δ the gradient of the loss with respect to its index,

    δ_z = δ_h ⊙ (1 - h_t²),   δ_h at t - 1 = Rᵀ δ_z

Source: Werbos (1990), Backpropagation through time: what it does and how to do it.
"""

from typing import Any

import keras
import tensorflow as tf

from models.networks.bptt import ManualGradient, array, gradients, loop, product
from models.networks.recurrent import stack


@tf.custom_gradient
def _through_time(x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """Return the state after each step, (time, batch, units), of inputs (time, batch, channels); and its gradient."""
    states = _forwards(x, kernel, recurrent, bias)

    def gradient(upstream: Any) -> tuple[Any, Any, Any, Any]:
        deltas = _backwards(upstream, states, recurrent)
        of_x, of_kernel, of_bias = gradients(deltas, x, kernel)
        return of_x, of_kernel, product(states[:-1], deltas), of_bias

    return states[1:], gradient


def _forwards(x: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """Return all states from the zero state on, (time + 1, batch, units)."""
    steps, units = x.shape[0], recurrent.shape[0]
    projected = tf.tensordot(x, kernel, 1)

    def step(t: Any, state: Any, states: Any) -> Any:
        return t + 1, tf.tanh(projected[t] + tf.matmul(state, recurrent) + bias), states.write(t, state)

    _, state, states = loop(step, steps, (0, tf.zeros((tf.shape(x)[1], units)), array(steps + 1, units)))
    return states.write(steps, state).stack()


def _backwards(upstream: Any, states: Any, recurrent: Any) -> Any:
    """Return the gradient with respect to z of each step, (time, batch, units)."""
    steps = upstream.shape[0]

    def step(back: Any, above: Any, deltas: Any) -> Any:
        t = steps - 1 - back
        shown = states[t + 1]
        delta = (above + upstream[t]) * (1.0 - shown * shown)
        return back + 1, tf.matmul(delta, recurrent, transpose_b=True), deltas.write(t, delta)

    return loop(step, steps, (0, tf.zeros_like(upstream[0]), array(steps, recurrent.shape[1])))[-1].stack()


@keras.saving.register_keras_serializable(package="almanac")
class SimpleRNN(ManualGradient, keras.layers.SimpleRNN):
    """Keras's SimpleRNN, computed faster."""

    through_time = staticmethod(_through_time)


def encode(channels: Any, *, units: int, layers: int, every_step: bool, **_others: Any) -> Any:
    """Return the state after the last step (batch, units), or after every step (batch, time, units)."""
    return stack(SimpleRNN, channels, units=units, layers=layers, every_step=every_step)
