"""Zone inference: the timezone that midnights show."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.calendar.zone_inference import MANY, zone_of_midnights


def test_hours_are_no_midnights_and_are_not_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sorting the times of a file of millions of rows took seconds; the first of them show it."""
    sizes, unique = list[int](), np.unique

    def count(items: NDArray[np.int64]) -> NDArray[np.int64]:
        sizes.append(len(items))
        return unique(items)

    monkeypatch.setattr(np, "unique", count)

    assert zone_of_midnights(np.arange("2024-01-01", "2025-01-01", dtype="M8[h]").astype("M8[us]")) is None
    assert max(sizes) <= MANY
