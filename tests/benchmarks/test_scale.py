"""The page of scale: what one process does alone is not divided by the cores."""

from typing import Any

import pytest

from tests.benchmarks.scale.page import _many


def engines(**more: float) -> dict[str, Any]:
    """Return results in which a million series take 64 s on the local engine and twice as long with Ray."""
    runs = {name: {"series": 1_000_000, "processor_seconds": taken} for name, taken in (("local", 64), ("ray", 128))}
    return {"engines": {"found": {**runs, **more}}}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"find_parts": 12.0}, ("takes 2.0 minutes", "16 cores 3 minutes", "with Ray 2 minutes")),
        ({"find_parts": 48.0}, ("takes 8.0 minutes", "16 cores 8 minutes", "with Ray 8 minutes")),
        ({}, ("was not measured alone", "16 cores 1 minutes", "with Ray 0 minutes")),
    ],
)
def test_finding_the_parts_is_not_divided_by_the_cores(more: dict[str, float], expected: tuple[str, ...]) -> None:
    """By hand for the first row: 640 s, of which 120 alone: 120 + 520 / 16 is 2.5 minutes; 120 + 1160 / 64 is 2.3."""
    (line,) = _many(engines(**more))

    assert [part for part in expected if part not in line] == []
