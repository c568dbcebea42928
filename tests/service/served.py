"""Writes served forecasts, whose parts a test has replaced."""

from collections.abc import Sequence

from service.store.database import Database
from service.store.forecasts import write_forecasts
from service.store.log_entry import ServedForecast, make_entry


def write(database: Database, served: Sequence[ServedForecast], now: int) -> None:
    """Write forecasts at a moment."""
    write_forecasts(database, [make_entry(one) for one in served], now)
