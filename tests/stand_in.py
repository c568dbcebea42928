"""A module of the standard library as one module of ours sees it."""

from types import ModuleType, SimpleNamespace
from typing import Any


def stand_in(module: ModuleType, **others: Any) -> SimpleNamespace:  # noqa: ANN401 (whatever the module holds)
    """Return a copy of `module` with other functions; services that other tests left running keep the module itself."""
    return SimpleNamespace(**{**vars(module), **others})
