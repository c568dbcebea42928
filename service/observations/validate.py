"""Validate: converts the timestamps of posted rows to the clock of their series, and refuses rows off its calendar."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.alignment import FEWEST_WITH_OUTLIER
from models.calendar.eras import is_settled, may_have_era, refuse_era
from models.calendar.frequency import Frequency
from models.calendar.timestamps import NO_OFFSET, Timestamps, to_instants, to_local_times
from models.calendar.zoned_grid import calendar_clock, infer_frequency, parse_frequency
from models.errors import AlmanacError, TimestampInvalid
from models.irregular.repairs import Repair, snapped_repair
from service.observations.calendar_fit import GridFit, Mask, fit_to
from service.observations.columns import Faults
from service.observations.date_conventions import NO_STEP, find_stored, match_dates, match_stored, matched_repair
from service.observations.far_dates import (
    far_date_error,
    far_dates_of_series,
    lone_dates_of_series,
    stored_far_date_repair,
)
from service.observations.row_errors import doubled, doubtful_month, mismatch, off_grid, too_far, wrong_frequency
from service.observations.row_errors import skipped as skipped_error
from service.observations.zones import FoundZone, find_mixed, find_zone, give_timezone
from service.store.known_series import NEW_SERIES, KnownSeries
from service.store.observations import Calendar

FindKnownSeries = Callable[[Sequence[str]], Mapping[str, KnownSeries]]
"""Returns what is stored of series, by name."""

UTC, DAY = "UTC", Frequency("D")
LENGTH_OF_DATE = len("2024-01-31")
MIN_STORED = 2
"""Stored values that fix the frequency of a series; with fewer it may change."""


@dataclass(frozen=True, slots=True, eq=False)
class ParsedRows:
    """Rows whose cells are valid.

    Attributes:
        places: Index of each row in the body, shape (rows,).
        ids: Names of their series.
        walls: Wall clocks as they were written, datetime64[us], (rows,).
        offsets: Microseconds east of UTC, or NO_OFFSET, (rows,).
        values: NaN is a gap, (rows,).
        zones: By series, the timezone that the file states.
        written: Timestamps of all rows of the body as they were written, or datetime64 of a file.
    """

    places: NDArray[np.int64]
    ids: Sequence[str]
    walls: Timestamps
    offsets: NDArray[np.int64]
    values: NDArray[np.float64]
    zones: Mapping[str, str] = field(default_factory=dict)
    written: Sequence[Any] | Timestamps = ()

    @property
    def are_of_file(self) -> bool:
        """Whether the rows are of a file, whose eras are settled as it is read."""
        return isinstance(self.written, np.ndarray)


@dataclass(frozen=True, slots=True, eq=False)
class ValidatedRows:
    """The result of validation.

    Attributes:
        stamps: Instants of series with a timezone, else wall clocks, datetime64[us], (rows,).
        kept: Which rows are valid, (rows,).
        calendars: What to store of each series with a valid row; None leaves what is stored.
        repairs: By series, what was changed.
    """

    stamps: Timestamps
    kept: Mask
    calendars: Mapping[str, Calendar]
    repairs: Mapping[str, Sequence[Repair]] = field(default_factory=dict)


def validate_rows(rows: ParsedRows, given: Calendar, known: Mapping[str, KnownSeries], faults: Faults) -> ValidatedRows:
    """Return rows on the clock of their series, and add a fault for each row off the calendar.

    A timestamp without an offset is read in the timezone of `given`, or else of the series. Gaps may lie off the calendar,
    since they remove a row.

    Args:
        rows: The rows.
        given: Frequency and timezone of the request, for all its series.
        known: What is stored of the series.
        faults: Errors of the rows of the body; grows.
    """
    known = {name: give_timezone(one, given.timezone) for name, one in known.items()}
    groups, kept = _group(rows.ids), np.ones(len(rows.ids), dtype=np.bool_)
    stated = {name: given.timezone or _zone_of_file(name, rows, known) for name in groups}
    mixed = find_mixed(rows.offsets, {name: groups[name] for name in groups if stated[name] is None}, known)
    faults.update({int(rows.places[row]): error for row, error in mixed.items()})
    kept[[*mixed]] = False
    groups = {name: left for name, members in groups.items() if (left := members[kept[members]]).size}
    zones = {name: stated[name] or known.get(name, NEW_SERIES).calendar.timezone for name in groups}
    found = {} if (rows.offsets == NO_OFFSET).all() else _find_zones(rows, groups, stated, known)
    zones |= {name: one.name for name, one in found.items()}
    stamps = _instants(rows, groups, zones)
    checker = _RowChecker(rows, stamps, kept, faults)
    calendars: dict[str, Calendar] = {}
    repairs: dict[str, list[Repair]] = {name: [one.repair] for name, one in found.items()}
    has_eras = not rows.are_of_file and may_have_era(rows.walls)
    for name, members in groups.items():
        stored = known.get(name, NEW_SERIES)
        zone = zones[name] or (UTC if (rows.offsets[members] != NO_OFFSET).any() else None)
        frequency = given.frequency or stored.calendar.frequency
        doubt = checker.check_era(members, given.frequency, stored) if has_eras else []
        if not kept[members].any():
            continue
        checker.check_clock(members, zone, frequency)
        made = [
            *doubt,
            *checker.check_calendar(members, zone, frequency, stored),
            *checker.check_strays(members, zone, frequency, stored),
        ]
        repairs |= {name: [*repairs.get(name, ()), *made]} if made else {}
        if kept[members].any():
            has_value = bool((kept[members] & ~np.isnan(rows.values[members])).any())
            is_kept = stored.calendar.timezone and not stated[name] and name not in found
            new = Calendar(given.frequency, None if is_kept else zone)
            calendars[name] = new if has_value else _only_unknown(new, stored.calendar)
    return ValidatedRows(stamps, kept, calendars, repairs)


def _zone_of_file(name: str, rows: ParsedRows, known: Mapping[str, KnownSeries]) -> str | None:
    """Return the timezone that a file states for a series; none for stored local times, which only a request gives one."""
    stored = known.get(name, NEW_SERIES)
    is_local = len(stored.stamps) and stored.calendar.timezone is None
    return None if is_local else rows.zones.get(name)


def _only_unknown(new: Calendar, stored: Calendar) -> Calendar:
    """Return the fields of a new calendar that are not stored yet: gaps alone change no stored one."""
    return Calendar(None if stored.frequency else new.frequency, None if stored.timezone else new.timezone)


def _group(ids: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each series, in their order."""
    if not ids:
        return {}
    codes = {name: code for code, name in enumerate(dict.fromkeys(ids))}
    code_of_row = np.fromiter((codes[one] for one in ids), dtype=np.int64, count=len(ids))
    order = np.argsort(code_of_row, kind="stable")
    edges = np.searchsorted(code_of_row[order], np.arange(1, len(codes)))
    return dict(zip(codes, np.split(order, edges), strict=True))


def _find_zones(
    rows: ParsedRows,
    groups: Mapping[str, NDArray[np.int64]],
    stated: Mapping[str, str | None],
    known: Mapping[str, KnownSeries],
) -> dict[str, FoundZone]:
    """Return the timezones that offsets show, of series of which none is stated."""
    found: dict[str, FoundZone] = {}
    for name, members in groups.items():
        if stated[name] is None:
            stored = known.get(name, NEW_SERIES)
            one = find_zone(rows.walls[members], rows.offsets[members], stored)
            found |= {} if one is None else {name: one}
    return found


def _instants(rows: ParsedRows, groups: Mapping[str, NDArray[np.int64]], zones: Mapping[str, str | None]) -> Timestamps:
    """Return the instants of rows with an offset or a timezone, the wall clocks of the others."""
    bare = rows.offsets == NO_OFFSET
    instants: Timestamps = rows.walls - np.where(bare, 0, rows.offsets).astype("m8[us]")
    if not bare.any():
        return instants
    for zone in {zone for zone in zones.values() if zone is not None and zone != UTC}:
        members = np.concatenate([members for name, members in groups.items() if zones[name] == zone])
        members = members[bare[members]]
        instants[members] = to_instants(rows.walls[members], zone)
    return instants


def _some(repair: Repair | None) -> list[Repair]:
    return [] if repair is None else [repair]


class _RowChecker:
    """Checks the rows of one series after the other.

    Args:
        rows: The rows.
        stamps: Their timestamps on the clocks of their series.
        kept: Becomes False for a refused row.
        faults: Errors of the rows of the body; grows.
    """

    def __init__(self, rows: ParsedRows, stamps: Timestamps, kept: Mask, faults: Faults) -> None:
        """Nothing is refused yet."""
        self._rows = rows
        self._stamps = stamps
        self._kept = kept
        self._faults = faults
        self._fits: dict[tuple[object, ...], GridFit] = {}

    def check_era(self, members: NDArray[np.int64], frequency: str | None, stored: KnownSeries) -> list[Repair]:
        """Refuse rows whose years look like those of another era, unless a frequency is stated or stored ones are near."""
        walls = self._rows.walls[members]
        if is_settled(walls, stored.stamps):
            return []
        stated = "" if frequency is None else parse_frequency(frequency).unit
        try:
            found = refuse_era(walls, "timestamp", stated=stated)
        except TimestampInvalid as error:
            self._refuse_all(members, error)
            return []
        return [Repair(one.code, None, len(members), one.detail) for one in found]

    def check_clock(self, members: NDArray[np.int64], zone: str | None, frequency: str | None) -> None:
        """Refuse wall clocks that a change of clocks skips; for days and longer a skipped midnight is valid."""
        bare = members[self._rows.offsets[members] == NO_OFFSET]
        if zone is None or zone == UTC or not bare.size:
            return
        walls = self._rows.walls[bare]
        skipped = to_local_times(self._stamps[bare], zone) != walls
        if frequency is None or parse_frequency(frequency).nanoseconds is None:
            skipped &= walls != walls.astype("M8[D]")
        for row in bare[skipped].tolist():
            self._refuse(row, skipped_error(self._rows.walls[row : row + 1], zone))

    def check_calendar(
        self, members: NDArray[np.int64], zone: str | None, frequency: str | None, stored: KnownSeries
    ) -> list[Repair]:
        """Refuse values off the calendar of their series, and all values if the series has another frequency.

        Timestamps near to their step move to it, and so do dates that are another convention for a stored period; the repairs
        say how many.
        """
        members = members[self._kept[members] & ~np.isnan(self._rows.values[members])]
        if not members.size:
            return []
        if frequency is None:
            matched = self._match_stored(members, zone, stored)
            return _some(matched or self._snap_inferred(members, zone, stored))
        step, known = parse_frequency(frequency), stored.calendar.frequency
        if known not in {None, frequency} and len(stored.stamps) >= MIN_STORED:
            self._refuse_all(members, mismatch(str(known), frequency))
            return []
        fit = self._fit(step, zone, stored.stamps, self._stamps[members])
        clock = calendar_clock(self._stamps[members], step, zone)
        fitting = int(fit.on_grid.sum())
        if not len(stored.stamps) and 2 * fitting < len(members):
            self._refuse_all(members, wrong_frequency(fitting, len(members), step))
            return []
        points = self._match(clock, fit, stored, zone)
        meant = ~np.isnat(points)
        for place in np.flatnonzero(~(fit.on_grid | meant) | fit.too_far).tolist():
            error = too_far(clock[place]) if fit.too_far[place] else off_grid(fit, clock[place])
            self._refuse(int(members[place]), error)
        if meant.any():
            self._move(members[meant], points[meant], zone, step)
        said = [matched_repair(clock[meant], points[meant])] if meant.any() else []
        return said + _some(self._snap(members, clock, fit, zone))

    def _match_stored(self, members: NDArray[np.int64], zone: str | None, stored: KnownSeries) -> Repair | None:
        """Give rows of a series without a frequency the stored days that they revise; refuse those that may be stored months."""
        if stored.calendar.timezone not in {None, zone}:
            return None
        shown, unit = find_stored(*(calendar_clock(one, DAY, zone) for one in (stored.stamps, stored.months)))
        if not len(shown):
            return None
        clock = calendar_clock(self._stamps[members], DAY, zone)
        texts = [] if self._rows.are_of_file else self._rows.written
        is_date = np.array([bool(texts) and len(texts[row]) == LENGTH_OF_DATE for row in self._rows.places[members]])
        points = match_stored(clock, is_date, shown, unit)
        meant = ~np.isnat(points)
        if unit == "M":
            for place in np.flatnonzero(meant).tolist():
                self._refuse(int(members[place]), doubtful_month(clock[place], points[place]))
        if unit == "M" or not meant.any():
            return None
        self._move(members[meant], points[meant], zone, DAY)
        return matched_repair(clock[meant], points[meant])

    @staticmethod
    def _match(clock: Timestamps, fit: GridFit, stored: KnownSeries, zone: str | None) -> Timestamps:
        """Return the steps that rows off the grid mean, NaT for others."""
        if fit.on_grid.all() or stored.calendar.timezone not in {None, zone}:  # dates of another timezone are others
            return np.full(len(clock), NO_STEP)
        return match_dates(clock, fit, calendar_clock(stored.stamps, fit.frequency, zone))

    def _move(self, rows: NDArray[np.int64], points: Timestamps, zone: str | None, step: Frequency) -> None:
        """Give rows the timestamps of their steps."""
        local = zone is not None and step.nanoseconds is None
        self._stamps[rows] = to_instants(points, str(zone)) if local else points

    def check_strays(
        self, members: NDArray[np.int64], zone: str | None, frequency: str | None, stored: KnownSeries
    ) -> list[Repair]:
        """Refuse values whose dates are far from all others, as in files; return what is said of stored and of lone ones."""
        members = members[self._kept[members] & ~np.isnan(self._rows.values[members])]
        stamps, said = self._stamps[members], []
        for found in far_dates_of_series(stored.stamps, stamps, frequency, zone) if members.size else ():
            after = found.date > found.nearest
            far = members[stamps >= found.date if after else stamps <= found.date]
            for row in far.tolist():
                self._refuse(row, far_date_error(found))
            if not far.size:
                said.append(stored_far_date_repair(found, zone))
        if said or not members.size or not self._kept[members].all():
            return said
        lone = lone_dates_of_series(stored.stamps, stamps, frequency, zone)
        return [stored_far_date_repair(one, zone, posted=bool((stamps == one.date).any())) for one in lone]

    def _snap_inferred(self, members: NDArray[np.int64], zone: str | None, stored: KnownSeries) -> Repair | None:
        """Move the timestamps of a series without a frequency to the steps that most of them are near to, if it is long."""
        stamps = np.unique(self._stamps[members])
        if len(stamps) < FEWEST_WITH_OUTLIER or len(np.unique(np.diff(stamps))) == 1:
            return None
        try:
            step = infer_frequency(stamps)
        except AlmanacError:  # then a forecast says so
            return None
        if step.nanoseconds is None:
            return None
        fit = self._fit(step, zone, stored.stamps, self._stamps[members])
        return self._snap(members, calendar_clock(self._stamps[members], step, zone), fit, zone)

    def _snap(self, members: NDArray[np.int64], clock: Timestamps, fit: GridFit, zone: str | None) -> Repair | None:
        """Move timestamps near to their step to it; of two on one step one is refused, never an exact one."""
        moved = np.flatnonzero(fit.on_grid & (fit.points != clock) & self._kept[members])
        if not moved.size:
            return None
        for place in moved.tolist():
            twins = np.flatnonzero((fit.points == fit.points[place]) & (clock != clock[place]) & self._kept[members])
            if twins.size and (twins[0] < place or (clock[twins] == fit.points[twins]).any()):
                self._refuse(int(members[place]), doubled(clock[twins[0]], clock[place], fit))
        moved = moved[self._kept[members[moved]]]
        if not moved.size:
            return None
        points = fit.points[moved]
        self._move(members[moved], points, zone, fit.frequency)
        return snapped_repair(len(moved), np.abs(clock[moved] - points).max(), fit.frequency)

    def _fit(self, frequency: Frequency, zone: str | None, stored: Timestamps, stamps: Timestamps) -> GridFit:
        """Return `fit_to`, computed once for all series with the same timestamps."""
        key = (frequency.name, zone, stored.tobytes(), stamps.tobytes())
        if key not in self._fits:
            self._fits[key] = fit_to(frequency, zone, stored, stamps)
        return self._fits[key]

    def _refuse(self, row: int, error: AlmanacError) -> None:
        self._kept[row] = False
        self._faults.setdefault(int(self._rows.places[row]), error)

    def _refuse_all(self, members: NDArray[np.int64], error: AlmanacError) -> None:
        for row in members.tolist():
            self._refuse(row, error)
