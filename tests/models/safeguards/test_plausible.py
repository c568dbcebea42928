import numpy as np
import pytest

from models.safeguards import plausible
from models.safeguards.plausible import count_known, read_otherwise

SENTINEL, JUMP, HUGE = -999.0, 50.0, 1.7e308


@pytest.mark.parametrize("steps", [7, 8, 13, 14, 60])
def test_many_rows_are_looked_at_as_each_alone(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentinels, far points, jumps, constants, numbers whose difference overflows; the same places in the same order."""
    rng = np.random.default_rng(steps)
    rows = rng.gamma(2.0, 10.0, (400, steps)) + 1
    rows[::7, -2] = SENTINEL
    rows[3::7, steps // 2 :] *= JUMP
    rows[5::11] = 4.0
    rows[6::11, 2] *= 1e6
    rows[8::31, 0], rows[8::31, 1] = HUGE, -HUGE
    ordered = np.sort(rows, axis=1)
    counts = count_known(ordered)

    together = read_otherwise(rows, ordered, counts)
    monkeypatch.setattr(plausible, "MANY", len(rows) + 1)

    assert together == read_otherwise(rows, ordered, counts)
    assert together or steps < 8
    assert len(together) < len(rows)
