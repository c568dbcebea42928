"""Loss: the pinball loss in units of each window's seasonal scale, which is close to MASE."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

LARGEST = 5.0
"""Above this, a window's gradient is scaled to that of a loss of 5, so that no window dominates a batch."""

WILDEST = 1e6
"""Scaled errors are clipped here, because the square is still finite in float32."""


def scaled_pinball(outputs: Mapping[str, Any], targets: Any, levels: Sequence[float]) -> Any:
    """Return the mean over observed targets of 2 max(τ e, (τ - 1) e) / unit, with e = target - quantile.

    Args:
        outputs: From `build.build`: `scaled` (batch, steps, horizon, levels), `level`, `scale`, `unit`, `logged`.
        targets: (batch, steps, horizon) float64 in raw units, NaN where unknown.
        levels: The quantile levels τ.

    Returns:
        A float32 scalar.

    Source: Koenker & Bassett (1978), Regression quantiles; the factor 2 makes τ = 0.5 the absolute error.
    """
    parts = {key: ops.reshape(outputs[key], (-1, 1, 1)) for key in ("level", "scale", "unit", "logged")}
    known = ops.isfinite(targets)
    error = _error(outputs["scaled"], ops.where(known, targets, ops.zeros_like(targets)), parts)
    tau = ops.convert_to_tensor(np.asarray(levels, dtype=np.float32))
    each = 2.0 * ops.maximum(tau * error, (tau - 1.0) * error)
    weight = ops.cast(known, "float32")
    total = ops.sum(ops.mean(each, axis=-1) * weight, axis=(1, 2))
    count = ops.sum(weight, axis=(1, 2))
    window = total / ops.maximum(count, 1.0)
    limited = window * ops.stop_gradient(ops.minimum(1.0, LARGEST / ops.maximum(window, LARGEST)))
    # A window's weight is its number of known targets, so that a masked horizon does not count as a whole one.
    return ops.sum(limited * count) / ops.maximum(ops.sum(count), 1.0)


def _error(scaled: Any, targets: Any, parts: Mapping[str, Any]) -> Any:
    """Return (target - quantile) / unit, float32, computed in scaled units unless the window is logged."""
    level, scale, unit = parts["level"], parts["scale"], parts["unit"]
    positive = ops.where(parts["logged"], ops.maximum(targets, 1e-300), ops.ones_like(targets))
    transformed = ops.where(parts["logged"], ops.log(positive), targets)
    # A context without observed values has no scale: the clipped goal is finite, and its large loss hardly counts.
    goal = ops.cast(ops.clip((transformed - level) / scale, -WILDEST, WILDEST), "float32")
    linear = (ops.expand_dims(goal, -1) - scaled) * ops.expand_dims(ops.cast(scale / unit, "float32"), -1)
    exponent = ops.expand_dims(level, -1) + ops.expand_dims(scale, -1) * ops.cast(scaled, "float64")
    logged = ops.expand_dims(parts["logged"], -1)
    exponent = ops.where(logged, ops.clip(exponent, -700.0, 700.0), ops.zeros_like(exponent))
    raw = ops.expand_dims(targets, -1) - ops.exp(exponent)
    curved = ops.cast(raw / ops.expand_dims(unit, -1), "float32")
    return ops.where(logged, ops.clip(curved, -WILDEST, WILDEST), linear)


def median_of(outputs: Mapping[str, Any]) -> Any:
    """Return the median forecast from the newest step, (batch, horizon) float64 in raw units."""
    quantiles = outputs["quantiles"]
    return quantiles[:, -1, :, quantiles.shape[-1] // 2]


def layer_of(variable: keras.Variable) -> str:
    """Return the name of a weight's layer, the first part of its path."""
    return str(variable.path).split("/", maxsplit=1)[0]
