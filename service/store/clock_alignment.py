"""Clocks: the steps of a forecast and the observations of its series, read on one clock so that they can meet."""

from dataclasses import dataclass

import numpy as np

from models.calendar.on_calendar import parse_frequency
from models.calendar.timestamps import Timestamps, instants_of, local_times, offset_of

UTC = "UTC"


@dataclass(frozen=True, slots=True)
class Clock:
    """What a forecast's timestamps show.

    Attributes:
        timezone: IANA name, where they are instants; else they are wall clocks.
        style: How they were written, an offset included where there was one.
        frequency: Canonical name.
    """

    timezone: str | None
    style: str
    frequency: str


def align_clocks(
    steps: Timestamps, clock: Clock, observed: Timestamps, zone: str | None
) -> tuple[Timestamps, Timestamps]:
    """Return steps and observations as both would be by one clock, same shapes.

    Of hours and below moments meet; of days and longer the dates of one calendar: the forecast's, or else the series'.
    Where a series has no timezone its clocks are met as they were written.

    Args:
        steps: Of a forecast.
        clock: What they show.
        observed: Of its series.
        zone: The series' timezone: `observed` are instants where it has one, else wall clocks.
    """
    own = clock.timezone
    if zone is None:
        return (steps if own is None else local_times(steps, own)), observed
    offset = offset_of(clock.style) if own is None else None
    if parse_frequency(clock.frequency).nanoseconds is not None:
        if own is not None or (zone == UTC and offset is None):
            return steps, observed
        return (instants_of(steps, zone) if offset is None else steps - np.timedelta64(offset, "s")), observed
    if own is not None:
        return local_times(steps, own), local_times(observed, own)
    return steps, (observed + np.timedelta64(offset or 0, "s") if zone == UTC else local_times(observed, zone))
