"""Quantile scores: MASE, quantile losses and coverage of a set as the fev benchmark computes them, and their means."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.accuracy import covered, known_mean, pinball_losses, scaled_errors
from models.forecast import Forecast
from models.intervals import interval_sides
from models.json_values import finite_or_none

Floats = NDArray[np.float64]

INTERVALS = (50.0, 80.0, 95.0)
"""Levels of the central intervals whose coverage is reported, in per cent."""

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Levels of the quantile losses."""

LEVELS = tuple(sorted({*DECILES, *(side for level in INTERVALS for side in interval_sides(level))}))
"""Quantile levels of every scored forecast, rising."""

BOUNDS = (0.01, 100.0)
"""A relative error is clipped to these before the mean is taken, as in fev's leaderboard."""


@dataclass(frozen=True, slots=True)
class QuantileScores:
    """Errors of one model on one set; NaN where a figure is undefined.

    Attributes:
        mase: Mean over all observed points of |y - median| / scale.
        wql: Weighted quantile loss: 2 · pinball loss, mean over points and deciles, over the mean of |y|.
        sql: Scaled quantile loss: mean over points and deciles of 2 · pinball loss / scale.
        coverage: Share of observed points within the central interval, by level in per cent.
    """

    mase: float
    wql: float
    sql: float
    coverage: Mapping[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data, None where undefined."""
        figures = asdict(self)
        coverage = {f"coverage_{level:g}": finite_or_none(share) for level, share in figures.pop("coverage").items()}
        return {**{name: finite_or_none(figure) for name, figure in figures.items()}, **coverage}


def read_levels(forecast: Forecast) -> Floats:
    """Return a forecast's quantiles at `LEVELS`, shape (horizon, levels); its intervals have those of `INTERVALS`."""
    columns = {level: forecast.quantiles[:, at] for at, level in enumerate(forecast.quantile_levels)}
    for one in forecast.intervals:
        columns |= dict(zip(interval_sides(one.level), (one.lower, one.upper), strict=True))
    return np.stack([columns[level] for level in LEVELS], axis=1)


def score_quantiles(targets: Floats, quantiles: Floats, scales: Floats) -> QuantileScores:
    """Return the errors of a set's forecasts.

    Series without a scale count for `wql` and coverage only; unknown targets are left out everywhere.

    Args:
        targets: Shape (series, horizon), NaN for a gap.
        quantiles: Forecasts at `LEVELS`, shape (series, horizon, levels).
        scales: Shape (series,), NaN where undefined.

    Source: `MASE`, `WQL` and `SQL` of the package fev; WQL is that of Park et al. (2022) and of GluonTS.
    """
    deciles = [LEVELS.index(level) for level in DECILES]
    losses = 2 * pinball_losses(targets, quantiles[..., deciles], DECILES)
    size = known_mean(np.abs(targets))
    return QuantileScores(
        known_mean(scaled_errors(targets, quantiles[..., LEVELS.index(0.5)], scales)),
        known_mean(losses) / size if size else float("nan"),
        known_mean(losses / scales[:, np.newaxis, np.newaxis]),
        {level: _coverage(targets, quantiles, level) for level in INTERVALS},
    )


def relative_error(errors: Iterable[tuple[float, float]]) -> float:
    """Return the geometric mean of relative errors, NaN without any.

    Args:
        errors: For each set the error of a model and of the baseline; a set is left out where one is undefined or the
            baseline's is 0.
    """
    pairs = np.array([pair for pair in errors if np.isfinite(pair).all() and pair[1] > 0])
    if not pairs.size:
        return float("nan")
    return float(np.exp(np.log(np.clip(pairs[:, 0] / pairs[:, 1], *BOUNDS)).mean()))


def _coverage(targets: Floats, quantiles: Floats, level: float) -> float:
    lower, upper = (quantiles[..., LEVELS.index(side)] for side in interval_sides(level))
    return known_mean(covered(targets, lower, upper))
