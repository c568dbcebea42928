"""Tables: how a CSV or Parquet file, long or wide, becomes one long frame whose every fault has a row and a column."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.columns import NAMES, find_column, find_separator
from models.errors import DataInvalid, Finding
from training.config.training import Columns, require_file

LONG_HINT = "For a long file name its columns: --id-column, --time-column, --value-column."

DATE_HINT = "Write dates as 1939-01-31, with a time as 1939-01-31T06:00."

OTHER_FORMATS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%Y/%m",
    "%YM%m",
    "%b %Y",
    "%B %Y",
    "%b-%Y",
    "%d %b %Y",
)
HOURS_OF_A_SHORT_DAY = 23

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
_QUARTER = re.compile(r"^(\d{4})-?[Qq]([1-4])$")
_OFFSET = re.compile(r"[T ]\d{2}:\d{2}\S*?(Z|[+-]\d{2}:?\d{2})$")


@dataclass(frozen=True, slots=True)
class Table:
    """One file as a long frame.

    Attributes:
        path: The file.
        layout: `long` or `wide`.
        frame: Columns `unique_id` (str), `ds` (datetime64[us]), `y` (float64, NaN for a gap) and `row` (the line of the
            file, the header being row 1), in the order of the file.
        findings: What was noticed on the way.
        covariates: By name, a number for each row of the frame, NaN where unknown.
    """

    path: Path
    layout: str
    frame: pd.DataFrame
    findings: tuple[Finding, ...] = ()
    covariates: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def read_table(path: Path, columns: Columns, covariates: Sequence[str] = (), *, valued: bool = True) -> Table:
    """Return the file as a long frame.

    Args:
        path: The file.
        columns: Names of a long file's columns where they are not the usual ones.
        covariates: Columns of a long file that stand beside the values.
        valued: Whether the file must have values; one without them holds covariates alone, and its `y` is NaN.

    Raises:
        DataInvalid: If the file cannot be read, or a cell is no date or no number: with file, row and column.
    """
    require_file(path)
    raw = _read_parquet(path) if path.suffix.lower() in {".parquet", ".pq"} else _read_csv(path)
    raw.columns = [str(name) for name in raw.columns]
    raw = raw.dropna(how="all")
    if raw.empty:
        raise DataInvalid(f"{path}: holds no rows.", hint="Give a file with a header and at least one row.")
    time = _pick(path, raw, columns.time, "time") or str(raw.columns[0])
    value = _pick(path, raw, columns.value if valued else None, "value")
    key = _pick(path, raw, columns.id, "id")
    _check_covariates(path, raw, covariates, {time, key, value})
    others = [name for name in raw.columns if name not in {time, key, value, *covariates}]
    if not valued:
        return _long(path, raw, key, time, None, covariates)
    if value is None and key is not None and len(others) == 1:
        value = others.pop()
    if value is None and columns.id is not None:
        raise DataInvalid(f"{path}: no value column among {', '.join(raw.columns)}.", hint=LONG_HINT)
    if value is None and covariates:
        raise DataInvalid(
            f"{path}: covariates need a long file, and there is no value column among {', '.join(raw.columns)}.",
            hint=LONG_HINT,
        )
    return _wide(path, raw, time) if value is None else _long(path, raw, key, time, value, covariates)


def _check_covariates(path: Path, raw: pd.DataFrame, covariates: Sequence[str], taken: set[str | None]) -> None:
    """Refuse covariates that are no columns, or that are columns of another use; with near matches."""
    for name in covariates:
        if name not in raw.columns:
            near = difflib.get_close_matches(name, raw.columns, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "Covariates are columns of the file."
            raise DataInvalid(f"{path}: no column {name!r}. It has {', '.join(raw.columns)}.", hint=hint)
        if name in taken:
            raise DataInvalid(
                f"{path}: column {name!r} holds ids, times or values; it is no covariate.", hint=LONG_HINT
            )


def _long(  # noqa: PLR0913, PLR0917 - the file and each of its columns
    path: Path, raw: pd.DataFrame, key: str | None, time: str, value: str | None, covariates: Sequence[str]
) -> Table:
    if time == value:
        raise DataInvalid(f"{path}: no time column among {', '.join(raw.columns)}.", hint=LONG_HINT)
    ids = np.full(len(raw), value or "", dtype=object) if key is None else _ids(_cells(path, raw, key))
    times = _cells(path, raw, time)
    ds, findings = _times(times)
    values = np.full(len(raw), np.nan) if value is None else _numbers(_cells(path, raw, value))
    frame = pd.DataFrame({"unique_id": ids, "ds": ds, "y": values, "row": times.rows})
    ignored = [name for name in raw.columns if name not in {key, time, value, *covariates}]
    if ignored:
        findings += (Finding("COLUMNS_IGNORED", f"Not used: {', '.join(ignored)}."),)
    return Table(
        path, "long", frame, findings, {name: _flags_or_numbers(_cells(path, raw, name)) for name in covariates}
    )


def _wide(path: Path, raw: pd.DataFrame, time: str) -> Table:
    names = [name for name in raw.columns if name != time]
    if not names:
        raise DataInvalid(f"{path}: has one column, {time!r}.", hint="Give a time column and a value column.")
    ds, findings = _times(_cells(path, raw, time))
    frames = []
    for name in names:
        cells = _cells(path, raw, name)
        values = _numbers(cells)
        there = np.flatnonzero(~np.isnan(values))
        if not there.size:
            findings += (Finding("SERIES_ALL_MISSING", f"Column {name!r} has no values and is left out."),)
            continue
        part = slice(int(there[0]), int(there[-1]) + 1)
        frames.append(pd.DataFrame({"unique_id": name, "ds": ds[part], "y": values[part], "row": cells.rows[part]}))
    if not frames:
        raise DataInvalid(f"{path}: every column is empty.", hint="Give a file with values.")
    return Table(path, "wide", pd.concat(frames, ignore_index=True), findings)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataInvalid(f"{path}: is no Parquet file ({_first_line(error)}).", hint="Check the file.") from error
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        separator = find_separator(header)
        names = pd.read_csv(path, sep=separator, nrows=0, encoding="utf-8-sig").columns
        as_text = {*NAMES["id"], *NAMES["timestamp"]}
        texts = {name: str for name in names if name.lower() in as_text or name == names[0]}
        options: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig", "skip_blank_lines": False}
        frame: pd.DataFrame = pd.read_csv(path, dtype=texts, low_memory=False, **options)
    except UnicodeDecodeError as error:
        raise DataInvalid(f"{path}: is not in UTF-8.", hint="Save it as UTF-8.") from error
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataInvalid(f"{path}: is no CSV ({_first_line(error)}).", hint="Check the file.") from error
    return frame


def _pick(path: Path, raw: pd.DataFrame, given: str | None, what: str) -> str | None:
    if given is not None:
        if given not in raw.columns:
            hint = f"See --{what}-column."
            raise DataInvalid(f"{path}: no column {given!r}. It has {', '.join(raw.columns)}.", hint=hint)
        return given
    return find_column(raw.columns, "timestamp" if what == "time" else what)


@dataclass(frozen=True, slots=True)
class _Cells:
    """One column of a file, and which line of the file each cell stands on."""

    path: Path
    column: "pd.Series[Any]"
    rows: Rows

    def refuse(self, wrong: Mask, what: str, hint: str) -> None:
        """Raise DataInvalid naming the first wrong cell and counting the others."""
        places = np.flatnonzero(wrong)
        if not places.size:
            return
        cell = self.column.iloc[int(places[0])]
        met = "" if pd.isna(cell) else f"{str(cell)!r} "
        more = f" {places.size - 1} more like it." if places.size > 1 else ""
        place = f"{self.path}, row {self.rows[places[0]]}, column {self.column.name!r}"
        raise DataInvalid(f"{place}: {met}{what}{more}", hint=hint)


def _cells(path: Path, raw: pd.DataFrame, name: str) -> _Cells:
    return _Cells(path, raw[name], np.asarray(raw.index, dtype=np.int64) + 2)


def _ids(cells: _Cells) -> NDArray[np.object_]:
    cells.refuse(cells.column.isna().to_numpy(), "the id is missing.", "Give each row an id.")
    return cells.column.astype(str).to_numpy(dtype=object)


def _numbers(cells: _Cells) -> NDArray[np.float64]:
    there = cells.column.notna().to_numpy()
    numeric: NDArray[np.float64] = pd.to_numeric(cells.column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    wrong = there if pd.api.types.is_bool_dtype(cells.column.dtype) else there & np.isnan(numeric)
    cells.refuse(wrong, "is no number.", f"Leave gaps empty, write decimals with a point. {LONG_HINT}")
    cells.refuse(np.isinf(numeric), "is infinite.", "Leave the cell empty where the value is unknown.")
    return numeric


def _flags_or_numbers(cells: _Cells) -> NDArray[np.float64]:
    """Return numbers, true as 1 and false as 0, NaN where a cell is empty."""
    if pd.api.types.is_bool_dtype(cells.column.dtype):
        return cells.column.to_numpy(np.float64, na_value=np.nan)
    return _numbers(cells)


def _times(cells: _Cells) -> tuple[NDArray[np.datetime64], tuple[Finding, ...]]:
    cells.refuse(cells.column.isna().to_numpy(), "the date is missing.", DATE_HINT)
    findings: tuple[Finding, ...] = ()
    column = cells.column
    if pd.api.types.is_numeric_dtype(column.dtype):
        cells.refuse(~column.between(1000, 9999).to_numpy(), "is no date.", DATE_HINT)
        column = column.astype("int64").astype(str)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return _drop_timezone(column)
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        column, findings = _parse(replace(cells, column=column.astype(str).str.strip()))
    return column.to_numpy(dtype="datetime64[us]"), findings


def _drop_timezone(column: "pd.Series[Any]") -> tuple[NDArray[np.datetime64], tuple[Finding, ...]]:
    """Days stay days of their own clock; hours go to UTC, where none is doubled when clocks change."""
    steps = np.abs(np.diff(column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()))
    daily = bool(steps.size and np.median(steps.astype("timedelta64[h]").astype(np.int64)) >= HOURS_OF_A_SHORT_DAY)
    local = column.dt.tz_localize(None) if daily else column.dt.tz_convert("UTC").dt.tz_localize(None)
    finding = Finding("TIMEZONE_DROPPED", f"Times are read as {'local days' if daily else 'UTC'}.")
    return local.to_numpy(dtype="datetime64[us]"), (finding,)


def _parse(cells: _Cells) -> "tuple[pd.Series[Any], tuple[Finding, ...]]":
    """Parse each distinct text once: files of many series repeat their dates."""
    distinct = cells.column.drop_duplicates()
    bare, findings = _drop_offset(distinct.str.replace(_QUARTER, _first_month, regex=True))
    parsed = pd.to_datetime(bare, format="ISO8601", errors="coerce", utc=True)
    if parsed.isna().all():
        parsed, found = _parse_other(replace(cells, column=bare))
        findings += found
    wrong = cells.column.isin(distinct[parsed.isna().to_numpy()])
    cells.refuse(wrong.to_numpy(), "is no date.", DATE_HINT)
    times = pd.Series(parsed.dt.tz_localize(None).to_numpy(), index=distinct.to_numpy())
    return cells.column.map(times), findings


def _first_month(quarter: "re.Match[str]") -> str:
    return f"{quarter[1]}-{3 * int(quarter[2]) - 2:02d}"


def _parse_other(cells: _Cells) -> "tuple[pd.Series[Any], tuple[Finding, ...]]":
    """Try the usual ways to write a date; two that fit all cells and disagree are refused, not guessed."""
    tries = [pd.to_datetime(cells.column, format=form, errors="coerce", utc=True) for form in OTHER_FORMATS]
    fits = [parsed for parsed in tries if parsed.notna().all()]
    if not fits:
        return tries[0], ()
    if any(not parsed.equals(fits[0]) for parsed in fits):
        cells.refuse(np.ones(len(cells.column), dtype=bool), "may be day or month first.", DATE_HINT)
    detail = f"{str(cells.column.iloc[0])!r} is read as {fits[0].iloc[0]:%Y-%m-%d}."
    return fits[0], (Finding("DATES_NOT_ISO", detail, hint=DATE_HINT),)


def _drop_offset(distinct: "pd.Series[str]") -> "tuple[pd.Series[str], tuple[Finding, ...]]":
    """One offset throughout is the clock the file speaks of; several are brought to UTC."""
    offsets = {match[1] for match in map(_OFFSET.search, distinct) if match}
    if len(offsets) != 1:
        return distinct, (Finding("TIMEZONE_DROPPED", "Times are read as UTC."),) if offsets else ()
    finding = Finding("TIMEZONE_DROPPED", f"Times are read as local times at offset {offsets.pop()}.")
    return distinct.str.replace(r"(Z|[+-]\d{2}:?\d{2})$", "", regex=True), (finding,)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
