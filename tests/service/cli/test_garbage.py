"""Cyclic garbage: which generation a look at the thresholds searches."""

import gc

import pytest

from service.cli import server
from service.cli.server import GARBAGE, collect_due
from tests.stand_in import stand_in

YOUNG, MIDDLE, OLD = GARBAGE


@pytest.mark.parametrize(
    ("counts", "searched"),
    [
        ((YOUNG, MIDDLE, OLD), []),
        ((YOUNG + 1, MIDDLE, OLD), [0]),
        ((YOUNG + 1, MIDDLE + 1, OLD), [1]),
        ((0, 0, OLD + 1), [2]),
    ],
)
def test_the_oldest_generation_that_is_due_is_searched(
    monkeypatch: pytest.MonkeyPatch, counts: tuple[int, int, int], searched: list[int]
) -> None:
    """As Python would, which does not by itself then: not the event loop, in the midst of a request."""
    found: list[int] = []
    monkeypatch.setattr(server, "gc", stand_in(gc, get_count=lambda: counts, collect=found.append))

    collect_due()

    assert found == searched
