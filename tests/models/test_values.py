import numpy as np
import pytest

from models.errors import SeriesNotNumeric
from models.values import describe, read_values


def test_nulls_are_gaps() -> None:
    """JSON has no NaN; null says the same."""
    np.testing.assert_array_equal(read_values([1, None, 2.5]), [1, np.nan, 2.5])


def test_whole_numbers_beyond_float64_are_infinite_and_nothing_else_is() -> None:
    """1e400 and 10**400 are one number, and refused as one."""
    np.testing.assert_array_equal(read_values([10**400, None, -(10**400), 3]), [np.inf, np.nan, -np.inf, 3])


@pytest.mark.parametrize("values", [[True], ["1"], [1, [2]], "12", {1: 2}, {1, 2}, None, np.array(["1"]), np.array(5)])
def test_what_numpy_would_take_for_numbers_is_refused(values: object) -> None:
    """True is not 1 and "1" is not a number, though numpy thinks so."""
    with pytest.raises(SeriesNotNumeric):
        read_values(values)


@pytest.mark.parametrize(
    ("value", "said"),
    [("abc", "'abc'"), (None, "null"), (True, "a value of type bool"), ([10**5000], "a value of type list")],
)
def test_a_refused_value_is_described_shortly(value: object, said: str) -> None:
    """However large the value, its description is not."""
    assert describe(value) == said
    assert len(describe("x" * 10**6)) < 50
