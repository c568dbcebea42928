"""Clock alignment: a forecast's steps and its series' observations on one clock, so that equal times can be matched."""

from dataclasses import dataclass

import numpy as np

from models.calendar.on_calendar import parse_frequency
from models.calendar.timestamps import Timestamps, offset_of, to_instants, to_local_times

UTC = "UTC"


@dataclass(frozen=True, slots=True)
class Clock:
    """How to read the timestamps of a forecast.

    Attributes:
        timezone: IANA name if the timestamps are instants; None if they are wall clocks.
        style: How the request wrote them, with an offset if there was one.
        frequency: Canonical name.
    """

    timezone: str | None
    style: str
    frequency: str


def align_clocks(
    steps: Timestamps, clock: Clock, observed: Timestamps, zone: str | None
) -> tuple[Timestamps, Timestamps]:
    """Return steps and observations as times of one clock, same shapes.

    Frequencies of hours and below are compared as instants. Days and longer are compared as dates, of the forecast's
    timezone or else of the series'. Without a timezone of the series, both are compared as they were written.

    Args:
        steps: Timestamps of a forecast.
        clock: How to read them.
        observed: Timestamps of its series' observations.
        zone: The series' timezone: with one `observed` are instants, without one wall clocks.
    """
    own = clock.timezone
    if zone is None:
        return (steps if own is None else to_local_times(steps, own)), observed
    offset = offset_of(clock.style) if own is None else None
    if parse_frequency(clock.frequency).nanoseconds is not None:
        if own is not None or (zone == UTC and offset is None):
            return steps, observed
        return (to_instants(steps, zone) if offset is None else steps - np.timedelta64(offset, "s")), observed
    if own is not None:
        return to_local_times(steps, own), to_local_times(observed, own)
    return steps, (observed + np.timedelta64(offset or 0, "s") if zone == UTC else to_local_times(observed, zone))
