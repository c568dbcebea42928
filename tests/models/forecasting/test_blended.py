"""Blended forecaster: how much a history says for a season, and the mean of two forecasts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models import artifact
from models.covariates import CovariateNames
from models.errors import ArtifactIncomplete
from models.forecast import Forecast
from models.forecaster import Forecaster
from models.forecasting.blended import BlendedForecaster
from models.forecasting.request import ForecasterRequest
from models.forecasting.sampling import Sampling
from models.forecasting.season_blend import Blend, line_share, season_ratio
from models.series import Series
from tests.artifacts import make_artifact

STEPS = np.arange(60, dtype=np.float64)
REPEATED = np.tile([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0, 8.0], 5)
HALF = Blend(0.5, 0.0, 0.001, unknown=0.5)
"""Half of each, unless each season is as the one before."""


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Forecaster, Forecaster]:
    """Return two forecasters of months: the value of a season ago, and the same network without a season."""
    seasonal = artifact.load(make_artifact(tmp_path / "seasonal"))
    seasonless = artifact.load(make_artifact(tmp_path / "seasonless", shift=10.0))
    return seasonal, seasonless


def test_the_ratio_tells_seasons_from_trends_and_noise() -> None:
    """A season that repeats is 0, also on a trend and in quarters; noise is about 1, a random walk more; a line is unknown."""
    noise = np.random.default_rng(0).normal(size=30_000)

    assert season_ratio(REPEATED, 12) == season_ratio(100 * STEPS + REPEATED, 12) == 0.0
    assert season_ratio(np.tile(REPEATED[:13], 16), 52) == 0.0
    assert season_ratio(noise, 10_000) == pytest.approx(1.0, abs=0.05)
    assert (season_ratio(np.cumsum(noise), 500) or 0.0) > 1.2
    assert season_ratio(REPEATED[:16], 12) == 0.0
    assert season_ratio(REPEATED[:15], 12) is None
    assert season_ratio(STEPS, 12) is None
    assert season_ratio(np.full(60, 7.0), 12) is None
    assert season_ratio(np.full(60, np.nan), 12) is None


def test_a_line_is_one_whatever_is_missing() -> None:
    """Four values at least; a constant is none."""
    gappy = STEPS.copy()
    gappy[[3, 4, 10]] = np.nan

    assert line_share(gappy) == line_share(-2 * STEPS) == 1.0
    assert line_share(STEPS[:3]) == line_share(np.full(9, 2.0)) == line_share(REPEATED) == 0.0
    assert 0.0 < line_share(STEPS[:10] + np.tile([0.4, -0.4], 5)) < 1.0


def test_the_weight_rises_with_the_ratio() -> None:
    """From 0 to the largest; a short history has that of the unknown, or of a line."""
    noise = np.random.default_rng(0).normal(size=30_000)

    assert Blend(0.6, 0.5, 1.5).weight(noise, 10_000) == pytest.approx(0.3, abs=0.03)
    assert Blend(0.6, 0.5, 0.8).weight(noise, 10_000) == 0.6
    blend = Blend(0.6, 1.0, 7.0, unknown=0.2, lines=True)
    assert blend.weight(REPEATED, 12) == 0.0
    assert blend.weight(REPEATED[:12], 12) == 0.2
    assert blend.weight(STEPS, 12) == blend.weight(STEPS[:12], 12) == 1.0


def test_a_sentinel_does_not_lead_the_weight(pair: tuple[Forecaster, Forecaster]) -> None:
    """It is clipped before the history is judged, as it is for the networks."""
    values = 50 + 10 * np.sin(STEPS * np.pi / 6) + np.random.default_rng(0).normal(0.0, 0.5, 60)
    spoiled = np.where(STEPS == 50, -9999.0, values)
    blended = BlendedForecaster(*pair, Blend(1.0, 0.05, 1.0))

    clean, clipped = (blended.forecast([Series.make(one, id="a")], 1)[0].median[0] for one in (values, spoiled))

    assert clipped == pytest.approx(clean, abs=1.5)  # 6 without it


def test_numbers_are_the_mean_of_both(pair: tuple[Forecaster, Forecaster]) -> None:
    """Quantiles, intervals and means; a series whose season is clear has the seasonal forecast alone, in one request."""
    series = [Series.make(STEPS, id="line"), Series.make(REPEATED, id="season")]
    request = ForecasterRequest(series, 14, (80.0, 95.0), (0.3,), mean=True)
    seasonal, seasonless = (one.forecast_many([request])[0] for one in pair)

    line, season = BlendedForecaster(*pair, HALF).forecast_many([request])[0]

    for one, two, found, weight in zip(seasonal, seasonless, (line, season), (0.5, 0.0), strict=True):
        assert isinstance(one, Forecast)
        assert isinstance(two, Forecast)
        assert isinstance(found, Forecast)
        assert one.mean is not None
        assert two.mean is not None
        assert_allclose(found.quantiles, (1 - weight) * one.quantiles + weight * two.quantiles)
        assert_allclose(found.median, (1 - weight) * one.median + weight * two.median)
        assert found.mean is not None
        assert_allclose(found.mean, (1 - weight) * one.mean + weight * two.mean)
        assert_allclose(
            found.intervals[1].upper, (1 - weight) * one.intervals[1].upper + weight * two.intervals[1].upper
        )


def test_paths_are_drawn_from_the_mean(pair: tuple[Forecaster, Forecaster]) -> None:
    """With the levels that are asked for, the same for the same seed."""
    blended = BlendedForecaster(*pair, HALF)
    series = [Series.make(STEPS + REPEATED, id="a")]

    plain = blended.forecast(series, 12)[0]
    drawn, again = (blended.forecast(series, 12, sampling=Sampling(paths=400, seed=3))[0] for _ in range(2))

    assert drawn.paths is not None
    assert again.paths is not None
    assert drawn.quantile_levels == plain.quantile_levels
    assert_allclose(drawn.quantiles, plain.quantiles)
    assert np.array_equal(drawn.paths, again.paths)
    inside = (drawn.paths >= plain.intervals[0].lower) & (drawn.paths <= plain.intervals[0].upper)
    assert inside.mean() == pytest.approx(0.8, abs=0.06)


def test_an_error_is_that_of_the_season(pair: tuple[Forecaster, Forecaster]) -> None:
    """A series without values is refused alone; a horizon that is refused refuses each."""
    blended = BlendedForecaster(*pair, HALF)
    series = [Series.make([1.0, *[np.nan] * 80], id="none"), Series.make(STEPS, id="line")]

    none, line = blended.forecast_many([ForecasterRequest(series, 3)])[0]
    refused = blended.forecast_many([ForecasterRequest(series, 0)])[0]

    assert getattr(none, "code", None) == "SERIES_ALL_MISSING"
    assert isinstance(line, Forecast)
    assert [getattr(one, "code", None) for one in refused] == ["HORIZON_INVALID"] * 2


def test_covariates_reach_the_model_that_reads_them(tmp_path: Path) -> None:
    """The other one forecasts without them."""
    names = CovariateNames(("traffic",))
    seasonal = artifact.load(make_artifact(tmp_path / "seasonal", names=names))
    seasonless = artifact.load(make_artifact(tmp_path / "seasonless", shift=10.0))
    series = replace(Series.make(REPEATED, id="a"), past_covariates={"traffic": np.full(60, 4.0)})

    found = BlendedForecaster(seasonal, seasonless, Blend.constant(0.25)).forecast([series], 1)[0]

    assert found.median[0] == pytest.approx(REPEATED[0] + 0.75 * 4.0 + 0.25 * 10.0)


@pytest.mark.parametrize("data", [{}, {"colour": 1}, {"most": 2.0}, {"unknown": "0.5"}, {"low": 1.0, "high": 1.0}])
def test_a_blend_that_is_none_is_refused(data: dict[str, object]) -> None:
    """Wherever it was written."""
    plain = HALF.to_dict() if data else {}

    assert Blend.from_dict(HALF.to_dict()) == HALF
    with pytest.raises(ArtifactIncomplete, match="blend"):
        Blend.from_dict({**plain, **data})
