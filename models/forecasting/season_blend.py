"""Season blend: how far a series shows no season, and the weight of a forecast without one that follows from it."""

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
        ratio = np.concatenate([season_ratios(part, season) for part in parts]) if parts else np.empty(0)
        found: Floats = self.most * np.clip((ratio - self.low) / (self.high - self.low), 0.0, 1.0)
        for place in np.flatnonzero(np.isnan(ratio)).tolist():
            found[place] = max(self.unknown, line_share(histories[place]) if self.lines else 0.0)
        return found

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
    newest, lengths = _side_by_side(histories, (COMPARED_SEASONS + 1) * season)
    long = lengths > season + season // 4
    if not long.any():
        return np.full(len(histories), np.nan)
    parts = sorted({max(season // 4, 1), max(season // 3, 1), max(3 * season // 8, 1)})
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # of values near the largest number there is
        over_season, *over_parts = _spreads(newest, (season, *parts))
        over_part = np.fmax.reduce(over_parts)
        is_known = long & np.isfinite(over_season) & np.isfinite(over_part)
        is_known &= over_part > LEAST_SPREAD * np.fmax.reduce(np.abs(newest), axis=1)
        return np.where(is_known, over_season / over_part, np.nan)


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


def _side_by_side(histories: Sequence[Floats], most: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return the newest values of each history, right-aligned with NaN before them, and how many they are."""
    lengths = np.array([min(len(one), most) for one in histories])
    width = int(lengths.max())
    newest = np.full((len(histories), width), np.nan)
    for row, one, length in zip(newest, histories, lengths.tolist(), strict=True):
        row[width - length :] = one[len(one) - length :]
    return newest, lengths


def _spreads(values: Floats, lags: Sequence[int]) -> Floats:
    """Return the mean absolute difference of the changes over each lag from their median, NaN where too few are known.

    Args:
        values: Shape (histories, steps), NaN where missing.
        lags: Each below the number of steps.

    Returns:
        Shape (lags, histories).
    """
    count, width = values.shape
    changes = np.full((len(lags), count, width - min(lags)), np.nan)
    for rows, lag in zip(changes, lags, strict=True):
        np.subtract(values[:, lag:], values[:, :-lag], out=rows[:, : width - lag])
    changes[np.isinf(changes)] = np.nan
    changes.sort(axis=-1)  # NaN last
    known = changes.shape[-1] - np.count_nonzero(np.isnan(changes), axis=-1)
    middle = np.take_along_axis(changes, known[..., None] // 2, axis=-1)
    distances = np.abs(changes - middle)
    total = np.where(np.isnan(distances), 0.0, distances).sum(axis=-1)
    return np.where(known >= FEWEST_CHANGES, total / np.maximum(known, 1), np.nan)
