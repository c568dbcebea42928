"""Repeats: timestamps that are sent twice with equal values; each counts once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import parse_timestamp
from models.calendar.zone_inference import zone_of_repeats
from models.covariates import Covariates
from models.errors import TimestampInvalid
from models.irregular.repairs import Repair
from models.values import Values


def find_repeats(same: NDArray[np.bool_], numbers: Sequence[Values]) -> NDArray[np.bool_]:
    """Return which rows repeat the row before them, shape (rows,).

    Args:
        same: Whether a row has the timestamp, and the series, of the row before it, shape (rows - 1,).
        numbers: The values, and each covariate, shape (rows,); NaN equals NaN.
    """
    found = np.zeros(len(same) + 1, dtype=np.bool_)
    found[1:] = same
    for one in numbers:
        found[1:] &= (one[1:] == one[:-1]) | (np.isnan(one[1:]) & np.isnan(one[:-1]))
    return found


def drop_repeats(
    timestamps: Any,  # noqa: ANN401 - what `read_timestamps` takes
    numbers: Values,
    past: Covariates,
) -> tuple[list[Any], Values, dict[str, Values], tuple[Repair, ...]]:
    """Return timestamps, values and covariates without rows that repeat the row before them, and the repair that says so."""
    items = list(timestamps)
    same = np.array([one == other for one, other in zip(items[1:], items[:-1], strict=True)], dtype=np.bool_)
    repeats = find_repeats(same, [numbers, *past.values()])
    kept = ~repeats
    return (
        [item for item, keep in zip(items, kept.tolist(), strict=True) if keep],
        numbers[kept],
        {name: one[kept] for name, one in past.items()},
        (_repeated_repair([item for item, one in zip(items, repeats.tolist(), strict=True) if one]),)
        if repeats.any()
        else (),
    )


def _repeated_repair(items: Sequence[Any]) -> Repair:
    """Return the repair of timestamps that repeat another; it names the timezone whose clocks go back then."""
    what = "1 timestamp occurs" if len(items) == 1 else f"{len(items)} timestamps occur"
    detail, zone = f"{what} again with an equal value; each counts once.", _zone_of(items)
    if zone is not None:
        detail += f" Clocks go back then in {zone}: if each is an hour of its own, send its `timezone`."
    return Repair("ROWS_REPEATED", None, len(items), detail)


def _zone_of(items: Sequence[Any]) -> str | None:
    """Return the timezone whose clocks repeat these timestamps; None for days, and for timestamps with an offset."""
    try:
        stamps = [parse_timestamp(str(item)) for item in items]
    except TimestampInvalid:
        return None
    if any(one.offset is not None for one in stamps):
        return None
    walls = np.array([one.value for one in stamps], dtype="M8[us]")
    return None if (walls == walls.astype("M8[D]")).all() else zone_of_repeats(walls)
