"""History: what is kept of a series, as the series that a model reads."""

from dataclasses import replace

import numpy as np

from models.calendar import format_timestamps
from models.errors import FrequencyNotInferred
from models.series import DEFAULT_STYLE, Series
from models.timestamps import STYLES, Timestamps, local_times
from service.store.observations import Floats, Known

TIME_STYLE = STYLES[5]


def series_of(known: Known, timestamps: Timestamps, values: Floats) -> Series:
    """Return observations as a series on its grid.

    Args:
        known: The series' name and calendar.
        timestamps: Rising, shape (rows,); instants where the series has a timezone, else wall clocks.
        values: NaN where nothing was observed.

    Raises:
        SeriesError: If the observations lie on no grid, or all of them are gaps.
        FrequencyNotInferred: If nobody said the frequency and the timestamps do not tell it.
    """
    calendar = known.calendar
    zone = calendar.timezone
    stamps = timestamps if zone is None else [f"{one}Z" for one in np.datetime_as_string(timestamps).tolist()]
    try:
        made = Series.make(values, id=known.id, timestamps=stamps, frequency=calendar.frequency, timezone=zone)
    except FrequencyNotInferred as error:
        raise FrequencyNotInferred(
            error.detail, hint="Post observations of this series with a `frequency`: it is remembered."
        ) from error
    return replace(made, style=style_of(timestamps, zone))


def style_of(timestamps: Timestamps, timezone: str | None) -> str:
    """Return how timestamps are written: as dates where each is the beginning of a day there, else as times."""
    walls = timestamps if timezone is None else local_times(timestamps, timezone)
    return DEFAULT_STYLE if (walls == walls.astype("M8[D]")).all() else TIME_STYLE


def write_timestamps(timestamps: Timestamps, timezone: str | None) -> list[str]:
    """Return timestamps as text: dates, or times with their offset where there is a timezone."""
    return format_timestamps(timestamps, style_of(timestamps, timezone), timezone)
