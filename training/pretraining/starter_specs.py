"""Kinds: the starters that ship, one for each way that seasons come, and how each is made."""

from dataclasses import dataclass

from models.calendar.on_calendar import parse_frequency
from models.networks.build import NetworkOptions


@dataclass(frozen=True, slots=True)
class Kind:
    """One starter.

    Attributes:
        frequency: Canonical name of the frequency that it is called by; others with the same seasons get it too.
        horizon: Steps ahead that one pass forecasts.
        context_length: Steps that the graph takes: as far back as seasonal means reach.
        encoder_length: Newest of them that the recurrent layers read.
        share: Of the first kind's steps that this one is taught for, having been handed on what that one learned.
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


KINDS = {
    one.frequency: one
    for one in (
        Kind("M", 24, 360, 60, 1.0),
        Kind("Q", 12, 120, 48),
        Kind("Y", 8, 60, 48, 0.05),
        Kind("W", 26, 1040, 104),
        Kind("D", 28, 1461, 63),
        Kind("B", 30, 1300, 60, 0.04),
        Kind("h", 48, 1344, 120),
    )
}
"""By name, in the order that they are made: the first from nothing, the others from what the first has learned."""
