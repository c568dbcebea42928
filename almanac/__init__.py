"""Almanac: forecasts of time series, in a notebook or over a service.

    import almanac

    forecast = almanac.forecast(df, horizon=12, levels=[80, 95])     # the starter, in this process
    model = almanac.load("temperatures@champion")                    # a model from MLflow
    client = almanac.connect("http://localhost:8000", api_key=None)  # a service
    model = almanac.Forecaster(architecture="lstm", horizon=12).fit(df)

docs/python.md describes all of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from almanac import names

if TYPE_CHECKING:
    from almanac import errors as errors
    from almanac.client import AsyncClient as AsyncClient
    from almanac.client import Client as Client
    from almanac.client import connect as connect
    from almanac.client import connect_async as connect_async
    from almanac.errors import AlmanacError as AlmanacError
    from almanac.errors import AlmanacWarning as AlmanacWarning
    from almanac.forecaster import Forecaster as Forecaster
    from almanac.forecasts import Forecasts as Forecasts
    from almanac.local import Model as Model
    from almanac.local import forecast as forecast
    from almanac.local import load as load

names.keep_private()

_HOMES = {
    "AlmanacError": "errors",
    "AlmanacWarning": "errors",
    "AsyncClient": "client",
    "Client": "client",
    "Forecaster": "forecaster",
    "Forecasts": "forecasts",
    "Model": "local",
    "connect": "client",
    "connect_async": "client",
    "errors": "",
    "forecast": "local",
    "load": "local",
}
"""The module of each public name: imported when the name is first used, because pandas and onnxruntime take seconds."""

__all__ = ["main", *_HOMES]  # noqa: PLE0604 - all are text


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line in this process, which ends with its exit code."""
    names.claim()
    from almanac.command_line import main

    main(arguments)


def __getattr__(name: str) -> object:
    """Return a public name, and import its module if necessary."""
    if name not in _HOMES:
        raise AttributeError(f"module 'almanac' has no attribute {name!r}")
    home = _HOMES[name]
    found: object = getattr(import_module(f"almanac.{home}"), name) if home else import_module(f"almanac.{name}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
