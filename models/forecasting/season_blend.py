"""Season blend: how far a series shows no season, and the weight of a forecast without one that follows from it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.errors import ArtifactIncomplete

Floats = NDArray[np.float64]

COMPARED_SEASONS = 2
"""The newest seasons whose values are compared with those a season before."""

FEWEST_CHANGES, LEAST_SPREAD = 3, 1e-9
"""Changes whose spread is known, and the least share of the largest value that is no rounding."""

FEWEST_IN_LINE = 4
"""Values from which on a history can be a straight line."""

LINE, STRAIGHT = 0.97, 0.995
"""Shares of the variance that a straight line explains: from the first on a short history counts as one, from the second fully."""

BLOCK = 1024
"""Histories whose ratios are computed at once, so that memory is bounded."""


@dataclass(frozen=True, slots=True)
class Blend:
    """How the weight of the forecast without a season follows from a history, see `season_ratio`.

    The weight rises from 0 at the ratio `low` to `most` at `high`.

    Attributes:
        most: Largest weight by the ratio.
        low: Ratio up to which the season alone counts.
        high: Ratio from which on the weight is `most`.
        unknown: Weight where the ratio is unknown.
        lines: Whether a history without a ratio that is close to a straight line has a weight of up to 1.
    """

    most: float
    low: float
    high: float
    unknown: float = 0.0
    lines: bool = False

    def weights(self, histories: Sequence[Floats], season: int) -> Floats:
        """Return the weights of the forecasts without a season, in [0, 1], shape (histories,).

        Args:
            histories: Oldest first, NaN where missing, each of shape (steps,).
            season: Steps of a season.
        """
        parts = [histories[at : at + BLOCK] for at in range(0, len(histories), BLOCK)]
        ratios = [ratio for part in parts for ratio in season_ratios(part, season).tolist()]
        return np.array([self._weight(ratio, one) for ratio, one in zip(ratios, histories, strict=True)])

    def _weight(self, ratio: float, history: Floats) -> float:
        if math.isnan(ratio):
            return max(self.unknown, line_share(history) if self.lines else 0.0)
        return self.most * min(max((ratio - self.low) / (self.high - self.low), 0.0), 1.0)

    @classmethod
    def constant(cls, weight: float) -> Self:
        """Return the blend with the same weight for each history: a ratio is never below 0."""
        return cls(weight, -2.0, -1.0, unknown=weight)

    def to_dict(self) -> dict[str, Any]:
        """Return the blend as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the blend that `to_dict` wrote; raises ArtifactIncomplete if it is none."""
        try:
            found = cls(**data)
            is_valid = found.low < found.high and all(0 <= one <= 1 for one in (found.most, found.unknown))
        except TypeError as error:
            raise ArtifactIncomplete(f"The blend {data!r} is none: {error}.", hint="Train the model again.") from error
        if not is_valid:
            raise ArtifactIncomplete(f"The blend {data!r} has no valid weights.", hint="Train the model again.")
        return found


def season_ratios(histories: Sequence[Floats], season: int) -> Floats:
    """Return how much changes over a season differ from each other, divided by how much those over a part of it do, shape (histories,).

    It is about 0 where each season is as the one before, whatever the trend; about 1 for noise; 1.3 for a random walk. The parts
    are a quarter, a third and three eighths of a season, and the one whose changes differ most counts: a season of a whole number
    of quarters does not show in a quarter. NaN if a season and a quarter have not been seen, or nothing but a line has.

    Args:
        histories: At least one, each oldest first, NaN where missing, shape (steps,); the newest `COMPARED_SEASONS` + 1 seasons
            count.
        season: Steps of a season.
    """
    lengths = [min(len(one), (COMPARED_SEASONS + 1) * season) for one in histories]
    fewest = season + season // 4 + 1
    if max(lengths) < fewest:
        return np.full(len(histories), np.nan)
    newest = _side_by_side(histories, lengths)
    parts = {max(season // 4, 1), max(season // 3, 1), max(3 * season // 8, 1)}
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # of values near the largest number there is
        spreads = _spreads(newest, (season, *parts))
        over_part = np.fmax.reduce(spreads[1:])
        found: Floats = spreads[0] / over_part
        is_line = over_part <= LEAST_SPREAD * np.fmax.reduce(np.abs(newest), axis=1)
    found[is_line | ~np.isfinite(spreads[0] + over_part)] = np.nan
    if min(lengths) < fewest:
        found[np.array(lengths) < fewest] = np.nan
    return found


def line_share(values: Floats) -> float:
    """Return how far values are those of a straight line, from 0 at a share of variance of `LINE` to 1 at `STRAIGHT`."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < FEWEST_IN_LINE:
        return 0.0
    numbers = values[known]
    if numbers.max() == numbers.min():
        return 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        steps, heights = known - known.mean(), numbers - numbers.mean()
        explained = float((steps @ heights) ** 2 / ((steps @ steps) * (heights @ heights)))
    return min((explained - LINE) / (STRAIGHT - LINE), 1.0) if explained > LINE else 0.0


def _side_by_side(histories: Sequence[Floats], lengths: Sequence[int]) -> Floats:
    """Return so many newest values of each history, right-aligned with NaN before them."""
    width = max(lengths)
    newest = np.full((len(histories), width), np.nan)
    for row, one, length in zip(newest, histories, lengths, strict=True):
        row[width - length :] = one[len(one) - length :]
    return newest


def _spreads(values: Floats, lags: Sequence[int]) -> Floats:
    """Return the mean absolute difference of the changes over each lag from their median, NaN where too few are known.

    Args:
        values: Shape (histories, steps), NaN where missing.
        lags: Each below the number of steps.

    Returns:
        Shape (lags, histories).
    """
    count, width = values.shape
    longest = width - min(lags)
    changes = np.full((len(lags), count, longest), np.nan)
    for rows, lag in zip(changes, lags, strict=True):
        np.subtract(values[:, lag:], values[:, :-lag], out=rows[:, : width - lag])
    changes = changes.reshape(-1, longest)
    changes.sort(axis=1)  # NaN last
    missing = np.isnan(changes)
    known = longest - np.add.reduce(missing, axis=1)
    middle = changes[np.arange(len(changes)), known // 2]
    distances = np.abs(changes - middle[:, None])
    distances[missing] = 0.0
    spreads: Floats = np.add.reduce(distances, axis=1) / known
    spreads[known < FEWEST_CHANGES] = np.nan
    return spreads.reshape(len(lags), count)
