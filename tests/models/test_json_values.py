import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.json_values import TOKEN_LENGTH, finite_or_none, json_pointer, nan_if_none, to_json_value

DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, None])
def test_what_json_does_not_have_is_none_and_comes_back_as_nan(number: float | None) -> None:
    """NaN, infinity and None are None; None is NaN on the way back."""
    assert finite_or_none(number) is None
    assert math.isnan(nan_if_none(finite_or_none(number)))
    assert nan_if_none(finite_or_none(1.5)) == 1.5


@given(DATA)
def test_any_plain_data_can_be_written_as_json(data: object) -> None:
    """Strict JSON takes the result, and what was finite stays as it was."""
    assert json.loads(json.dumps(to_json_value(data), allow_nan=False)) == to_json_value(data)


def test_nested_data_loses_only_its_nonfinite_numbers() -> None:
    """A tuple becomes a list, a key text; other values stay."""
    assert to_json_value({1: (math.nan, 2.0, "x"), "b": [{"c": math.inf}]}) == {
        "1": [None, 2.0, "x"],
        "b": [{"c": None}],
    }


@pytest.mark.parametrize(
    ("tokens", "pointer"),
    [
        ((), ""),
        (("series", 3), "/series/3"),
        (("a/b~c",), "/a~1b~0c"),
        (("",), "/"),
        (("x" * 999,), "/" + "x" * TOKEN_LENGTH),
    ],
)
def test_a_pointer_escapes_its_names(tokens: tuple[str | int, ...], pointer: str) -> None:
    """Slash and tilde are escaped, a long name is cut."""
    assert json_pointer(*tokens) == pointer
