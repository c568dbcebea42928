"""Progress: a bar on a terminal or in a notebook, for work in several parts."""

import sys
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def shown_progress(parts: Sequence[T], unit: str, *, done: int = 0, wanted: bool | None = None) -> Iterator[T]:
    """Yield the parts after the first `done`; show how far it is, if there are several and somebody looks, or if it is wanted."""
    if not (wanted or (wanted is None and len(parts) > 1 and _is_watched())):
        yield from parts[done:]
        return
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=not _is_notebook())
    yield from track(parts[done:], description=unit, total=len(parts), completed=done, transient=True, console=console)


def _is_watched() -> bool:
    """Return whether standard error is a terminal, or this is a notebook."""
    return sys.stderr.isatty() or _is_notebook()


def _is_notebook() -> bool:
    return "ipykernel" in sys.modules
