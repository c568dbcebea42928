"""Auto: the series on which a person sees at a glance whether a forecast is right."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.accuracy import mase
from models.calendar.zoned_grid import parse_frequency
from models.forecaster import Forecaster
from models.series import Series
from training.config.fit import FitConfig
from training.fit.candidate import TrainingSet
from training.fit.factory import make_candidate
from training.fit.request import FitRequest

Floats = NDArray[np.float64]

CONFIG = FitConfig(max_seconds=120.0)

pytestmark = pytest.mark.timeout(1200)


def airline() -> Floats:
    """Return the passengers of airlines by month, 1949 to 1960 (Box & Jenkins 1976)."""
    from statsforecast.utils import AirPassengers

    return np.asarray(AirPassengers, dtype=np.float64)


def auto(values: Floats, horizon: int, folder: Path) -> Forecaster:
    """Return what `auto` makes of one monthly series."""
    series = Series(values, "x", np.datetime64("2010-01-01", "us"), parse_frequency("M"))
    training_set = TrainingSet([series], "M", horizon, "digest")
    request = FitRequest(
        training_set=training_set, architecture="auto", name="x", seed=0, config=CONFIG, directory=folder / "auto"
    )
    return make_candidate(request).forecaster


@pytest.mark.parametrize(
    ("values", "horizon", "most"),
    [
        pytest.param(airline(), 24, 1.2, id="airline"),
        pytest.param(np.arange(1.0, 49.0), 12, 0.25, id="1, 2, 3"),
        pytest.param(100 * 1.1 ** np.arange(48.0), 12, 0.25, id="growth of 10 % a month"),
    ],
)
def test_what_a_person_sees_is_continued(values: Floats, horizon: int, most: float, tmp_path: Path) -> None:
    """In units of the error of the seasonal naive within the history."""
    history, truth = values[:-horizon], values[-horizon:]
    series = Series(history, "x", np.datetime64("2010-01-01", "us"), parse_frequency("M"))

    forecast = auto(history, horizon, tmp_path).forecast([series], horizon)[0]

    assert mase(truth, forecast.median, history, 12) <= most
