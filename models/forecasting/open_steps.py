"""Open steps: a forecast of so many steps within the opening hours of each series, as a person means it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from models.forecast import Forecast
from models.forecaster import Forecaster
from models.forecasting.request import ForecasterRequest
from models.safeguards.closed_hours import steps_to_reach
from models.series import Series


def reach_open_steps(request: ForecasterRequest) -> list[tuple[ForecasterRequest, list[int]]]:
    """Return a request as one for each horizon that its series need, and the places of their series in it.

    `Forecast.shown` has the steps within opening hours then: as many as were asked for.
    """
    places: dict[int, list[int]] = {}
    for at, one in enumerate(request.series):
        places.setdefault(steps_to_reach(one, request.horizon), []).append(at)
    if places.keys() <= {request.horizon}:
        return [(request, [*range(len(request.series))])]
    return [
        (replace(request, series=[request.series[at] for at in some], horizon=horizon), some)
        for horizon, some in places.items()
    ]


def forecast_open_steps(
    forecaster: Forecaster,
    series: Sequence[Series],
    horizon: int,
    **options: Any,  # noqa: ANN401 - those of `forecast`
) -> list[Forecast]:
    """Return what `Forecaster.forecast` returns, each so long that `horizon` steps lie within opening hours."""
    found: dict[int, Forecast] = {}
    for part, places in reach_open_steps(ForecasterRequest(series, horizon)):
        found |= zip(places, forecaster.forecast(part.series, part.horizon, **options), strict=True)
    return [found[at] for at in range(len(series))]
