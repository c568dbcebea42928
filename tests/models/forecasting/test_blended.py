"""Blended forecaster: how much a history says for a season, and the mean of two forecasts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models import artifact
from models.covariates import CovariateNames
from models.errors import ArtifactIncomplete, SeriesAllMissing
from models.forecast import Forecast
from models.forecaster import Floats, Forecaster
from models.forecasting.blended import BlendedForecaster
from models.forecasting.request import ForecasterRequest
from models.forecasting.sampling import Sampling
from models.forecasting.season_blend import Blend, line_share, season_ratios
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


def ratio(values: Floats, season: int) -> float:
    """Return the ratio of one history."""
    return season_ratios([values], season).item()


def test_the_ratio_tells_seasons_from_trends_and_noise() -> None:
    """A season that repeats is 0, also on a trend and in quarters; noise is about 1, a random walk more; a line is unknown."""
    noise = np.random.default_rng(0).normal(size=30_000)

    assert ratio(REPEATED, 12) == ratio(100 * STEPS + REPEATED, 12) == 0.0
    assert ratio(np.tile(REPEATED[:13], 16), 52) == 0.0
    assert ratio(noise, 10_000) == pytest.approx(1.0, abs=0.05)
    assert ratio(np.cumsum(noise), 500) > 1.2
    assert ratio(REPEATED[:16], 12) == 0.0
    assert np.isnan([ratio(one, 12) for one in (REPEATED[:15], STEPS, np.full(60, 7.0), np.full(60, np.nan))]).all()


@pytest.mark.parametrize("season", [4, 7, 12])
def test_ratios_of_many_histories_are_those_of_each(season: int) -> None:
    """By a plain definition, whatever their lengths and gaps; a history with infinite changes has none."""
    generator = np.random.default_rng(0)
    histories = [generator.normal(size=length).cumsum() for length in (3, 14, 15, 16, 17, 35, 36, 37, 200)]
    gappy = [np.where(generator.random(len(one)) < 0.2, np.nan, one) for one in histories]
    together = [*histories, *gappy, np.tile([1e308, -1e308], 30)]

    found = season_ratios(together, season)

    assert_allclose(found, [plain_ratio(one, season) for one in together], rtol=1e-12)
    assert np.isfinite(found[[4, -2]]).all()


def plain_ratio(values: Floats, season: int) -> float:
    """Return the ratio of one history as its definition says it."""
    newest = values[-3 * season :]

    def spread(lag: int) -> float:
        with np.errstate(over="ignore"):
            changes = newest[lag:] - newest[:-lag]
        known = sorted(changes[np.isfinite(changes)].tolist())
        return np.abs(np.array(known) - known[len(known) // 2]).mean() if len(known) >= 3 else np.nan

    if len(newest) <= season + season // 4:
        return np.nan
    parts = (season // 4, season // 3, 3 * season // 8)
    over_part = float(np.fmax.reduce([spread(max(part, 1)) for part in parts]))
    return spread(season) / over_part if over_part > 0 else np.nan


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
    blend = Blend(0.6, 1.0, 7.0, unknown=0.2, lines=True)

    assert Blend(0.6, 0.5, 1.5).weights([noise], 10_000) == pytest.approx(0.3, abs=0.03)
    assert Blend(0.6, 0.5, 0.8).weights([noise], 10_000) == 0.6
    assert blend.weights([REPEATED, REPEATED[:12], STEPS, STEPS[:12]], 12).tolist() == [0.0, 0.2, 1.0, 1.0]
    assert blend.weights([], 12).shape == (0,)


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


def test_many_series_are_mixed_as_each_is_alone(
    pair: tuple[Forecaster, Forecaster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one pass and in several, beside a request with other levels, and beside a series whose other forecast is refused."""
    blended = BlendedForecaster(*pair, HALF)

    def refuse(series: Series) -> None:
        if series.id == "8":
            raise SeriesAllMissing("")

    monkeypatch.setattr(pair[1], "check", refuse)
    series = [Series.make(STEPS * at + REPEATED * (at % 3), id=str(at)) for at in range(1, 300)]
    requests = [ForecasterRequest(series, 14), ForecasterRequest(series[:5], 3, (50.0,), mean=True)]

    outcomes = blended.forecast_many(requests)

    for request, part in zip(requests, outcomes, strict=True):
        for one, found in zip(request.series, part, strict=True):
            (alone,) = blended.forecast_many([replace(request, series=[one])])[0]
            assert isinstance(found, Forecast)
            assert isinstance(alone, Forecast)
            assert_allclose(found.quantiles, alone.quantiles)
            assert_allclose(found.intervals[0].upper, alone.intervals[0].upper)
            assert (found.mean is None) == (alone.mean is None) == (not request.mean)
    refused = outcomes[0][7]
    assert isinstance(refused, Forecast)
    assert_allclose(refused.median, pair[0].forecast([series[7]], 14)[0].median)


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
