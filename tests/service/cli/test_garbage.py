"""Garbage: a server's own thread searches for it."""

import gc
import weakref

from service.cli.server import GARBAGE, collect_due


class Cycle:
    """An object that refers to itself."""

    def __init__(self) -> None:
        """Refer to itself."""
        self.own = self


def test_garbage_is_searched_for_when_it_is_due() -> None:
    """As Python would, which does not by itself then: not the event loop, in the midst of a request."""
    gc.disable()
    try:
        gc.collect()
        one = weakref.ref(Cycle())
        collect_due()
        early = one()
        many = [Cycle() for _ in range(GARBAGE[0])]
        collect_due()

        assert early is not None
        del early
        assert len(many) == GARBAGE[0]
        gc.collect(0)
        assert one() is not None  # grown older meanwhile
        del many
    finally:
        gc.enable()
