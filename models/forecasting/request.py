"""Forecast request: the series of one request, and what is asked of their forecasts."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.errors import AlmanacError
from models.forecast import Forecast
from models.forecasting.sampling import Sampling
from models.series import Series

Outcome = Forecast | AlmanacError
"""What becomes of one series: its forecast, or why it has none."""


@dataclass(frozen=True, slots=True)
class ForecasterRequest:
    """The series of one request, and what is asked of their forecasts; `Forecaster.forecast_many` takes several.

    Attributes:
        series: Histories of the model's frequency or without one.
        horizon: Steps ahead, at least 1.
        levels: Levels of central intervals in per cent, in (0, 100).
        quantiles: Quantile levels in (0, 1) beside the trained ones.
        outliers: `clip` or `mask`: what the model reads in place of implausible values.
        mean: Whether the forecasts have a mean.
        sampling: Sample paths and sums that the forecasts have; None for neither.
    """

    series: Sequence[Series]
    horizon: int
    levels: Sequence[float] = (80.0,)
    quantiles: Sequence[float] = ()
    outliers: str = "clip"
    mean: bool = False
    sampling: Sampling | None = None
