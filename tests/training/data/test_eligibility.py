import numpy as np
import pytest

from models.errors import DataInvalid
from models.series import Series
from training.data.eligibility import describe_validated
from training.data.window_sampling import make_dataset

SEASON = 12


def ended(months: int, length: int = 90) -> Series:
    """Return a series that ended so many months before February 2020."""
    start = np.datetime64("2020-03", "M") - months - length
    return Series.make(np.arange(float(length)), start=str(start), frequency="M")


def refusal(*values: np.ndarray) -> DataInvalid:
    """Return the error of series that make no data set."""
    series = [Series.make(one, id=str(at), start="1990-03", frequency="M") for at, one in enumerate(values)]
    with pytest.raises(DataInvalid) as caught:
        make_dataset(series, context_length=24, season_length=SEASON, horizon=6)
    return caught.value


def test_series_that_repeat_themselves_are_not_called_short() -> None:
    """Long enough, they have no scale before what is held out; what varies lately needs more of it."""
    late = np.where(np.arange(90) < 89, 5.0, 6.0)

    error = refusal(np.full(90, 7.0), late)

    assert "repeat themselves before what is held out, so errors have no scale: 2." in error.detail
    assert error.hint == "Send series that vary, and more of those that began to vary late."


def test_series_that_are_short_are_told_how_long_to_be() -> None:
    """In points, the longest beside them."""
    error = refusal(np.arange(18.0), np.full(15, 7.0))

    assert "fewer than 19 points, 6 of them to hold out (the longest has 18): 2." in error.detail
    assert error.hint == "Send longer series or ask for a shorter horizon."


def test_every_reason_is_counted_and_has_its_remedy() -> None:
    """A short, a constant and a gappy series are three causes and three hints."""
    rare = np.full(90, np.nan)
    rare[[0, 1, -40]] = 1.0, 2.0, 3.0

    error = refusal(np.arange(5.0), np.full(90, 7.0), rare)

    assert error.detail.startswith("None of 3 series can be validated on: fewer than 19 points")
    assert error.detail.count(": 1") == 3
    assert error.hint.count("Send ") == 3


def test_that_most_series_ended_is_told() -> None:
    """In figures; where they end together there is nothing to tell."""
    few = [*(ended(10 * row) for row in range(5)), ended(0, 8)]

    (finding,) = describe_validated(few, 6, SEASON)

    assert finding.code == "SERIES_ENDED"
    assert finding.detail.startswith("2 of 5 series reach the newest 12 steps, so validation is on all")
    assert describe_validated([ended(0), ended(3)], 6, SEASON) == ()


def test_that_validation_is_on_those_that_go_on_is_told() -> None:
    """On as many as the data set validates on, of those that are long enough; a few that ended are not worth a word."""
    series = [*(ended(0) for _ in range(37)), ended(40), ended(40), ended(0, 8)]

    (finding,) = describe_validated(series, 6, SEASON)
    dataset = make_dataset(series, context_length=24, season_length=SEASON, horizon=6)

    assert finding.code == "VALIDATION_CURRENT"
    assert finding.detail.startswith(
        "Validation is on 37 of 39 series, those that reach the newest 12 steps: the other 2"
    )
    assert len(set(dataset.rows.tolist())) == 37
    assert describe_validated([ended(0)] * 39 + [ended(40)], 6, SEASON) == ()


def test_of_series_that_are_all_too_short_nothing_is_told() -> None:
    """What refuses them says enough."""
    assert describe_validated([ended(0, 8)], 6, SEASON) == ()
