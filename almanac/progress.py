"""Progress: a bar on a terminal or in a notebook, for work in several parts."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def shown_progress(parts: Iterable[T], count: int, unit: str, *, wanted: bool | None = None) -> Iterator[T]:
    """Yield the parts; show how many are done, if there are several and somebody looks, or if it is wanted."""
    if not (wanted or (wanted is None and count > 1 and _is_watched())):
        yield from parts
        return
    from rich.progress import track

    yield from track(parts, description=unit, total=count, transient=True)


def _is_watched() -> bool:
    """Return whether standard error is a terminal, or this is a notebook."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
