"""SeriesOptions: what missing timestamps and implausible values of a file mean, and whether its dates are read."""

from dataclasses import dataclass

from models.calendar.zoned_grid import Frequency, parse_frequency
from models.errors import DataInvalid

SEASON_FREQUENCIES = {1: "Y", 4: "Q", 5: "B", 7: "D", 12: "M", 24: "h", 52: "W"}
"""Frequency of periods without dates, by steps in a season."""


@dataclass(frozen=True, slots=True)
class SeriesOptions:
    """How the values of a file become series.

    Attributes:
        missing: `gap` or `zero`: what a missing timestamp means.
        outliers: `keep`, `mask` for implausible values as gaps, or `mask later` where the model makes gaps of them.
        season_length: Steps in a season of periods without dates; None reads the dates.
    """

    missing: str = "gap"
    outliers: str = "keep"
    season_length: int | None = None


KEEP = SeriesOptions()


def frequency_of_season(season_length: int) -> Frequency:
    """Return the frequency of periods with so many steps in a season; raises DataInvalid if there is none."""
    if season_length not in SEASON_FREQUENCIES:
        raise DataInvalid(
            f"There is no frequency with {season_length} steps in a season.",
            hint=f"Give one of {', '.join(map(str, SEASON_FREQUENCIES))}.",
        )
    return Frequency(parse_frequency(SEASON_FREQUENCIES[season_length]).name)
