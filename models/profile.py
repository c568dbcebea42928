"""Profile: the distribution of a training's inputs, and the drift of later inputs from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from models.errors import ArtifactIncomplete

Array = NDArray[np.float64]

DECILES = np.linspace(0.1, 0.9, 9)

COUNTED_BEFORE = 256
"""Number of inputs of an old profile that does not contain it."""


def features(values: Array, season_length: int) -> dict[str, Array]:
    """Return the features that drift is measured on, one number for each context; NaN where undefined.

    Args:
        values: Contexts, shape (batch, context), the series' units, NaN for gaps and for padding on the left.
        season_length: Steps in one season.

    Returns:
        Four arrays of shape (batch,):
        `level`, the mean of the context, in the series' units;
        `scale`, the mean absolute difference of values one season apart, in the series' units;
        `gap_share`, the share of gaps since the first observed value;
        `season_strength`, 1 - variance around the mean of each season position / variance, in [0, 1]; NaN unless two
        seasons are observed.

    Source: Wang, Smith & Hyndman (2006), Characteristic-based clustering for time series data, for the strength.
    """
    known = ~np.isnan(values)
    started = np.logical_or.accumulate(known, axis=1)
    lag = season_length if season_length < values.shape[1] else 1
    with np.errstate(over="ignore", invalid="ignore"):  # values near the limit of float64 have no finite variance
        return {
            "level": _mean(values),
            "scale": _mean(np.abs(values[:, lag:] - values[:, :-lag])),
            "gap_share": _share((started & ~known).sum(axis=1), started.sum(axis=1)),
            "season_strength": _season_strength(values, season_length),
        }


@dataclass(frozen=True, slots=True)
class Profile:
    """The distribution of each feature over the training inputs.

    Attributes:
        edges: Inner edges of each feature's bins, rising: its deciles, duplicates merged.
        shares: Share of the training inputs in each bin, one more than edges, and the share without a value at the end.
        inputs: Number of training inputs.
    """

    edges: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    inputs: int = COUNTED_BEFORE

    @classmethod
    def fit(cls, training: Mapping[str, Array]) -> Self:
        """Return the profile of features, each of shape (inputs,), as `features` returns them."""
        edges = {name: _deciles(values) for name, values in training.items()}
        counts = {name: _counts(values, edges[name]) for name, values in training.items()}
        shares = {name: tuple((count / max(count.sum(), 1)).tolist()) for name, count in counts.items()}
        return cls(edges, shares, max((len(values) for values in training.values()), default=0))

    def drift(self, live: Mapping[str, Array]) -> dict[str, float]:
        """Return the population stability index of each feature: 0 without change, no upper limit.

        Half an input is added to each bin on both sides, so that empty bins are finite and few inputs raise no alarm.
        Features that are not in the profile are left out.

        Args:
            live: Features of shape (inputs,), as `features` returns them.

        Source: Jeffreys (1946), An invariant form for the prior probability in estimation problems: the symmetric
        divergence Σ (p - q) · ln(p / q) that finance calls the population stability index.
        """
        return {name: self._index(name, values) for name, values in live.items() if name in self.edges}

    def distance(self, live: Mapping[str, Array]) -> dict[str, float]:
        """Return the Kolmogorov-Smirnov distance of each feature: 0 where nothing changed, 0.9 where nothing overlaps.

        That is the largest difference of the two distribution functions at the edges, the training's deciles. Between
        the edges it may be larger, so a test with it errs towards no change. NaN if no input has a value.

        Args:
            live: Features of shape (inputs,), as `features` returns them.

        Source: Smirnov (1948), Table for estimating the goodness of fit of empirical distributions.
        """
        return {name: self._distance(name, values) for name, values in live.items() if name in self.edges}

    def _distance(self, name: str, values: Array) -> float:
        trained, seen = np.array(self.shares[name])[:-1], _counts(values, self.edges[name])[:-1]
        if not (trained.sum() > 0 and seen.sum() > 0):
            return float("nan")
        gap = np.cumsum(trained / trained.sum()) - np.cumsum(seen / seen.sum())
        return float(np.abs(gap[:-1]).max(initial=0.0))

    def _index(self, name: str, values: Array) -> float:
        count = _counts(values, self.edges[name])
        bins, inputs = len(count), count.sum()
        expected = (np.array(self.shares[name]) * inputs + 0.5) / (inputs + 0.5 * bins)
        observed = (count + 0.5) / (inputs + 0.5 * bins)
        return float(np.sum((observed - expected) * np.log(observed / expected)))

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as plain data for spec.json."""
        return {
            name: {"edges": list(self.edges[name]), "shares": list(self.shares[name]), "inputs": self.inputs}
            for name in sorted(self.edges)
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the profile that `to_dict` wrote; raises ArtifactIncomplete."""
        try:
            edges = {name: tuple(float(edge) for edge in data[name]["edges"]) for name in data}
            shares = {name: tuple(float(share) for share in data[name]["shares"]) for name in data}
            inputs = max((int(data[name].get("inputs", COUNTED_BEFORE)) for name in data), default=COUNTED_BEFORE)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactIncomplete(
                f"The profile cannot be read: {error!r}.", hint="Train the model again."
            ) from error
        for name, inner in edges.items():
            if len(shares[name]) != len(inner) + 2:
                raise ArtifactIncomplete(
                    f"The profile of {name} has {len(shares[name])} shares for {len(inner)} edges.",
                    hint="Train the model again.",
                )
        return cls(edges, shares, inputs)


def _mean(values: Array) -> Array:
    known = ~np.isnan(values)
    return _share(np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1))


def _share(part: NDArray[Any], whole: NDArray[Any]) -> Array:
    return cast("Array", np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))


def _season_strength(values: Array, season_length: int) -> Array:
    batch, context = values.shape
    if context < 2 * season_length or season_length < 2:  # noqa: PLR2004 - shorter seasons do not repeat
        return np.full(batch, np.nan)
    seasons = values[:, context % season_length :].reshape(batch, -1, season_length)
    centred = seasons - _mean(seasons.reshape(batch, -1))[:, np.newaxis, np.newaxis]
    known = ~np.isnan(centred)
    count = known.sum(axis=1, keepdims=True)
    means = np.divide(
        np.where(known, centred, 0.0).sum(axis=1, keepdims=True), count, where=count > 0, out=np.zeros(count.shape)
    )
    left = _mean(np.square(centred - means).reshape(batch, -1))
    total = _mean(np.square(centred).reshape(batch, -1))
    strength = np.divide(left, total, out=np.ones(batch), where=total > 0)
    enough = np.any(known.sum(axis=1) > 1, axis=1)
    return np.where(enough, 1 - np.clip(strength, 0, 1), np.nan)


def _deciles(values: Array) -> tuple[float, ...]:
    known = values[np.isfinite(values)]
    return tuple(np.unique(np.quantile(known, DECILES)).tolist()) if known.size else ()


def _counts(values: Array, edges: tuple[float, ...]) -> Array:
    """Return the number of values in each bin, and of missing ones at the end, shape (len(edges) + 2,)."""
    known = values[~np.isnan(values)]
    bins = np.searchsorted(np.array(edges), known, side="left")
    inside = np.bincount(bins, minlength=len(edges) + 1).astype(np.float64)
    return np.append(inside, float(len(values) - len(known)))
