"""Several origins of one held-out block: what is before the oldest is all that a candidate sees."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models import artifact
from models.series import Series
from tests.artifacts import make_artifact
from tests.training.fakes import make_series
from training.evaluation.baselines import BaselineWish
from training.evaluation.leakage import SeenData, ends_of, new_rows, unseen_by
from training.evaluation.rolling_origins import baselines_over, roll_origins, score_over
from training.evaluation.scores import predict_network, score
from training.progress import Progress


def roll(series: list[Series], wanted: int = 3, horizon: int = 6) -> tuple[int, tuple[str, ...]]:
    """Return how many origins there are, and why not more."""
    found = roll_origins(series, horizon, season_length=12, wanted=wanted)
    return len(found.splits), found.notes


def test_origins_are_a_horizon_apart_and_end_with_the_data(series: list[Series]) -> None:
    """The newest first; none of their points is in what lies before the oldest."""
    found = roll_origins(series, 6, season_length=12, wanted=3)

    assert [len(one.histories[0]) for one in found.splits] == [90, 84, 78]
    assert found.cutoff is found.splits[-1]
    assert_array_equal(np.concatenate([one.targets[0] for one in reversed(found.splits)]), series[0].values[-18:])


@pytest.mark.parametrize(
    ("lengths", "count", "why"),
    [
        ((60, 60, 60), 3, ""),
        ((50, 50, 50), 2, "over a third of 50 points"),
        ((60, 60, 17), 2, "the next scores 2 of 3 series"),
        ((20, 20, 20), 1, "over a third of 20 points"),
    ],
)
def test_short_series_get_fewer_origins_and_are_told(lengths: tuple[int, ...], count: int, why: str) -> None:
    """Two thirds of the median series stay to be learned from, and every origin is of about the same series."""
    series = [make_series(str(place), length=length) for place, length in enumerate(lengths)]

    found, notes = roll(series)

    assert found == count
    assert len(notes) == (1 if why else 0)
    assert why in "".join(notes)


def test_an_origin_is_new_to_a_model_that_ended_before_it(series: list[Series]) -> None:
    """By half the series or more, from the newest origin back; the last month seen is not new, the next one is."""
    origins = roll_origins(series, 6, season_length=12, wanted=3)

    counts = [
        len(unseen_by(origins, SeenData(date)))
        for date in ("2006-06-01", "2006-07-01", "2007-06-01", "2007-07-01", None)
    ]

    assert counts == [3, 2, 1, 0, 0]
    assert new_rows(origins.splits[0], SeenData("2007-06-01")).all()


def test_series_that_end_apart_are_each_judged_by_their_own_end(series: list[Series]) -> None:
    """What is seen of a series that goes on says nothing of one that ended long before; an unknown series is new."""
    old = make_series("old", length=96, start="1930-01-01")
    origins = roll_origins([*series, old], 6, season_length=12, wanted=2)
    ends = ends_of(origins.cutoff.histories)

    by_date, by_series = SeenData("2006-12-01"), SeenData("2006-12-01", ends)

    assert new_rows(origins.cutoff, by_date).tolist() == [True, True, True, False]
    assert new_rows(origins.cutoff, by_series).all()
    assert new_rows(origins.cutoff, SeenData(None, {"a": "2007-01-01"})).tolist() == [False, True, True, True]


def test_rows_are_series_at_each_origin(series: list[Series], tmp_path: Path) -> None:
    """A network's errors over all origins are those at each, one below the other, each by its series."""
    origins = roll_origins(series, 6, season_length=12, wanted=2)
    forecaster = artifact.load(make_artifact(tmp_path / "model", horizon=6))

    scores, predictions = score_over(forecaster, origins.splits)

    newest = predict_network(forecaster, origins.splits[0])
    assert scores.ids == ("a", "b", "c", "a", "b", "c")
    assert_allclose(scores.scaled_errors[:3], score(origins.splits[0], newest).scaled_errors)
    assert_allclose(predictions.median, newest.median)


def test_a_sampled_baseline_stands_on_its_own_rows_at_every_origin(series: list[Series], progress: Progress) -> None:
    """Another model is compared with it on the same series and the same origins."""
    origins = roll_origins(series, 6, season_length=12, wanted=2)
    wish = BaselineWish(("seasonal_naive", "auto_theta"), 1)

    found = baselines_over(origins.splits, wish, progress)

    theta, naive = found["auto_theta"], found["seasonal_naive"]
    same = theta.same_rows(naive.scores)
    assert len(naive.scores.ids) == 6
    assert same.ids == theta.scores.ids
    assert same.scaled_errors.shape == theta.scores.scaled_errors.shape == (2, 6)
