"""Repeats: timestamps that are sent twice with equal values; each counts once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.covariates import Covariates
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
        (repeated_repair(int(repeats.sum())),) if repeats.any() else (),
    )


def repeated_repair(count: int) -> Repair:
    """Return the repair of rows that repeat another."""
    what = "1 timestamp occurs" if count == 1 else f"{count} timestamps occur"
    return Repair("ROWS_REPEATED", None, count, f"{what} again with an equal value; each counts once.")
