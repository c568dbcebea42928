"""Validate: converts the timestamps of posted rows to the clock of their series, and refuses rows off its calendar."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.calendar.alignment import FEWEST_WITH_OUTLIER
from models.calendar.frequency import Frequency
from models.calendar.on_calendar import calendar_clock, infer_frequency, parse_frequency
from models.calendar.timestamps import Timestamps, to_instants, to_local_times, write_exactly
from models.calendar.zones import recognize_zone
from models.errors import AlmanacError, FrequencyMismatch, TimestampInvalid, TimestampsDuplicated, TimestampsOffCalendar
from models.irregular.repairs import Repair, snapped_repair
from service.observations.calendar_fit import MAX_DISTANCE, GridFit, Mask, fit_to, neighbours, written
from service.observations.columns import NO_OFFSET, Faults
from service.store.known_series import NEW_SERIES, KnownSeries
from service.store.observations import Calendar

FindKnownSeries = Callable[[Sequence[str]], Mapping[str, KnownSeries]]
"""Returns what is stored of series, by name."""

UTC = "UTC"
MIN_STORED = 2
"""Stored values that fix the frequency of a series; with fewer it may change."""
YEARS = MAX_DISTANCE.astype("m8[D]").astype(np.int64) // 365


@dataclass(frozen=True, slots=True, eq=False)
class ParsedRows:
    """Rows whose cells are valid.

    Attributes:
        places: Index of each row in the body, shape (rows,).
        ids: Names of their series.
        walls: Wall clocks as they were written, datetime64[us], (rows,).
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
    groups = _group(rows.ids)
    zones = {name: given.timezone or known.get(name, NEW_SERIES).calendar.timezone for name in groups}
    found = _recognized(rows, groups, zones)
    zones |= found
    stamps, kept = _instants(rows, groups, zones), np.ones(len(rows.ids), dtype=np.bool_)
    checker = _RowChecker(rows, stamps, kept, faults)
    calendars: dict[str, Calendar] = {}
    repairs: dict[str, list[Repair]] = {name: [_zone_repair(zone, len(groups[name]))] for name, zone in found.items()}
    for name, members in groups.items():
        stored = known.get(name, NEW_SERIES)
        zone = zones[name] or (UTC if (rows.offsets[members] != NO_OFFSET).any() else None)
        frequency = given.frequency or stored.calendar.frequency
        checker.check_clock(members, zone, frequency)
        repair = checker.check_calendar(members, zone, frequency, stored)
        if repair is not None:
            repairs.setdefault(name, []).append(repair)
        if kept[members].any():
            has_value = bool((kept[members] & ~np.isnan(rows.values[members])).any())
            new = Calendar(given.frequency, given.timezone or (None if stored.calendar.timezone else zone))
            calendars[name] = new if has_value else _only_unknown(new, stored.calendar)
    return ValidatedRows(stamps, kept, calendars, repairs)


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


def _recognized(
    rows: ParsedRows, groups: Mapping[str, NDArray[np.int64]], zones: Mapping[str, str | None]
) -> dict[str, str]:
    """Return the timezone of each series without one whose offsets change as in a usual timezone, as files are read."""
    found: dict[str, str] = {}
    if len(np.unique(rows.offsets)) > 1:
        for name, members in groups.items():
            with_offset = members[rows.offsets[members] != NO_OFFSET]
            offsets = rows.offsets[with_offset]
            if zones[name] is None and len(np.unique(offsets)) > 1:
                zone = recognize_zone(rows.walls[with_offset] - offsets.astype("m8[us]"), offsets // 1_000_000)
                found |= {} if zone is None else {name: zone}
    return found


def _zone_repair(zone: str, count: int) -> Repair:
    detail = f"Offsets change as in {zone}; the timestamps are read as local times there. `timezone` settles it."
    return Repair("TIMEZONE_FOUND", None, count, detail)


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
            self._refuse(row, _skipped(self._rows.walls[row : row + 1], zone))

    def check_calendar(
        self, members: NDArray[np.int64], zone: str | None, frequency: str | None, stored: KnownSeries
    ) -> Repair | None:
        """Refuse values off the calendar of their series, and all values if the series has another frequency.

        Timestamps near to their step move to it; the repair says how many.
        """
        members = members[self._kept[members] & ~np.isnan(self._rows.values[members])]
        if frequency is None or not members.size:
            return self._snap_inferred(members, zone, stored) if members.size else None
        known = stored.calendar.frequency
        if known not in {None, frequency} and len(stored.stamps) >= MIN_STORED:
            self._refuse_all(members, _mismatch(str(known), frequency))
            return None
        step = parse_frequency(frequency)
        fit = self._fit(step, zone, stored.stamps, self._stamps[members])
        clock = calendar_clock(self._stamps[members], step, zone)
        fitting = int(fit.on_grid.sum())
        if not len(stored.stamps) and 2 * fitting < len(members):
            self._refuse_all(members, _wrong_frequency(fitting, len(members), step))
            return None
        for place in np.flatnonzero(~fit.on_grid | fit.too_far).tolist():
            error = _too_far(clock[place]) if fit.too_far[place] else _off_grid(fit, clock[place])
            self._refuse(int(members[place]), error)
        return self._snap(members, clock, fit, zone)

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
                self._refuse(int(members[place]), _doubled(clock[twins[0]], clock[place], fit))
        moved = moved[self._kept[members[moved]]]
        if not moved.size:
            return None
        points = fit.points[moved]
        local = zone is not None and fit.frequency.nanoseconds is None
        self._stamps[members[moved]] = to_instants(points, str(zone)) if local else points
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


def _skipped(wall: Timestamps, zone: str) -> TimestampInvalid:
    return TimestampInvalid(
        f"{written(wall)[0]} does not exist in {zone}: clocks went forward.",
        pointer="timestamp",
        hint="Send the time with its offset.",
    )


def _mismatch(known: str, frequency: str) -> FrequencyMismatch:
    return FrequencyMismatch(
        f"The series has the frequency {known}, not {frequency}.",
        pointer="id",
        hint=f"Leave the frequency out, use another id, or post null at its values: a series without values takes "
        f"{frequency}.",
    )


def _wrong_frequency(fitting: int, rows: int, frequency: Frequency) -> TimestampsOffCalendar:
    return TimestampsOffCalendar(
        f"Only {fitting} of {rows} timestamps of the series lie on steps of {frequency.name}.",
        pointer="timestamp",
        hint="Send the frequency of the timestamps, or leave it out.",
    )


def _too_far(stamp: np.datetime64) -> TimestampInvalid:
    return TimestampInvalid(
        f"{written(np.array([stamp]))[0]} lies more than {YEARS} years from the rest of the series.",
        pointer="timestamp",
        hint="Correct the year; or post null at the stored values, if they are wrong.",
    )


def _doubled(one: np.datetime64, other: np.datetime64, fit: GridFit) -> TimestampsDuplicated:
    return TimestampsDuplicated(
        f"{write_exactly(one)} and {write_exactly(other)} both belong to one step of {fit.frequency.name}.",
        pointer="timestamp",
        hint="Send one value for each step.",
    )


def _off_grid(fit: GridFit, stamp: np.datetime64) -> TimestampsOffCalendar:
    text, start = (written(np.array([one]))[0] for one in (stamp, fit.start))
    return TimestampsOffCalendar(
        f"{text} is not a step of {fit.frequency.name} from {start}, the grid of the series.",
        pointer="timestamp",
        hint=f"The steps beside it are {' and '.join(neighbours(fit, stamp)) or 'others'}.",
    )
