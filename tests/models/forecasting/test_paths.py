"""Sample paths and sums: the marginals that a forecast states, hanging together as the history does, the same for a seed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models import starters
from models.calendar.zoned_grid import parse_frequency
from models.errors import SamplingInvalid
from models.forecast import Forecast
from models.forecaster import Forecaster
from models.forecasting.dependence import Dependence, estimate_dependence
from models.forecasting.paths import PATH_LEVELS, SCORES, Marginals, draw_scores, stratify
from models.forecasting.request import ForecasterRequest
from models.forecasting.sampling import Sampling, Window, read_sampling
from models.series import Series
from tests.models.forecasting.test_as_before import CASES, forecasters, outcome_of

LEVELS = (0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95)
ASKED = read_sampling(40, 7, ["1-2", "horizon"], 2)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Forecaster]:
    """Return the corpus' models."""
    return forecasters(tmp_path_factory.mktemp("corpus"))


def starter(history: list[float] | np.ndarray, asked: Sampling | None, horizon: int = 12, **options: Any) -> Forecast:  # noqa: ANN401
    """Return the starter's forecast of a monthly series."""
    series = Series.make(history, id="a", start="2010-01", frequency="M", **options)
    forecaster = starters.load_starter(parse_frequency("M"))
    (found,) = forecaster.forecast([series], horizon, quantiles=LEVELS, mean=True, sampling=asked)
    return found


def normal(steps: int, dependence: Dependence) -> Marginals:
    """Return standard normal marginals."""
    return Marginals(np.repeat(np.array(SCORES)[:, None], steps, axis=1), dependence, "a", None)


@pytest.mark.parametrize("name", CASES)
def test_paths_lie_beside_the_usual_numbers(name: str, known: dict[str, Forecaster]) -> None:
    """Beyond one pass, in turns, with bounds, in closed hours: paths within bounds, sums of paths, the rest as it was."""
    model, fields, options = CASES[name]
    one = Series.make(id=name, **fields)
    horizon = options["horizon"]

    found = outcome_of(known[model], one, {**options, "sampling": read_sampling(20, 3, [f"1-{horizon}"], horizon)})

    usual = outcome_of(known[model], one, options)
    if not isinstance(found, Forecast):
        assert type(found) is type(usual)
        return
    assert isinstance(usual, Forecast)
    assert found.paths is not None
    assert found.paths.shape == (20, horizon)
    assert (np.clip(found.paths, *one.bounds) == found.paths).all()
    assert found.shown.paths is not None
    assert found.shown.paths.shape == (20, len(found.shown.median))
    assert found.quantile_levels == usual.quantile_levels
    assert found.is_finite
    assert_array_equal(found.median, usual.median)
    if usual.closed is None or not usual.closed.all():
        (total,) = found.sums
        assert list(total.quantiles) == sorted(total.quantiles)
        assert [side[0] for side in total.intervals] == [side.level for side in usual.intervals]


def test_many_paths_have_the_quantiles_that_are_stated() -> None:
    """Each step's, out to 95 %; a sum of one step has them, too."""
    history = 50 + 10 * np.sin(np.arange(90)) + np.random.default_rng(1).normal(size=90)

    found = starter(history, read_sampling(1000, 0, ["4-4"], 12))

    places = [found.quantile_levels.index(level) for level in LEVELS]
    assert found.paths is not None
    spread = (found.quantiles[:, places[-1]] - found.quantiles[:, places[0]])[:, None]
    assert_allclose(np.quantile(found.paths, LEVELS, axis=0).T / spread, found.quantiles[:, places] / spread, atol=0.08)
    one = np.array(found.sums[0].quantiles)
    assert_allclose(one / spread[3], found.quantiles[3] / spread[3], atol=0.01)
    assert found.sums[0].mean == pytest.approx(found.mean[3], rel=1e-3)  # type: ignore[index]


@pytest.mark.parametrize("dependence", [Dependence(0.0, 0.0), Dependence(0.2, 0.6), Dependence(0.1, 0.95)])
def test_a_sum_has_the_variance_of_its_correlations(dependence: Dependence) -> None:
    """Of normal steps, the sum is normal; stratified scores keep the correlation of neighbours."""
    steps = np.arange(8)
    correlations = dependence.common + (1 - dependence.common) * dependence.persistence ** abs(steps[:, None] - steps)

    (total,) = normal(8, dependence).sample(Sampling(windows=(Window("x", 1, 8),)), (0.1, 0.9), (), mean=True).sums
    scores = stratify(draw_scores(np.random.default_rng(0), 8, 20_000, dependence), dependence)

    assert_allclose(dependence.totals(8), correlations.sum(axis=1))
    deviation = np.sqrt(correlations.sum())
    assert_allclose(
        np.array([*total.quantiles, total.mean], dtype=np.float64),
        [-1.2816 * deviation, 1.2816 * deviation, 0.0],
        atol=1e-3 * deviation,
    )
    assert_allclose(np.corrcoef(scores), correlations, atol=0.02)


@pytest.mark.parametrize(
    ("history", "least", "most"),
    [
        (np.random.default_rng(0).normal(size=300), 0.05, 0.3),
        (np.cumsum(np.random.default_rng(0).normal(size=300)), 0.75, 0.95),
        (np.full(300, 3.0), 0.45, 0.55),
        ([1.0], 0.45, 0.55),
        ([np.nan, 5.0, np.nan, 7.0, np.nan], 0.45, 0.55),
        ([1e308, -1e308] * 20, 0.05, 0.95),
    ],
    ids=["noise", "random walk", "constant", "one value", "gaps", "overflow"],
)
def test_steps_hang_together_as_the_history_does(history: Any, least: float, most: float) -> None:  # noqa: ANN401
    """Noise has steps that are nearly independent, a random walk has not; a history that says nothing lies between."""
    found = estimate_dependence(np.asarray(history), 12)

    assert least <= found.persistence <= most
    assert 0 < found.common < 1


def test_a_seed_has_the_same_paths_whatever_is_forecast_beside_them(known: dict[str, Forecaster]) -> None:
    """Not those of another id or seed; a shorter horizon has the first steps; sums do not change paths."""
    one, other = (Series.make(np.arange(40.0) % 7, id=name) for name in "ab")
    sampling = Sampling(30, 5)

    def paths(series: list[Series], horizon: int, asked: Sampling) -> list[Any]:
        return [found.paths for found in known["plain"].forecast(series, horizon, sampling=asked)]

    (alone,) = paths([one], 30, sampling)
    beside = paths([other, one], 30, replace(sampling, windows=(Window("1-2", 1, 2),)))
    (shorter,) = paths([one], 5, sampling)
    (another,) = paths([one], 30, Sampling(30, 6))

    assert_array_equal(alone, beside[1])
    assert_allclose(shorter, alone[:, :5])
    assert not np.isclose(beside[0], beside[1]).all()
    assert not np.isclose(another, alone).all()


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e12])
def test_a_constant_has_exact_paths_and_sums(value: float) -> None:
    """Paths are read between equal quantiles, and sums are added up in one order."""
    found = starter([value] * 40, ASKED)

    assert found.paths is not None
    assert (found.paths == value).all()
    assert {found.sums[0].median, found.sums[0].mean, *found.sums[0].quantiles} == {value + value}


def test_rare_sales_have_a_sum() -> None:
    """Four pieces once in fourteen months: the quantiles of a month do not know them, the sum over a year does."""
    sales = np.where(np.random.default_rng(0).random(70) < 1 / 14, 4.0, 0.0)

    found = starter(sales, read_sampling(0, 0, ["1-12"], 12), bounds={"minimum": 0, "maximum": 3})

    assert (found.quantiles[:, found.quantile_levels.index(0.9)] < 4).all()
    assert 2.0 < found.sums[0].mean < 4.0  # type: ignore[operator]
    assert found.mean is not None
    assert found.mean.sum() == pytest.approx(found.sums[0].mean, rel=0.02)
    assert found.sums[0].quantiles[-1] <= 36


def test_nothing_is_sold_in_parts() -> None:
    """Of a series that is mostly 0, a step of a path is 0 or at least the smallest sale; mean and paths agree."""
    sales = np.where(np.random.default_rng(0).random(70) < 1 / 14, 4.0, 0.0)

    found = starter(sales, read_sampling(1000, 0, ["horizon"], 12))

    assert found.paths is not None
    assert found.mean is not None
    assert ((found.paths == 0) | (found.paths >= 4)).all()
    assert found.sums[0].quantiles[0] == 0
    assert found.mean.sum() == pytest.approx(found.sums[0].mean, rel=0.05)


def test_requests_in_one_batch_have_what_they_ask_for(known: dict[str, Forecaster]) -> None:
    """One with sums, one with paths, one with neither."""
    one = Series.make(np.arange(40.0))
    asked = (None, Sampling(3), Sampling(windows=(Window("1-2", 1, 2),)))

    outcomes = known["calibrated"].forecast_many([ForecasterRequest([one], 3, sampling=each) for each in asked])

    found = [part[0] for part in outcomes if isinstance(part[0], Forecast)]
    assert [one.paths is not None for one in found] == [False, True, False]
    assert [len(one.sums) for one in found] == [0, 0, 1]


def test_an_overflow_of_a_sum_is_not_finite(known: dict[str, Forecaster]) -> None:
    """The service refuses such a forecast."""
    (found,) = known["plain"].forecast([Series.make([1.7e308] * 30)], 12, sampling=read_sampling(0, 0, ["horizon"], 12))

    assert not found.is_finite


@pytest.mark.parametrize(
    ("paths", "seed", "sums", "pointer"),
    [
        (1001, 0, None, "/paths"),
        (-1, 0, None, "/paths"),
        (True, 0, None, "/paths"),
        (1.5, 0, None, "/paths"),
        ("9", 0, None, "/paths"),
        (float("nan"), 0, None, "/paths"),
        (1, -1, None, "/seed"),
        (1, 2**63, None, "/seed"),
        (0, 0, "1-3", "/sums"),
        (0, 0, ["1-3"] * 100, "/sums"),
        (0, 0, ["1-3", "2-13"], "/sums/1"),
        (0, 0, ["3-1"], "/sums/0"),
        (0, 0, ["0-1"], "/sums/0"),
        (0, 0, ["1"], "/sums/0"),
        (0, 0, ["1-²"], "/sums/0"),
        (0, 0, [[1, 3]], "/sums/0"),
    ],
)
def test_what_is_out_of_range_is_refused(paths: object, seed: object, sums: object, pointer: str) -> None:
    """With the place of the wrong value."""
    with pytest.raises(SamplingInvalid) as caught:
        read_sampling(paths, seed, sums, 12)

    assert caught.value.pointer == pointer


def test_windows_count_once_and_nothing_asked_is_none() -> None:
    """`horizon` is the window of all steps, under its own name."""
    assert read_sampling(0, 9, [], 12) is None
    assert read_sampling(None, None, None, 12) is None
    found = read_sampling(2.0, None, ("1-3", "horizon", "1-3"), 12)
    assert found == Sampling(2, 0, (Window("1-3", 1, 3), Window("horizon", 1, 12)))
    assert len(PATH_LEVELS) == len(SCORES)
