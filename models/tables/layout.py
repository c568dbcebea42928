"""TableLayout: which columns of a file are ids, timestamps and values."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.columns import find_column, find_columns
from models.tables.cells import as_text
from models.tables.faults import ID, TIME, VALUE, TableInvalid
from models.tables.options import ReadOptions
from models.tables.sheet import Sheet
from models.tables.times.clock_periods import ClockPeriods, dates_repeat, find_periods
from models.tables.times.date_forms import looks_dated
from models.tables.times.headers import are_years_or_months, refuse_steps_in_header, refuse_times_in_header
from models.tables.times.hours import BEGINNINGS, CLOCKS, ENDINGS, PERIODS, plain_name, read_clock
from models.tables.times.shifts import find_shift_hours, has_shift_times, is_opening
from models.tables.times.time_parts import ends_rows

LONG_HINT = "For a long file name its columns: --id-column, --time-column, --value-column."

_TIME_OF_DAY = re.compile(
    r"\d{1,2}(:\d{2}){1,2}([.,]\d+)?( ?[AaPp]\.?[Mm]\.?)?( Uhr)?|([01]?\d|2[0-3])( ?[AaPp]\.?[Mm]\.?)?"
)
_SAMPLE = 50

LEAST_NUMBERED = 3
"""Rows with other ids and other times from which on the ids number rows."""

VALUE_WORDS = (
    "sales", "sold", "qty", "quantity", "demand", "units", "revenue", "amount", "volume", "count", "orders",
    "menge", "umsatz", "absatz", "verkauf", "anzahl", "consumption", "load", "visits", "visitors", "customers",
)  # fmt: skip
"""Words in the name of a column that is likeliest the value; in lower case."""

BESIDE_WORDS = (
    "price", "preis", "promo", "promotion", "aktion", "discount", "rabatt", "holiday", "feiertag", "temp", "temperature",
    "temperatur", "stock", "cost",
)  # fmt: skip
"""Words in the name of a column that stands beside the values and is not a key; in lower case."""

PLURALS = ("", "s", "e", "n", "en")

ALONE = frozenset({"count"})
"""Words with which words of other things end: account, discount."""

LEAST_END = 5
"""Letters of a word that may end a longer one."""

LEAST_STEM = 6
"""Letters of a word that may begin a longer one, as in Verkaufszahl; shorter ones begin words of other things, as in country."""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """The columns of a file.

    Attributes:
        time: The timestamps.
        values: The values; a wide file has a column for each series. Empty if the file has only covariates.
        ids: Columns that together name a series; empty in a wide file, and in one of a single series.
        clock: The times of day, where they stand beside the dates.
        ignored: Columns that are none of these.
        wide: Whether each column of values is a series.
        periods: Where `clock` is the start of the rows' periods, and another column their end.
    """

    time: str
    values: tuple[str, ...]
    ids: tuple[str, ...]
    clock: str | None = None
    ignored: tuple[str, ...] = ()
    wide: bool = False
    periods: ClockPeriods | None = None


def find_layout(
    sheet: Sheet, options: ReadOptions, covariates: Sequence[str] = (), *, valued: bool = True, strict: bool = False
) -> TableLayout:
    """Return the layout of a sheet.

    A long file has columns for id, time and value. The value may have any name if no other column is left; so may the time
    if it comes first. A wide file has one time column, and all others are series.

    Args:
        sheet: The columns.
        options: Their names where they are not the usual ones.
        covariates: Columns that stand beside the values.
        valued: Whether there are values.
        strict: Whether two columns that can be the same field are refused, and values without ids beside other columns.

    Raises:
        TableInvalid: If a column is missing, or is of two fields.
    """
    names = sheet.names
    ids = split_ids(options.ids, names) or _found(names, "id", strict=strict)
    row_id = ids if valued and not strict and not options.ids and _differs(sheet, ids) else ()
    ids = () if row_id else ids
    value = _given(names, options.value, "value") if valued else None
    value = value or (next(iter(_found(names, "value", strict=strict)), None) if valued else None)
    refuse_times_in_header(sheet)
    if valued and value is None and options.time is None and options.date_format is None:
        refuse_steps_in_header(sheet)
    time = _given(names, options.time, "time") or _find_time(sheet, {*ids, *row_id, value}, strict=strict)
    _check_covariates(names, covariates, {time, value, *ids})
    used = {value, *ids, *covariates}
    periods = None if options.time and not dates_repeat(sheet, time, ids) else _find_periods(sheet, time, ids, used)
    clock = _find_clock(sheet, time, ids, used) or (periods.start if periods else None)
    periods = periods if periods and clock == periods.start else None
    taken = {time, value, clock, *ids, *row_id, *covariates}
    others = tuple(name for name in names if name not in taken)
    end = periods.end if periods else None
    ends = tuple(name for name in others if name == end or (value is None and ends_rows(sheet, time, name)))
    row_id, others = (*row_id, *ends), tuple(name for name in others if name not in ends)
    if not valued:
        return TableLayout(time, (), ids, clock, others, periods=periods)
    if value is None and ids and len(others) == 1:
        value, others = others[0], ()
    if value == time:
        raise _missing("time", TIME, names)
    if value is not None:
        if strict and not ids and others:  # one of them may be a misspelt id
            raise _missing("id", ID, names)
        return TableLayout(time, (value,), ids, clock, (*row_id, *others), periods=periods)
    if ids:
        raise _missing("value", VALUE, names, guess_value(sheet, others))
    if covariates or not others:
        raise _not_wide(sheet, time, has_covariates=bool(covariates))
    _refuse_shift_hours(sheet, others)
    shifts = [name for name in others if has_shift_times(name, sheet.columns[name])]
    if strict:  # they may be the times of a meter
        shifts = [name for name in shifts if is_opening(name)]
    values = tuple(name for name in others if name not in shifts) or others
    left = tuple(name for name in others if name not in values)
    return TableLayout(time, values, (), clock, (*row_id, *left), wide=True, periods=periods)


def _refuse_shift_hours(sheet: Sheet, names: Sequence[str]) -> None:
    """Raise TableInvalid if two columns of a wide file may be the hours between which each row lies."""
    found = find_shift_hours(sheet, names)
    others = [name for name in names if name not in (found or ())]
    if found is None or not others:
        return
    value = guess_value(sheet, others)
    hint = (
        f"Give --value-column {quote(value)}, if that is the value."
        if value and len(others) == 1
        else "Take them out, or rename them if they are series."
    )
    detail = f"has columns {found[0]!r} and {found[1]!r}, which look like hours of the day: they may be no series."
    raise TableInvalid(detail, hint=hint, about=VALUE)


def _not_wide(sheet: Sheet, time: str, *, has_covariates: bool) -> TableInvalid:
    """Return the error of a file without a value column that cannot be wide either."""
    if has_covariates:
        detail = f"has no value column, and covariates need a long file. It has {', '.join(sheet.names)}."
        return TableInvalid(detail, hint=LONG_HINT)
    left = " ".join(one.detail for one in sheet.findings if one.code == "COLUMNS_IGNORED")
    above = "take out what stands above the header"
    signs = (
        "separate the columns by a comma, a semicolon, a tab or a bar, and "
        if " " in time.strip() or "^" in time
        else ""
    )
    return TableInvalid(
        f"has one column, {time!r}. {left}".strip(),
        hint="Write a column of numbers."
        if left
        else f"Give a time column and a value column, named in row 1; {signs}{above}.",
        about=VALUE,
        missing=True,
    )


def _differs(sheet: Sheet, ids: Sequence[str]) -> bool:
    """Return whether a column `id` numbers the rows of a file: it differs in each, beside a key or times that differ too."""
    import pyarrow.compute as pc

    names, rows = sheet.names, len(sheet.rows)
    if [name.lower() for name in ids] != ["id"] or rows < 2:  # noqa: PLR2004 - one row is one series
        return False
    texts = as_text(sheet.columns[ids[0]])
    numbers = pc.all(pc.match_substring_regex(texts.drop_null(), r"^\d+$")).as_py()
    if not numbers or pc.count_distinct(texts).as_py() != rows:
        return False
    if len(names) >= 5:  # noqa: PLR2004 - id, time, value, key, one more
        return True
    times = next(iter(_found([name for name in names if name not in ids], "timestamp", strict=False)), None)
    return times is not None and rows >= LEAST_NUMBERED and pc.count_distinct(sheet.columns[times]).as_py() == rows


def split_ids(given: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the id columns that were given: a name with commas is several columns, unless there is one of this name.

    Raises:
        TableInvalid: If there is no such column.
    """
    parts = [part for one in given for part in ([one] if one in names else one.split(","))]
    return tuple(dict.fromkeys(name for part in parts if (name := _given(names, part.strip(), "id")) is not None))


def _given(names: Sequence[str], given: str | None, what: str) -> str | None:
    if given is None or given in names:
        return given
    near = difflib.get_close_matches(given, names, n=1)
    hint = f"Did you mean {near[0]!r}? See --{what}-column." if near else f"See --{what}-column."
    raise TableInvalid(f"has no column {given!r}. It has {', '.join(names)}.", hint=hint, about=what)


def _found(names: Sequence[str], field: str, *, strict: bool) -> tuple[str, ...]:
    """Return the column with one of the usual names of a field, or nothing."""
    if not strict:
        name = find_column(names, field)
        return () if name is None else (name,)
    found = find_columns(names, field)
    if len(found) > 1:
        raise TableInvalid(
            f"has the columns {' and '.join(found)}, which can both be the {field}.",
            hint="Send one of them.",
            about=field,
        )
    return tuple(found)


def _find_time(sheet: Sheet, taken: set[str | None], *, strict: bool) -> str:
    names = sheet.names
    found = [name for name in _found(names, "timestamp", strict=strict) if name not in taken]
    if found:
        return found[0]
    free = [name for name in names if name not in taken]
    dated = next((name for name in free if looks_dated(sheet.columns[name])), None)
    if dated is None and (not free or (strict and names[0] in taken)):
        raise _missing("timestamp" if strict else "time", TIME, names)
    return dated or free[0]


def _missing(what: str, about: str, names: Sequence[str], guess: str | None = None) -> TableInvalid:
    hint = f"Give --value-column {quote(guess)}, if that is the value." if guess else LONG_HINT
    return TableInvalid(f"has no {what} column among {', '.join(names)[:400]}.", hint=hint, about=about, missing=True)


def _check_covariates(names: Sequence[str], covariates: Sequence[str], taken: set[str | None]) -> None:
    """Refuse covariates that are not columns, or that are columns of another use; with near matches."""
    for name in covariates:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "Covariates are columns of the file."
            raise TableInvalid(f"has no column {name!r}. It has {', '.join(names)}.", hint=hint)
        if name in taken:
            raise TableInvalid(f"column {name!r} holds ids, times or values; it is not a covariate.", hint=LONG_HINT)


def _find_clock(sheet: Sheet, time: str, ids: Sequence[str], taken: set[str | None]) -> str | None:
    """Return the column with the times of day beside one of dates, or None; beside years and months it is a period of them."""
    if are_years_or_months(sheet.columns[time]):
        return None
    free = [name for name in sheet.names if name != time and name not in taken]
    for name in free:
        if plain_name(name) not in CLOCKS | BEGINNINGS | ENDINGS | PERIODS:
            continue
        if (_has_clocks(sheet, name) or read_clock(sheet.columns[name], name)) and not has_clock(sheet, time):
            return name
    typed = next((name for name in free if _is_time(sheet.columns[name]) and not is_opening(name)), None)
    is_clock = typed is not None and not has_clock(sheet, time) and dates_repeat(sheet, time, ids)
    return typed if is_clock else None


def _find_periods(sheet: Sheet, time: str, ids: Sequence[str], taken: set[str | None]) -> ClockPeriods | None:
    """Return the periods that begin and end at times of day beside one of dates, or None."""
    found = find_periods(sheet, time, ids, taken)
    return None if found is None or are_years_or_months(sheet.columns[time]) or has_clock(sheet, time) else found


def _has_clocks(sheet: Sheet, name: str) -> bool:
    """Return whether a column has times of day."""
    cells = sample(sheet.columns[name])
    return bool(cells) and all(_TIME_OF_DAY.fullmatch(cell) for cell in cells)


def has_clock(sheet: Sheet, time: str) -> bool:
    """Return whether dates have a time of day other than midnight."""
    return any(":" in one.removesuffix(" 00:00:00") for one in sample(sheet.columns[time]))


def _is_time(column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether a column has the type of times of day."""
    import pyarrow as pa

    return bool(pa.types.is_time(column.type))


def sample(column: Any) -> list[str]:  # noqa: ANN401 - pyarrow's
    """Return the first cells of a column that are not empty, as text."""
    found = [str(one).strip() for one in column.slice(0, 4 * _SAMPLE).to_pylist() if one is not None]
    return [one for one in found if one][:_SAMPLE]


def has_word(name: str, words: Sequence[str]) -> bool:
    """Return whether a word of a column's name is one of these, or ends with one, as German ones do: Tagestemperatur."""
    return any(_is_of(part, word) for part in words_of(name) for word in words)


def words_of(name: str) -> list[str]:
    """Return the words of a name, in lower case: those of `unit_sales` and of `UnitSales` are the same."""
    found: list[str] = re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return found


def _is_of(part: str, word: str) -> bool:
    if part.startswith(word) and (len(word) >= LEAST_STEM or part[len(word) :] in PLURALS):
        return True
    return part.endswith(word) and len(word) >= LEAST_END and word not in ALONE


def guess_value(sheet: Sheet, names: Sequence[str]) -> str | None:
    """Return which of some columns is likeliest the value: by its name, else the last one of numbers; None if none is.

    A name that ends with such a word says what the numbers are; `units_per_box` does not.
    """
    numeric = [name for name in names if is_numeric(sheet.columns[name])]
    named = [name for name in numeric if has_word(name, VALUE_WORDS) and not has_word(name, BESIDE_WORDS)]
    best = [name for name in named if has_word(words_of(name)[-1], VALUE_WORDS)]
    return next(iter(best or named or numeric[-1:]), None)


def is_numeric(column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether a column has numbers, or text that looks like them."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(column.type):
        return bool(pa.types.is_integer(column.type) or pa.types.is_floating(column.type))
    texts = pc.utf8_trim_whitespace(as_text(column).drop_null())
    return bool(len(texts) and pc.all(pc.match_substring_regex(texts, r"^-?[\d.,]+$")).as_py())


def quote(name: str | None) -> str:
    """Return a name as it is written on a command line."""
    text = str(name)
    return text if re.fullmatch(r"[\w./,:@+-]+", text) else f"'{text}'"
