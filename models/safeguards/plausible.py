"""Plausible series: a series whose implausible values and old levels do not lead the network, with warnings that name them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.errors import Finding
from models.irregular.implausible import Indices, are_suspicious, clip_implausible, find_implausible, is_suspicious
from models.safeguards.doubtful_zeros import question_zeros
from models.safeguards.level_change import Rows, continue_level, may_change_level, may_change_levels, may_stay
from models.series import Series
from models.values import Values

OUTLIERS = ("clip", "mask")
"""What is done with implausible values: moved to the nearest plausible value, or treated as gaps."""

CODE = "VALUES_IMPLAUSIBLE"

MANY = 16
"""Rows from which on they are looked at together."""

SHOWN = 3
"""Values that a warning names."""


def as_read(series: Series, newest: int, outliers: str = "clip") -> Series:
    """Return a series as a model reads it: `make_plausible`, on the level of its newest values; arguments as there."""
    values = series.values[-newest:][None]
    ordered = np.sort(values)
    return look_closer(series, newest, outliers) if read_otherwise(values, ordered, count_known(ordered)) else series


def look_closer(series: Series, newest: int, outliers: str) -> Series:
    """Return what `as_read` does where `read_otherwise` says so."""
    plausible = question_zeros(make_plausible(series, newest, outliers), newest, outliers)
    return continue_level(plausible, newest)


def count_known(ordered: Rows) -> list[int]:
    """Return how many values of each rising row are not NaN, shape (rows, steps)."""
    count, length = ordered.shape
    if not np.count_nonzero(np.isnan(ordered[:, -1])):
        return [length] * count
    found: list[int] = (length - np.add.reduce(np.isnan(ordered), axis=1)).tolist()
    return found


def read_otherwise(rows: Rows, ordered: Rows, counts: Sequence[int]) -> list[int]:
    """Return the places of the rows at which `as_read` has to look closer; mostly none.

    Args:
        rows: The values that count, oldest first, NaN where missing, shape (rows, steps).
        ordered: The same rows rising, NaN last.
        counts: How many are not NaN.
    """
    found, uneven = (_look_at_many if len(rows) >= MANY and len(set(counts)) == 1 else _look_at_each)(ordered, counts)
    if uneven:
        found += [at for at, stays in zip(uneven, may_stay(rows[uneven]).tolist(), strict=True) if stays]
    return found


def _look_at_each(ordered: Rows, counts: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the places of the rows that are suspicious, and of the others that may change their level."""
    found: list[int] = []
    uneven: list[int] = []
    for at, (row, count) in enumerate(zip(ordered, counts, strict=True)):
        if is_suspicious(row, count):
            found.append(at)
        elif may_change_level(row, count):
            uneven.append(at)
    return found, uneven


def _look_at_many(ordered: Rows, counts: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the same for rows that all have as many values: a fifth of the time for 256 of them, and more below 16."""
    suspicious = are_suspicious(ordered, counts[0])
    uneven = may_change_levels(ordered, counts[0]) & ~suspicious
    return np.flatnonzero(suspicious).tolist(), np.flatnonzero(uneven).tolist()


def make_plausible(series: Series, newest: int, outliers: str = "clip") -> Series:
    """Return a series with the implausible ones among its newest values clipped or masked, and a finding that names them.

    Args:
        series: Any series; it is returned as it is if all values are plausible.
        newest: How many values count, those that a model reads.
        outliers: `clip` or `mask`.
    """
    found = find_implausible(series.values[-newest:])
    if not found.size:
        return series
    found += max(len(series) - newest, 0)
    warning = Finding(
        CODE,
        f"{name_values(series.values, found)} {_WHAT[outliers]}",
        f"/values/{found[0]}",
        "Send null if nothing was measured." if outliers == "clip" else "Correct them if they are wrong.",
    )
    values = clip_implausible(series.values, found) if outliers == "clip" else np.array(series.values)
    if outliers == "mask":
        values[found] = np.nan
    return replace(series, values=values, findings=(*series.findings, warning))


_WHAT = {"clip": "The model reads the nearest plausible value instead.", "mask": "The model reads a gap instead."}


def name_values(values: Values, found: Indices) -> str:
    """Return which values are implausible, as a sentence."""
    named = ", ".join(f"{values[at]:.10g} at index {at}" for at in found[:SHOWN].tolist())
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    plausible = np.delete(values, found)
    return (
        f"{named}{more} {'is' if len(found) == 1 else 'are'} implausible beside the other values, which lie between "
        f"{np.nanmin(plausible):.6g} and {np.nanmax(plausible):.6g}."
    )
