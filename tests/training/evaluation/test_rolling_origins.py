from pathlib import Path

import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models import artifact
from models.series import Series
from tests.artifacts import make_artifact
from tests.training.fakes import make_series
from training.evaluation.baselines import BaselineRequest
from training.evaluation.rolling_origins import baselines_over, roll_origins, score_over
from training.evaluation.scores import predict_network, score
from training.progress import Progress


def test_origins_are_a_horizon_apart_and_end_with_the_data(series: list[Series]) -> None:
    """The newest is first; training ends at the oldest, so candidates see none of the held-out points."""
    found = roll_origins(series, 6, season_length=12, wanted=3)

    assert [len(one.histories[0]) for one in found.splits] == [90, 84, 78]
    assert found.cutoff is found.splits[-1]
    for split, end in zip(found.splits, (96, 90, 84), strict=True):
        assert_array_equal(split.targets[0], series[0].values[end - 6 : end])


@pytest.mark.parametrize(
    ("lengths", "count", "note"),
    [
        ((60, 60, 60), 3, ""),
        ((50, 50, 50), 2, "over a third of 50 points"),
        ((60, 60, 17), 2, "the next scores 2 of 3 series"),
        ((20, 20, 20), 1, "over a third of 20 points"),
    ],
)
def test_short_series_get_fewer_origins(lengths: tuple[int, ...], count: int, note: str) -> None:
    """Two thirds of the median series remain for training, and every origin scores about the same series."""
    series = [make_series(str(number), length=length) for number, length in enumerate(lengths)]

    found = roll_origins(series, 6, season_length=12, wanted=3)

    assert len(found.splits) == count
    assert len(found.notes) == bool(note)
    assert note in "".join(found.notes)


def test_a_networks_rows_are_its_series_at_each_origin(series: list[Series], tmp_path: Path) -> None:
    """The errors at the newest origin are first; the predictions are those of the newest origin."""
    origins = roll_origins(series, 6, season_length=12, wanted=2)
    forecaster = artifact.load(make_artifact(tmp_path / "model", horizon=6))

    scores, predictions = score_over(forecaster, origins.splits)

    newest = predict_network(forecaster, origins.splits[0])
    assert scores.ids == ("a", "b", "c", "a", "b", "c")
    assert_allclose(scores.scaled_errors[:3], score(origins.splits[0], newest).scaled_errors)
    assert_allclose(predictions.median, newest.median)


def test_a_sampled_baseline_is_compared_on_its_rows_of_every_origin(series: list[Series], progress: Progress) -> None:
    """Another model is compared with it on the same series at the same origins."""
    origins = roll_origins(series, 6, season_length=12, wanted=2)

    found = baselines_over(origins.splits, BaselineRequest(("seasonal_naive", "auto_theta"), 1), progress)

    theta, naive = found["auto_theta"], found["seasonal_naive"]
    same = theta.same_rows(naive.scores)
    assert len(naive.scores.ids) == 6
    assert same.ids == theta.scores.ids
    assert same.scaled_errors.shape == theta.scores.scaled_errors.shape == (2, 6)
