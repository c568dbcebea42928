"""Almanac: forecasts of time series, in a notebook or over a service."""

from importlib import import_module
from typing import NoReturn

from almanac import names

names.keep_private()

_HOMES: dict[str, str] = {}
"""The module of each public name: imported when the name is first used, because pandas and onnxruntime take seconds."""

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line in this process, which ends with its exit code."""
    names.claim()
    from almanac.command_line import main

    main(arguments)


def __getattr__(name: str) -> object:
    """Return a public name, and import its module if necessary."""
    if name not in _HOMES:
        raise AttributeError(f"module 'almanac' has no attribute {name!r}")
    found: object = getattr(import_module(f"almanac.{_HOMES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
