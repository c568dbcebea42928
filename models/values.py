"""Values: numbers from any source, read into float64."""

import reprlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.errors import SeriesAllMissing, SeriesEmpty, SeriesInfinite, SeriesNotNumeric

Values = NDArray[np.float64]
"""Shape (length,), the series' units, oldest first; NaN is a gap."""

_NUMBERS = (float, int, np.floating, np.integer)
_PLAIN = {float, int, type(None)}


def read_values(values: object) -> Values:
    """Return the values as a new float64 array, None as NaN, shape (length,).

    Raises:
        SeriesNotNumeric: If they are not a flat sequence of numbers; true, false and text are not numbers.
    """
    if isinstance(values, (list, tuple)):
        return _numbers_of_list(values)
    if isinstance(values, np.ndarray) or hasattr(values, "__array__"):
        array = np.asarray(values)
        if array.ndim == 1 and array.dtype.kind in "fiu":
            return array.astype(np.float64)
        if array.ndim == 1 and array.dtype.kind == "O":
            return _numbers_of_list(array.tolist())
        raise _not_numeric(f"an array of {array.ndim} dimensions and type {array.dtype}", "/values")
    if isinstance(values, Sequence) and not isinstance(values, (str, bytes)):
        return _numbers_of_list(list(values))
    raise _not_numeric(describe(values), "/values")


def all_finite(numbers: Values) -> bool:
    """Return whether no number is NaN or infinite; any shape."""
    return bool(np.count_nonzero(np.isfinite(numbers)) == numbers.size)  # all() takes thrice as long


def check_values(values: Values) -> None:
    """Refuse values that cannot be a series.

    Raises:
        SeriesNotNumeric: If they are not flat.
        SeriesEmpty: If there are none.
        SeriesAllMissing: If all are NaN.
        SeriesInfinite: If one is infinite.
    """
    if values.ndim != 1:
        raise _not_numeric(f"an array of {values.ndim} dimensions", "/values")
    if not values.size:
        raise SeriesEmpty("The series has no values.", pointer="/values", hint="Send at least one number.")
    if all_finite(values):
        return
    if np.isnan(values).all():
        raise SeriesAllMissing("Every value is missing.", pointer="/values", hint="Send at least one number.")
    if np.isinf(values).any():
        index = int(np.argmax(np.isinf(values)))
        raise SeriesInfinite(
            "A value is infinite, or too large for a float64.",
            pointer=f"/values/{index}",
            hint="Send null where nothing was observed.",
        )


def describe(value: object) -> str:
    """Return a refused value for an error text: text is cut, other values are named by type."""
    if isinstance(value, str):
        return reprlib.repr(value)
    return "null" if value is None else f"a value of type {type(value).__name__}"


def _numbers_of_list(values: Sequence[object]) -> Values:
    if not set(map(type, values)) <= _PLAIN:
        for index, value in enumerate(values):
            if isinstance(value, (bool, np.bool_)) or not (value is None or isinstance(value, _NUMBERS)):
                raise _not_numeric(describe(value), f"/values/{index}")
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        return np.array([_float(value) for value in values], dtype=np.float64)


def _float(value: object) -> float:
    """Return a number as float64; a whole number that is too large is infinite."""
    if value is None:
        return np.nan
    try:
        return float(value)  # type: ignore[arg-type]  # checked in _numbers_of_list
    except OverflowError:
        return np.inf if value > 0 else -np.inf  # type: ignore[operator]  # same


def _not_numeric(what: str, pointer: str) -> SeriesNotNumeric:
    return SeriesNotNumeric(
        f"Expected numbers; received {what}.", pointer=pointer, hint="Send numbers, null for a gap."
    )
