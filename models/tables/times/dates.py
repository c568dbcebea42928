"""Dates: cells as wall clocks with offsets, in the one way of writing that fits the whole column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import EARLIEST, LATEST, NO_OFFSET, Timestamps, common_offset, parse_timestamp
from models.errors import Finding, TimestampInvalid
from models.tables.cells import as_time_text
from models.tables.faults import DATE_HINT, TIME, CellFault, Place
from models.tables.sheet import Rows
from models.tables.times.centuries import refuse_century, refuse_short_months, settle_century
from models.tables.times.date_forms import DAY_FIRST, MONTH_FIRST, are_hours, count_of_time, fitting_forms, parse_all
from models.tables.times.date_hints import advise_date
from models.tables.times.date_order import (
    first_doubt,
    lone_months,
    lone_years,
    order_hint,
    refuse_half_read,
    refuse_swapped,
    settle_order,
)
from models.tables.times.date_periods import read_periods, refuse_weeks
from models.tables.times.misplaced import mend_octobers, refuse_moved_weeks
from models.tables.times.months import in_english, refuse_doubtful_months
from models.tables.times.ranges import split_ranges, starts_of_clocks

READ_HINT = "If that is wrong, give --date-format."
DEFAULT_STYLE = "YYYY-MM-DD"

_ISO = r"^(?P<wall>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?)(?P<offset>Z|[+-]\d\d:?\d\d)?$"
_SERIAL = re.compile(r"[2-6]\d{4}(?:\.\d+)?")
_SEASON = re.compile(r"(\d{4})[/-](\d{2}|\d{4})")
_FEWEST_SEASONS = 3
"""Years such as 2004/05 from which on they are not months: each ends in the year after it."""


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """A column of times.

    Attributes:
        walls: Wall clocks as they were written, datetime64[us], (rows,); NaT for a wrong cell.
        offsets: Seconds east of UTC, or NO_OFFSET, (rows,).
        faults: What is wrong, by index.
        findings: How the cells were read, where that is not ISO 8601.
        style: How they were written, for `format_timestamps`.
        zone: IANA name of the column's timezone if the file has one; the walls are UTC then.
    """

    walls: Timestamps
    offsets: NDArray[np.int64]
    faults: Mapping[int, CellFault]
    findings: tuple[Finding, ...] = ()
    style: str = DEFAULT_STYLE
    zone: str | None = None

    def instants(self) -> Timestamps:
        """Return the times in UTC where they have an offset, else their wall clocks."""
        known = np.where(self.offsets == NO_OFFSET, 0, self.offsets).astype("m8[s]")
        instants: Timestamps = self.walls - known
        return instants


def read_times(column: Any, name: str, rows: Rows, date_format: str | None = None) -> Times:  # noqa: ANN401 - pyarrow's
    """Return a column as times.

    Args:
        column: A pyarrow array of text, numbers, dates or timestamps.
        name: Of the column.
        rows: Row of the file of each cell.
        date_format: How the dates are written, as for `strptime`; None finds it out.

    Raises:
        TableInvalid: If no cell distinguishes days from months, or the numbers count days as Excel does.
    """
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        typed = _read_typed(column, name, rows)
        numbers = pa.array(typed.walls.view(np.int64)).dictionary_encode()
        firsts = _first_rows(numbers.indices.to_numpy(), len(numbers.dictionary))
        shown = [str(wall)[:10] for wall in typed.walls[firsts]]
        refuse_swapped(shown, None, typed.walls[firsts], Place(name, rows[firsts]))
        return _in_range(typed, column, name, rows)
    encoded = as_time_text(column).dictionary_encode()
    distinct = [one.strip() for one in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    first = _first_rows(codes, len(distinct) + 1)
    found = _read_distinct(distinct, Place(name, rows[np.maximum(first[:-1], 0)] if len(rows) else rows), date_format)
    wrong = {
        at: replace(fault, row=int(rows[at]))
        for code, fault in found.faults.items()
        for at in np.flatnonzero(codes == code).tolist()
    }
    for at in np.flatnonzero(codes == len(distinct)).tolist():
        wrong[at] = _missing(name, int(rows[at]))
    walls = np.append(found.walls, np.datetime64("NaT"))[codes]
    times = replace(found, walls=walls, offsets=np.append(found.offsets, NO_OFFSET)[codes], faults=wrong)
    return _in_range(times, column, name, rows)


def _first_rows(codes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the first place of each number from 0 to below `count`, -1 of one that is nowhere."""
    first = np.full(count, -1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


_AFTER, _BEFORE = EARLIEST + np.timedelta64(2, "D"), LATEST - np.timedelta64(2, "D")
"""What lies between is in range with any offset."""


def _in_range(times: Times, column: Any, name: str, rows: Rows) -> Times:  # noqa: ANN401 - pyarrow's
    """Return times with a fault for each outside the years 1 to 9999, in its own time or in UTC."""
    if np.fmin.reduce(times.walls, initial=LATEST) > _AFTER and np.fmax.reduce(times.walls, initial=EARLIEST) < _BEFORE:
        return times
    instants = times.instants()
    wrong = (times.walls < EARLIEST) | (times.walls > LATEST) | (instants < EARLIEST) | (instants > LATEST)
    if not wrong.any():
        return times
    faults = dict(times.faults)
    for at in np.flatnonzero(wrong).tolist():
        faults[at] = CellFault(
            int(rows[at]), name, TIME, _shown(column, at), "is out of range", "Send a year from 1 to 9999."
        )
    return replace(times, walls=np.where(wrong, np.datetime64("NaT"), times.walls), faults=faults)


def _shown(column: Any, at: int) -> str:  # noqa: ANN401 - pyarrow's
    """Return a cell as text; of a typed time, which Python may not have, as arrow writes it."""
    import pyarrow as pa

    cell = column.slice(at, 1)
    return str((cell.cast(pa.string()) if pa.types.is_timestamp(column.type) else cell)[0])


def _missing(name: str, row: int) -> CellFault:
    return CellFault(row, name, TIME, "", "the date is missing", DATE_HINT)


def _read_typed(column: Any, name: str, rows: Rows) -> Times:  # noqa: ANN401 - pyarrow's
    """Return dates and timestamps of a Parquet file or a workbook; those with a timezone are instants in UTC."""
    import pyarrow as pa

    zone = getattr(column.type, "tz", None)
    plain = column.cast(pa.timestamp("us", zone), safe=False).cast(pa.timestamp("us"))
    walls = plain.to_numpy(zero_copy_only=False).astype("M8[us]")
    faults = {at: _missing(name, int(rows[at])) for at in np.flatnonzero(np.isnat(walls)).tolist()}
    days = bool((walls == walls.astype("M8[D]"))[~np.isnat(walls)].all())
    offset = parse_timestamp(f"1970-01-01T00:00{zone}").offset if zone and zone[0] in "+-" else None
    if offset is not None:
        walls, zone = walls + np.timedelta64(offset, "s"), None
    offsets = np.full(len(walls), NO_OFFSET if zone is None and offset is None else offset or 0)
    style = DEFAULT_STYLE if days and zone is None else "YYYY-MM-DDThh:mm:ss"
    return Times(walls, offsets, faults, (), style, zone)


def _read_distinct(texts: Sequence[str], place: Place, date_format: str | None) -> Times:
    if not texts:
        return Times(np.array([], dtype="M8[us]"), np.array([], dtype=np.int64), {})
    if date_format is not None:
        return _read_format(texts, place, date_format)
    if (begins := starts_of_clocks(texts)) is not None:
        return replace(_read_distinct(begins, place, None), findings=(_read_as_start(texts),))
    if (iso := _read_iso(texts)) is not None:
        refuse_swapped(texts, None, iso.walls, place)
        return iso
    plain = _read_unix(texts, place) or _read_seasons(texts)
    return plain or _read_ranges(texts, place) or _read_periods(texts, place) or _read_form(texts, place)


def _read_seasons(texts: Sequence[str]) -> Times | None:
    """Return years that begin in one year and end in the next, such as 2023/24, which are not months; None if a text is not so."""
    found = [_SEASON.fullmatch(text) for text in texts]
    years = [int(one[1]) for one in found if one and (int(one[1]) + 1) % 100 == int(one[2]) % 100]
    if len(years) < max(len(texts), _FEWEST_SEASONS):
        return None
    walls = np.array([f"{year:04d}-01-01" for year in years], dtype="M8[us]")
    detail = f"{texts[0]!r} is read as the year {years[0]}."
    return Times(walls, np.full(len(years), NO_OFFSET), {}, (Finding("DATES_NOT_ISO", detail, hint=READ_HINT),), "YYYY")


def _read_periods(texts: Sequence[str], place: Place) -> Times | None:
    """Return quarters and half-years such as 1/2015, with a finding; None if the column is not named after them."""
    found = read_periods(texts, place)
    if found is None:
        return None
    detail = f"{texts[0]!r} is read as {found.first}, which begins on {found.walls[0]:%Y-%m-%d}."
    times = _times([(one, None) for one in found.walls], {}, (Finding("DATES_NOT_ISO", detail, hint=READ_HINT),))
    return replace(times, style=found.style)


def _read_ranges(texts: Sequence[str], place: Place) -> Times | None:
    """Return the starts of periods such as 01.01.2024 00:00 - 01.01.2024 01:00; None if a text is not a period."""
    parts = split_ranges(texts)
    if parts is None:
        return None
    starts, ends = (_read_distinct(one, place, None) for one in parts)
    if starts.faults or ends.faults or not (starts.walls <= ends.walls).all():
        return None
    return replace(starts, findings=(_read_as_start(texts),))


def _read_as_start(texts: Sequence[str]) -> Finding:
    return Finding("DATES_NOT_ISO", f"{texts[0]!r} is a period; it is read as its start.", hint=READ_HINT)


def _read_iso(texts: Sequence[str]) -> Times | None:
    """Return days and times in ISO 8601, all at once; None if one is not so."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = pc.extract_regex(pa.array(texts, pa.string()), _ISO)
    if parts.null_count:
        return None
    try:
        walls = parts.field("wall").cast(pa.timestamp("us")).to_numpy(zero_copy_only=False).astype("M8[us]")
        known = parts.field("offset").dictionary_encode()
        offsets = [_offset_of(text) for text in known.dictionary.to_pylist()]
        style = parse_timestamp(max(texts, key=len)).style
    except (pa.ArrowInvalid, TimestampInvalid):
        return None
    codes = known.indices.to_numpy(zero_copy_only=False)
    return Times(walls, np.array(offsets, dtype=np.int64)[codes], {}, (), style)


def _offset_of(text: str) -> int:
    offset = parse_timestamp(f"1970-01-01T00:00{text}").offset if text else None
    return NO_OFFSET if offset is None else offset


def _read_format(texts: Sequence[str], place: Place, date_format: str) -> Times:
    """Return times in the way of writing that was given."""
    found: list[tuple[datetime, int | None] | None] = []
    faults = {}
    for at, text in enumerate(texts):
        try:
            stamp = datetime.strptime(text, date_format)  # noqa: DTZ007 - the format may have an offset
        except (ValueError, re.error):
            found.append(None)
            faults[at] = place.fault(at, text, f"is not a date in the form {date_format}", "See --date-format.")
        else:
            offset = stamp.utcoffset()
            found.append((stamp.replace(tzinfo=None), None if offset is None else int(offset.total_seconds())))
    if "%y" not in date_format:
        return _times(found, faults)
    settled = settle_century(texts, None, found)
    refuse_century(texts, None, settled, place)
    return _times(settled, faults)


def _times(
    found: Sequence[tuple[datetime, int | None] | None],
    faults: Mapping[int, CellFault],
    findings: tuple[Finding, ...] = (),
) -> Times:
    walls = np.array(["NaT" if one is None else one[0] for one in found], dtype="M8[us]")
    offsets = [NO_OFFSET if one is None or one[1] is None else one[1] for one in found]
    known = walls[~np.isnat(walls)]
    days = bool((known == known.astype("M8[D]")).all())
    style = DEFAULT_STYLE if days else "YYYY-MM-DDThh:mm:ss" + common_offset(offsets)
    return Times(walls, np.array(offsets, dtype=np.int64), faults, findings, style)


def _read_unix(texts: Sequence[str], place: Place) -> Times | None:
    """Return numbers that count from 1970, with a finding; refuse those that count days as Excel does."""
    if all(_SERIAL.fullmatch(text) for text in texts):
        day = np.datetime64("1899-12-30") + int(float(texts[0]))
        raise place.refuse(
            0,
            f"{texts[0]!r} is not a date; it may be Excel's number of {day}.",
            "Format the column as dates in the workbook, and save it again.",
        )
    if (counted := count_of_time(texts)) is None or (is_hours := are_hours(texts)):
        return None
    if is_hours is None:
        hour = f"{texts[0][:4]}-{texts[0][4:6]}-{texts[0][6:8]}T{texts[0][8:]}"
        raise place.refuse(
            0,
            f"{texts[0]!r} may be the hour {hour} or seconds since 1970.",
            f"For hours give --date-format %Y%m%d%H, or write {hour}:00; write seconds as 2034-01-31T06:00:00Z.",
        )
    unit, microseconds = counted
    walls = np.array(microseconds, dtype=np.int64).view("M8[us]")
    detail = f"{texts[0]!r} is read as {unit} since 1970, {walls[0].astype('M8[s]')} UTC."
    found = (Finding("DATES_NOT_ISO", detail, hint=READ_HINT),)
    style = (
        "YYYY-MM-DDThh:mm:ssZ" if all(one % 1_000_000 == 0 for one in microseconds) else "YYYY-MM-DDThh:mm:ss.ffffffZ"
    )
    return Times(walls, np.zeros(len(texts), dtype=np.int64), {}, found, style)


def _read_form(texts: Sequence[str], place: Place) -> Times:
    """Return times in the form that fits the most texts."""
    refuse_half_read(texts, place)
    refuse_weeks(texts, place)
    refuse_short_months(texts, place)
    refuse_doubtful_months(texts, place)
    written, (texts, mended) = texts, mend_octobers(in_english(texts), place)
    forms = fitting_forms(texts)
    if not forms:
        faults = {at: place.fault(at, text, "is not a date", advise_date(text)) for at, text in enumerate(texts)}
        return Times(np.full(len(texts), "NaT", dtype="M8[us]"), np.full(len(texts), NO_OFFSET), faults)
    readings = [settle_century(texts, form, parse_all(texts, form)) for form in forms]
    chosen = settle_order(forms, readings)
    if chosen is None:
        at, orders = first_doubt(readings), [form.order for form in forms if form.order]
        firsts = " or ".join(order.removesuffix(" first") for order in orders)
        raise place.refuse(at, f"{texts[at]!r} may be {firsts} first.", order_hint(texts[at], orders))
    form, found = forms[chosen], readings[chosen]
    if form.order in {DAY_FIRST, MONTH_FIRST}:
        refuse_swapped(texts, form.order, _times(found, {}).walls, place)
    refuse_century(texts, form, found, place)
    refuse_moved_weeks(texts, form, found, place)
    example = next(at for at, one in enumerate(found) if one is not None)
    faults = {}
    for at, one in enumerate(found):
        if one is None:
            like = (
                ""
                if form.usual and form.pattern.fullmatch(texts[at])
                else f" like {written[example]!r} (row {place.rows[example]})"
            )
            faults[at] = place.fault(at, written[at], f"is not a date{like}", advise_date(written[at]))
    faults |= lone_years(texts, place)
    stamp = found[example]
    detail = (
        f"{written[example]!r} is read as {stamp[0].isoformat(' ')[: 10 if stamp[0] == stamp[0].replace(hour=0, minute=0, second=0, microsecond=0) else 19]}."
        if stamp
        else ""
    )
    findings = lone_months(texts, place) if form.usual else (Finding("DATES_NOT_ISO", detail, hint=READ_HINT),)
    times = _times(found, faults, findings + mended)
    return replace(times, style=_style(texts[example], times.style))


def _style(text: str, style: str) -> str:
    """Return the style of a text in ISO 8601, else the one given."""
    try:
        return parse_timestamp(text).style
    except TimestampInvalid:
        return style
