"""Bounds: the lowest and the highest value that a forecast may have."""

import math
from collections.abc import Mapping

from models.errors import SeriesError
from models.values import describe

Bounds = tuple[float, float]
"""Lowest and highest value, in the series' units."""

UNBOUNDED: Bounds = (-math.inf, math.inf)

_NAMES = ("minimum", "maximum")


class BoundsInvalid(SeriesError):
    """Bounds that are not numbers, or a minimum above the maximum."""

    code = "BOUNDS_INVALID"


def read_bounds(bounds: object, pointer: str = "/bounds") -> Bounds:
    """Return the bounds of a mapping with `minimum`, `maximum` or both; None is unbounded.

    Raises:
        BoundsInvalid: If it is not such a mapping, a bound is not a finite number, or the minimum exceeds the maximum.
    """
    if bounds is None:
        return UNBOUNDED
    if not isinstance(bounds, Mapping) or not set(bounds) <= set(_NAMES):
        wrong = [name for name in bounds if name not in _NAMES] if isinstance(bounds, Mapping) else []
        received = f"the field {describe(wrong[0])}" if wrong else describe(bounds)
        raise BoundsInvalid(
            f"Expected an object with `minimum`, `maximum` or both; received {received}.",
            pointer=pointer,
            hint='Send {"minimum": 0}.',
        )
    low, high = (
        _number(bounds.get(name), default, f"{pointer}/{name}") for name, default in zip(_NAMES, UNBOUNDED, strict=True)
    )
    if low > high:
        raise BoundsInvalid(
            f"The minimum {low:g} exceeds the maximum {high:g}.", pointer=pointer, hint="Exchange the two."
        )
    return low, high


def tighter(one: Bounds, other: Bounds, pointer: str = "/bounds") -> Bounds:
    """Return the bounds that keep both; raises BoundsInvalid if nothing does."""
    low, high = max(one[0], other[0]), min(one[1], other[1])
    if low > high:
        raise BoundsInvalid(
            f"The series' bounds and those of the request leave nothing: minimum {low:g}, maximum {high:g}.",
            pointer=pointer,
            hint="Both hold: correct one of them.",
        )
    return low, high


def _number(value: object, default: float, pointer: str) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BoundsInvalid(
            f"Expected a finite number; received {describe(value)}.", pointer=pointer, hint="Send a number such as 0."
        )
    return float(value)
