"""JSON input: what all bodies share."""

import pytest

from service.errors import JsonInvalid
from service.json_input import parse_object


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": [1, {"b": 1, "b": 2}]}',
        b'{"a" : 1, "b": "\\":", "a": 2}',
        b'{"a":1, "\\u0061":2}',
        b'{"x\\\\":1, "x\\\\":2}',
        b'{"s": "\\":", "a" :1, "a":2, "c" : NaN}',
    ],
)
def test_a_name_that_occurs_twice_in_an_object_is_refused(body: bytes) -> None:
    """Only one of the values would count."""
    with pytest.raises(JsonInvalid, match="2 times"):
        parse_object(body, "Send it.", allow_inf_nan=True)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": [{"b": 1}, {"b": 2}], "b": null}',
        b'{"a": "\\":\\":", "b" : [1, "c\\": 1"], "c": ": "}',
        b'{"x\\\\": 1, "x": {}}',
        b'{"a" : ' + b"1" * 4000 + b"}",
    ],
)
def test_a_name_may_occur_in_several_objects_and_in_texts(body: bytes) -> None:
    """Whatever the spaces around colons and the quotes in texts."""
    assert parse_object(body, "Send it.", allow_inf_nan=True)
