"""Decoder: the layers around the encoder that all architectures share: seasonal means and differences, quantiles."""

from typing import Any

import keras
import numpy as np
from keras import ops

from models.networks.covariates import CovariateFeatures
from models.networks.layer import Layer

REACHES = (1, 2, 3, 5, 10, 20, 30)
"""Numbers of seasons that a seasonal mean may be taken over."""

FEWEST_CHANGES = 4
"""Fewest seasonal differences that a drift is the mean of, for short seasons."""

EMBEDDING = 8
"""Width of the season position's embedding."""

FIRST_GAP = -1.8
"""Initial gap between quantiles before softplus, 0.15 after it: about as wide as the errors of the seasonal naive."""


def season_reaches(context_length: int, season_length: int) -> tuple[int, ...]:
    """Return the numbers of seasons of the seasonal means that fit into a context, at least the first."""
    seasons = context_length // season_length
    return tuple(reach for reach in REACHES if reach <= seasons) or (1,)


@keras.saving.register_keras_serializable(package="almanac")
class SeasonPosition(Layer):
    """Season position of steps around the cutoff.

    Input: phase (batch,) int32, the position of the first forecast step, -1 where unknown.
    Output: (batch, *offsets.shape) int32 in [0, season_length]; season_length means unknown.

    Args:
        season_length: Steps in one season.
        offsets: Steps from the first forecast step, as a nested list.
        known: Whether the network reads the calendar; if not, every phase counts as unknown.
    """

    def __init__(self, season_length: int, offsets: Any, *, known: bool = True, **options: Any) -> None:
        """Keep the options; there are no weights."""
        super().__init__(**options)
        self.season_length = season_length
        self.offsets = offsets
        self.known = known

    def call(self, phase: Any) -> Any:
        """Return the positions."""
        steps = np.asarray(self.offsets, dtype=np.int32) % self.season_length
        phase = ops.reshape(phase if self.known else ops.minimum(phase, -1), (-1, *(1,) * steps.ndim))
        position = (phase + steps[None]) % self.season_length
        return ops.where(phase < 0, ops.full_like(position, self.season_length), position)

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {
            **super().get_config(),
            "season_length": self.season_length,
            "offsets": self.offsets,
            "known": self.known,
        }


@keras.saving.register_keras_serializable(package="almanac")
class SeasonalDifference(Layer):
    """The difference of each value and the one a season before, 0 where either is unknown.

    Input: values, mask (batch, context_length). Output: (batch, context_length).
    """

    def __init__(self, season_length: int, **options: Any) -> None:
        """Keep the options; there are no weights."""
        super().__init__(**options)
        self.season_length = season_length

    def call(self, values: Any, mask: Any) -> Any:
        """Return the differences."""
        lag = self.season_length
        both = mask[:, lag:] * mask[:, :-lag]
        return ops.pad((values[:, lag:] - values[:, :-lag]) * both, ((0, 0), (lag, 0)))

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {**super().get_config(), "season_length": self.season_length}


@keras.saving.register_keras_serializable(package="almanac")
class Anchors(Layer):
    """Simple forecasts that the network weights: last value, level, same-season values with drift, same-season means.

    Input: values, mask (batch, context_length): z and where it is observed.
    Output: (batch, steps, horizon, anchors): for each supervised step and each step ahead, the last observed value;
    0 (the level); for every season its last same-season value plus the mean seasonal difference of the last season, once
    for each season ahead; then for every season the means of its last 1, 2, 3, 5, 10, 20, 30 same-season values, as far as
    they fit into the context. Seasons go by lag, so they need no dates. A mean of missing values only is replaced by the next
    longer one, or 0 if there is none.

    Args:
        seasons: Season lengths whose means are taken.
        steps: Supervised steps, the newest last; 1 when forecasting.
        horizon: Steps ahead.
    """

    def __init__(self, seasons: Any, steps: int, horizon: int, **options: Any) -> None:
        """Keep the options; there are no weights."""
        super().__init__(**options)
        self.seasons = tuple(seasons)
        self.steps = steps
        self.horizon = horizon

    def call(self, values: Any, mask: Any) -> Any:
        """Return the anchors."""
        length = values.shape[1]
        last = self._last(values, mask, length)
        means = [self._means(values, mask, season, length) for season in self.seasons]
        drifts = [
            mean[..., :1] + self._drift(values, mask, season, length)
            for season, mean in zip(self.seasons, means, strict=True)
        ]
        return ops.concatenate([last, ops.zeros_like(last), *drifts, *means], axis=-1)

    def _drift(self, values: Any, mask: Any, season: int, length: int) -> Any:
        """Return the drift of one season at each step ahead, shape (batch, steps, horizon, 1)."""
        if length <= season:
            return 0.0
        both = mask[:, season:] * mask[:, :-season]
        change = (values[:, season:] - values[:, :-season]) * both
        ends = length - season - self.steps + 1 + np.arange(self.steps)
        index = ends[:, None] - 1 - np.arange(max(season, FEWEST_CHANGES))[None, :]
        inside = (index >= 0).astype(np.float32)
        index = np.maximum(index, 0)
        total = ops.sum(ops.take(change, index, axis=1) * inside[None], axis=-1)
        count = ops.sum(ops.take(both, index, axis=1) * inside[None], axis=-1)
        mean = ops.reshape(total / ops.maximum(count, 1.0), (-1, self.steps, 1, 1))
        ahead = (1 + np.arange(self.horizon) // season).astype(np.float32)
        return mean * ahead[None, None, :, None]

    def _means(self, values: Any, mask: Any, season: int, length: int) -> Any:
        """Return one season's means, shape (batch, steps, horizon, reaches)."""
        reaches = season_reaches(length, season)
        back = np.arange(1, reaches[-1] + 1)
        ends = length - self.steps + 1 + np.arange(self.steps)
        ahead = np.arange(self.horizon) % season
        index = ends[:, None, None] - season * back[None, None, :] + ahead[None, :, None]
        inside = (index >= 0).astype(np.float32)
        index = np.maximum(index, 0)
        taken = ops.take(values, index, axis=1)
        known = ops.take(mask, index, axis=1) * inside[None]
        means: list[Any] = []
        for reach in reversed(reaches):
            total = ops.sum((taken * known)[..., :reach], axis=-1, keepdims=True)
            count = ops.sum(known[..., :reach], axis=-1, keepdims=True)
            mean = total / ops.maximum(count, 1.0)
            # A mean without observed values is replaced by the next longer one, so that a gap does not remove the season.
            means.append(mean + (1.0 - ops.minimum(count, 1.0)) * means[-1] if means else mean)
        return ops.concatenate(means[::-1], axis=-1)

    def _last(self, values: Any, mask: Any, length: int) -> Any:
        """Return the last observed value at each supervised step, shape (batch, steps, horizon, 1)."""
        place = mask * np.arange(1, length + 1, dtype=np.float32)[None]
        columns = []
        for end in range(length - self.steps + 1, length + 1):
            newest = ops.max(place[:, :end], axis=1, keepdims=True)
            chosen = ops.cast(ops.equal(place[:, :end], newest), values.dtype) * mask[:, :end]
            columns.append(ops.sum(values[:, :end] * chosen, axis=1, keepdims=True))
        last = ops.expand_dims(ops.expand_dims(ops.concatenate(columns, axis=1), -1), -1)
        return ops.repeat(last, self.horizon, axis=2)

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        own = {"seasons": self.seasons, "steps": self.steps, "horizon": self.horizon}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="almanac")
class QuantileHead(Layer):
    """A weighted mean of the anchors plus a correction that starts at zero, with gaps that cannot be negative.

    Input: features (batch, steps, horizon, width), anchors (batch, steps, horizon, anchors).
    Output: z of each quantile, (batch, steps, horizon, levels), without crossings: from the median outwards every gap is a
    softplus.

    Args:
        levels: Number of quantiles, the median in the middle.
        seasons: Number of seasons in the anchors.
    """

    def __init__(self, levels: int, seasons: int = 1, **options: Any) -> None:
        """Keep the options."""
        super().__init__(**options)
        self.levels = levels
        self.seasons = seasons

    def build(self, features_shape: Any, anchors_shape: Any) -> None:
        """Create the two projections with zeros, so that training starts from a seasonal forecast."""
        count = anchors_shape[-1]
        # Seasonal means start with equal weights; last value, level and drift with e^-4 and e^-2 of that.
        smaller = [-4.0, -4.0, *[-2.0] * self.seasons]
        first = keras.initializers.Constant(np.array([*smaller, *[0.0] * (count - len(smaller))]))
        self.mix = keras.layers.Dense(count, kernel_initializer="zeros", bias_initializer=first, name="mix")
        self.correction = keras.layers.Dense(self.levels, kernel_initializer="zeros", name="correction")
        self.mix.build(features_shape)
        self.correction.build(features_shape)

    def call(self, features: Any, anchors: Any) -> Any:
        """Return the quantiles in z."""
        weights = ops.softmax(self.mix(features), axis=-1)
        correction = self.correction(features)
        half = self.levels // 2
        median = ops.sum(weights * anchors, axis=-1, keepdims=True) + correction[..., half : half + 1]
        gaps = ops.softplus(correction + FIRST_GAP)
        outwards = np.triu(np.ones((half, half), dtype=np.float32))
        above = ops.matmul(gaps[..., half + 1 :], outwards)
        below = ops.matmul(gaps[..., :half], outwards.T)
        return ops.concatenate([median - below, median, median + above], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {**super().get_config(), "levels": self.levels, "seasons": self.seasons}


@keras.saving.register_keras_serializable(package="almanac")
class RepeatAhead(Layer):
    """One state for every step ahead: (batch, steps, width) to (batch, steps, horizon, width)."""

    def __init__(self, horizon: int, **options: Any) -> None:
        """Keep the options; there are no weights."""
        super().__init__(**options)
        self.horizon = horizon

    def call(self, state: Any) -> Any:
        """Return the repeated state."""
        return ops.repeat(ops.expand_dims(state, 2), self.horizon, axis=2)

    def get_config(self) -> dict[str, Any]:
        """Return the options."""
        return {**super().get_config(), "horizon": self.horizon}


def decode(  # noqa: PLR0913 - all inputs of the decoder
    state: Any,
    anchors: Any,
    season: Any,
    *,
    units: int,
    levels: int,
    seasons: int = 1,
    known: CovariateFeatures | None = None,
) -> Any:
    """Return the quantiles in z, (batch, steps, horizon, levels).

    Args:
        state: The encoder's, (batch, steps, width).
        anchors: Simple forecasts, (batch, steps, horizon, anchors).
        season: Embedded season position of each target step, (batch, steps, horizon, embedding).
        units: Width of the hidden layer.
        levels: Number of quantiles.
        seasons: Number of seasons in the anchors.
        known: Covariate features; effects are also added to all quantiles, with weights that start at zero.
    """
    steps, horizon = anchors.shape[1], anchors.shape[2]
    own = keras.layers.Dense(horizon * EMBEDDING, name="step_projection")(state)
    own = keras.layers.Reshape((steps, horizon, EMBEDDING))(own)
    shared = RepeatAhead(horizon)(keras.layers.Dense(units // 2, name="state_projection")(state))
    ahead = [] if known is None or known.features is None else [known.features]
    features = keras.layers.Concatenate()([shared, own, season, anchors, *ahead])
    hidden = keras.layers.Dense(units, activation="silu", name="decoder")(features)
    z = QuantileHead(levels, seasons, name="quantile_head")(hidden, anchors)
    if known is None or known.effects is None:
        return z
    moved = keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False, name="covariate_effects")(known.effects)
    return keras.layers.Add()([z, moved])
