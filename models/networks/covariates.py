"""Covariates: their features for a network, and the effect of each, estimated from the history of the window.

For a covariate x of a window, with mean μ and deviation s over what is known of it in the window, and over the whole
training set,

    u = (x - μ) / s,    z = 2 asinh(u / 3)      as in normalization.py, for either scale

The encoder reads both z and whether x is known, for every step of the history; the decoder reads the same for each step
ahead of covariates known ahead. For these it also reads an effect: with y the window's values in z, and sums over the steps
where both are known,

    slope = Σ (x - x̄)(y - ȳ) / (Σ (x - x̄)² + ridge)       effect = slope · (x ahead - x̄)

and the same with seasonal differences, which removes the season from both. The slope is estimated for each series, so an
effect that differs between series needs no weights.

Source: Hoerl & Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from models.networks.layer import Layer
from models.networks.normalization import squash

RIDGE = 3.0
"""Shrinkage of a slope: as strong as the evidence of three steps at one deviation from the mean."""

SMALLEST = 1e-9
"""Least deviation as a share of the mean; a covariate that varies less counts as constant."""


@dataclass(frozen=True, slots=True)
class CovariateFeatures:
    """Inputs and features of a network's covariates.

    Attributes:
        inputs: The graph's inputs `past_covariates` and, if any is known ahead, `future_covariates`.
        channels: For the encoder, (batch, context_length, 3 covariates).
        features: For the decoder, (batch, steps, horizon, width), or None if none is known ahead.
        effects: Estimated from the window, (batch, steps, horizon, width), or None if none is known ahead.
    """

    inputs: tuple[Any, ...]
    channels: Any
    features: Any = None
    effects: Any = None


def encode_covariates(  # noqa: PLR0913 - the lengths of a network
    window: dict[str, Any], *, past: int, ahead: int, seasons: Sequence[int], steps: int, horizon: int
) -> CovariateFeatures:
    """Return the covariate features of a network.

    Args:
        window: From `normalization.Normalize`.
        past: Number of covariates known up to the cutoff only.
        ahead: Number of covariates known over the horizon too.
        seasons: Season lengths for differences.
        steps: Supervised steps; 1 when forecasting.
        horizon: Steps ahead.
    """
    length = window["values"].shape[1]
    history = keras.Input((length, past + ahead), dtype="float64", name="past_covariates")
    inputs = [history]
    if ahead:
        inputs.append(keras.Input((horizon, ahead), dtype="float64", name="future_covariates"))
    scaled = NormalizeCovariates(ahead, length - steps + 1, name="normalize_covariates")(*inputs)
    stacked = keras.layers.Concatenate()([scaled[key] for key in ("local", "general", "mask")])
    channels = stacked[:, :length]
    if not ahead:
        return CovariateFeatures(tuple(inputs), channels)
    effects = Effects(ahead, steps, horizon, (0, *(season for season in seasons if season < length)))(
        window["values"], window["mask"], scaled["local"], scaled["mask"]
    )
    targets = AtTargets(ahead, steps, horizon)
    features = [targets(scaled[key]) for key in ("local", "general", "mask")]
    return CovariateFeatures(tuple(inputs), channels, keras.layers.Concatenate()([*features, effects]), effects)


@keras.saving.register_keras_serializable(package="almanac")
class NormalizeCovariates(Layer):
    """Scale covariates by their window and by the training set.

    Input: past (batch, length, covariates), future (batch, horizon, known ahead) float64, NaN where unknown; those
    known ahead are the last of the history.
    Output: a dict of local, general and mask, each (batch, length + horizon, covariates) float32: z by the window, z by
    the training set, 1 where known; all 0 where unknown.

    Args:
        ahead: Number of covariates known ahead.
        seen: Number of oldest steps that scale a window, plus the horizon for covariates known ahead; fewer than all if
            the network is supervised at every step, so that no step is scaled by its future.
    """

    def __init__(self, ahead: int, seen: int, name: str | None = None) -> None:
        """Keep the options."""
        super().__init__(name=name, dtype="float64", autocast=False)
        self.ahead = ahead
        self.seen = seen

    def build(self, past_shape: Any, future_shape: Any = None) -> None:  # noqa: ARG002 - Keras passes both shapes
        """Create the weights: mean 0 and deviation 1."""
        shape = (1, 1, past_shape[-1])
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.deviation = self.add_weight(shape=shape, initializer="ones", trainable=False, name="deviation")

    def adapt(self, columns: Any) -> None:
        """Set mean and deviation from training values, (…, covariates) float64, NaN where unknown."""
        rows = np.reshape(columns, (-1, np.shape(columns)[-1]))
        known = np.isfinite(rows)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, rows, 0.0).sum(axis=0) / count
        deviation = np.sqrt((np.where(known, rows - mean, 0.0) ** 2).sum(axis=0) / count)
        self.mean.assign(mean[None, None])
        self.deviation.assign(np.where(deviation > SMALLEST * np.abs(mean), deviation, 1.0)[None, None])

    def call(self, past: Any, future: Any = None) -> dict[str, Any]:
        """Return local, general and mask."""
        known, values = _fill(past)
        horizon = 0
        if future is not None:
            horizon = future.shape[1]
            known, values = (
                ops.concatenate([history, ops.pad(after, ((0, 0), (0, 0), (past.shape[2] - self.ahead, 0)))], axis=1)
                for history, after in zip((known, values), _fill(future), strict=True)
            )
        limits = np.where(np.arange(past.shape[2]) < past.shape[2] - self.ahead, self.seen, self.seen + horizon)
        within = (np.arange(past.shape[1] + horizon)[None, :, None] < limits).astype(np.float64)
        mean, deviation = _moments(values, known * within)
        mask = ops.cast(known, "float32")
        return {
            "local": squash(ops.cast((values - mean) / deviation, "float32")) * mask,
            "general": squash(ops.cast((values - self.mean) / self.deviation, "float32")) * mask,
            "mask": mask,
        }

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {"name": self.name, "ahead": self.ahead, "seen": self.seen}


@keras.saving.register_keras_serializable(package="almanac")
class AtTargets(Layer):
    """Columns known ahead at each target: (batch, length + horizon, columns) to (batch, steps, horizon, ahead).

    Args:
        ahead: Number of the columns known ahead, the last ones.
        steps: Supervised steps, the newest last.
        horizon: Steps ahead.
    """

    def __init__(self, ahead: int, steps: int, horizon: int, **options: Any) -> None:
        """Keep the options; there are no weights."""
        super().__init__(**options)
        self.ahead, self.steps, self.horizon = ahead, steps, horizon

    def call(self, columns: Any) -> Any:
        """Return the columns of the targets."""
        first = columns.shape[1] - self.horizon - self.steps + 1
        index = first + np.arange(self.steps)[:, None] + np.arange(self.horizon)[None, :]
        return ops.take(columns[..., columns.shape[2] - self.ahead :], index, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {**super().get_config(), "ahead": self.ahead, "steps": self.steps, "horizon": self.horizon}


@keras.saving.register_keras_serializable(package="almanac")
class Effects(Layer):
    """The effect of each covariate known ahead on the targets, by ridge regression over the history of the window.

    Input: values, mask (batch, length): z of the values; columns, known (batch, length + horizon, covariates): z of the
    covariates, those known ahead last.
    Output: (batch, steps, horizon, lags * ahead) float32, 0 where the covariate is unknown; the slope of a supervised step
    uses no value after it.

    Args:
        ahead: Number of covariates known ahead.
        steps: Supervised steps, the newest last.
        horizon: Steps ahead.
        lags: 0 for the values themselves, a season length for seasonal differences.
    """

    def __init__(self, ahead: int, steps: int, horizon: int, lags: Any, name: str | None = None) -> None:
        """Keep the options; work in float64, because sums are subtracted from each other."""
        super().__init__(name=name, dtype="float64", autocast=False)
        self.ahead, self.steps, self.horizon, self.lags = ahead, steps, horizon, tuple(lags)

    def call(self, values: Any, mask: Any, columns: Any, known: Any) -> Any:
        """Return the effects."""
        y, seen = (ops.expand_dims(ops.cast(one, "float64"), -1) for one in (values, mask))
        x, there = (ops.cast(one[..., one.shape[2] - self.ahead :], "float64") for one in (columns, known))
        found = [self._effect(y, seen, x, there, lag) for lag in self.lags]
        return ops.cast(ops.concatenate(found, axis=-1), "float32")

    def _effect(self, y: Any, seen: Any, x: Any, there: Any, lag: int) -> Any:
        """Return slope · (x ahead - mean or x a season before), (batch, steps, horizon, ahead)."""
        length = y.shape[1]
        history, both = x[:, :length], seen * there[:, :length]
        if lag:
            y, history = y[:, lag:] - y[:, :-lag], history[:, lag:] - history[:, :-lag]
            both = both[:, lag:] * both[:, :-lag]
        slope, middle = self._slope(history, y, both)
        first = length - self.steps + 1 + np.arange(self.steps)
        ahead = np.arange(self.horizon)
        targets = first[:, None] + ahead[None, :]
        moved, present = ops.take(x, targets, axis=1), ops.take(there, targets, axis=1)
        if not lag:
            return slope * (moved - middle) * present
        before = first[:, None] - lag + ahead[None, :] % lag
        inside = (before >= 0).astype(np.float64)[None, :, :, None]
        before = np.maximum(before, 0)
        return slope * (moved - ops.take(x, before, axis=1)) * present * ops.take(there, before, axis=1) * inside

    def _slope(self, x: Any, y: Any, both: Any) -> tuple[Any, Any]:
        """Return the slope of y on x and the mean of x up to each supervised step, (batch, steps, 1, ahead)."""
        count, sx, sy, sxx, sxy = (
            self._up_to_each_step(part * both) for part in (ops.ones_like(both), x, y, x * x, x * y)
        )
        count = ops.maximum(count, 1.0)
        variance = ops.maximum(sxx - sx * sx / count, 0.0)
        return (sxy - sx * sy / count) / (variance + RIDGE), sx / count

    def _up_to_each_step(self, parts: Any) -> Any:
        """Return sums over time up to each supervised step, (batch, steps, 1, ahead)."""
        if self.steps == 1:
            return ops.expand_dims(ops.sum(parts, axis=1, keepdims=True), 2)
        if parts.shape[1] < self.steps:  # differences start a season later
            parts = ops.pad(parts, ((0, 0), (self.steps - parts.shape[1], 0), (0, 0)))
        return ops.expand_dims(ops.cumsum(parts, axis=1)[:, -self.steps :], 2)

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        own = {"ahead": self.ahead, "steps": self.steps, "horizon": self.horizon, "lags": self.lags}
        return {"name": self.name, **own}


def _fill(columns: Any) -> tuple[Any, Any]:
    """Return where columns are known, 1 or 0, and the columns with 0 where they are not, both float64."""
    missing = ops.isnan(columns)
    return ops.cast(ops.logical_not(missing), "float64"), ops.where(missing, ops.zeros_like(columns), columns)


def _moments(values: Any, used: Any) -> tuple[Any, Any]:
    """Return mean and deviation over time of values where `used` is 1, both (batch, 1, covariates); deviations are above 0."""
    count = ops.maximum(ops.sum(used, axis=1, keepdims=True), 1.0)
    mean = ops.sum(values * used, axis=1, keepdims=True) / count
    variance = ops.sum(used * (values - mean) * (values - mean), axis=1, keepdims=True) / count
    floor = ops.maximum(SMALLEST * ops.abs(mean), 1e-30 * ops.ones_like(mean))
    return mean, ops.maximum(ops.sqrt(variance), floor)
