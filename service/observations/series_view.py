"""Series view: stored observations as a Series that a model can read."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.calendar.dates import read_timestamps
from models.calendar.exact_frequency import FiscalPeriods
from models.calendar.frequency import Frequency
from models.calendar.timestamps import STYLES, Timestamps, to_instants, to_local_times
from models.calendar.zoned_grid import calendar_clock, format_timestamps
from models.errors import Finding, FrequencyNotInferred, SeriesTooLong, TimestampsOffCalendar
from models.series import DEFAULT_STYLE, Series
from service.observations.calendar_fit import fit_to
from service.store.blobs import Floats
from service.store.observations import SeriesInfo

TIME_STYLE = STYLES[5]
FISCAL_HINT = (
    "Post null at its values and these at the first day of each calendar month; or send them to POST /forecast without "
    "timestamps, with the frequency 'M'."
)
SHOWN = 5
"""Timestamps that a hint lists."""


def make_series(known: SeriesInfo, timestamps: Timestamps, values: Floats) -> Series:
    """Return observations as a Series on its grid, from the first value to the last.

    Gaps before and after them, and gaps that lie on no step, are left out: posting null removes a wrong timestamp.

    Args:
        known: The series' name and calendar.
        timestamps: Rising, shape (rows,); instants if the series has a timezone, else wall clocks.
        values: NaN for a gap.

    Raises:
        SeriesError: If the values lie on no grid, or there is none; the hint lists the timestamps off the grid.
        FrequencyNotInferred: If the frequency is unknown and cannot be inferred from the timestamps.
    """
    valued = ~np.isnan(values)
    if not valued.any():
        return _make(known, timestamps, values, None)
    series = _make(known, timestamps[valued], values[valued], known.calendar.frequency)
    grid = series.timestamps
    kept = valued | np.isin(timestamps, [] if grid is None else grid)
    if kept.sum() > valued.sum():
        series = _make(known, timestamps[kept], values[kept], series.frequency)
    zone, stamps = known.calendar.timezone, timestamps[kept]
    findings = tuple(_take_back(one, stamps, zone) for one in series.findings)
    return replace(series, style=style_of(stamps, zone), findings=findings)


def _take_back(finding: Finding, stamps: Timestamps, zone: str | None) -> Finding:
    """Return a finding about a far date with the remedy for a stored value."""
    if finding.code != "DATE_STRAY":
        return finding
    at = int(finding.pointer.rpartition("/")[2])
    (date,) = write_timestamps(stamps[at : at + 1], zone)
    return replace(finding, hint=f"If the date is wrong, post null at {date}, and the value at the right date.")


def style_of(timestamps: Timestamps, timezone: str | None) -> str:
    """Return the style of timestamps: dates if each is the start of a day in the timezone, else times."""
    walls = timestamps if timezone is None else to_local_times(timestamps, timezone)
    days = walls.astype("M8[D]").astype("M8[us]")
    starts = days if timezone is None else to_instants(days, timezone)
    return DEFAULT_STYLE if (timestamps == starts).all() else TIME_STYLE


def has_hours(known: SeriesInfo) -> bool:
    """Return whether the steps of a series are shorter than a day, by its frequency or else by its extent."""
    if known.calendar.frequency is not None:
        step = Frequency(known.calendar.frequency)
        return step.nanoseconds is not None or step.unit == "bh"
    if known.first is None or known.last is None:
        return False
    return bool(known.last - known.first < (known.count - 1) * np.timedelta64(1, "D"))


def write_timestamps(timestamps: Timestamps, timezone: str | None, *, hours: bool = False) -> list[str]:
    """Return timestamps as text: dates or times, times with their offset if there is a timezone.

    Args:
        timestamps: Instants if there is a timezone, else wall clocks, shape (rows,).
        timezone: IANA name.
        hours: Whether all are times, midnights too.
    """
    return format_timestamps(timestamps, TIME_STYLE if hours else style_of(timestamps, timezone), timezone)


def _make(known: SeriesInfo, timestamps: Timestamps, values: Floats, frequency: Frequency | str | None) -> Series:
    zone = known.calendar.timezone
    stamps = timestamps if zone is None else [f"{one}Z" for one in np.datetime_as_string(timestamps).tolist()]
    try:
        dates = read_timestamps(stamps, zone, stated="Y")  # stored years are right
        return Series.make(values, id=known.id, timestamps=dates, frequency=frequency, timezone=zone)
    except FiscalPeriods as error:
        raise type(error)(error.detail, hint=FISCAL_HINT) from error
    except FrequencyNotInferred as error:
        raise FrequencyNotInferred(
            error.detail, hint="Post observations of this series with a `frequency`, which is stored."
        ) from error
    except (TimestampsOffCalendar, SeriesTooLong) as error:
        wrong = timestamps[_off_grid(known, timestamps)]
        raise type(error)(error.detail, hint=_remedy(wrong, zone)) from error


def _off_grid(known: SeriesInfo, timestamps: Timestamps) -> NDArray[np.bool_]:
    """Return which timestamps lie off the grid of the most; if all share one grid, those beyond its longest pause."""
    zone = known.calendar.timezone
    none = np.array([], dtype="M8[us]")
    if known.calendar.frequency is not None:
        step = Frequency(known.calendar.frequency)
        on_grid = fit_to(step, zone, none, timestamps).on_grid
        if not on_grid.all():
            return ~on_grid
        timestamps = calendar_clock(timestamps, step, zone)
    after = int(np.argmax(np.diff(timestamps))) + 1
    later = np.arange(len(timestamps)) >= after
    return later if after > len(timestamps) - after else ~later


def _remedy(wrong: Timestamps, zone: str | None) -> str:
    texts = write_timestamps(wrong[:SHOWN], zone)
    more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    return f"Post null at {', '.join(texts)}{more} to remove what does not belong to the series."
