"""Normalization: from raw to scaled values and back, inside the graph.

For a window x, with level the mean of its last observed season and scale its mean |seasonal difference|,

    u = (x - level) / scale            scaled units, the units of MASE
    z = 2 asinh(u / 3)                 the layers' values: linear near zero, logarithmic far out

and the inverse is u = 3 sinh(z / 2), x = level + scale u. Hence f(aX + b) = a f(X) + b for every a > 0 and b.
Level and scale are float64, because float32 cannot represent steps of 1 in a series near 1e9.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from models.networks.layer import Layer

FEWEST_DIFFERENCES = 6
"""Fewest seasonal differences for the scale; with fewer it is the mean |step|."""

LARGEST = 1e6
"""Scaled values are clipped here, because the square is still finite in float32."""


def squash(scaled: Any) -> Any:
    """Return z = 2 asinh(u / 3), written with a logarithm, which every ONNX runtime has."""
    third = ops.clip(scaled, -LARGEST, LARGEST) / 3.0
    return 2.0 * ops.sign(third) * ops.log(ops.abs(third) + ops.sqrt(third * third + 1.0))


def unsquash(values: Any) -> Any:
    """Return u = 3 sinh(z / 2), the inverse of `squash`."""
    half = ops.clip(values, -30.0, 30.0) / 2.0
    return 1.5 * (ops.exp(half) - ops.exp(-half))


@keras.saving.register_keras_serializable(package="almanac")
class Normalize(Layer):
    """Scale each window by its own level and scale.

    Input: context (batch, context_length) float64, NaN where unknown.
    Output: a dict of
        values (batch, context_length) float32: z, 0 where unknown;
        mask (batch, context_length) float32: 1 where observed;
        level, scale (batch, 1) float64: in transformed units;
        unit (batch, 1) float64: the scale in raw units, for the loss;
        logged (batch, 1) bool: whether the window was log-transformed.

    Args:
        season_length: Steps in one season.
        seen: Number of oldest values of the context for level and scale: all of them to forecast, fewer if the network is
            supervised at every step, so that no step is scaled by its future.
        transform: `none`, or `log` for windows whose every value is positive.

    Attributes:
        switch: A boolean tensor or variable that turns the logarithm off where it is false, so that one compiled network
            serves both transforms; None for no switch.
    """

    switch: Any = None

    def __init__(self, season_length: int, seen: int, transform: str = "none", name: str | None = None) -> None:
        """Keep the options; there are no weights."""
        super().__init__(name=name, dtype="float64", autocast=False)
        self.season_length = season_length
        self.seen = seen
        self.transform = transform

    def call(self, context: Any) -> dict[str, Any]:
        """Return values, mask, level, scale, unit and logged."""
        known, filled = _fill(context)
        length = context.shape[1]
        seen = np.broadcast_to(np.arange(length) < self.seen, (1, length))
        used = ops.cast(ops.logical_and(known, ops.convert_to_tensor(seen)), "float64")
        if self.transform == "log":
            logged = ops.all(ops.logical_or(ops.logical_not(known), filled > 0), axis=1, keepdims=True)
            logged = logged if self.switch is None else ops.logical_and(logged, self.switch)
            positive = ops.where(ops.logical_and(known, logged), filled, ops.ones_like(filled))
            transformed = ops.where(logged, ops.log(positive), filled)
        else:
            logged = ops.any(ops.zeros_like(context, dtype="bool"), axis=1, keepdims=True)
            transformed = filled
        level, scale = self.measure(transformed, used)
        unit = scale if self.transform == "none" else self.measure(filled, used)[1]
        scaled = ops.cast((transformed - level) / scale, "float32")
        mask = ops.cast(known, "float32")
        return {
            "values": squash(scaled) * mask,
            "mask": mask,
            "level": level,
            "scale": scale,
            "unit": unit,
            "logged": logged,
        }

    def measure(self, values: Any, used: Any) -> tuple[Any, Any]:
        """Return level and scale, both (batch, 1), of the values where `used` is 1."""
        newer = ops.sum(used, axis=1, keepdims=True) - ops.cumsum(used, axis=1)
        season = used * ops.cast(newer < self.season_length, "float64")
        level = _mean(values, season)
        typical = _mean(ops.abs(values - level), used)
        step, steps = self.difference(values, used, 1)
        seasonal, seasons = self.difference(values, used, self.season_length)
        scale = ops.where(seasons >= FEWEST_DIFFERENCES, seasonal, step)
        # Without any difference the scale is a tenth of the level.
        scale = ops.where(steps > 0, scale, 0.1 * ops.abs(level))
        # A season that repeats itself exactly has scale 0; the least scale is a hundredth of its amplitude.
        floor = ops.maximum(0.01 * typical, ops.maximum(1e-12 * ops.abs(level), 1e-30 * ops.ones_like(level)))
        return level, ops.maximum(scale, floor)

    def difference(self, values: Any, used: Any, lag: int) -> tuple[Any, Any]:
        """Return the mean |difference| at a lag and the number of pairs, both (batch, 1)."""
        if values.shape[1] <= lag:
            nothing = ops.zeros_like(values[:, :1])
            return nothing, nothing
        both = used[:, lag:] * used[:, :-lag]
        return _mean(ops.abs(values[:, lag:] - values[:, :-lag]), both), ops.sum(both, axis=1, keepdims=True)

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        own = {"season_length": self.season_length, "seen": self.seen, "transform": self.transform}
        return {"name": self.name, **own}


@keras.saving.register_keras_serializable(package="almanac")
class NormalizeGlobally(Layer):
    """Scale each window by the training set, for contexts of one value, which have no scale.

    Input and output as `Normalize`; level and scale are weights that `adapt` sets.
    """

    def __init__(self, name: str | None = None) -> None:
        """Work in float64."""
        super().__init__(name=name, dtype="float64", autocast=False)

    def build(self, _shape: Any) -> None:
        """Create the weights: level 0 and scale 1."""
        self.level = self.add_weight(shape=(1, 1), initializer="zeros", trainable=False, name="level")
        self.scale = self.add_weight(shape=(1, 1), initializer="ones", trainable=False, name="scale")

    def adapt(self, values: Any) -> None:
        """Set level and scale from training values, shape (count,), float64, without NaN."""
        self.level.assign(np.full((1, 1), np.mean(values)))
        self.scale.assign(np.full((1, 1), max(float(np.std(values)), 1e-30)))

    def call(self, context: Any) -> dict[str, Any]:
        """Return values, mask, level, scale, unit and logged."""
        known, filled = _fill(context)
        nothing = ops.zeros_like(context[:, :1])
        level, scale = self.level + nothing, self.scale + nothing
        mask = ops.cast(known, "float32")
        values = squash(ops.cast((filled - level) / scale, "float32")) * mask
        return {
            "values": values,
            "mask": mask,
            "level": level,
            "scale": scale,
            "unit": scale,
            "logged": ops.cast(nothing, "bool"),
        }

    def get_config(self) -> dict[str, Any]:
        """Return the name; level and scale are weights."""
        return {"name": self.name}


@keras.saving.register_keras_serializable(package="almanac")
class Restore(Layer):
    """Transform scaled quantiles to raw units: the inverse of `Normalize`.

    Input: scaled (batch, steps, horizon, levels) float32; level, scale (batch, 1) float64; logged (batch, 1) bool.
    Output: (batch, steps, horizon, levels) float64 in raw units; rising quantiles stay rising, because
    level + scale u and exp are rising.
    """

    def __init__(self, name: str | None = None) -> None:
        """Work in float64."""
        super().__init__(name=name, dtype="float64", autocast=False)

    def call(self, scaled: Any, level: Any, scale: Any, logged: Any) -> Any:
        """Return the quantiles in raw units."""
        spread = (-1, 1, 1, 1)
        level, scale, logged = (ops.reshape(part, spread) for part in (level, scale, logged))
        linear = level + scale * ops.cast(scaled, "float64")
        # Both branches must be finite: an infinite exp makes the gradient NaN even where it is not chosen.
        exponent = ops.where(logged, ops.clip(linear, -700.0, 700.0), ops.zeros_like(linear))
        return ops.where(logged, ops.exp(exponent), linear)

    def get_config(self) -> dict[str, Any]:
        """Return the name; there are no weights."""
        return {"name": self.name}


def _fill(context: Any) -> tuple[Any, Any]:
    """Return where the context is observed, and the context with 0 elsewhere."""
    missing = ops.isnan(context)
    return ops.logical_not(missing), ops.where(missing, ops.zeros_like(context), context)


def _mean(values: Any, weights: Any) -> Any:
    """Return the mean of the values with weight 1, shape (batch, 1); 0 if there are none."""
    count = ops.sum(weights, axis=1, keepdims=True)
    return ops.sum(values * weights, axis=1, keepdims=True) / ops.maximum(count, 1.0)
