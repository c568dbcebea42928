"""History: what is kept of a series, as the series that a model reads."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import Frequency
from models.calendar.on_calendar import format_timestamps, on_calendar
from models.calendar.timestamps import STYLES, Timestamps, local_times
from models.errors import FrequencyNotInferred, SeriesTooLong, TimestampsOffCalendar
from models.series import DEFAULT_STYLE, Series
from service.observations.calendar_fit import fit_to
from service.store.blobs import Floats
from service.store.observations import SeriesInfo

TIME_STYLE = STYLES[5]
SHOWN = 5
"""Timestamps that a hint names."""


def make_series(known: SeriesInfo, timestamps: Timestamps, values: Floats) -> Series:
    """Return observations as a series on its grid, from its first value to its last.

    Gaps before and after those, and those that lie on no step, hold nothing and are left out: so a wrong timestamp is
    taken back by posting null at it.

    Args:
        known: The series' name and calendar.
        timestamps: Rising, shape (rows,); instants where the series has a timezone, else wall clocks.
        values: NaN where nothing was observed.

    Raises:
        SeriesError: If the values lie on no grid, or all of them are gaps; the hint names those that are in the way.
        FrequencyNotInferred: If nobody said the frequency and the timestamps do not tell it.
    """
    valued = ~np.isnan(values)
    if not valued.any():
        return _made(known, timestamps, values, None)
    made = _made(known, timestamps[valued], values[valued], known.calendar.frequency)
    grid = made.timestamps
    kept = valued | np.isin(timestamps, [] if grid is None else grid)
    if kept.sum() > valued.sum():
        made = _made(known, timestamps[kept], values[kept], made.frequency)
    return replace(made, style=style_of(timestamps[kept], known.calendar.timezone))


def style_of(timestamps: Timestamps, timezone: str | None) -> str:
    """Return how timestamps are written: as dates where each is the beginning of a day there, else as times."""
    walls = timestamps if timezone is None else local_times(timestamps, timezone)
    return DEFAULT_STYLE if (walls == walls.astype("M8[D]")).all() else TIME_STYLE


def write_timestamps(timestamps: Timestamps, timezone: str | None) -> list[str]:
    """Return timestamps as text: dates, or times with their offset where there is a timezone."""
    return format_timestamps(timestamps, style_of(timestamps, timezone), timezone)


def _made(known: SeriesInfo, timestamps: Timestamps, values: Floats, frequency: Frequency | str | None) -> Series:
    zone = known.calendar.timezone
    stamps = timestamps if zone is None else [f"{one}Z" for one in np.datetime_as_string(timestamps).tolist()]
    try:
        return Series.make(values, id=known.id, timestamps=stamps, frequency=frequency, timezone=zone)
    except FrequencyNotInferred as error:
        raise FrequencyNotInferred(
            error.detail, hint="Post observations of this series with a `frequency`: it is remembered."
        ) from error
    except (TimestampsOffCalendar, SeriesTooLong) as error:
        wrong = timestamps[_in_the_way(known, timestamps)]
        raise type(error)(error.detail, hint=_remedy(wrong, zone)) from error


def _in_the_way(known: SeriesInfo, timestamps: Timestamps) -> NDArray[np.bool_]:
    """Return which timestamps lie off the grid that most of them share; where all share one, those beyond its pause."""
    zone = known.calendar.timezone
    nothing = np.array([], dtype="M8[us]")
    if known.calendar.frequency is not None:
        step = Frequency(known.calendar.frequency)
        lies = fit_to(step, zone, nothing, timestamps).lies
        if not lies.all():
            return ~lies
        timestamps = on_calendar(timestamps, step, zone)
    after = int(np.argmax(np.diff(timestamps))) + 1
    later = np.arange(len(timestamps)) >= after
    return later if after > len(timestamps) - after else ~later


def _remedy(wrong: Timestamps, zone: str | None) -> str:
    texts = write_timestamps(wrong[:SHOWN], zone)
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return f"Post null at {', '.join(texts)}{more} to take out what does not belong to the series."
