"""Placing: posted rows on the clock and the calendar of their series; those that lie on neither are named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar.frequency import Frequency
from models.calendar.on_calendar import on_calendar, parse_frequency
from models.calendar.timestamps import Timestamps, instants_of, local_times
from models.errors import AlmanacError, FrequencyMismatch, TimestampInvalid, TimestampsOffCalendar
from service.observations.calendar_fit import FAR, GridFit, Mask, fit_to, neighbours, written
from service.store.known_series import NEW_SERIES, KnownSeries
from service.store.observations import Calendar

Faults = dict[int, AlmanacError]
"""By row of the body, the first thing that is wrong with it."""
FindKnownSeries = Callable[[Sequence[str]], Mapping[str, KnownSeries]]
"""Returns what is known of series, by name."""

NO_OFFSET = np.iinfo(np.int64).min
"""In place of microseconds east of UTC: the timestamp is a wall clock."""
UTC = "UTC"
FEWEST = 2
"""Values that tell a step: a series that has fewer takes another frequency."""
YEARS = FAR.astype("m8[D]").astype(np.int64) // 365


@dataclass(frozen=True, slots=True, eq=False)
class ParsedRows:
    """ParsedRows that are sound by themselves.

    Attributes:
        places: Of each in the body, shape (rows,).
        ids: Names of their series.
        walls: Clocks as they were written, datetime64[us], (rows,).
        offsets: Microseconds east of UTC, or NO_OFFSET, (rows,).
        values: NaN is a gap, (rows,).
    """

    places: NDArray[np.int64]
    ids: Sequence[str]
    walls: Timestamps
    offsets: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ValidatedRows:
    """ParsedRows on their series' clocks.

    Attributes:
        stamps: Instants of series that have a timezone, else wall clocks, datetime64[us], (rows,).
        kept: Which rows are sound, (rows,).
        calendars: What is to be remembered of each series that has a sound row; None leaves what was said before.
    """

    stamps: Timestamps
    kept: Mask
    calendars: Mapping[str, Calendar]


def validate_rows(rows: ParsedRows, said: Calendar, known: Mapping[str, KnownSeries], faults: Faults) -> ValidatedRows:
    """Return rows on the clock and the calendar of their series, and add a fault for each that has no place there.

    A timestamp without an offset is read by the clock of `said`, or else of the series; gaps lie where they like, since
    they take a row out.

    Args:
        rows: The rows.
        said: What their body says of all their series.
        known: What was said of those series before, and where their values lie.
        faults: What is wrong with rows of the body; grows.
    """
    groups = _grouped(rows.ids)
    zones = {name: said.timezone or known.get(name, NEW_SERIES).calendar.timezone for name in groups}
    stamps, kept = _instants(rows, groups, zones), np.ones(len(rows.ids), dtype=np.bool_)
    judge = _Judge(rows, stamps, kept, faults)
    calendars = {}
    for name, members in groups.items():
        before = known.get(name, NEW_SERIES)
        zone = zones[name] or (UTC if (rows.offsets[members] != NO_OFFSET).any() else None)
        frequency = said.frequency or before.calendar.frequency
        judge.clock(members, zone, frequency)
        judge.calendar(members, zone, frequency, before)
        if kept[members].any():
            valued = bool((kept[members] & ~np.isnan(rows.values[members])).any())
            news = Calendar(said.frequency, said.timezone or (None if before.calendar.timezone else zone))
            calendars[name] = news if valued else _unknown(news, before.calendar)
    return ValidatedRows(stamps, kept, calendars)


def _unknown(news: Calendar, before: Calendar) -> Calendar:
    """Return what is news of a series that is sent gaps alone: only what nobody has said."""
    return Calendar(
        None if before.frequency else news.frequency,
        None if before.timezone else news.timezone,
    )


def _grouped(ids: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each series, in their order."""
    if not ids:
        return {}
    codes = {name: place for place, name in enumerate(dict.fromkeys(ids))}
    which = np.fromiter((codes[one] for one in ids), dtype=np.int64, count=len(ids))
    order = np.argsort(which, kind="stable")
    edges = np.searchsorted(which[order], np.arange(1, len(codes)))
    return dict(zip(codes, np.split(order, edges), strict=True))


def _instants(rows: ParsedRows, groups: Mapping[str, NDArray[np.int64]], zones: Mapping[str, str | None]) -> Timestamps:
    """Return instants where an offset or a timezone tells them, else the wall clocks."""
    bare = rows.offsets == NO_OFFSET
    instants: Timestamps = rows.walls - np.where(bare, 0, rows.offsets).astype("m8[us]")
    if not bare.any():
        return instants
    for zone in {zone for zone in zones.values() if zone is not None and zone != UTC}:
        mine = np.concatenate([members for name, members in groups.items() if zones[name] == zone])
        mine = mine[bare[mine]]
        instants[mine] = instants_of(rows.walls[mine], zone)
    return instants


class _Judge:
    """Refuses rows, series by series.

    Args:
        rows: The rows.
        stamps: On their series' clocks.
        kept: Falls to False where one is refused.
        faults: Of the body's rows; grows.
    """

    def __init__(self, rows: ParsedRows, stamps: Timestamps, kept: Mask, faults: Faults) -> None:
        """Nothing is refused yet."""
        self._rows = rows
        self._stamps = stamps
        self._kept = kept
        self._faults = faults
        self._fits: dict[tuple[object, ...], GridFit] = {}

    def clock(self, members: NDArray[np.int64], zone: str | None, frequency: str | None) -> None:
        """Refuse wall clocks that a change of clocks leaves out; of days and longer a missing midnight is its day."""
        bare = members[self._rows.offsets[members] == NO_OFFSET]
        if zone is None or zone == UTC or not bare.size:
            return
        walls = self._rows.walls[bare]
        skipped = local_times(self._stamps[bare], zone) != walls
        if frequency is None or parse_frequency(frequency).nanoseconds is None:
            skipped &= walls != walls.astype("M8[D]")
        for row in bare[skipped].tolist():
            wall = written(self._rows.walls[row : row + 1])[0]
            self._refuse(
                row,
                TimestampInvalid(
                    f"{wall} did not exist in {zone}: clocks went forward.",
                    pointer="timestamp",
                    hint="Send the time with its offset.",
                ),
            )

    def calendar(
        self, members: NDArray[np.int64], zone: str | None, frequency: str | None, before: KnownSeries
    ) -> None:
        """Refuse values off the calendar of their series, and all of them where another frequency is known."""
        members = members[self._kept[members] & ~np.isnan(self._rows.values[members])]
        if frequency is None or not members.size:
            return
        known = before.calendar.frequency
        if known not in {None, frequency} and len(before.stamps) >= FEWEST:
            for row in members.tolist():
                self._refuse(row, _mismatch(str(known), frequency))
            return
        step = parse_frequency(frequency)
        fit = self._fit(step, zone, before.stamps, self._stamps[members])
        clock = on_calendar(self._stamps[members], step, zone)
        if not len(before.stamps) and 2 * int(fit.lies.sum()) < len(members):
            for row in members.tolist():
                self._refuse(row, _nothing_lies(int(fit.lies.sum()), len(members), step))
            return
        for place in np.flatnonzero(~fit.lies | fit.far).tolist():
            self._refuse(int(members[place]), _misplaced(fit, clock[place], far=bool(fit.far[place])))

    def _fit(self, frequency: Frequency, zone: str | None, stored: Timestamps, stamps: Timestamps) -> GridFit:
        """Return `fit_to`, once for all series that have the same timestamps."""
        key = (frequency.name, zone, stored.tobytes(), stamps.tobytes())
        if key not in self._fits:
            self._fits[key] = fit_to(frequency, zone, stored, stamps)
        return self._fits[key]

    def _refuse(self, row: int, error: AlmanacError) -> None:
        self._kept[row] = False
        self._faults.setdefault(int(self._rows.places[row]), error)


def _mismatch(known: str, frequency: str) -> FrequencyMismatch:
    return FrequencyMismatch(
        f"The series is known as one of {known}, not of {frequency}.",
        pointer="id",
        hint=f"Leave the frequency out, post under another id, or post null at its values: what has none of them takes "
        f"{frequency}.",
    )


def _nothing_lies(lie: int, rows: int, frequency: Frequency) -> TimestampsOffCalendar:
    return TimestampsOffCalendar(
        f"Only {lie} of {rows} timestamps of the series lie on steps of {frequency.name}.",
        pointer="timestamp",
        hint="Send the frequency that they have, or leave it out.",
    )


def _misplaced(fit: GridFit, stamp: np.datetime64, *, far: bool) -> AlmanacError:
    text = written(np.array([stamp]))[0]
    if far:
        return TimestampInvalid(
            f"{text} lies more than {YEARS} years from the rest of the series.",
            pointer="timestamp",
            hint="Correct its year; or post null at those that are there, if they are wrong.",
        )
    begins = written(np.array([fit.start]))[0]
    return TimestampsOffCalendar(
        f"{text} lies on no step of {fit.frequency.name} from {begins}, as the series has them.",
        pointer="timestamp",
        hint=f"The steps beside it are {' and '.join(neighbours(fit, stamp)) or 'others'}.",
    )
