"""Level change: a history that jumps to a level where it has never been, as after a change of unit, read as if it always had it."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import Frequency
from models.errors import Finding
from models.series import Series
from models.values import Values

Rows = NDArray[np.float64]

CODE = "LEVEL_CHANGED"

LEAST_FACTOR, MOST_FACTOR = 4.0, 1e12
LEAST_JUMP, MOST_JUMP = math.log(LEAST_FACTOR), math.log(MOST_FACTOR)
"""A smaller change is left to the network, which has learned such shifts; a larger one is none of a unit."""

OTHER_JUMPS = 0.5
"""Largest other jump on both levels, as a share of the jump, both as logarithms: growth and seasons do not jump once."""

LEAST_DISTANCE = 0.25
"""Least distance of the new level from all values before it, in the same way: after a dip, growth is no new level."""

FEWEST_BEFORE, FEWEST_AFTER = 8, 6
"""Values on each side that show a level; before it at least a season, whose jumps are known then."""

WEEKS, WEEK = 2, 7 * 86_400 * 10**9
"""Weeks, and nanoseconds of one, on each side of days and shorter steps: a weekend, a week of promotion and a shutdown are no new level."""

MOST_CHANGES = 3


@dataclass(frozen=True, slots=True)
class LevelChange:
    """Where the level changes.

    Attributes:
        at: Index of the first value on the new level.
        factor: The new level divided by the old one.
    """

    at: int
    factor: float


def find_level_change(values: Values, season: int, fewest: int = FEWEST_AFTER) -> LevelChange | None:
    """Return where positive values jump the last time, to a level where they have never been before.

    The factor is that of the first values after the jump and those at the same place of the season before it.

    Args:
        values: Oldest first, NaN where missing, shape (steps,).
        season: Steps of a season.
        fewest: Steps on each side that show a level.
    """
    known = np.flatnonzero(~np.isnan(values))
    numbers = values[known] if len(known) < len(values) else values
    if len(numbers) < FEWEST_BEFORE + FEWEST_AFTER or numbers.min() <= 0:
        return None
    with np.errstate(over="ignore"):
        ratios = numbers[1:] / numbers[:-1]
    if ratios.max() < LEAST_FACTOR and ratios.min() > 1 / LEAST_FACTOR:
        return None
    logs = np.log(numbers)
    jumps = np.abs(np.diff(logs))
    large = np.flatnonzero(jumps >= max(LEAST_JUMP, OTHER_JUMPS * jumps.max()))
    if not len(large):
        return None
    cut, start = int(large[-1]) + 1, int(large[-2]) + 1 if len(large) > 1 else 0
    if cut - start < max(FEWEST_BEFORE, season, fewest) or len(logs) - cut < max(FEWEST_AFTER, fewest):
        return None
    before, after = logs[:cut], logs[cut:]
    others = np.concatenate([jumps[start : cut - 1], jumps[cut:]])
    distance = max(before.min() - after.max(), after.min() - before.max())
    if distance < LEAST_DISTANCE * jumps[cut - 1] or others.max() > OTHER_JUMPS * jumps[cut - 1]:
        return None
    at = int(known[cut])
    change = _seasonal_change(values, at, season)
    if change is None:
        change = float(np.median(after[:FEWEST_BEFORE]) - np.median(before[-FEWEST_BEFORE:]))
    return LevelChange(at, math.exp(change)) if LEAST_JUMP <= abs(change) <= MOST_JUMP else None


def may_change_level(ordered: Values, count: int) -> bool:
    """Return whether values may jump at all; `may_stay` looks at those that do.

    Args:
        ordered: Values that rise, NaN last.
        count: How many are not NaN.
    """
    if count < FEWEST_BEFORE + FEWEST_AFTER:
        return False
    least = ordered.item(0)
    return bool(least > 0) and bool(ordered.item(count - 1) >= LEAST_FACTOR * least)


def may_change_levels(ordered: Rows, count: int) -> NDArray[np.bool_]:
    """Return what `may_change_level` says of each of many rows that have the same number of values, shape (rows, steps)."""
    if count < FEWEST_BEFORE + FEWEST_AFTER:
        return np.zeros(len(ordered), dtype=np.bool_)
    least = ordered[:, 0]
    with np.errstate(over="ignore"):
        found: NDArray[np.bool_] = (least > 0) & (ordered[:, count - 1] >= LEAST_FACTOR * least)
    return found


def may_stay(rows: Rows) -> NDArray[np.bool_]:
    """Return in which rows `find_level_change` has to look: those that stay on another level after their last large jump; mostly none.

    Args:
        rows: Positive values, oldest first, NaN where missing, shape (rows, steps).
    """
    if np.isnan(rows).any():
        rows = _without_gaps(rows)
    with np.errstate(over="ignore"):
        ratios = rows[:, 1:] / rows[:, :-1]
    found: NDArray[np.bool_] = np.fmax.reduce(ratios, axis=1) >= LEAST_FACTOR
    found |= np.fmin.reduce(ratios, axis=1) <= 1 / LEAST_FACTOR
    if found.any():
        found[found] = _last_stays(np.log(rows[found]))
    return found


def continue_level(series: Series, newest: int) -> Series:
    """Return a series whose newest values have one level, that after the last change, and a finding for each change.

    Args:
        series: Any series; it is returned as it is if its level does not change.
        newest: How many values count, those that a model reads.
    """
    if series.frequency is None:
        return series
    season, start, fewest = series.frequency.season_length, max(len(series) - newest, 0), _fewest(series.frequency)
    values, findings = series.values, list[Finding]()
    while len(findings) < MOST_CHANGES and (change := find_level_change(values[start:], season, fewest)) is not None:
        with np.errstate(over="ignore"):
            scaled = values[: start + change.at] * change.factor
        if np.isinf(scaled).any():
            break
        values = np.concatenate([scaled, values[start + change.at :]])
        findings.append(_finding(start + change.at, change.factor))
    return replace(series, values=values, findings=(*series.findings, *reversed(findings))) if findings else series


def _without_gaps(rows: Rows) -> Rows:
    """Return rows with the value before it for each gap, NaN before the first value."""
    known = np.where(np.isnan(rows), 0, np.arange(rows.shape[1]))
    found: Rows = np.take_along_axis(rows, np.maximum.accumulate(known, axis=1), axis=1)
    return found


def _last_stays(logs: Rows) -> NDArray[np.bool_]:
    """Return in which rows the values after the last large jump are another level for long enough; gaps count as values here.

    Args:
        logs: Logarithms of values without gaps, NaN before the first value, shape (rows, steps).
    """
    steps = np.arange(logs.shape[1])
    jumps = np.abs(np.diff(logs, axis=1))
    large = jumps >= np.maximum(LEAST_JUMP, OTHER_JUMPS * np.fmax.reduce(jumps, axis=1, keepdims=True))
    places = np.where(large, steps[1:], 0)
    cut = places.max(axis=1, keepdims=True)
    start = np.where(places < cut, places, 0).max(axis=1, keepdims=True)
    enough = (cut - start >= FEWEST_BEFORE) & (len(steps) - cut >= FEWEST_AFTER)
    before, after = np.where(steps < cut, logs, np.nan), np.where(steps < cut, np.nan, logs)
    (low, high), (new_low, new_high) = (
        (np.fmin.reduce(one, axis=1), np.fmax.reduce(one, axis=1)) for one in (before, after)
    )
    distance = np.maximum(low - new_high, new_low - high)
    jump = np.take_along_axis(jumps, np.maximum(cut - 1, 0), axis=1)[:, 0]
    found: NDArray[np.bool_] = enough[:, 0] & (distance >= LEAST_DISTANCE * jump)
    return found


def _fewest(frequency: Frequency) -> int:
    """Return the fewest steps that show a level."""
    if frequency.nanoseconds is not None:
        return max(FEWEST_AFTER, WEEKS * WEEK // frequency.nanoseconds)
    return {"D": WEEKS * 7, "B": WEEKS * 5}.get(frequency.unit, FEWEST_AFTER)


def _seasonal_change(values: Values, at: int, season: int) -> float | None:
    """Return the median logarithm of the first values after a jump divided by those a season before; None if there are none."""
    if season == 1:
        return None
    places = np.arange(at, min(at + max(season, FEWEST_AFTER), len(values)))
    changes = np.log(values[places]) - np.log(values[at - season + (places - at) % season])
    changes = changes[~np.isnan(changes)]
    return float(np.median(changes)) if len(changes) else None


def _finding(at: int, factor: float) -> Finding:
    return Finding(
        CODE,
        f"From index {at} on the values lie {factor:.3g} times as high as before, where they have never been: the model reads those "
        f"before it times {factor:.3g}.",
        f"/values/{at}",
        "If the unit has changed, send all values in one unit.",
    )
