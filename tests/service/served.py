"""A served forecast, whose parts a test can replace before it is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.forecast import Forecast
from models.series import Series
from service.selector import SelectedModel
from service.store.database import Database
from service.store.forecasts import write_forecasts
from service.store.log_entry import LogEntry, make_entry


@dataclass(frozen=True)
class ServedForecast:
    """The arguments of `make_entry`."""

    forecast_id: str
    made_at: int
    selected: SelectedModel
    series: Series
    forecast: Forecast
    from_store: bool = False

    @property
    def log_entry(self) -> LogEntry:
        """Return it as the forecast log has it."""
        return make_entry(
            self.forecast_id, self.made_at, self.selected, self.series, self.forecast, from_store=self.from_store
        )


def write(database: Database, served: Sequence[ServedForecast], now: int) -> None:
    """Write forecasts at a moment."""
    write_forecasts(database, [one.log_entry for one in served], now)
