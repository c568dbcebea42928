"""Plausible series: a series whose implausible values and old levels do not lead the network, with warnings that name them."""

from dataclasses import replace

import numpy as np

from models.errors import Finding
from models.irregular.implausible import Indices, clip_implausible, find_implausible, is_suspicious
from models.safeguards.level_change import continue_level, may_change_level
from models.series import Series
from models.values import Values

OUTLIERS = ("clip", "mask")
"""What is done with implausible values: moved to the nearest plausible value, or treated as gaps."""

CODE = "VALUES_IMPLAUSIBLE"

SHOWN = 3
"""Values that a warning names."""


def as_read(series: Series, newest: int, outliers: str = "clip") -> Series:
    """Return a series as a model reads it: `make_plausible`, on the level of its newest values; arguments as there."""
    ordered = np.sort(series.values[-newest:])
    count = int(np.searchsorted(ordered, np.nan))
    if not may_be_read_otherwise(ordered, count):
        return series
    return continue_level(make_plausible(series, newest, outliers), newest)


def may_be_read_otherwise(ordered: Values, count: int) -> bool:
    """Return whether `as_read` has to look closer; mostly false.

    Args:
        ordered: The values that count, rising, NaN last.
        count: How many are not NaN.
    """
    return is_suspicious(ordered, count) or may_change_level(ordered, count)


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
