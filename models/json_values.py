"""JSON values: None for numbers that JSON does not have, and pointers to a place in a document."""

import math
from collections.abc import Mapping
from typing import Any

TOKEN_LENGTH = 60
"""A name in a pointer is cut here, so that a long name in a request does not come back whole."""


def finite_or_none(number: float | None) -> float | None:
    """Return a number as a float, or None if it is NaN, infinite or None."""
    return None if number is None or not math.isfinite(number) else float(number)


def nan_if_none(number: float | None) -> float:
    """Return a number as a float, NaN for None: the way back from `finite_or_none`."""
    return math.nan if number is None else float(number)


def to_json_value(data: Any) -> Any:  # noqa: ANN401 - nested plain data
    """Return nested plain data with tuples as lists, keys as text, and None for NaN and infinite numbers."""
    if isinstance(data, Mapping):
        return {str(key): to_json_value(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [to_json_value(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def json_pointer(*tokens: str | int) -> str:
    """Return a JSON pointer (RFC 6901) from names and indices: `a/b`, 3 gives `/a~1b/3`."""
    return "".join(f"/{str(token)[:TOKEN_LENGTH].replace('~', '~0').replace('/', '~1')}" for token in tokens)
