"""Blended forecaster: a model that knows the season, and for series without a clear one a model that has none.

A starter believes in the season of its frequency. Many series of weeks hardly repeat their year, and many economic series of
months have a trend and no season; for those the mean with a forecast that knows levels and trends alone errs less.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.forecaster import Forecaster
from models.forecasting.quantile_table import QuantileTable
from models.forecasting.rows import Row
from models.forecasting.season_blend import Blend
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

    def tables(self, rows: Sequence[Row]) -> list[QuantileTable]:
        """Return the mixed quantiles of rows; as `Forecaster.tables`."""
        asked = [row.series for row in rows]
        found = super().tables(rows)
        weights = self._blend.weights([row.series.values for row in rows], self.spec.season_length)
        places = np.flatnonzero(weights).tolist()
        for other in self._seasonless_tables(rows, asked, places):
            for one in found:
                one.mix(other, weights)
        return found

    def _seasonless_tables(
        self, rows: Sequence[Row], asked: Sequence[Series], places: Sequence[int]
    ) -> list[QuantileTable]:
        """Return the quantiles of the rows at some places without a season, but for series that are refused.

        Args:
            rows: All rows.
            asked: The series of each before anything was replaced in it.
            places: The places.
        """
        model = self._seasonless
        plans = {id(rows[at].plan): model.plan(rows[at].request) for at in places}
        made = {
            at: model.row(asked[at].reading(model.names), rows[at].request, plans[id(rows[at].plan)]) for at in places
        }
        kept = {at: row for at, row in made.items() if isinstance(row, Row)}
        if not kept:
            return []
        tables, places = model.tables(list(kept.values())), list(kept)
        return [replace(one, places=[places[at] for at in one.places]) for one in tables]
