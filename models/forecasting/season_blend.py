"""Season blend: how far a series shows no season, and the weight of a forecast without one that follows from it."""

import math
from collections.abc import Mapping
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

    def weight(self, values: Floats, season: int) -> float:
        """Return the weight of the forecast without a season, in [0, 1].

        Args:
            values: The history, oldest first, NaN where missing, shape (steps,).
            season: Steps of a season.
        """
        ratio = season_ratio(values, season)
        if ratio is not None:
            return self.most * min(max((ratio - self.low) / (self.high - self.low), 0.0), 1.0)
        return max(self.unknown, line_share(values) if self.lines else 0.0)

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


def season_ratio(values: Floats, season: int) -> float | None:
    """Return how much changes over a season differ from each other, divided by how much those over a part of it do.

    It is about 0 where each season is as the one before, whatever the trend; about 1 for noise; 1.3 for a random walk. The parts
    are a quarter, a third and three eighths of a season, and the one whose changes differ most counts: a season of a whole number
    of quarters does not show in a quarter. None if a season and a quarter have not been seen, or nothing but a line has.

    Args:
        values: Oldest first, NaN where missing, shape (steps,); the newest `COMPARED_SEASONS` + 1 seasons count.
        season: Steps of a season.
    """
    newest = values[-(COMPARED_SEASONS + 1) * season :]
    if len(newest) <= season + season // 4:
        return None
    parts = {max(season // 4, 1), max(season // 3, 1), max(3 * season // 8, 1)}
    over_season, over_part = _spread(newest, season), max(_spread(newest, lag) for lag in parts)
    is_known = math.isfinite(over_season) and math.isfinite(over_part)
    return over_season / over_part if is_known and over_part > LEAST_SPREAD * np.fmax.reduce(np.abs(newest)) else None


def line_share(values: Floats) -> float:
    """Return how far values are those of a straight line, from 0 at a share of variance of `LINE` to 1 at `STRAIGHT`."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < FEWEST_IN_LINE or np.ptp(values[known]) == 0:
        return 0.0
    explained = float(np.corrcoef(known, values[known])[0, 1]) ** 2
    return min((explained - LINE) / (STRAIGHT - LINE), 1.0) if explained > LINE else 0.0


def _spread(values: Floats, lag: int) -> float:
    """Return the mean absolute difference of the changes over a lag from their median, NaN where too few are known."""
    changes = values[lag:] - values[:-lag]
    known = changes[np.isfinite(changes)]
    if len(known) < FEWEST_CHANGES:
        return math.nan
    middle = np.partition(known, len(known) // 2)[len(known) // 2]
    return float(np.abs(known - middle).sum()) / len(known)
