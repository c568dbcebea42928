from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from models import artifact
from models.artifact import NETWORK, open_network
from models.covariates import CovariateNames
from models.errors import (
    CovariateMissing,
    CovariateUnknown,
    FrequencyMismatch,
    HorizonInvalid,
    LevelInvalid,
    SeriesAllMissing,
)
from models.forecast import Forecast
from models.forecaster import BATCH, Forecaster
from models.forecasting.request import ForecasterRequest
from models.intervals import CALIBRATED_LEVELS
from models.series import Series
from models.spec import TRAINED_QUANTILES, ModelOptions
from models.windows import Contexts
from tests.artifacts import make_artifact

HORIZON, CONTEXT, SEASON = 12, 60, 12


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the artifact of a seasonal naive."""
    return make_artifact(tmp_path_factory.mktemp("naive"), context_length=CONTEXT, horizon=HORIZON)


@pytest.fixture(scope="module")
def forecaster(directory: Path) -> Forecaster:
    """Return a seasonal naive that is not calibrated."""
    return artifact.load(directory)


def series(length: int = 72, *, seed: int = 0, id: str = "0", start: str | None = "1939-01") -> Series:  # noqa: A002 - the wire's name
    """Return a seasonal monthly series."""
    values = 20 + 5 * np.sin(np.arange(length) * np.pi / 6) + np.random.default_rng(seed).normal(size=length)
    return Series.make(values, id=id, start=start, frequency="M")


def codes(forecast: Forecast) -> list[str]:
    """Return the codes of a forecast's warnings."""
    return [warning.code for warning in forecast.warnings]


def same(one: Forecast, other: Forecast) -> None:
    """Assert that two forecasts are equal to the last bit."""
    assert_array_equal(one.quantiles, other.quantiles)
    assert_array_equal(one.median, other.median)


def test_a_forecast_is_the_networks_in_the_series_units(forecaster: Forecaster) -> None:
    """The seasonal naive repeats the last season; dates, id and levels stand beside it."""
    past = series(id="nottingham")

    (forecast,) = forecaster.forecast([past], HORIZON)

    assert_allclose(forecast.median, past.values[-SEASON:])
    assert forecast.id == "nottingham"
    assert forecast.timestamps is not None
    assert_array_equal(forecast.timestamps, np.arange("1945-01", "1946-01", dtype="M8[M]"))
    assert forecast.quantile_levels == TRAINED_QUANTILES
    assert forecast.quantiles.shape == (HORIZON, len(TRAINED_QUANTILES))
    assert forecast.context_used == CONTEXT
    assert codes(forecast) == []


def test_the_bare_five_months_of_the_issue_are_forecast(forecaster: Forecaster) -> None:
    """Three finite steps from five values without dates, and warnings that say how little they rest on."""
    (forecast,) = forecaster.forecast([Series.make([35, 40, 38, 29, 19])], 3)

    assert forecast.median.shape == (3,)
    assert np.isfinite(forecast.quantiles).all()
    assert forecast.context_used == 5
    assert forecast.timestamps is None
    assert codes(forecast) == ["PHASE_UNKNOWN", "CONTEXT_SHORT"]


def test_the_context_is_short_where_its_own_values_are_few(forecaster: Forecaster) -> None:
    """A long history whose newest part is nearly empty is as short as that part."""
    values = [20.0] * 100 + [None] * (CONTEXT - 1) + [21.0]

    (forecast,) = forecaster.forecast([Series.make(values, start="1939-01", frequency="M")], 1)

    (warning,) = forecast.warnings
    assert warning.code == "CONTEXT_SHORT"
    assert "1 observed" in warning.detail


def test_a_shorter_horizon_is_the_beginning_of_a_longer_one(forecaster: Forecaster) -> None:
    """Nothing about the first steps changes with how many are asked for."""
    (short,), (long,) = (forecaster.forecast([series()], horizon) for horizon in (5, 31))

    assert_array_equal(long.quantiles[:5], short.quantiles)


def test_a_longer_horizon_rolls_on_and_says_so(forecaster: Forecaster) -> None:
    """Beyond the trained horizon the forecast goes on over its own medians, with a warning that names both."""
    past = series()

    (forecast,) = forecaster.forecast([past], 30)

    assert_allclose(forecast.median, np.tile(past.values[-SEASON:], 3)[:30])
    assert codes(forecast) == ["HORIZON_EXTENDED"]
    assert "13 to 30" in forecast.warnings[0].detail
    assert forecast.warnings[0].pointer == "/horizon"


def test_intervals_do_not_shrink_from_block_to_block(forecaster: Forecaster) -> None:
    """A forecast of forecasts is never surer than what it rests on."""
    (forecast,) = forecaster.forecast([series()], 4 * HORIZON)

    (interval,) = forecast.intervals
    width = (interval.upper - interval.lower).reshape(4, HORIZON)
    assert (np.diff(width, axis=0) > 0).all()
    assert (width[1:].min(axis=1) >= width[:-1].max(axis=1)).all()


def test_a_count_is_never_negative(directory: Path, forecaster: Forecaster) -> None:
    """No quantile lies below 0 if nothing that was trained on, nor the series itself, ever did; a zero stays a zero."""
    bounded = Forecaster(
        replace(forecaster.spec, options=ModelOptions(nonnegative=True)), open_network(directory / NETWORK)
    )
    counts = Series.make(np.tile([0.0, 1.0, 3.0, 0.0], 18), start="1939-01", frequency="M")
    frost = counts + -1.0

    (free,) = forecaster.forecast([counts], HORIZON)
    (forecast, cold) = bounded.forecast([counts, frost], HORIZON)

    assert free.quantiles.min() < 0
    assert forecast.quantiles.min() == 0.0
    assert forecast.intervals[0].lower.min() == 0.0
    assert_array_equal(forecast.quantiles, np.maximum(free.quantiles, 0.0))
    assert cold.quantiles.min() < 0


def test_the_starter_takes_whole_numbers_for_counts(directory: Path, forecaster: Forecaster) -> None:
    """It has seen nothing of the kind that it is asked for, so what a series looks like decides."""
    starter = Forecaster(replace(forecaster.spec, name="starter"), open_network(directory / NETWORK))
    counts = Series.make(np.tile([0.0, 1.0, np.nan, 0.0], 18), start="1939-01", frequency="M")
    asked = [counts, counts + 0.5, counts + -1.0]

    free = forecaster.forecast(asked, HORIZON)
    forecast, halves, cold = starter.forecast(asked, HORIZON)

    assert free[0].quantiles.min() < 0
    assert_array_equal(forecast.quantiles, np.maximum(free[0].quantiles, 0.0))
    assert_array_equal(halves.quantiles, free[1].quantiles)
    assert_array_equal(cold.quantiles, free[2].quantiles)


def test_the_phase_moves_on_with_each_block(forecaster: Forecaster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second block begins where the first ended in the season; unknown stays unknown."""
    seen: list[list[int]] = []
    answer = forecaster.quantiles

    def watch(contexts: Contexts) -> NDArray[np.float64]:
        seen.append(contexts.phase.tolist())
        return answer(contexts)

    monkeypatch.setattr(forecaster, "quantiles", watch)

    forecaster.forecast([series(63), series(start=None)], 2 * HORIZON)

    assert seen == [[3, -1], [(3 + HORIZON) % SEASON, -1]]


@given(st.lists(st.floats(0, 100, exclude_min=True, exclude_max=True), min_size=1, max_size=5))
def test_any_level_between_0_and_100_is_answered(forecaster: Forecaster, levels: list[float]) -> None:
    """However extreme: finite, around the median, and wider the higher the level."""
    (forecast,) = forecaster.forecast([series()], 2, levels=levels)

    assert [interval.level for interval in forecast.intervals] == levels
    ordered = sorted(forecast.intervals, key=lambda interval: interval.level)
    for interval in ordered:
        assert np.isfinite(interval.lower).all()
        assert (interval.lower <= forecast.median).all()
        assert (forecast.median <= interval.upper).all()
    for narrow, wide in pairwise(ordered):
        assert (narrow.upper <= wide.upper).all()
        assert (wide.lower <= narrow.lower).all()


def test_quantiles_are_added_to_the_trained_ones(forecaster: Forecaster) -> None:
    """In rising order, a trained one asked for again stands once."""
    (forecast,) = forecaster.forecast([series()], 2, quantiles=(0.999, 0.025, 0.5))

    assert forecast.quantile_levels == (0.025, *TRAINED_QUANTILES, 0.999)
    assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
    assert_array_equal(forecast.quantiles[:, 5], forecast.median)


def test_calibration_moves_the_intervals_and_not_the_median(directory: Path, forecaster: Forecaster) -> None:
    """Offsets are in units of the spread: half a spread outwards on both sides doubles an 80 % interval."""
    offsets = 0.5 * np.sign(np.asarray(CALIBRATED_LEVELS) - 0.5)
    conformal = {"levels": list(CALIBRATED_LEVELS), "offsets": [offsets.tolist()] * HORIZON}
    spec = type(forecaster.spec).from_dict({**forecaster.spec.to_dict(), "conformal": conformal})
    calibrated = Forecaster(spec, artifact.open_network(directory / artifact.NETWORK))

    (wide,), (plain,) = (one.forecast([series()], HORIZON) for one in (calibrated, forecaster))

    assert_array_equal(wide.median, plain.median)
    widths = [one.intervals[0].upper - one.intervals[0].lower for one in (wide, plain)]
    assert_allclose(widths[0], 2 * widths[1])
    assert (np.diff(wide.quantiles, axis=1) >= 0).all()


def test_batch_mates_do_not_matter(forecaster: Forecaster) -> None:
    """More series than one pass of the network takes are each forecast as if alone, in their order."""
    batch = [series(20 + k % 70, seed=k, id=str(k), start=None if k % 3 else "1950-01") for k in range(BATCH + 44)]

    together = forecaster.forecast(batch, 15)

    assert [forecast.id for forecast in together] == [one.id for one in batch]
    for k in (0, 1, BATCH - 1, BATCH, len(batch) - 1):
        same(together[k], forecaster.forecast([batch[k]], 15)[0])


def test_no_series_no_forecasts(forecaster: Forecaster) -> None:
    """An empty batch is answered with an empty list."""
    assert forecaster.forecast([], 3) == []


def test_threads_share_a_forecaster(forecaster: Forecaster) -> None:
    """Eight threads at once get what each gets alone."""
    batches = [[series(seed=k), series(30, seed=k + 100)] for k in range(40)]
    alone = [forecaster.forecast(batch, 20) for batch in batches]

    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(lambda batch: forecaster.forecast(batch, 20), batches))

    for expected, found in zip(alone, at_once, strict=True):
        for one, other in zip(expected, found, strict=True):
            same(one, other)


@pytest.mark.parametrize("horizon", [0, -1, 1.5, "12", None, True])
def test_a_horizon_is_a_whole_number_of_one_or_more(forecaster: Forecaster, horizon: int) -> None:
    """Anything else is refused, and the pointer says where it stood."""
    with pytest.raises(HorizonInvalid) as caught:
        forecaster.forecast([series()], horizon)

    assert caught.value.pointer == "/horizon"


@pytest.mark.parametrize(
    ("levels", "quantiles", "pointer"),
    [
        ((80, 0), (), "/levels/1"),
        ((100,), (), "/levels/0"),
        ((float("nan"),), (), "/levels/0"),
        ((80,), (0.1, 1.0), "/quantiles/1"),
        ((80,), (-0.1,), "/quantiles/0"),
    ],
)
def test_a_level_out_of_range_is_refused(
    forecaster: Forecaster, levels: Sequence[float], quantiles: Sequence[float], pointer: str
) -> None:
    """The pointer counts within the request's own list."""
    with pytest.raises(LevelInvalid) as caught:
        forecaster.forecast([series()], 1, levels=levels, quantiles=quantiles)

    assert caught.value.pointer == pointer


def test_another_frequency_is_refused(forecaster: Forecaster) -> None:
    """Both frequencies stand in the error; an alias of the model's own is the same one."""
    daily = Series.make([1.0, 2.0], start="2024-01-01", frequency="D")

    with pytest.raises(FrequencyMismatch, match=r"D.*M") as caught:
        forecaster.forecast([daily], 1)

    assert caught.value.pointer == "/frequency"
    assert "`model=starter`" in caught.value.hint
    forecaster.check(Series.make([1.0, 2.0], start="2024-01-01", frequency="MS"))


def test_a_context_without_any_value_is_refused(forecaster: Forecaster) -> None:
    """Values older than the model reads do not help; one within it does."""
    with pytest.raises(SeriesAllMissing, match=str(CONTEXT)):
        forecaster.forecast([Series.make([1.0] + [None] * CONTEXT)], 1)

    forecaster.check(Series.make([1.0] + [None] * (CONTEXT - 1)))


@pytest.fixture(scope="module")
def informed(tmp_path_factory: pytest.TempPathFactory) -> Forecaster:
    """Return a seasonal naive that adds its covariates."""
    names = CovariateNames(("traffic",), ("price", "holidays_DE"), ("DE",))
    return artifact.load(make_artifact(tmp_path_factory.mktemp("informed"), horizon=HORIZON, names=names))


def with_covariates(ahead: Sequence[float | None], *, length: int = 72, **more: object) -> Series:
    """Return a series from January 2014 to December 2019 whose price stands ahead."""
    plain = series(length, start="2014-01")
    past = {"traffic": np.zeros(length), "price": np.zeros(length)}
    return Series.make(
        plain.values,
        start="2014-01",
        frequency="M",
        **{"past_covariates": past, "future_covariates": {"price": ahead}, **more},  # type: ignore[arg-type]
    )


def test_covariates_reach_the_graph(informed: Forecaster) -> None:
    """What was known up to the cutoff, what is known ahead, and the holidays, which are not sent."""
    past = with_covariates(np.arange(12.0).tolist(), past_covariates={"traffic": [100.0] * 72, "price": [5.0] * 72})

    (forecast,) = informed.forecast([past], HORIZON)

    holidays = [1, 0, 0, 2, 2, 1, 0, 0, 0, 1, 0, 2]
    assert_allclose(forecast.median, past.values[-SEASON:] + 100 + np.arange(12) + holidays)
    assert codes(forecast) == []


def test_beyond_the_trained_horizon_covariates_go_on_as_far_as_they_are_known(informed: Forecaster) -> None:
    """Each block takes its own; where they end they are unknown, which the answer says."""
    ahead = [0.0] * 12 + [10.0] * 12

    (forecast,) = informed.forecast([with_covariates(ahead)], 30)

    (plain,) = informed.forecast([with_covariates([0.0] * 30)], 30)
    assert_allclose((forecast.median - plain.median)[:24], ahead)
    assert_allclose((forecast.median - plain.median)[24:], 10.0)  # the naive repeats the block before
    assert codes(forecast) == ["HORIZON_EXTENDED", "COVARIATE_FUTURE_UNKNOWN"]
    assert "6 of 30" in forecast.warnings[1].detail
    assert codes(plain) == ["HORIZON_EXTENDED"]


def test_what_a_covariate_lacks_is_said(informed: Forecaster) -> None:
    """A history that is not given, a future that is null, dates without which holidays are unknown."""
    past = with_covariates([1.0, None, 1.0], past_covariates={"traffic": [0.0] * 72})

    (forecast,) = informed.forecast([past], 3)
    (undated,) = informed.forecast(
        [Series.make(past.values, past_covariates={"traffic": past.values}, future_covariates={"price": [1.0] * 3})], 3
    )

    assert codes(forecast) == ["COVARIATE_HISTORY_MISSING", "COVARIATE_FUTURE_UNKNOWN"]
    assert [one.pointer for one in forecast.warnings] == ["/past_covariates/price", "/future_covariates/price"]
    assert codes(undated) == ["PHASE_UNKNOWN", "COVARIATE_HISTORY_MISSING", "HOLIDAYS_UNKNOWN"]


def test_covariates_are_held_to_the_specification(informed: Forecaster, forecaster: Forecaster) -> None:
    """One that is lacking, one that the model does not read, one sent to a model that reads none: all are errors."""
    sound = with_covariates([0.0] * 12)

    with pytest.raises(CovariateMissing, match="'traffic'"):
        informed.forecast([series()], 12)
    with pytest.raises(CovariateUnknown, match="'prise'"):
        informed.forecast([with_covariates([], future_covariates={"prise": [1.0]})], 12)
    with pytest.raises(CovariateUnknown, match="has no past_covariates"):
        forecaster.forecast([sound], 12)


def test_covariates_do_not_mix_series_of_a_batch(informed: Forecaster) -> None:
    """In a batch or alone, each series has its own."""
    batch = [with_covariates([float(step)] * 15) for step in range(5)]

    together = informed.forecast(batch, 15)

    for one, forecast in zip(batch, together, strict=True):
        same(forecast, informed.forecast([one], 15)[0])


def test_requests_that_share_a_pass_are_forecast_as_if_alone(forecaster: Forecaster) -> None:
    """Horizons, levels and quantiles are each request's own; an error concerns its own series, or its own request."""
    daily = Series.make([1.0, 2.0], start="2024-01-01", frequency="D")
    requests = [
        ForecasterRequest([series(seed=1), daily, series(30, seed=2, start=None)], 3),
        ForecasterRequest([series(seed=3)], 30, levels=(50, 99), quantiles=(0.05,)),
        ForecasterRequest([series(seed=4), series(seed=5)], 0),
        ForecasterRequest([], 3),
        ForecasterRequest([series(seed=6)], 12, levels=(100,)),
    ]

    outcomes = forecaster.forecast_many(requests)

    kinds = [[type(one).__name__ for one in found] for found in outcomes]
    assert kinds == [
        ["Forecast", "FrequencyMismatch", "Forecast"], ["Forecast"], ["HorizonInvalid"] * 2, [], ["LevelInvalid"],
    ]  # fmt: skip
    for request, found in zip(requests, outcomes, strict=True):
        for one, outcome in zip(request.series, found, strict=True):
            if isinstance(outcome, Forecast):
                (alone,) = forecaster.forecast(
                    [one], request.horizon, levels=request.levels, quantiles=request.quantiles
                )
                same(outcome, alone)
                assert codes(outcome) == codes(alone)
                assert_array_equal(outcome.intervals[-1].upper, alone.intervals[-1].upper)
