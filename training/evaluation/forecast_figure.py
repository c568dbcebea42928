"""Forecast figure: what follows the ends of some series, as small multiples with every interval."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from models.forecast import Forecast
from models.series import Series
from training.evaluation.figures import TRUTH, draw_bands, entitle, finish, panels_of, positions

MAX_PANELS = 36
"""Maximum number of series in one figure: 6 rows of 6 can still be read."""

SEASONS, HORIZONS, POINTS = 3, 2, 24
"""History drawn before the forecast at the least, as far as there is: so many seasons, horizons and points."""


def draw_forecasts(
    series: Sequence[Series], forecasts: Sequence[Forecast], season_length: int, *, title: str, unit: str = ""
) -> Figure:
    """Return forecasts after the ends of the first `MAX_PANELS` series, each in a panel, with all their intervals.

    Args:
        series: Histories.
        forecasts: Of each of them.
        season_length: Steps in one season: three of them are drawn before each forecast.
        title: Title of the figure.
        unit: Unit of the values, or the name of their column.
    """
    shown = list(zip(series, forecasts, strict=True))[:MAX_PANELS]
    figure, panels = panels_of(len(shown))
    for axes, (one, forecast) in zip(panels, shown, strict=True):
        horizon = len(forecast.median)
        before = min(len(one), max(SEASONS * season_length, HORIZONS * horizon, POINTS))
        x = positions(one, before, horizon)
        axes.plot(x[:before], one.values[-before:], color=TRUTH, linewidth=1.2, label="observed")
        bands = [(each.level, each.lower, each.upper) for each in forecast.intervals]
        draw_bands(axes, x[before:], forecast.median, bands)
        finish(axes, one.id, one.start is not None, unit)
    entitle(figure, panels[0], title)
    return figure
