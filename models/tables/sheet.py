"""Sheet: the columns of a file by name, before anybody knows which are ids, times and values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.columns import find_column
from models.errors import Finding
from models.tables.faults import CellFault, TableInvalid
from models.tables.times.date_forms import looks_dated

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

PARQUET_INDEX = "__index_level_0__"
"""How pandas names an index without a name in Parquet, where it is the last column."""

PANDAS_INDEXES = frozenset({"level_0", PARQUET_INDEX})
"""Names that only pandas gives to the numbers of rows, which have gaps where rows were filtered."""

COUNTERS = PANDAS_INDEXES | {
    "", "index", "#", "no", "no.", "nr", "nr.", "n°", "row", "rownum", "row_num", "rowid", "row_id", "row number", "row_number",
    "lfd. nr.", "lfd.nr.", "lfd nr", "lfd. nr", "lfdnr", "s.no", "s.no.", "s. no.", "s no", "sno", "sr.no.", "sr. no.", "sr no",
    "x", "...1", "_c0",
}  # fmt: skip
"""Names of a column of row numbers, in lower case; `Unnamed: 0` of pandas is another one. R names it X and ...1, Spark _c0."""

FIRST_ONLY = frozenset({"x"})
"""Those that are names of values, too, unless they come first."""

_UNNAMED = "Unnamed: "
"""How pandas begins the name of a column whose header is empty."""

_SPACES = "\ufeff\u00a0\u2007\u202f\u200b \t\r\n"


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A file as columns.

    Attributes:
        columns: By name, in the order of the file: pyarrow arrays of text, numbers, booleans or timestamps.
        rows: Row of the file of each row here, from 1; shape (rows,).
        separator: What separates the cells of a CSV file; "" in other formats.
        faults: Rows with another number of cells than the header, by their index; their cells are empty.
        findings: What was noticed on the way.
        counters: Names of the columns that numbered the rows and are left out.
        is_export: Whether the service exported it, so that its timestamps are UTC where the column `timezone` has a name.
    """

    columns: Mapping[str, Any]
    rows: Rows
    separator: str = ""
    faults: Mapping[int, CellFault] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    counters: tuple[str, ...] = ()
    is_export: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.columns)

    def without(self, names: Sequence[str], *findings: Finding) -> "Sheet":
        """Return the sheet without some columns, and with findings."""
        left = {name: column for name, column in self.columns.items() if name not in names}
        return replace(self, columns=left, findings=self.findings + findings)

    def with_first(self, name: str, column: Any) -> "Sheet":  # noqa: ANN401 - pyarrow ships no types
        """Return the sheet with one more column, before all others."""
        return replace(self, columns={name: column, **self.columns})


def make_sheet(  # noqa: PLR0913 - the parts of a sheet
    names: Sequence[object],
    columns: Sequence[Any],
    rows: Rows,
    *,
    separator: str = "",
    faults: Mapping[int, CellFault] | None = None,
    findings: tuple[Finding, ...] = (),
) -> Sheet:
    """Return columns as a sheet with clean names, without rows and columns that are empty and without row numbers.

    Raises:
        TableInvalid: If there are no rows, a column has no name, or two have the same.
    """
    clean = [str(name).strip(_SPACES) for name in names]
    kept = [at for at, name in enumerate(clean) if name or not _is_empty(columns[at])]
    if len(kept) < len(clean):
        findings += (
            Finding("COLUMNS_EMPTY", f"{len(clean) - len(kept)} columns without name and cells are left out."),
        )
    clean, columns = [clean[at] for at in kept], [columns[at] for at in kept]
    counters = _find_counters(clean, columns)
    dropped = tuple(clean[at] for at in counters)
    findings += tuple(
        Finding("ROW_NUMBERS_DROPPED", f"Column {name or 'without a name'} counts the rows; it is left out.")
        for name in dropped
    )
    kept = [at for at in range(len(clean)) if at not in counters]
    clean, columns = [clean[at] for at in kept], [columns[at] for at in kept]
    if clean and _is_index(clean, columns):
        clean[0] = next(name for name in ("time", "ds", "column 1") if name not in clean)
    _refuse_names(clean)
    sheet = Sheet(dict(zip(clean, columns, strict=True)), rows, separator, faults or {}, findings, dropped)
    return _drop_empty_rows(sheet)


def _is_index(names: Sequence[str], columns: Sequence[Any]) -> bool:
    """Return whether the first column is the unnamed index of pandas with the times: no other column has them."""
    first, *others = names
    if first and not first.startswith(_UNNAMED):
        return False
    named = find_column(others, "timestamp")
    if named is None:
        return not first or looks_dated(columns[0])
    return looks_dated(columns[0]) and not looks_dated(columns[names.index(named)])


def _refuse_names(names: Sequence[str]) -> None:
    places: dict[str, int] = {}
    for at, name in enumerate(names, start=1):
        if not name:
            raise TableInvalid(
                f"has no name for column {at}.",
                hint="The header is the first row. Name the column there, or take it out, or what stands above the header.",
            )
        if places.setdefault(name, at) != at:
            raise TableInvalid(
                f"has the name {name!r} twice, for columns {places[name]} and {at}.",
                hint="Take out the lines above the header." if names[0][:1] == "#" else "Name each column differently.",
                about="value",
            )


def _find_counters(names: Sequence[str], columns: Sequence[Any]) -> list[int]:
    """Return which columns only number the rows beside a column of times: one, and those next to it as pandas names them.

    Each `to_csv()` writes the numbers of rows before those that `read_csv()` took for a column; those may have gaps.
    """
    found = list[int]()
    for at, name in enumerate(names):
        plain = _plain_name(name, names)
        is_named = plain in COUNTERS and (plain not in FIRST_ONLY or at == len(found))
        if not is_named and not name.startswith(_UNNAMED):
            continue
        others = [other for place, other in enumerate(names) if place not in (*found, at)]
        time = find_column(others, "timestamp")
        if len(others) < 2 or time is None:  # noqa: PLR2004 - times and values
            continue
        if (found and at != found[-1] + 1) or (numbers := _whole_numbers(columns[at])) is None:
            continue
        is_unnamed = not name or name.startswith(_UNNAMED)
        is_pandas = name.lower() in PANDAS_INDEXES or name.startswith(_UNNAMED)
        is_next = is_pandas or (name.lower() == "index" and "level_0" in names)
        is_distinct = len(np.unique(numbers)) == len(numbers)
        is_rising = len(numbers) > 0 and bool((np.diff(numbers) > 0).all())
        counts = is_rising and numbers[0] in {0, 1} and numbers[-1] - numbers[0] == len(numbers) - 1
        if found:
            is_counter = (is_next and is_distinct) or (counts and plain == _plain_name(names[found[-1]], names))
        else:
            is_index = name == PARQUET_INDEX or (name.lower() in PANDAS_INDEXES and at == 0)
            may_restart = is_index or (is_unnamed and at == 0)
            again = may_restart and _restarts(numbers, columns[names.index(time)])
            is_counter = counts or (is_index and is_distinct) or again
        if is_counter:
            found.append(at)
    return found


def _plain_name(name: str, names: Sequence[str]) -> str:
    """Return a name in lower case, without the number that R and pandas add if it is there already: X.1 beside X."""
    first = re.sub(r"\.\d+$", "", name)
    return (first if first in names else name).lower()


def _restarts(numbers: NDArray[np.int64], times: Any) -> bool:  # noqa: ANN401 - pyarrow ships no types
    """Return whether numbers count from 0 or 1, again and again, as those of files that were joined; not the keys of a time."""
    import pyarrow.compute as pc

    if len(numbers) < 2 or numbers[0] not in {0, 1}:  # noqa: PLR2004 - two rows
        return False
    steps = np.diff(numbers) == 1
    moves = pc.fill_null(pc.not_equal(times[1:], times[:-1]), False).to_numpy(zero_copy_only=False)  # noqa: FBT003
    return bool(steps.any() and (steps | (numbers[1:] == numbers[0])).all() and moves[steps].all())


def _whole_numbers(column: Any) -> NDArray[np.int64] | None:  # noqa: ANN401 - pyarrow ships no types
    import pyarrow as pa

    try:
        numbers = column.drop_null().cast(pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    found: NDArray[np.int64] = numbers.to_numpy(zero_copy_only=False)
    return found if len(found) == len(column) else None


def empty_cells(column: Any) -> Mask:  # noqa: ANN401 - pyarrow ships no types
    """Return which cells of a column are null, NaN or text of spaces; shape (rows,)."""
    import pyarrow.compute as pc

    if _is_text(column):
        column = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 0)
        found = pc.fill_null(column, True)  # noqa: FBT003 - pyarrow's way
    else:
        found = pc.is_null(column, nan_is_null=True)
    empty: Mask = found.to_numpy(zero_copy_only=False)
    return empty


def _is_text(column: Any) -> bool:  # noqa: ANN401 - pyarrow ships no types
    import pyarrow as pa

    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))


def _is_empty(column: Any) -> bool:  # noqa: ANN401 - pyarrow ships no types
    return bool(empty_cells(column).all())


def _drop_empty_rows(sheet: Sheet) -> Sheet:
    """Return the sheet without rows of empty cells; raise TableInvalid if none is left."""
    import pyarrow as pa

    empty = np.ones(len(sheet.rows), dtype=np.bool_)
    empty[list(sheet.faults)] = False
    for column in sorted(sheet.columns.values(), key=_is_text):  # text takes longest, and few rows are empty so far
        if not empty.any():
            break
        empty &= empty_cells(column)
    if empty.all():
        raise TableInvalid("holds no rows.", hint="Give a file with a header and at least one row.", about="value")
    if not empty.any():
        return sheet
    kept = np.flatnonzero(~empty)
    places = dict(zip(kept.tolist(), range(len(kept)), strict=True))
    return replace(
        sheet,
        columns={name: column.take(pa.array(kept)) for name, column in sheet.columns.items()},
        rows=sheet.rows[kept],
        faults={places[at]: fault for at, fault in sheet.faults.items()},
    )
