import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from models.covariates import CovariateNames
from models.errors import CovariateLength, CovariateMissing, CovariateNotNumeric, CovariateUnknown, SeriesError
from models.series import Series

VALUES = [1.0, 2.0, 3.0]
NAMES = CovariateNames(past=("traffic",), future=("price", "holidays_DE"), holidays=("DE",))


def make(**more: Any) -> Series:  # noqa: ANN401 - any argument of Series.make
    """Return three days with covariates."""
    return Series.make(VALUES, start="2024-01-01", frequency="D", **more)


REFUSED: list[tuple[dict[str, Any], type[SeriesError], str]] = [
    ({"past_covariates": {"price": [1, 2]}}, CovariateLength, "/past_covariates/price"),
    ({"future_covariates": {"price": [1, 2, 3]}}, CovariateLength, "/future_covariates/price"),
    ({"past_covariates": {"price": [1, 2, "3"]}}, CovariateNotNumeric, "/past_covariates/price/2"),
    ({"past_covariates": {"price": [1, True, 3]}}, CovariateNotNumeric, "/past_covariates/price/1"),
    ({"past_covariates": {"a/b~c": "123"}}, CovariateNotNumeric, "/past_covariates/a~1b~0c"),
    ({"past_covariates": {"price": [1, math.inf, 3]}}, CovariateNotNumeric, "/past_covariates/price/1"),
    ({"past_covariates": [1, 2, 3]}, CovariateNotNumeric, "/past_covariates"),
    ({"future_covariates": {"price": [[1], [2]]}}, CovariateNotNumeric, "/future_covariates/price/0"),
]


@pytest.mark.parametrize(("fields", "error", "pointer"), REFUSED)
def test_covariates_that_are_no_lists_of_numbers_are_refused(
    fields: dict[str, Any], error: type[SeriesError], pointer: str
) -> None:
    """Each with its narrowest error, the place in the request and a remedy."""
    with pytest.raises(error) as caught:
        make(**fields, horizon=2)

    assert caught.value.pointer == pointer
    assert caught.value.hint


def test_a_series_without_covariates_has_none() -> None:
    """Both mappings are there, and empty."""
    assert dict(make().past_covariates) == {}
    assert dict(make().future_covariates) == {}


def test_null_and_nan_are_unknown() -> None:
    """They are kept as NaN, at their places."""
    series = make(past_covariates={"price": [None, 1, math.nan]}, future_covariates={"price": [2, None]}, horizon=2)

    assert_array_equal(series.past_covariates["price"], [math.nan, 1, math.nan])
    assert_array_equal(series.future_covariates["price"], [2, math.nan])


def test_a_future_list_may_begin_with_the_history() -> None:
    """Of the length of values and horizon it is split; a history that was sent by itself counts."""
    whole = {"price": [1, 2, 3, 4, 5]}

    alone = make(future_covariates=whole, horizon=2)
    beside = make(past_covariates={"price": [7, 8, 9]}, future_covariates=whole, horizon=2)

    assert_array_equal(alone.past_covariates["price"], [1, 2, 3])
    assert_array_equal(beside.past_covariates["price"], [7, 8, 9])
    for series in (alone, beside):
        assert_array_equal(series.future_covariates["price"], [4, 5])


def test_covariates_lie_on_the_grid_of_their_values() -> None:
    """Where a timestamp is missing, a covariate is unknown as the value is."""
    stamps = ["2024-01-01", "2024-01-02", "2024-01-04"]

    series = Series.make(VALUES, timestamps=stamps, frequency="D", past_covariates={"price": [7, 8, 9]})

    assert_array_equal(series.past_covariates["price"], [7, 8, math.nan, 9])


def test_covariates_cannot_be_changed() -> None:
    """Neither from outside nor through the series, nor after a journey to another process."""
    given = np.array([1.0, 2.0, 3.0])
    series = make(past_covariates={"price": given})
    given[0] = 9.0

    there = pickle.loads(pickle.dumps(series))  # noqa: S301 - our own bytes

    for one in (series, there):
        assert_array_equal(one.past_covariates["price"], [1, 2, 3])
        assert_array_equal(one.values, VALUES)
        assert one.start == series.start
        held: Any = one.past_covariates
        with pytest.raises(TypeError):
            held["price"] = given
        with pytest.raises(ValueError, match="read-only"):
            one.past_covariates["price"][0] = 9.0


def test_a_change_of_units_leaves_covariates_as_they_are() -> None:
    """They have units of their own."""
    series = make(past_covariates={"price": [7, 8, 9]}) * 2.0 + 1.0

    assert_array_equal(series.past_covariates["price"], [7, 8, 9])


@given(st.integers(2, 20), st.integers(0, 5), st.data())
def test_before_a_cutoff_only_what_is_known_ahead_is_known(length: int, more: int, data: st.DataObject) -> None:
    """Later values of a covariate known ahead are its future; those of any other are gone."""
    cutoff = data.draw(st.integers(1, length))
    steps = np.arange(length + more, dtype=np.float64)
    series = Series.make(
        np.ones(length),
        past_covariates={"traffic": steps[:length], "price": steps[:length]},
        future_covariates={"price": steps[length:], "late": np.ones(more)},
    )

    history = series.before(cutoff)

    assert set(history.future_covariates) == {"price", "late"}
    assert_array_equal(history.past_covariates["traffic"], steps[:cutoff])
    assert_array_equal(history.past_covariates["price"], steps[:cutoff])
    assert_array_equal(history.future_covariates["price"], steps[cutoff:])
    assert_array_equal(history.future_covariates["late"], [*[math.nan] * (length - cutoff), *[1.0] * more])


def test_every_covariate_that_a_model_reads_must_be_given() -> None:
    """Holidays are counted, a history may be unknown; else what is lacking is named, with its place."""
    price, traffic = {"price": np.ones(2)}, {"traffic": np.ones(3)}

    NAMES.check(traffic, price)

    with pytest.raises(CovariateMissing, match="'traffic'") as past:
        NAMES.check({}, price)
    with pytest.raises(CovariateMissing, match="'price'") as future:
        NAMES.check({**traffic, "price": np.ones(3)}, {})
    assert past.value.pointer == "/past_covariates/traffic"
    assert future.value.pointer == "/future_covariates/price"


@pytest.mark.parametrize(
    ("past", "future", "pointer", "hint"),
    [
        ("trafic", "price", "/past_covariates/trafic", "Did you mean 'traffic'"),
        ("weather", "price", "/past_covariates/weather", "Known in past_covariates: traffic, price."),
        ("traffic", "traffic", "/future_covariates/traffic", "past_covariates"),
        ("traffic", "x" * 999, "/future_covariates/" + "x" * 60, "Known in future_covariates"),
    ],
)
def test_a_covariate_that_a_model_does_not_read_is_refused(past: str, future: str, pointer: str, hint: str) -> None:
    """A slip that is swallowed would be a wrong answer later: the nearest name is shown, long ones are cut."""
    with pytest.raises(CovariateUnknown) as caught:
        NAMES.check({past: np.ones(3)}, {future: np.ones(2)})

    assert caught.value.pointer == pointer
    assert hint in caught.value.hint
    assert len(caught.value.detail) < 200


def test_a_model_without_covariates_refuses_any() -> None:
    """And says that it takes none."""
    with pytest.raises(CovariateUnknown, match="has no past_covariates"):
        CovariateNames().check({"price": np.ones(3)}, {})


@pytest.mark.parametrize("kind", ["past_covariates", "future_covariates"])
def test_holidays_are_not_taken_from_a_request(kind: str) -> None:
    """They are counted: a column of that name must not replace the count."""
    given = {"past_covariates": {"traffic": np.zeros(3)}, "future_covariates": {"price": np.zeros(2)}}
    given[kind]["holidays_DE"] = np.zeros(3)

    with pytest.raises(CovariateUnknown, match=r"'holidays_DE' is counted from the dates.*Leave it out") as refusal:
        NAMES.check(given["past_covariates"], given["future_covariates"])

    assert refusal.value.pointer == f"/{kind}/holidays_DE"
