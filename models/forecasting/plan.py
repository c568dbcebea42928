"""Plan: what all forecasts of one horizon, levels and quantiles have in common, computed once for a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import Finding, HorizonInvalid, LevelInvalid
from models.forecasting.mean import MEAN_LEVELS, mean_of
from models.forecasting.paths import PATH_LEVELS, Marginals, Samples
from models.forecasting.rare_values import smallest_sale, with_rare_values, with_whole_sales
from models.forecasting.sampling import Sampling
from models.intervals import Conformal, interpolation, interval_sides, uncross
from models.safeguards.warnings import warn_of_levels
from models.series import Series
from models.spec import ModelSpec

Floats = NDArray[np.float64]

MEDIAN = 0.5

NOTHING = Samples(None, ())


@dataclass(frozen=True, slots=True, eq=False)
class LevelInterpolation:
    """How levels are read from others, shape (..., levels read from, horizon) to (..., levels read, horizon).

    Attributes:
        left: Index of the level below, for each level to read.
        right: Index of the level above.
        weight: Share of the level above, shape (levels read, 1); None if all are 0.
        is_same: Whether the levels read are all levels read from, in their order.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    weight: Floats | None
    is_same: bool

    @classmethod
    def make(cls, trained: Sequence[float], wanted: Sequence[float]) -> "LevelInterpolation":
        """Return how wanted levels are read from the trained ones, as `models.intervals.read_quantiles` does."""
        left, right, weight = interpolation(tuple(trained), tuple(wanted))
        exact = not weight.any()
        is_same = exact and np.array_equal(left, np.arange(len(trained)))
        return cls(left, right, None if exact else weight[:, None], is_same)

    def read(self, rows: Floats) -> Floats:
        """Return the levels; the same array if they are all levels."""
        if self.is_same:
            return rows
        found: Floats = rows[..., self.left, :]
        if self.weight is not None:
            found += self.weight * (rows[..., self.right, :] - found)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What all forecasts of one horizon, levels and quantiles have in common.

    Attributes:
        horizon: Steps ahead.
        blocks: Passes of the network that they take.
        levels: Every quantile level that is computed, rising.
        reading: How they are read from the trained ones.
        spread: Where q0.1 and q0.9 are, or how they are read if the network has not both.
        offsets: Conformal offsets in units of the spread, shape (levels, horizon); None without calibration.
        median: Place of the median in `levels`.
        averaged: Places of the quantiles whose average is the mean; None if no mean is asked for.
        sampling: Sample paths and sums; None if neither is asked for.
        sampled: Places of the quantiles that these are read from.
        reported: Places of the quantiles of a forecast.
        quantile_levels: Their levels.
        sides: Level of each interval in per cent, and the places of its lower and its upper side.
        noted: Warnings about the levels.
    """

    horizon: int
    blocks: int
    levels: tuple[float, ...]
    reading: LevelInterpolation
    spread: LevelInterpolation | tuple[slice, slice]
    offsets: Floats | None
    median: int
    averaged: list[int] | None
    sampling: Sampling | None
    sampled: list[int]
    reported: slice | list[int]
    quantile_levels: tuple[float, ...]
    sides: tuple[tuple[float, int, int], ...]
    noted: tuple[Finding, ...]

    def calibrate(self, raw: Floats) -> Floats:
        """Return the quantiles at all levels with conformal offsets, without crossings.

        Args:
            raw: Output of the network, shape (batch, horizon or more, trained levels).

        Returns:
            A new array of shape (batch, levels, horizon).
        """
        rows = np.array(raw[:, : self.horizon].transpose(0, 2, 1), dtype=np.float64, order="C")
        offsets = None if self.offsets is None else self.offsets * self._spread(rows)
        table = self.reading.read(rows)
        if offsets is not None:
            table += offsets
        rising = table[:, 1:] >= table[:, :-1]
        if np.count_nonzero(rising) == rising.size:  # all() takes thrice as long
            return table
        return np.ascontiguousarray(uncross(table.transpose(0, 2, 1), self.levels).transpose(0, 2, 1))

    def mean(self, quantiles: Floats, series: Series, spec: ModelSpec) -> Floats:
        """Return the mean of each step, shape (horizon,), from quantiles at all levels of a plan with a mean."""
        table = with_rare_values(quantiles[self.averaged], MEAN_LEVELS, series, spec)
        return mean_of(with_whole_sales(table, smallest_sale(series, spec)))

    def sample(self, quantiles: Floats, series: Series, spec: ModelSpec, closed: NDArray[np.bool_] | None) -> Samples:
        """Return the sample paths and sums of one forecast, nothing if none are asked for.

        Args:
            quantiles: At PATH_LEVELS, shape (len(PATH_LEVELS), horizon).
            series: As the model has read it.
            spec: Of the model.
            closed: True for each step in closed hours, shape (horizon,); None without such hours.
        """
        if self.sampling is None:
            return NOTHING
        sides = tuple((level, self.levels[low], self.levels[high]) for level, low, high in self.sides)
        marginals = Marginals.make(quantiles, series, spec, closed)
        return marginals.sample(self.sampling, self.quantile_levels, sides, mean=self.averaged is not None)

    def _spread(self, rows: Floats) -> Floats:
        """Return q0.9 - q0.1 of each step, shape (batch, 1, horizon)."""
        if isinstance(self.spread, LevelInterpolation):
            outer = self.spread.read(rows)
            return outer[:, 1:] - outer[:, :1]
        low, high = self.spread
        return rows[:, high] - rows[:, low]


def make_plan(  # noqa: PLR0913, PLR0917 - the arguments of a cache
    spec: ModelSpec,
    conformal: Conformal | None,
    horizon: int,
    levels: Sequence[float],
    quantiles: Sequence[float],
    mean: bool = False,  # noqa: FBT001, FBT002 - as above
    sampling: Sampling | None = None,
) -> Plan:
    """Return the plan of a model's forecasts; what means, paths and sums are computed from is among its levels if they are asked for.

    Raises:
        HorizonInvalid: If the horizon is not a whole number of 1 or more.
        LevelInvalid: If a level or quantile is out of range.
    """
    trained = spec.quantile_levels
    check_horizon(horizon)
    beside = (*(MEAN_LEVELS if mean else ()), *(PATH_LEVELS if sampling else ()))
    wanted = _wanted_levels(levels, (*quantiles, *trained, *beside))
    place = {level: index for index, level in enumerate(wanted)}
    reported = sorted({*trained, *map(float, quantiles)})
    places = [place[level] for level in reported]
    is_range = places == list(range(places[0], places[-1] + 1))
    sides = ((float(level), *interval_sides(level)) for level in levels)
    return Plan(
        horizon=int(horizon),
        blocks=-(-int(horizon) // spec.horizon),
        levels=tuple(wanted),
        reading=LevelInterpolation.make(trained, wanted),
        spread=_spread(trained),
        offsets=None if conformal is None else np.ascontiguousarray(conformal.at(wanted, horizon).T),
        median=place[MEDIAN],
        averaged=[place[level] for level in MEAN_LEVELS] if mean else None,
        sampling=sampling,
        sampled=[place[level] for level in PATH_LEVELS] if sampling else [],
        reported=slice(places[0], places[-1] + 1) if is_range else places,
        quantile_levels=tuple(reported),
        sides=tuple((level, place[lower], place[upper]) for level, lower, upper in sides),
        noted=warn_of_levels(spec, levels, quantiles),
    )


def _spread(trained: Sequence[float]) -> LevelInterpolation | tuple[slice, slice]:
    """Return the places of q0.1 and q0.9, or how they are read if one of them is not trained."""
    reading = LevelInterpolation.make(trained, (0.1, 0.9))
    if reading.weight is not None:
        return reading
    low, high = (slice(at, at + 1) for at in reading.left.tolist())
    return low, high


def check_horizon(horizon: object) -> None:
    """Raise HorizonInvalid if a horizon is not a whole number of 1 or more."""
    if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or horizon < 1:
        raise HorizonInvalid(f"The horizon is {horizon!r}; it must be a whole number of 1 or more.", pointer="/horizon")


def _wanted_levels(levels: Sequence[float], quantiles: Sequence[float]) -> list[float]:
    """Return every quantile level to compute, rising, with 0.5; raises LevelInvalid."""
    for place, level in enumerate(levels):
        if not 0 < level < 100:  # noqa: PLR2004
            raise LevelInvalid(f"Level {level!r} is not between 0 and 100.", pointer=f"/levels/{place}")
    for place, quantile in enumerate(quantiles):
        if not 0 < quantile < 1:
            raise LevelInvalid(f"Quantile {quantile!r} is not between 0 and 1.", pointer=f"/quantiles/{place}")
    sides = (side for level in levels for side in interval_sides(level))
    return sorted({MEDIAN, *map(float, quantiles), *sides})
