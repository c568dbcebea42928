"""Implausible values: sentinels such as -9999 or 65535, and single points that no series of this kind reaches."""

import math

import numpy as np
from numpy.typing import NDArray

from models.values import Values

Indices = NDArray[np.int64]

_WRITTEN = (
    *(-99, -999, -9999, -99999, -999999, -9999999, -99999999, -999999999, -99.9, -999.9, -9999.9, -888, -7777, -8888),
    *(9999, 99999, 999999, 9999999, 99999999, 999999999, 9999.9, 7777, 8888),
    *(-273.15, -273.2, -459.67),  # absolute zero in °C and °F
    *(-127, -999.25, 32767, -32768, -32767, 65535, 65534, 2147483647, -2147483648, 4294967295),
    *(1e20, -1e20, 1e30, -1e30, 1e34, -1e34, 1e36, 1e37, 9.96921e36, 3.4028235e38, -3.4028235e38),
    *(3.402823466e38, -3.402823466e38, 1.7976931348623157e308, -1.7976931348623157e308),
)
SENTINELS = frozenset(
    float(number) for one in _WRITTEN for number in (one, np.float32(np.clip(one, -3.4028235e38, 3.4028235e38)))
)
"""Numbers that devices, databases and file formats write where nothing was measured, and what float32 makes of them."""

MINUS_ONE = -1.0
"""What sensors write, but also what series measure: a sentinel only if nothing else is negative or near it."""

_SOUGHT = SENTINELS | {MINUS_ONE}

FEWEST = 8
"""Fewest observed values that show what is plausible."""

SENTINEL_DISTANCE, SENTINEL_RATIO, MOST_SENTINELS = 3.0, 3.0, 0.5
"""A sentinel lies so many robust ranges from the median, and so many times as far as any other value; the largest share."""

HIDDEN_DISTANCE = 10.0
"""Robust ranges of a sentinel that stands there several times while one or two other values are far, too."""

POINT_DISTANCE, POINT_RATIO, MOST_POINTS = 60.0, 100.0, 2
"""The same of any other value, which must stand alone; and how many there may be."""

REPEATED_DISTANCE, REPEATED_RATIO, FEWEST_REPEATED, MOST_REPEATED = 20.0, 50.0, 3, 0.1
"""The same of a number that stands exactly so several times; how often, and the largest share."""

GAP_DISTANCE, LEAST_GAP = 5.0, 10.0
"""Robust ranges between -1 and the least other value, and this value at least; see `_is_minus_one_apart`."""

COUNT_RATIO = 300.0
"""The ratio of any other value in a series that is often zero: one order can be a hundred times as large as the others."""

LEAST_DEVIATION = 0.2
"""Every series may deviate by this share of its median: without it nothing would be too far from a constant."""

OFTEN_ZERO = 0.25
"""Share of zeros from which on a series is one of intermittent demand."""

_TAIL, _LOOK_TAIL = 0.05, 0.12
_EVEN = 0.004


def find_implausible(values: Values) -> Indices:
    """Return the positions of the values that cannot be what the series measures, rising; mostly none.

    A known sentinel is found however often it stands (up to half of the values), and so is any number far away that stands
    exactly so three times or more (up to a tenth), unless at even steps or as the end; so is -1 up to half of the values, at any
    steps, if all others are positive and far from it. Any other value is found if it stands
    alone between plausible ones, at most two of a series: heavy tails, intermittent demand, level shifts, growth and peaks that return
    every year are none of that.

    Args:
        values: Shape (length,), NaN is a gap.
    """
    ordered = np.sort(values)  # NaN last
    count = len(ordered)
    if count and ordered[-1] != ordered[-1]:  # NaN
        count = int(np.searchsorted(ordered, np.nan))
    if not (is_suspicious(ordered, count) and _may_have_some(ordered[:count])):
        return _NONE
    return _look_closer(values, ordered[:count])


def is_suspicious(ordered: Values, count: int) -> bool:
    """Return whether `find_implausible` has to look closer; mostly false.

    Args:
        ordered: Values that rise, NaN last.
        count: How many are not NaN.
    """
    if count < FEWEST:
        return False
    tail = max(int(_LOOK_TAIL * count), 2)
    at = ordered.item
    least, middle, most = at(0), at(count // 2), at(count - 1)
    if max(most - middle, middle - least) > SENTINEL_DISTANCE * (at(count - 1 - tail) - at(tail)):
        return True
    return least in _SOUGHT or most in SENTINELS


def are_suspicious(ordered: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Return what `is_suspicious` says of each of many rows that have the same number of values, shape (rows, steps)."""
    if count < FEWEST:
        return np.zeros(len(ordered), dtype=np.bool_)
    tail = max(int(_LOOK_TAIL * count), 2)
    least, middle, most = ordered[:, 0], ordered[:, count // 2], ordered[:, count - 1]
    with np.errstate(over="ignore"):
        wide = SENTINEL_DISTANCE * (ordered[:, count - 1 - tail] - ordered[:, tail])
        found: NDArray[np.bool_] = np.maximum(most - middle, middle - least) > wide
    for side, sought in ((least, _SOUGHT), (most, SENTINELS)):
        found |= [number in sought for number in side.tolist()]
    return found


_NONE: Indices = np.array([], dtype=np.int64)


def _may_have_some(ordered: Values) -> bool:
    """Return False if `_look_closer` is sure to find nothing: no sentinel, no number three times that is far, no far point.

    No value is farther from the middle than the whole range. A number that stands there several times is REPEATED_DISTANCE robust
    ranges away. A point that stands alone is POINT_RATIO times as far as all but MOST_POINTS others, which reach at least half
    as far as the range of those that are not among the outermost ones.
    """
    numbers, last = ordered.tolist(), len(ordered) - 1
    whole = numbers[last] - numbers[0]
    if math.isinf(whole) or not SENTINELS.isdisjoint(numbers) or _is_minus_one_apart(ordered):
        return True
    if whole > 0.49 * POINT_RATIO * (numbers[last - MOST_POINTS] - numbers[MOST_POINTS]):
        return True
    tail = int(_LOOK_TAIL * last) + 1  # within the quantiles that `_repeated` takes
    if whole <= REPEATED_DISTANCE * (numbers[last - tail] - numbers[tail]):
        return False
    return bool((ordered[FEWEST_REPEATED - 1 :] == ordered[: 1 - FEWEST_REPEATED]).any())


def _look_closer(values: Values, ordered: Values) -> Indices:
    """Return the implausible values of a series with far ones."""
    sentinel = np.isin(values, list(SENTINELS))
    with np.errstate(invalid="ignore", over="ignore"):
        found = _far(values, sentinel, SENTINEL_DISTANCE, SENTINEL_RATIO)
        if not found.any():
            found = _hidden(values, sentinel)
        if not found.any() or found.sum() > MOST_SENTINELS * len(ordered):
            found = _minus_ones(values, ordered)
        if not found.any():
            found = _repeated(values, ordered)
        if not found.any():
            return _far_points(values)
    rest = np.where(found, np.nan, values)
    return np.union1d(np.flatnonzero(found), find_implausible(rest))


def _hidden(values: Values, sentinel: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which sentinels that stand there several times are far from all but one or two other values, which hide them."""
    numbers, counts = np.unique(values[sentinel], return_counts=True)
    often = np.isin(values, numbers[counts >= FEWEST_REPEATED])
    others = np.flatnonzero(~sentinel & np.isfinite(values))
    if not often.any() or len(others) < FEWEST:
        return np.zeros(len(values), dtype=np.bool_)
    away = np.abs(values[others] - np.median(values[others]))
    seen = values.copy()
    seen[others[np.argsort(away)[-MOST_POINTS:]]] = np.nan
    return _far(seen, often, HIDDEN_DISTANCE, SENTINEL_RATIO)


def _is_minus_one_apart(ordered: Values) -> bool:
    """Return whether -1 stands several times below values that are all positive and far from it, in what range they lie."""
    if ordered[0] != MINUS_ONE:
        return False
    count = int(np.searchsorted(ordered, MINUS_ONE, "right"))
    rest = ordered[count:]
    if not FEWEST_REPEATED <= count <= MOST_SENTINELS * len(ordered) or rest[0] < LEAST_GAP:
        return False
    if len(np.unique(rest)) < FEWEST:  # a loss beside one or a few gains
        return False
    low, high = np.quantile(rest, (_TAIL, 1 - _TAIL))
    return bool(rest[0] - MINUS_ONE > max(GAP_DISTANCE * (high - low), rest[-1] - rest[0]))


def _minus_ones(values: Values, ordered: Values) -> NDArray[np.bool_]:
    """Return which values are -1 where nothing was measured; none where it is the level that a series has reached."""
    places = np.asarray(values == MINUS_ONE)
    if not _is_minus_one_apart(ordered) or _is_level(places[np.isfinite(values)]):
        return np.zeros(len(values), dtype=np.bool_)
    return places


def _is_level(known: NDArray[np.bool_]) -> bool:
    """Return whether a number stands only at the end, in a row."""
    return bool(known[-1] and np.diff(np.flatnonzero(known)).max() == 1)


def _repeated(values: Values, ordered: Values) -> NDArray[np.bool_]:
    """Return which values are numbers that nothing measures, but that stand there exactly so several times."""
    nothing = np.zeros(len(values), dtype=np.bool_)
    numbers, counts = np.unique(ordered, return_counts=True)
    often = numbers[(counts >= FEWEST_REPEATED) & (counts <= MOST_REPEATED * len(ordered))]
    if not often.size or np.mean(ordered == 0) > OFTEN_ZERO:
        return nothing
    low, middle, high = np.quantile(ordered, (_LOOK_TAIL, 0.5, 1 - _LOOK_TAIL))
    far = often[np.abs(often - middle) > REPEATED_DISTANCE * (high - low)]
    candidates = np.isin(values, [number for number in far.tolist() if not _returns(values == number, values)])
    found = _far(values, candidates, REPEATED_DISTANCE, REPEATED_RATIO)
    return found if high > low and found.sum() <= MOST_REPEATED * len(ordered) else nothing


def _returns(places: NDArray[np.bool_], values: Values) -> bool:
    """Return whether a number stands at even steps, as a yearly peak does, or is the level that a series has reached."""
    known = places[np.isfinite(values)]
    steps = np.diff(np.flatnonzero(known))
    even = steps.min() > 1 and np.ptp(steps) <= _EVEN * steps.mean()
    return bool(even) or _is_level(known)


def _far_points(values: Values) -> Indices:
    known = np.isfinite(values)
    often_zero = bool(np.mean(values[known] == 0) > OFTEN_ZERO)
    ratio = COUNT_RATIO if often_zero else POINT_RATIO
    if np.count_nonzero(values[known]) <= MOST_POINTS:  # all other values are zero: nothing shows what is too far
        return _NONE
    order = np.argsort(np.where(known, np.abs(values - np.median(values[known])), -1.0))[::-1]
    for count in range(1, MOST_POINTS + 1):
        found = np.zeros(len(values), dtype=np.bool_)
        found[order[:count]] = True
        if _far(values, found, POINT_DISTANCE, ratio).sum() == count and _stand_alone(found, values):
            return np.flatnonzero(found)
    return _NONE


def _far(values: Values, candidates: NDArray[np.bool_], distance: float, ratio: float) -> NDArray[np.bool_]:
    """Return which candidates lie far from the other values, in robust ranges and as multiples of the farthest of them."""
    rest = values[~candidates & np.isfinite(values)]
    if rest.size < FEWEST // 2:
        return np.zeros(len(values), dtype=np.bool_)
    low, middle, high = np.quantile(rest, (_TAIL, 0.5, 1 - _TAIL))
    away = np.abs(values - middle)
    farthest = max(float(np.abs(rest - middle).max()), LEAST_DEVIATION * abs(float(middle)))
    return np.asarray(candidates & (away > max(distance * float(high - low), ratio * farthest)))


def _stand_alone(found: NDArray[np.bool_], values: Values) -> bool:
    """Return whether no two found values are neighbours among the observed ones, but for one number twice before others."""
    known = np.isfinite(values)
    marked, numbers = found[known], values[known]
    pairs = marked[1:] & marked[:-1]
    return not bool(pairs[-1] or (pairs & (numbers[1:] != numbers[:-1])).any())


def clip_implausible(values: Values, found: Indices) -> Values:
    """Return the values with the implausible ones moved to the nearest plausible value."""
    plausible = np.delete(values, found)
    low, high = np.nanmin(plausible), np.nanmax(plausible)
    clipped = values.copy()
    clipped[found] = np.clip(values[found], low, high)
    return clipped


def mask_implausible(values: Values) -> Values:
    """Return the values with the implausible ones as NaN; the same array if there are none."""
    found = find_implausible(values)
    if not found.size:
        return values
    masked = values.copy()
    masked[found] = np.nan
    return masked
