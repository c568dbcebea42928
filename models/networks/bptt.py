"""Backpropagation through time: the base of recurrent layers with a hand-written gradient.

A step reads K x_t + b and R h_{t-1}. Only the products with R need the step before. All others, K x and the gradients of K,
R, b and x, are one large product over all steps, outside the loops; automatic differentiation of the loop has them inside.

If x is a linear map of fewer channels u, x = P u + p, the two maps are merged, K x + b = (K P) u + (K p + b): K P is computed
once, and the products over all steps are as narrow as u.

Source: Werbos (1990), Backpropagation through time: what it does and how to do it.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="almanac")
class Projection(keras.layers.Dense):
    """Keras's Dense layer with the same weights, which also returns its weights for the layer after it.

    Input: (..., channels). Output: that of Dense, (..., units); its kernel (channels, units); its bias (units,).
    """

    def call(self, inputs: Any, training: Any = None) -> tuple[Any, Any, Any]:
        """Return P x + p, P and p."""
        return super().call(inputs, training=training), self.kernel.value, self.bias.value

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, Any, Any]:
        """Return the three shapes."""
        return super().compute_output_shape(input_shape), self.kernel.shape, self.bias.shape


class ManualGradient:
    """Mixin for a recurrent layer of Keras: the same weights, with a hand-written gradient.

    With an initial state, a mask or dropout the layer is computed by Keras.
    Input: (batch, time, channels); after a `Projection` also its input, kernel and bias.
    Output: (batch, time, units) if `return_sequences`, else (batch, units).

    Attributes:
        through_time: Returns the states, (time, batch, units), from inputs (time, batch, channels), K, R and b; if the
            layer's bias has two rows, also from the second, which is added to R's product.
    """

    through_time: Callable[..., Any]

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,  # noqa: FBT001, FBT002 - the signature of Keras
        projection: tuple[Any, Any, Any] | None = None,
    ) -> Any:
        """Return the state after each step, or after the last."""
        layer: Any = self
        if initial_state is not None or mask is not None or layer.dropout or layer.recurrent_dropout:
            whole: Any = super()
            return whole.call(sequences, initial_state=initial_state, mask=mask, training=training)
        kernel, recurrent, biases = (
            tf.identity(one.value) for one in (layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias)
        )
        bias, *within = tf.unstack(tf.reshape(biases, (-1, biases.shape[-1])))
        if projection is not None:
            sequences, first, shift = projection
            kernel, bias = tf.matmul(first, kernel), tf.linalg.matvec(kernel, shift, transpose_a=True) + bias
        states = self.through_time(ops.transpose(sequences, (1, 0, 2)), kernel, recurrent, bias, *within)
        return ops.transpose(states, (1, 0, 2)) if layer.return_sequences else states[-1]


def gradients(deltas: Any, x: Any, kernel: Any) -> tuple[Any, Any, Any]:
    """Return the gradients of x, K and b from that of K x + b at each step, (time, batch, width)."""
    return tf.tensordot(deltas, kernel, [[2], [1]]), product(x, deltas), total(deltas)


def product(values: Any, deltas: Any) -> Any:
    """Return the gradient of a kernel, (channels, width), from its inputs and the gradients of its product at each step."""
    return tf.matmul(_rows(values), _rows(deltas), transpose_a=True)


def total(deltas: Any) -> Any:
    """Return the gradient of a bias, (width,)."""
    return tf.reduce_sum(_rows(deltas), axis=0)


def _rows(values: Any) -> Any:
    """Return (time, batch, width) as (time * batch, width)."""
    return tf.reshape(values, (-1, values.shape[-1]))


def loop(step: Any, steps: int, first: Any) -> Any:
    """Return the values after `steps` calls of a step; the first value counts the steps."""
    return tf.while_loop(lambda t, *_: t < steps, step, first, maximum_iterations=steps)


def array(steps: int, width: int) -> Any:
    """Return an array of `steps` elements (batch, width) to be written."""
    return tf.TensorArray(tf.float32, size=steps, element_shape=(None, width))
