"""ParsedTable: the bytes of a file as ids, timestamps and values, the same for every format."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from models.columns import TIMEZONE
from models.errors import Finding
from models.ids import DOT_SEGMENTS, DOTS_HINT, plain_id
from models.tables import content as formats
from models.tables.cells import as_text
from models.tables.content import decode, find_kind, unpack
from models.tables.csv_text import read_csv
from models.tables.faults import TIME, VALUE, CellFault, TableInvalid, advise_notes
from models.tables.ids import read_ids
from models.tables.json_lines import read_json_lines
from models.tables.keys import are_flags, explain_repeats, is_one_key, may_name_series, repeat_hours
from models.tables.layout import LONG_HINT, TableLayout, find_layout, guess_value, has_clock, quote
from models.tables.numbers import NUMBER_HINT, Numbers, NumberStyle, read_numbers
from models.tables.options import ReadOptions
from models.tables.parquet import read_parquet
from models.tables.sheet import Sheet
from models.tables.times.clock_periods import ClockPeriods, are_few
from models.tables.times.date_forms import looks_dated
from models.tables.times.dates import Times, read_times
from models.tables.times.eras import find_eras
from models.tables.times.hours import join_clock, join_texts, read_clock, unpivot_hours
from models.tables.times.shifts import is_opening
from models.tables.times.time_parts import has_clocks, is_time_part, join_date
from models.tables.workbook import SHEET_READ, read_workbook
from models.tables.zones import find_zones

HOURS_HINT = "Name the column `hour beginning` or `hour ending`, or write dates and hours as one column such as 2024-01-31T05:00."
CLOCK_HINT = "Write date and time as one column, such as 2024-01-31T05:00."
MOST_ALONE = 5
"""Rows up to which a column may name a series of one row each."""


@dataclass(frozen=True, slots=True, eq=False)
class ParsedTable:
    """A file, read.

    Attributes:
        sheet: Its columns as they were.
        layout: Which of them are what.
        times: Of each row.
        values: Of each row, by column; one column in a long file, none if it has only covariates.
        ids: Of each row, a pyarrow array of text; None in a wide file, and in one of a single series.
        id_faults: Rows without an id, by index.
        covariates: Of each row, by name.
        findings: What was noticed on the way.
    """

    sheet: Sheet
    layout: TableLayout
    times: Times
    values: Mapping[str, Numbers]
    ids: Any = None
    id_faults: Mapping[int, CellFault] = field(default_factory=dict)
    covariates: Mapping[str, Numbers] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def faults(self) -> dict[int, CellFault]:
        """Return the first fault of each row of a long file, by index; of a wide file, without those of single values."""
        found: dict[int, CellFault] = {}
        values = () if self.layout.wide else tuple(one.faults for one in self.values.values())
        covariates = tuple(one.faults for one in self.covariates.values())
        for faults in (self.sheet.faults, self.id_faults, self.times.faults, *values, *covariates):
            for at, fault in faults.items():
                found.setdefault(at, fault)
        return found

    def zones(self) -> dict[str, str]:
        """Return the timezone of each series of an export that has one, by id; empty for any other file."""
        if not self.sheet.is_export or self.ids is None:
            return {}
        import pyarrow as pa

        both = pa.table({"id": self.ids, "zone": self.sheet.columns[TIMEZONE]}).group_by(["id", "zone"]).aggregate([])
        return {row["id"]: row["zone"] for row in both.to_pylist() if row["zone"] is not None}

    def explain_repeats(self) -> tuple[str, str] | None:
        """Return why one series has times twice, as text and remedy; None if no columns explain it."""
        series = np.zeros(len(self.sheet.rows), dtype=np.int64)
        if self.ids is not None:
            series = self.ids.indices.to_numpy().astype(np.int64)
        return explain_repeats(self.sheet, self.layout, series, self.times.instants())


def read_sheet(content: bytes, name: str = "", options: ReadOptions | None = None, *, guess: bool = True) -> Sheet:
    """Return the columns of a file.

    Args:
        content: Its bytes.
        name: Its name, for what the first bytes do not tell.
        options: How to read it.
        guess: Whether text that is not in UTF-8 may be read as Windows-1252.

    Raises:
        TableInvalid: If it cannot be read.
    """
    kind = find_kind(content, name)
    if kind == formats.GZIP:
        return read_sheet(unpack(content), name.lower().removesuffix(".gz"), options, guess=guess)
    if kind == formats.PARQUET:
        import pyarrow as pa

        return read_parquet(pa.BufferReader(content))
    if kind == formats.WORKBOOK:
        return read_workbook(content, options.sheet if options else None)
    text, findings = decode(content, guess=guess)
    if kind == formats.JSON_LINES:
        return read_json_lines(text, findings)
    return read_csv(text, findings, raw=None if findings else content.removeprefix(b"\xef\xbb\xbf"))


def read_columns(
    sheet: Sheet, options: ReadOptions, covariates: Sequence[str] = (), *, valued: bool = True, strict: bool = False
) -> ParsedTable:
    """Return the ids, timestamps and values of a sheet.

    Args:
        sheet: The columns of a file.
        options: How they are named and written.
        covariates: Columns of a long file that stand beside the values.
        valued: Whether the file must have values.
        strict: As for `find_layout`.

    Raises:
        TableInvalid: If a column is missing or can be read in two ways.
    """
    used = {part.strip() for one in options.ids for part in (one, *one.split(","))} | {options.time, options.value}
    _refuse_options(sheet, options, used, valued=valued)
    if options.time not in sheet.names:
        sheet = join_date(sheet, {*used, *covariates})
    sheet = unpivot_hours(sheet, {*used, *covariates})
    layout = find_layout(sheet, options, covariates, valued=valued, strict=strict)
    style = NumberStyle(options.decimal, options.thousands, sheet.separator)
    findings = sheet.findings
    column = sheet.columns[layout.time]
    if layout.clock is not None:
        column, said = _join_clock(sheet, layout, layout.clock, strict=strict)
        findings += said
    times = read_times(column, layout.time, sheet.rows, options.date_format)
    times = replace(times, faults=advise_notes(times.faults, len(sheet.rows)))
    if layout.periods is not None and layout.periods.is_late.any():
        times = _turn_back(times, layout.periods, sheet)
    findings += _say_unclear(sheet, layout, options, strict=strict)
    values = {
        name: read_numbers(sheet.columns[name], name, sheet.rows, replace(style, named=name == options.value))
        for name in layout.values
    }
    ids, id_faults = (
        read_ids([(name, sheet.columns[name]) for name in layout.ids], sheet.rows) if layout.ids else (None, {})
    )
    if options.date_format is None:
        times = _without_eras(times, find_eras(times.walls, column, layout.time, sheet.rows, ids))
    if TIMEZONE in layout.ignored and not sheet.is_export:
        sheet, times = find_zones(sheet, times, ids)
    beside = {name: read_numbers(sheet.columns[name], name, sheet.rows, style, flags=True) for name in covariates}
    findings += times.findings
    for numbers in (*values.values(), *beside.values()):
        findings += numbers.findings
    ignored = [name for name in layout.ignored if not (sheet.is_export and name == TIMEZONE)]
    if ignored:
        numbered = next((f" {name} is different in every row." for name in ignored if name.lower() == "id"), "")
        findings += (Finding("COLUMNS_IGNORED", f"Not used: {', '.join(ignored)}.{numbered}"),)
    reading = ParsedTable(sheet, layout, times, values, ids, id_faults, beside, findings)
    if layout.wide:
        _refuse_dots(layout)
        _refuse_long(reading)
    _refuse_parts(reading)
    return reading


def _refuse_options(sheet: Sheet, options: ReadOptions, used: Collection[str | None], *, valued: bool) -> None:
    """Raise TableInvalid for a sheet of what is not a workbook, and for a column of row numbers as one with a use."""
    if options.sheet and valued and all(one.code != SHEET_READ for one in sheet.findings):
        raise TableInvalid(
            f"is {'CSV' if sheet.separator else 'not a workbook'}, which has no sheets.", hint="Leave --sheet out."
        )
    if counters := [name for name in sheet.counters if name and name in used]:
        raise TableInvalid(
            f"has no column {counters[0]!r} to use: it only counts the rows, and is left out.",
            hint="Name another column, or give it another name in the header if it is more than the row number.",
        )


def _join_clock(sheet: Sheet, layout: TableLayout, clock: str, *, strict: bool) -> tuple[Any, tuple[Finding, ...]]:
    """Return dates and times of day as one column of text, and how they are read; if `strict`, hours in doubt are refused."""
    import pyarrow.compute as pc

    dates, times = sheet.columns[layout.time], read_clock(sheet.columns[clock], clock)
    found = Finding("CLOCK_JOINED", f"Columns {layout.time} and {clock} are read as one timestamp.")
    if times is not None and times.doubt:
        if strict:
            raise TableInvalid(times.doubt, hint=HOURS_HINT, about=TIME)
        doubt = Finding("PERIOD_UNCLEAR", f"The file {times.doubt} The first is read.", hint=HOURS_HINT)
        return join_clock(dates, times), (found, doubt)
    if times is not None:
        said = (Finding("PERIOD_ENDING", times.remark, hint="Write times in the column if that is wrong."),)
        return join_clock(dates, times), (found, *(said if times.remark else ()))
    texts = pc.utf8_trim_whitespace(as_text(sheet.columns[clock]))
    texts = pc.if_else(
        pc.match_substring_regex(texts, r"^\d{1,2}$"), pc.binary_join_element_wise(texts, "00", ":"), texts
    )
    return join_texts(dates, texts), (found,)


def _without_eras(times: Times, faults: Mapping[int, CellFault]) -> Times:
    """Return times with the faults of series whose years are those of another era."""
    if not faults:
        return times
    walls = times.walls.copy()
    walls[list(faults)] = np.datetime64("NaT")
    return replace(times, walls=walls, faults={**faults, **times.faults})


def _say_unclear(sheet: Sheet, layout: TableLayout, options: ReadOptions, *, strict: bool) -> tuple[Finding, ...]:
    """Return that times of day may be misread where a series has one row or two, which do not show what they are.

    Raises:
        TableInvalid: If they are not read, and `strict`: rows of several times of a day would become one.
    """
    if layout.periods is not None and layout.periods.is_unclear.any():
        row = sheet.rows[int(np.argmax(layout.periods.is_unclear))]
        detail = f"Row {row} ends at midnight or later, alone: its date is read as the one on which it begins."
        return (Finding("PERIOD_UNCLEAR", detail, hint=CLOCK_HINT),)
    if options.time is not None or layout.clock is not None or not layout.ignored or not are_few(sheet, layout.ids):
        return ()
    clocks = [name for name in layout.ignored if has_clocks(sheet.columns[name]) and not is_opening(name)]
    if not clocks or has_clock(sheet, layout.time):
        return ()
    names, few = ", ".join(clocks), "one or two rows of a series do not show whether they belong to its date"
    hint = f"{CLOCK_HINT} If they do not belong to it, give --time-column {quote(layout.time)}."
    if strict:
        raise TableInvalid(f"has times of day in {names}: {few}.", hint=hint, about=TIME)
    return (Finding("PERIOD_UNCLEAR", f"Times of day are not read: {names}. {few.capitalize()}.", hint=hint),)


def _turn_back(times: Times, periods: ClockPeriods, sheet: Sheet) -> Times:
    """Return times with the rows that have the date of the day on which they end on the day before, on which they begin."""
    first = int(np.argmax(periods.is_late))
    found = Finding(
        "PERIOD_ENDING",
        f"Rows over midnight have the date on which they end, as row {sheet.rows[first]}: read as the evening before.",
        hint=f"Write the date on which column {periods.start} is if that is wrong.",
    )
    walls = times.walls - np.where(periods.is_late, 1, 0).astype("m8[D]")
    return replace(times, walls=walls, findings=(*times.findings, found))


def _refuse_dots(layout: TableLayout) -> None:
    """Raise TableInvalid for a column of a wide file whose name cannot be an id."""
    for name in layout.values:
        if plain_id(name) in DOT_SEGMENTS:
            raise TableInvalid(f"has a column {name!r}, which cannot be an id.", hint=DOTS_HINT, about="id")


def _refuse_long(reading: ParsedTable) -> None:
    """Raise TableInvalid for a file without ids that cannot be wide: times repeat, or a column has no numbers.

    Hours that repeat since clocks go back are left to those who know the timezone.
    """
    walls = reading.times.instants()
    known = np.sort(walls[~np.isnat(walls)])
    twice = known[1:][known[1:] == known[:-1]]
    if len(twice) and len(reading.layout.values) > 1 and not repeat_hours(walls[~np.isnat(walls)]):
        explained = reading.explain_repeats()
        detail, hint = explained or ("", f"Name the columns that tell the series apart. {LONG_HINT}")
        rows = reading.sheet.rows[walls == twice[0]]
        raise TableInvalid(
            f"has no id column, and timestamps repeat: rows {rows[0]} and {rows[1]} have the same. {detail}".strip(),
            hint=hint,
            about="id",
            missing=True,
        )
    for name, numbers in reading.values.items():
        if numbers.faults and np.isnan(numbers.values).all():
            raise _no_numbers(reading, name, numbers.faults[min(numbers.faults)])
        if len(reading.layout.values) > 1 and is_one_key(name, reading.sheet.columns[name]):
            cell = as_text(reading.sheet.columns[name]).drop_null()[0].as_py()
            raise TableInvalid(
                f"has no id column, and column {name!r} looks like one: it is {cell.strip()!r} in each row.",
                hint=_advise(reading, name),
                about="id",
                missing=True,
            )


def _refuse_parts(reading: ParsedTable) -> None:
    """Raise TableInvalid for a file without ids whose times repeat since a column that is not used has a part of them."""
    layout, columns = reading.layout, reading.sheet.columns
    if layout.ids or not any(is_time_part(name, columns[name]) for name in layout.ignored):
        return
    walls = reading.times.instants()
    _, firsts, counts = np.unique(walls[~np.isnat(walls)], return_index=True, return_counts=True)
    explained = reading.explain_repeats() if (counts > 1).any() else None
    if explained is not None:
        first, second = reading.sheet.rows[walls == walls[~np.isnat(walls)][firsts[counts > 1][0]]][:2]
        raise TableInvalid(
            f"has timestamps that repeat: rows {first} and {second} have the same. {explained[0]}",
            hint=explained[1],
            about=TIME,
        )


def _no_numbers(reading: ParsedTable, name: str, fault: CellFault) -> TableInvalid:
    """Return the error of a file without ids that has a column without numbers; `fault` is the column's first."""
    if looks_dated(reading.sheet.columns[name]):
        return _two_dates(reading, name)
    cell = f"{fault.cell!r} (row {fault.row})"
    if len(reading.layout.values) == 1:
        return TableInvalid(f"has no numbers in column {name!r}: {cell}.", hint=fault.hint, about=VALUE)
    detail = f"has no id column, and column {name!r} has no numbers: {cell}."
    return TableInvalid(detail, hint=_advise(reading, name, fault.hint), about="id", missing=True)


def _two_dates(reading: ParsedTable, name: str) -> TableInvalid:
    """Return the error of a file with a second column of dates, of which nobody knows which are the times."""
    time = reading.layout.time
    value = guess_value(reading.sheet, [one for one in reading.layout.values if one != name])
    values = f" --value-column {quote(value)}" if value else ""
    return TableInvalid(
        f"has two columns of dates, {time!r} and {name!r}.",
        hint=f"Give --time-column {quote(time)}{values}, or --time-column {quote(name)}.",
        about=TIME,
    )


def _advise(reading: ParsedTable, text: str, hint: str = NUMBER_HINT) -> str:
    """Return the options that make a column of text the ids of a long file, or leave it out if it cannot name series."""
    layout = reading.layout
    value = guess_value(reading.sheet, [name for name in layout.values if name != text])
    if value is not None and _is_beside(reading.sheet.columns[text]):
        return f"Give --value-column {quote(value)}, which leaves column {text!r} out: it does not name series."
    if value is not None and has_clocks(reading.sheet.columns[text]):
        return f"Give --value-column {quote(value)}, which leaves column {text!r} out, if it has times of day. {hint}"
    if hint != NUMBER_HINT and (value is None or not may_name_series(reading.sheet.columns[text])):
        return hint
    if value is None or len(reading.times.faults):
        return LONG_HINT
    columns = f"--id-column {quote(text)} --time-column {quote(layout.time)} --value-column {quote(value)}"
    return f"Give {columns}, if it names series." + (f" Else: {hint}" if hint != NUMBER_HINT else "")


def _is_beside(column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether a column cannot name series: it is true and false, mostly empty, or different in most rows."""
    import pyarrow.compute as pc

    texts = as_text(column)
    there = pc.utf8_lower(pc.utf8_trim_whitespace(texts.drop_null()))
    distinct = pc.unique(there)
    return (
        are_flags(column) or 2 * len(there) < len(texts) or (len(there) > MOST_ALONE and 2 * len(distinct) > len(there))
    )
