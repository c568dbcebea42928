"""Frames: pandas, polars and other frames as an Arrow table, and Arrow tables as frames of the same kind."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.errors import DataInvalid
from models.tables.faults import TableInvalid
from models.tables.ids import read_ids
from models.tables.parquet import sheet_of

ID, TIME, TARGET = "unique_id", "ds", "y"
"""The columns of a long frame, as in statsforecast, neuralforecast and TimeGPT."""

INDEXES = ("DatetimeIndex", "PeriodIndex")
"""Indexes of pandas that are dates."""

ALONE = "series"
"""The id of a series that has no name."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns of a long frame; None for those that Almanac recognizes: `unique_id`, `ds`, `y` and others.

    Attributes:
        id: The ids.
        time: The timestamps.
        target: The values.
        parts: Columns that together name a series, in place of `id`.
    """

    id: str | None = None
    time: str | None = None
    target: str | None = None
    parts: tuple[str, ...] = ()

    @classmethod
    def of(cls, ids: str | Sequence[str] | None, time: str | None, target: str | None) -> Self:
        """Return the names of columns as they are given: the id may be several columns."""
        if isinstance(ids, str) or not isinstance(ids, Iterable):
            return cls(ids, time, target)
        parts = tuple(dict.fromkeys(ids))
        return cls(parts[0], time, target) if len(parts) == 1 else cls(None, time, target, parts)


@dataclass(frozen=True, slots=True)
class Frame:
    """A long frame.

    Attributes:
        table: Its rows.
        columns: The names of its columns.
        implementation: Of narwhals: pandas, polars, …
    """

    table: pa.Table
    columns: Columns
    implementation: Any

    def make(self, table: pa.Table) -> Any:  # noqa: ANN401 - a frame of the user's kind
        """Return a table as a frame of the same kind."""
        return nw.from_arrow(table, backend=self.implementation).to_native()


def read_frame(data: Any, columns: Columns) -> Frame:  # noqa: ANN401 - a frame of any kind
    """Return a frame with its names.

    Args:
        data: A long frame of pandas, polars, PyArrow or another library that narwhals knows; or of pandas a Series or frame whose
            index has the dates: then each column is a series.
        columns: Names of the columns where they are not the usual ones.

    Raises:
        DataInvalid: If it is no frame, or Arrow has no type for one of its columns.
    """
    try:
        found = nw.from_native(data, eager_only=True, allow_series=True)
    except TypeError as error:
        raise DataInvalid(
            f"The data is a {type(data).__name__}, not a frame.",
            hint="Give a pandas or polars frame with the columns unique_id, ds and y.",
        ) from error
    frame = found.to_frame() if isinstance(found, nw.Series) else found
    if _is_dated(frame, columns):
        frame, columns = _from_index(frame, columns)
    given = (columns.id, *columns.parts, columns.time, columns.target)
    if missing := [name for name in given if name and name not in frame.columns]:
        raise DataInvalid(
            f"The frame has no column {missing[0]!r}. Received: {', '.join(map(str, frame.columns))[:200]}.",
            hint="Name its columns with id_col=, time_col= and target_col=.",
        )
    table = _to_arrow(frame)
    if columns.parts:
        table, columns = _join_ids(table, columns.parts), Columns(ID, columns.time, columns.target)
    return Frame(table, columns, frame.implementation)


def _join_ids(table: pa.Table, parts: Sequence[str]) -> pa.Table:
    """Return a table with one column of ids in place of several, joined as by the command line; null where one is missing."""
    sheet = sheet_of(table.select(parts))
    try:
        ids, faults = read_ids([(name, sheet.columns[name]) for name in parts], sheet.rows)
    except TableInvalid as error:
        detail = str(error).removesuffix(error.hint).strip()
        raise DataInvalid(detail, hint="Ids are text or whole numbers. Name other columns with id_col=.") from error
    mask = np.isin(np.arange(table.num_rows), list(faults))
    others = {name: table.column(name) for name in table.column_names if name not in {ID, *parts}}
    return pa.table({ID: pc.if_else(pa.array(mask), None, ids), **others})


def _is_dated(frame: nw.DataFrame[Any], columns: Columns) -> bool:
    """Return whether the dates of a frame are in its index."""
    index = nw.maybe_get_index(frame)
    return type(index).__name__ in INDEXES and (columns.time or TIME) not in frame.columns


def _from_index(frame: nw.DataFrame[Any], columns: Columns) -> tuple[nw.DataFrame[Any], Columns]:
    """Return a pandas frame whose index has the dates as a long frame: each column is a series, unless there is an id or a value."""
    native = frame.to_native()
    index = native.index.to_timestamp() if type(native.index).__name__ == INDEXES[1] else native.index
    wide = native.set_axis(index, axis=0).rename_axis(index=TIME)
    if {ID, TARGET, columns.id, *columns.parts} & set(frame.columns):
        return nw.from_native(wide.reset_index(), eager_only=True), replace(columns, time=TIME)
    names = [ALONE if name in {None, 0, ""} else str(name) for name in wide.columns]
    long = wide.set_axis(names, axis=1).reset_index().melt(TIME, var_name=ID, value_name=TARGET)
    return nw.from_native(long, eager_only=True), Columns(ID, TIME, TARGET)


def _to_arrow(frame: nw.DataFrame[Any]) -> pa.Table:
    """Return a frame as a table; periods become their first days."""
    arrays = []
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, nw.Categorical | nw.Enum) and not frame.implementation.is_pandas_like():
            column = column.cast(nw.String())
        native = column.to_native()
        if str(getattr(native, "dtype", "")).startswith("period"):
            native = native.dt.to_timestamp()
        try:
            # By the protocol of Arrow where there is one: another way warns of times with a zone in pandas 3.
            arrays.append(pa.chunked_array(native if hasattr(native, "__arrow_c_stream__") else [column.to_arrow()]))
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise DataInvalid(
                f"Column {name!r} cannot be read: {str(error)[:200]}",
                hint="Give numbers, dates or text in each column.",
            ) from error
    return pa.table(arrays, names=[str(name) for name in frame.columns])


def concatenate(tables: Sequence[pa.Table]) -> pa.Table:
    """Return tables below each other; columns that one of them lacks are empty there."""
    return pa.concat_tables(tables, promote_options="permissive")
