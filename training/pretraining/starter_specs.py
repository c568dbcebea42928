"""Starter specs: the starters that ship, one for each combination of seasons, and how each is made."""

from dataclasses import dataclass

from models.calendar.on_calendar import parse_frequency
from models.networks.build import NetworkOptions


@dataclass(frozen=True, slots=True)
class StarterSpec:
    """One starter.

    Attributes:
        frequency: Canonical frequency name; other frequencies with the same seasons use this starter too.
        horizon: Steps ahead that one pass forecasts.
        context_length: Steps that the graph takes: as far back as seasonal means reach.
        encoder_length: Newest of them that the recurrent layers read.
        share: Steps of its training, as a share of those of the first starter, whose weights it begins with.
    """

    frequency: str
    horizon: int
    context_length: int
    encoder_length: int
    share: float = 0.075

    def options(self, units: int, layers: int) -> NetworkOptions:
        """Return the options of the network."""
        frequency = parse_frequency(self.frequency)
        return NetworkOptions(
            "lstm",
            self.horizon,
            frequency.season_length,
            self.context_length,
            self.encoder_length,
            seasons=frequency.seasons,
            units=units,
            layers=layers,
            calendar=False,
        )


STARTER_SPECS = {
    one.frequency: one
    for one in (
        StarterSpec("M", 24, 360, 60, 1.0),
        StarterSpec("Q", 12, 120, 48),
        StarterSpec("Y", 8, 60, 48, 0.05),
        StarterSpec("W", 26, 1040, 104),
        StarterSpec("D", 28, 1461, 63),
        StarterSpec("B", 30, 1300, 60, 0.04),
        StarterSpec("h", 48, 1344, 120),
    )
}
"""By frequency, in the order they are made: the first with new weights, the others with what the first has learned."""
