import numpy as np
import pytest

from models.errors import ConfigInvalid, DataInvalid
from models.series import Series
from tests.training.fakes import make_series
from training.data import holdout
from training.data.holdout import Cutoff


def test_what_is_held_out_is_not_in_the_histories(series: list[Series]) -> None:
    """Histories end at the cutoff, targets begin there."""
    split = holdout.hold_out(series, 12, season_length=12)

    for one, history, target in zip(series, split.histories, split.targets, strict=True):
        np.testing.assert_array_equal(np.concatenate([history.values, target]), one.values)


def test_each_further_origin_lies_a_horizon_earlier(series: list[Series]) -> None:
    """The second block ends where the first begins."""
    split = holdout.hold_out(series, 12, season_length=12, blocks=2)

    np.testing.assert_array_equal(split.targets[0], series[0].values[-24:-12])
    assert len(split.histories[0]) == len(series[0]) - 24


def test_series_without_scale_are_dropped_and_counted(series: list[Series]) -> None:
    """A constant, a too short and an unobserved series are not scored; the constant one may still be learnt from."""
    constant = Series.make([5.0] * 96, id="constant", start="2000-01-01", frequency="M")
    short = Series.make([1.0] * 12, id="short", start="2000-01-01", frequency="M")
    silent = Series.make([*make_series().values[:84], *[None] * 12], id="silent", start="2000-01-01", frequency="M")

    split = holdout.hold_out([*series, constant, short, silent], 12, season_length=12)

    assert [one.id for one in split.scored_histories] == ["a", "b", "c"]
    assert split.dropped == 3
    assert split.left_out == {
        "constant": "its values repeat themselves, so errors have no scale",
        "short": "too short: 12 points, 12 held out",
        "silent": "nothing observed in the held-out points",
    }
    assert holdout.describe_left_out(split)[0].detail.startswith("3 of 6 series: constant (its values repeat")
    assert "constant" in [one.id for one in split.histories]


def test_nothing_to_score_is_refused() -> None:
    """Series no longer than the horizon cannot be backtested, and the error says so in numbers."""
    with pytest.raises(DataInvalid, match="too short: 12 points, 12 held out"):
        holdout.hold_out([make_series(length=12)], 12, season_length=12)


def test_constant_series_are_not_told_to_be_longer() -> None:
    """Where each repeats itself only others help; beside short ones length may help too."""
    constant = Series.make([5.0] * 96, id="constant", start="2000-01-01", frequency="M")

    with pytest.raises(DataInvalid) as alone:
        holdout.hold_out([constant], 12, season_length=12)
    with pytest.raises(DataInvalid) as mixed:
        holdout.hold_out([constant, make_series(length=12)], 12, season_length=12)

    assert alone.value.hint == "Give series that vary."
    assert mixed.value.hint == "Give longer series that vary, or a shorter horizon."


def test_series_left_out_are_counted_past_the_first_three(series: list[Series]) -> None:
    """Many short series of a file are one line."""
    short = [make_series(f"s{number}", length=9 + number) for number in range(5)]

    (finding,) = holdout.describe_left_out(holdout.hold_out([*series, *short], 12, season_length=12))

    assert finding.detail.startswith("5 of 8 series: s0 (too short: 9 points, 12 held out)")
    assert finding.detail.endswith("and 2 more.")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("1999", "2000-01-01"),
        ("1999-12", "2000-01-01"),
        ("1999-12-31", "2000-01-01"),
        ("1999-12-31T06", "1999-12-31T07"),
    ],
)
def test_a_cutoff_holds_the_whole_of_what_is_written(text: str, end: str) -> None:
    """A year ends with its December, a month with its last day, an hour with its last minute."""
    assert Cutoff.parse(text).end == np.datetime64(end, "us")


@pytest.mark.parametrize("text", ["", "soon", "31.12.1999", "1999-13", "1999-02-30", "now", "NaT"])
def test_a_cutoff_that_is_no_date_is_refused(text: str) -> None:
    """The error repeats what was given and shows how dates are written."""
    with pytest.raises(ConfigInvalid, match="1999-12-31") as caught:
        Cutoff.parse(text)

    assert repr(text) in str(caught.value)


def test_a_date_cuts_every_series_there(series: list[Series]) -> None:
    """Series that begin and end at different times have their last training month in common."""
    late = make_series("late", length=60, start="2004-01-01")
    long = make_series("long", length=200)

    split = holdout.hold_out([*series, late, long], 12, season_length=12, cutoff=Cutoff.parse("2006-06"))

    assert {str(one.timestamps[-1])[:7] for one in split.histories if one.timestamps is not None} == {"2006-06"}
    np.testing.assert_array_equal(split.targets[3], late.values[30:42])
    np.testing.assert_array_equal(split.targets[4], long.values[78:90])


def test_each_origin_before_a_date_lies_a_horizon_earlier_for_all(series: list[Series]) -> None:
    """A series that ends before the date but past an earlier origin is scored there, at the same date as the others."""
    early = make_series("early", length=70)

    second = holdout.hold_out([*series, early], 12, season_length=12, blocks=2, cutoff=Cutoff.parse("2006-06"))

    assert {len(one) for one in second.histories} == {66}
    assert second.left_out == {"early": "does not reach: has 4 of 12 points after the cutoff"}
    third = holdout.hold_out([*series, early], 12, season_length=12, blocks=3, cutoff=Cutoff.parse("2006-06"))
    np.testing.assert_array_equal(third.targets[3], early.values[54:66])


def test_series_that_do_not_reach_past_a_date_are_learned_from_but_not_scored(series: list[Series]) -> None:
    """One that ended before it stays in the training, one that begins after it is nowhere, and both are counted."""
    ended = make_series("ended", length=40)
    begun = make_series("begun", length=60, start="2007-01-01")

    split = holdout.hold_out([*series, ended, begun], 12, season_length=12, cutoff=Cutoff.parse("2006-06-30"))

    assert [one.id for one in split.histories] == ["a", "b", "c", "ended"]
    assert [one.id for one in split.scored_histories] == ["a", "b", "c"]
    assert split.left_out["begun"] == "begins after the cutoff"
    assert split.dropped == 2


def test_a_date_that_no_series_reaches_past_is_refused(series: list[Series]) -> None:
    """The error names the date."""
    with pytest.raises(DataInvalid, match=r"after 2007-06.*another cutoff"):
        holdout.hold_out(series, 12, season_length=12, cutoff=Cutoff.parse("2007-06"))
