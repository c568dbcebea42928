"""A starter in a training is blended with the one without a season, as the shipped one is."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models import artifact, starters
from models.calendar.frequency import Frequency
from models.forecaster import Forecaster
from models.forecasting.season_blend import Blend
from models.series import Series
from tests.training.fakes import make_request, make_series
from tests.training.starters import HORIZON, make_starter
from training.config.fit import FitConfig
from training.fit import fine_tuning
from training.fit.candidate import Candidate, TrainingSet
from training.fit.candidate_files import save_candidate
from training.fit.factory import make_candidate

CONFIG = FitConfig(max_seconds=86_400, batch_size=8, max_steps=9, steps_per_epoch=2, transform="none", tuned_share=0.0)
"""No step of tuning."""

BLEND = Blend(0.8, 0.0, 1.0, unknown=0.3)


@pytest.fixture(scope="module", autouse=True)
def _here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take tiny starters for the shipped ones, the one without a season of a shorter horizon, and blend them."""
    root = tmp_path_factory.mktemp("starters")
    make_starter(root, "M")
    make_starter(root, "Y", horizon=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starters, "FOLDER", root)
        patch.setattr(starters, "BLENDS", {"M": BLEND})
        yield


def make(directory: Path, architecture: str, series: list[Series], **changes: Any) -> Candidate:  # noqa: ANN401
    """Return a candidate for the starter's horizon."""
    training_set = TrainingSet(series, "M", HORIZON, "digest", start=changes.pop("start", None))
    config = replace(CONFIG, **changes)
    return make_candidate(make_request(directory, training_set, architecture=architecture, config=config))


def shipped() -> Forecaster:
    """Return the starter as it is served."""
    return starters.load_starter(Frequency("M"))


@pytest.mark.parametrize("architecture", ["starter", "starter_tuned"])
def test_a_starter_forecasts_what_the_shipped_one_does(architecture: str, tmp_path: Path) -> None:
    """As it is stored, and on its validation origins; weights are of both kinds, between 0 and the largest."""
    series = [make_series("a", length=60), make_series("b", length=60, seed=1)]
    series.append(series[0].with_values(50.0 + np.random.default_rng(0).normal(size=60), "noise"))

    made = make(tmp_path / "made", architecture, series)

    stored = artifact.load(made.directory).forecast(series, HORIZON)
    alone = artifact.load(starters.FOLDER / "M").forecast(series, HORIZON)
    for one, two, plain in zip(stored, shipped().forecast(series, HORIZON), alone, strict=True):
        assert_allclose(one.median, two.median, rtol=1e-5)
        assert np.abs(one.median / plain.median - 1).max() > 1e-3
    validation = made.forecasts
    assert validation is not None
    places = zip(validation.rows.tolist(), validation.cutoffs.tolist(), validation.median, strict=True)
    for row, cutoff, median in list(places)[::7]:
        assert_allclose(median, shipped().forecast([series[row].before(cutoff)], HORIZON)[0].median, rtol=1e-5)


def test_without_validation_intervals_are_the_shipped_ones_too(tmp_path: Path) -> None:
    """Series are too short."""
    short = [make_series("a", length=9)]

    made = make(tmp_path / "made", "starter", short)

    (one,), (two,) = made.forecaster.forecast(short, HORIZON), shipped().forecast(short, HORIZON)
    assert_allclose(one.quantiles, two.quantiles, rtol=1e-5)


def test_tuning_is_chosen_by_the_blend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much a network learns, without a weight it gains nothing."""
    tried = list[fine_tuning.Blend]()
    monkeypatch.setattr(starters, "BLENDS", {"M": Blend.constant(1.0)})

    def choose(blends: Sequence[fine_tuning.Blend]) -> fine_tuning.Blend:
        tried.extend(blends)
        return blends[0]

    monkeypatch.setattr(fine_tuning, "choose_blend", choose)

    make(tmp_path / "made", "starter_tuned", [make_series("a", length=60)], tuned_share=None)

    assert [one.share for one in tried] == [0.0, 0.5, 1.0]
    assert len({one.error for one in tried}) == 1


def test_a_blended_champion_stays_blended(tmp_path: Path) -> None:
    """Tuned from where its run has kept it."""
    series = [make_series("a", length=60), make_series("b", length=60, seed=1)]
    champion = save_candidate(make(tmp_path / "starter", "starter", series), tmp_path / "champion")

    warm = make(tmp_path / "warm", "warm_start", series, start=champion)

    assert_allclose(
        warm.forecaster.forecast(series, HORIZON)[0].median, shipped().forecast(series, HORIZON)[0].median, rtol=1e-5
    )
