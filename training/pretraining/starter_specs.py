"""Starter specs: the starters that ship, one for each combination of seasons, and how each is made."""

from collections.abc import Mapping
from dataclasses import dataclass

from models.calendar.zoned_grid import parse_frequency
from models.networks.build import NetworkOptions
from training.data import synthetic

YEAR_OF_WEEKS = 364
"""A year of whole weeks: at this lag a Sunday meets a Sunday, which is nearer than the same date."""


@dataclass(frozen=True, slots=True)
class StarterSpec:
    """One starter.

    Attributes:
        frequency: Canonical frequency name; other frequencies with the same seasons use this starter too.
        horizon: Steps ahead that one pass forecasts.
        context_length: Steps that the graph takes: as far back as seasonal means reach.
        encoder_length: Newest of them that the recurrent layers read.
        share: Steps of its training, as a share of those of the first starter, whose weights it begins with.
        mixture: A key of `synthetic.MIXTURES`: what its series are.
        lags: Seasons that the network compares with, if they are not those of the frequency.
        windows_of_series: Windows that are cut from each series.
        short: Share of windows that show less than one season.
        widening: Factor on the distance of each calibrated quantile from the median: real series surprise more than
            synthetic ones. Chosen on the coverage of 80 % intervals on the development sets of docs/starter.md.
    """

    frequency: str
    horizon: int
    context_length: int
    encoder_length: int
    share: float = 0.375
    mixture: str = "seasons"
    lags: tuple[int, ...] = ()
    windows_of_series: int = 2
    short: float = synthetic.SHORT
    widening: float = 1.0

    @property
    def shares(self) -> Mapping[str, float]:
        """Return the share of each kind of series."""
        return synthetic.MIXTURES[self.mixture]

    def options(self, units: int, layers: int) -> NetworkOptions:
        """Return the options of the network."""
        frequency = parse_frequency(self.frequency)
        return NetworkOptions(
            "lstm",
            self.horizon,
            frequency.season_length,
            self.context_length,
            self.encoder_length,
            seasons=self.lags or frequency.seasons,
            units=units,
            layers=layers,
            calendar=False,
        )


STARTER_SPECS = {
    one.frequency: one
    for one in (
        StarterSpec("M", 24, 360, 60, 1.0, "broad", windows_of_series=1),
        StarterSpec("Q", 12, 120, 48, 0.15, "trends", widening=1.15),
        StarterSpec("Y", 8, 60, 48, 0.15, "trends", widening=1.1),
        StarterSpec("W", 26, 1040, 52, 0.3, short=0.25, widening=1.25),
        StarterSpec("D", 56, 1461, 42, lags=(7, YEAR_OF_WEEKS), widening=1.1),
        StarterSpec("B", 30, 1300, 40, 0.2, widening=1.1),
        StarterSpec("h", 48, 1344, 48, widening=1.15),
    )
}
"""By frequency, in the order they are made: the first with new weights, the others with what the first has learned."""

FIRST = next(iter(STARTER_SPECS))
"""The starter whose weights the others begin with."""
