"""Blended forecaster: a model that knows the season, and for series without a clear one a model that has none.

A starter believes in the season of its frequency. Many series of weeks hardly repeat their year, and many economic series of
months have a trend and no season; for those the mean with a forecast that knows levels and trends alone errs less.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.errors import AlmanacError
from models.forecast import Forecast, Interval, columns
from models.forecaster import Floats, Forecaster
from models.forecasting.paths import PATH_LEVELS
from models.forecasting.request import ForecasterRequest, Outcome
from models.forecasting.season_blend import Blend
from models.safeguards.plausible import OUTLIERS, as_read
from models.series import Series


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
        self.parts = (seasonless,)
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
        """Return the weight of the forecast without a season for a series."""
        spec = self.spec
        if np.isnan(series.values[-self._seasonless.spec.context_length :]).all():
            return 0.0
        return weight_of(series, self._blend, spec.season_length, spec.context_length, outliers)

    def _forecast_seasonless(
        self, requests: Sequence[ForecasterRequest], weights: Sequence[Sequence[float]]
    ) -> list[Outcome]:
        """Return the outcomes of the series with a weight, in order."""
        parts = [
            replace(
                request,
                series=[
                    one.reading(self._seasonless.names)
                    for one, weight in zip(request.series, part, strict=True)
                    if weight
                ],
            )
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
            plausible = as_read(series, self.spec.context_length, request.outliers)
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


def weight_of(series: Series, blend: Blend, season: int, context: int, outliers: str = OUTLIERS[0]) -> float:
    """Return the weight of the forecast without a season for a series, by its plausible values.

    Args:
        series: Its history.
        blend: How the weight follows from it.
        season: Steps of a season.
        context: Steps that the model reads.
        outliers: `clip` or `mask`: what takes the place of implausible values.
    """
    values = as_read(series, context, outliers).values
    with np.errstate(over="ignore", invalid="ignore"):  # of values near the largest number there is
        return blend.weight(values, season)


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
