"""Blended forecaster: a starter that knows the season, and for series without a clear one the starter that has none.

A starter believes in the season of its frequency. Many series of weeks hardly repeat their year, and many economic series of
months have a trend and no season; for those the mean with a forecast that knows levels and trends alone errs less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.errors import AlmanacError
from models.forecast import Forecast, Interval
from models.forecaster import Floats, Forecaster
from models.forecasting.paths import PATH_LEVELS
from models.forecasting.request import ForecasterRequest, Outcome
from models.safeguards.plausible import make_plausible
from models.series import Series
from models.starters.interleaved import columns

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


BLENDS = {
    "W": Blend(0.5, 0.2, 0.8, unknown=0.5, lines=True),
    "M": Blend(0.7, 1.2, 1.8, lines=True),
    "D": Blend(0.0, 0.0, 1.0, lines=True),
}
"""By starter, chosen on the development sets of docs/starter.md, with whole histories and with the newest one to three seasons
of them. The others lose on them with any weight."""


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


class BlendedForecaster(Forecaster):
    """Forecasts as two forecasters do on average, with a weight for each series.

    Quantiles, medians, means and interval sides are weighted means of those of both, level by level.

    Args:
        seasonal: Forecaster that knows the season; its spec, warnings and errors are those of the forecasts.
        seasonless: Forecaster of the same frequency and quantile levels without a season.
        blend: The weight of `seasonless`.
    """

    def __init__(self, seasonal: Forecaster, seasonless: Forecaster, blend: Blend) -> None:
        """Keep both."""
        super().__init__(seasonal.spec, seasonal._session)  # noqa: SLF001 - the same class
        self._seasonless, self._blend = seasonless, blend

    def forecast_many(self, requests: Sequence[ForecasterRequest]) -> list[list[Outcome]]:
        """Return the outcomes of each request, in order; as `Forecaster.forecast_many`."""
        weights = [[self._weight(series, request.outliers) for series in request.series] for request in requests]
        if not any(any(part) for part in weights):
            return super().forecast_many(requests)
        asked = [_without_sampling(one) if any(part) else one for one, part in zip(requests, weights, strict=True)]
        others = iter(self._forecast_seasonless(asked, weights))
        found = []
        for request, part, outcomes in zip(requests, weights, super().forecast_many(asked), strict=True):
            mixed = [_mix(one, next(others), w) if w else one for one, w in zip(outcomes, part, strict=True)]
            is_sampled = request.sampling is not None and any(part)
            found.append(self._sample(mixed, request) if is_sampled else mixed)
        return found

    def _weight(self, series: Series, outliers: str) -> float:
        """Return the weight of the forecast without a season for a series, by its plausible values; 0 for one without values."""
        if np.isnan(series.values[-self._seasonless.spec.context_length :]).all():
            return 0.0
        values = make_plausible(series, self.spec.context_length, outliers).values
        with np.errstate(over="ignore", invalid="ignore"):  # of values near the largest number there is
            return self._blend.weight(values, self.spec.season_length)

    def _forecast_seasonless(
        self, requests: Sequence[ForecasterRequest], weights: Sequence[Sequence[float]]
    ) -> list[Outcome]:
        """Return the outcomes of the series with a weight, in order."""
        parts = [
            replace(request, series=[one for one, weight in zip(request.series, part, strict=True) if weight])
            for request, part in zip(requests, weights, strict=True)
        ]
        return [one for part in self._seasonless.forecast_many(parts) for one in part]

    def _sample(self, outcomes: Sequence[Outcome], request: ForecasterRequest) -> list[Outcome]:
        """Return forecasts with the paths and sums that are asked for, drawn from their quantiles; errors as they are."""
        plan, added = self.plan(request), self.plan(_without_sampling(request)).noted
        found = list[Outcome]()
        for series, one in zip(request.series, outcomes, strict=True):
            if not isinstance(one, Forecast):
                found.append(one)
                continue
            plausible = make_plausible(series, self.spec.context_length, request.outliers)
            table = columns(one.quantiles, one.quantile_levels, PATH_LEVELS).T
            samples = plan.sample(table, plausible, self.spec, one.closed)
            reported = columns(one.quantiles, one.quantile_levels, plan.quantile_levels)
            found.append(
                replace(
                    one,
                    quantile_levels=plan.quantile_levels,
                    quantiles=reported,
                    known_finite=False,
                    warnings=(*(warning for warning in one.warnings if warning not in added), *plan.noted),
                    paths=samples.paths,
                    sums=samples.sums,
                )
            )
        return found


def _mix(seasonal: Outcome, other: Outcome, weight: float) -> Outcome:
    """Return the weighted mean of two forecasts; the first outcome if either is an error."""
    if isinstance(seasonal, AlmanacError) or isinstance(other, AlmanacError):
        return seasonal

    def mean(one: Floats, two: Floats) -> Floats:
        with np.errstate(over="ignore", invalid="ignore"):  # the caller refuses a forecast that overflowed
            return one + weight * (two - one)

    sides = zip(seasonal.intervals, other.intervals, strict=True)
    return replace(
        seasonal,
        quantiles=mean(seasonal.quantiles, other.quantiles),
        median=mean(seasonal.median, other.median),
        mean=None if seasonal.mean is None or other.mean is None else mean(seasonal.mean, other.mean),
        intervals=tuple(
            Interval(one.level, mean(one.lower, two.lower), mean(one.upper, two.upper)) for one, two in sides
        ),
        known_finite=False,  # a difference of two finite numbers may be infinite
    )


def _without_sampling(request: ForecasterRequest) -> ForecasterRequest:
    """Return a request for the quantiles that paths are drawn from in place of the paths."""
    if request.sampling is None:
        return request
    return replace(request, quantiles=(*request.quantiles, *PATH_LEVELS), sampling=None)
