"""Forecast: the predicted quantiles of one series."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.zoned_grid import Frequency, Timestamps
from models.errors import Finding
from models.irregular.repairs import Repair
from models.values import Values, all_finite


@lru_cache(maxsize=1024)
def level_name(level: float) -> str:
    """Return a level as a key of plain data: 80.0 is `80`, 97.5 is `97.5`, 0.1 is `0.1`."""
    return str(int(level)) if level == int(level) else repr(float(level))


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """A central prediction interval.

    Attributes:
        level: Per cent, in (0, 100).
        lower: Shape (horizon,), the series' units.
        upper: Same.
    """

    level: float
    lower: Values
    upper: Values


@dataclass(frozen=True, slots=True)
class WindowSum:
    """The distribution of the sum of some steps of a forecast, in the series' units.

    Attributes:
        name: The window, such as `1-12`, or `horizon`.
        median: The median of the sum.
        quantiles: At the `quantile_levels` of the forecast.
        intervals: Level in per cent, lower and upper side of each interval, in the order of the request.
        mean: None if it was not asked for.
    """

    name: str
    median: float
    quantiles: tuple[float, ...]
    intervals: tuple[tuple[float, float, float], ...] = ()
    mean: float | None = None

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are finite."""
        sides = (side for _, *sides in self.intervals for side in sides)
        return all(map(math.isfinite, (self.median, *self.quantiles, *sides, self.mean or 0.0)))

    def to_dict(self, levels: Sequence[float]) -> dict[str, Any]:
        """Return the sum as plain data, its quantiles by these levels."""
        return {
            "median": self.median,
            **({} if self.mean is None else {"mean": self.mean}),
            "quantiles": {level_name(level): number for level, number in zip(levels, self.quantiles, strict=True)},
            "intervals": {level_name(level): {"lower": low, "upper": high} for level, low, high in self.intervals},
        }


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """The forecast of one series.

    Attributes:
        id: The series' id.
        timestamps: Shape (horizon,), as in the series, or None without dates.
        style: The series' style.
        timezone: The series' timezone.
        quantile_levels: Rising, in (0, 1).
        quantiles: Shape (horizon, levels), the series' units, without crossings.
        median: Shape (horizon,), the series' units.
        intervals: In the order of the request.
        context_used: Values of the series that the model read.
        repairs: The series' repairs.
        warnings: Findings about the series and the forecast.
        frequency: The series' frequency, or None if it has none.
        closed: True for each step at hours at which the series never has a value, shape (horizon,); None without such
            hours. `shown` has the others.
        known_finite: Whether it is known that all numbers are finite, so that `is_finite` need not look.
        mean: Shape (horizon,), the series' units; None if it was not asked for.
        paths: Sample paths, shape (paths, horizon), the series' units; None if none were asked for.
        sums: The sums that were asked for; closed steps do not count.
    """

    id: str
    timestamps: Timestamps | None
    style: str
    timezone: str | None
    quantile_levels: tuple[float, ...]
    quantiles: NDArray[np.float64]
    median: Values
    intervals: tuple[Interval, ...] = ()
    context_used: int = 0
    repairs: tuple[Repair, ...] = ()
    warnings: tuple[Finding, ...] = ()
    frequency: Frequency | None = None
    closed: NDArray[np.bool_] | None = None
    known_finite: bool = False
    mean: Values | None = None
    paths: NDArray[np.float64] | None = None
    sums: tuple[WindowSum, ...] = ()

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are finite; values that are too large make a forecast overflow."""
        if self.known_finite:
            return True
        sides = (side for one in self.intervals for side in (one.lower, one.upper))
        others = (numbers for numbers in (self.mean, self.paths) if numbers is not None)
        arrays = (self.quantiles, self.median, *others, *sides)
        return all(map(all_finite, arrays)) and all(one.is_finite for one in self.sums)

    @property
    def shown(self) -> "Forecast":
        """The forecast without the steps in closed hours."""
        if self.closed is None or not self.closed.any():
            return self
        kept = ~self.closed
        return replace(
            self,
            timestamps=None if self.timestamps is None else self.timestamps[kept],
            quantiles=self.quantiles[kept],
            median=self.median[kept],
            mean=None if self.mean is None else self.mean[kept],
            paths=None if self.paths is None else np.ascontiguousarray(self.paths[:, kept]),
            intervals=tuple(Interval(one.level, one.lower[kept], one.upper[kept]) for one in self.intervals),
            closed=None,
        )


def columns(quantiles: Values, levels: Sequence[float], wanted: Sequence[float]) -> Values:
    """Return the columns of wanted levels, which are among the levels; the same array if they are all.

    Args:
        quantiles: Shape (horizon, levels).
        levels: Of its columns.
        wanted: Of the columns of the result.
    """
    if len(wanted) == len(levels):
        return quantiles
    place = {level: at for at, level in enumerate(levels)}
    return quantiles[:, [place[level] for level in wanted]]
