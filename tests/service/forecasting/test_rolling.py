"""Rolling forecasts: windows of the past as series of a query."""

import numpy as np
import pytest

from models.errors import SeriesTooShort
from models.series import Series
from service.errors import BatchTooLarge
from service.forecasting.request import ForecastQuery
from service.forecasting.rolling import Window, last_cutoffs, roll, whole_cutoffs
from service.settings import Settings


def query(*lengths: int) -> ForecastQuery:
    """Return a query of series 0, 1, 2 …, each with a covariate."""
    series = [
        (index, Series.make(np.arange(length), id=str(index), past_covariates={"price": np.arange(length)}))
        for index, length in enumerate(lengths)
    ]
    return ForecastQuery(tuple(series), 2, (), (), None)


def test_each_window_has_the_values_before_it_and_what_is_known_of_later() -> None:
    """Nothing of the past is recorded."""
    rolled, windows = roll(query(6, 5), 2, lambda one: last_cutoffs(one, 2, 2, 1), Settings(), ["price"])

    assert windows == [Window(0, 3), Window(0, 4), Window(1, 2), Window(1, 3)]
    assert [len(series) for _, series in rolled.series] == [3, 4, 2, 3]
    assert rolled.series[1][1].future_covariates["price"].tolist() == [4, 5]
    assert rolled.record is False


@pytest.mark.parametrize(("length", "step", "expected"), [(48, 12, [12, 24, 36]), (10, 5, [5]), (3, 1, [1, 2])])
def test_a_whole_history_is_forecast_back_to_its_first_season(length: int, step: int, expected: list[int]) -> None:
    """Adjacent windows, from the end."""
    assert whole_cutoffs(Series.make(np.arange(length)), step) == expected


def test_a_gap_at_the_start_is_no_history() -> None:
    """The first window has an observed value before it."""
    assert whole_cutoffs(Series.make([np.nan] * 3 + [1.0, 2.0, 3.0]), 1) == [4, 5]


def test_too_short_or_too_much_is_an_error() -> None:
    """A history without room for a window; more windows or values than the service takes."""
    with pytest.raises(SeriesTooShort, match="needs 2"):
        whole_cutoffs(Series.make([1.0]), 1)
    with pytest.raises(BatchTooLarge, match="10 series"):
        roll(query(50), 2, lambda one: last_cutoffs(one, 2, 10, 2), Settings(max_series=9))
    with pytest.raises(BatchTooLarge, match="values before them"):
        roll(query(50), 2, lambda one: last_cutoffs(one, 2, 10, 2), Settings(max_observations=10))
