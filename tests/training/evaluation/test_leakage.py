from models.series import Series
from tests.training.fakes import make_series
from training.evaluation.leakage import SeenData, ends_of, new_rows, unseen_by
from training.evaluation.rolling_origins import roll_origins


def test_an_origin_is_new_to_a_model_trained_before_it(series: list[Series]) -> None:
    """The month after the last training month is new; without a date nothing is."""
    origins = roll_origins(series, 6, season_length=12, wanted=3)

    counts = [
        len(unseen_by(origins, SeenData(date)))
        for date in ("2006-06-01", "2006-07-01", "2007-06-01", "2007-07-01", None)
    ]

    assert counts == [3, 2, 1, 0, 0]
    assert new_rows(origins.splits[0], SeenData("2007-06-01")).all()


def test_each_series_is_new_after_its_own_end(series: list[Series]) -> None:
    """Training data of a longer series do not make the block of a shorter one seen; an unknown series is new."""
    old = make_series("old", length=96, start="1930-01-01")
    cutoff = roll_origins([*series, old], 6, season_length=12, wanted=2).cutoff

    by_date, by_series = SeenData("2006-12-01"), SeenData("2006-12-01", ends_of(cutoff.histories))

    assert new_rows(cutoff, by_date).tolist() == [True, True, True, False]
    assert new_rows(cutoff, by_series).all()
    assert new_rows(cutoff, SeenData(None, {"a": "2007-01-01"})).tolist() == [False, True, True, True]
