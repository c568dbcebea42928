"""Through time: what the recurrent layers share whose gradient is written out.

A step reads K x_t + b and R h_{t-1}. Only R's products need the step before. All others, K x and the gradients of K, R,
b and x, are one large product over all steps, outside the loops; a gradient that is derived from the loop has them
inside it.

Where a linear map made x out of fewer channels u, x = P u + p, the two maps are one, K x + b = (K P) u + (K p + b): K P
is formed once, and the products over all steps are as narrow as u.

Source: Werbos (1990), Backpropagation through time: what it does and how to do it.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops


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


class ManualGradient:
    """A recurrent layer of Keras, its weights, their names and their order, whose gradient is written out.

    Computed so where it begins at zero, sees every step and drops nothing; any other is computed as Keras has it.
    Input: (batch, time, channels); where a `Projection` made it, also what that was made of, its kernel and its bias.
    Output: (batch, time, units) if `return_sequences`, else (batch, units).

    Attributes:
        through_time: Returns the states, (time, batch, units), of inputs (time, batch, channels), K, R and b; where the
            layer's bias has two rows, also of the second, which R's product is given.
    """

    through_time: Callable[..., Any]

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,  # noqa: FBT001, FBT002 - as Keras has it
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
    """Return the gradient of a kernel, (channels, width), from what it reads at each step and the gradient of its product."""
    return tf.matmul(_rows(values), _rows(deltas), transpose_a=True)


def total(deltas: Any) -> Any:
    """Return the gradient of a bias, (width,)."""
    return tf.reduce_sum(_rows(deltas), axis=0)


def _rows(values: Any) -> Any:
    """Return (time, batch, width) as rows of that width."""
    return tf.reshape(values, (-1, values.shape[-1]))


def loop(step: Any, steps: int, first: Any) -> Any:
    """Return what `steps` calls of a step make of the first values, the count of steps foremost among them."""
    return tf.while_loop(lambda t, *_: t < steps, step, first, maximum_iterations=steps)


def array(steps: int, width: int) -> Any:
    """Return an array to be written step by step, (batch, width) each."""
    return tf.TensorArray(tf.float32, size=steps, element_shape=(None, width))
