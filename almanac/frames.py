"""Frames: pandas, polars and other frames as an Arrow table, and Arrow tables as frames of the same kind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from narwhals.exceptions import DuplicateError

from models.columns import find_column
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
        kinds: The type of each column in the user's library; none of ids that are joined from several columns.
    """

    table: pa.Table
    columns: Columns
    implementation: Any
    kinds: Mapping[str, Any] = field(default_factory=dict)

    def make(self, table: pa.Table, ids: str) -> Any:  # noqa: ANN401 - a frame of the user's kind
        """Return a table as a frame of the same kind, its column of ids in the type of the data."""
        kind = self.kinds.get(ids)
        made = nw.from_arrow(table, backend=self.implementation)
        if kind is None:
            return made.to_native()
        if self.implementation.is_pandas_like():
            native = made.to_native()
            return native if native[ids].dtype == kind else native.astype({ids: kind})
        return (made.with_columns(nw.col(ids).cast(kind)) if _is_category(kind) else made).to_native()

    def ids_of(self, texts: pa.Array, name: str) -> pa.Array:
        """Return ids, which are read as text, in the type of a column of numbers."""
        kind = self.table.schema.field(name).type if name in self.kinds else pa.string()
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            return texts
        return texts.cast(kind)


def read_frame(data: Any, columns: Columns) -> Frame:  # noqa: ANN401 - a frame of any kind
    """Return a frame with its names.

    Args:
        data: A long frame of pandas, polars, PyArrow or another library that narwhals knows; or of pandas a Series or frame whose
            index has the dates: then each column is a series.
        columns: Names of the columns where they are not the usual ones.

    Raises:
        DataInvalid: If it is no frame, or Arrow has no type for one of its columns.
    """
    frame = _with_levels(_wrapped(data), columns)
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
        joined = Columns(ID, columns.time, columns.target)
        return Frame(_join_ids(table, columns.parts), joined, frame.implementation)
    return Frame(table, columns, frame.implementation, _kinds(frame))


def _wrapped(data: Any) -> nw.DataFrame[Any]:  # noqa: ANN401 - a frame of any kind
    """Return the data as a frame of narwhals; raises DataInvalid."""
    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    try:
        found = nw.from_native(data, eager_only=True, allow_series=True)
        if getattr(data, "ndim", 0) == 2 and (levels := getattr(data.columns, "nlevels", 1)) > 1:  # noqa: PLR2004
            raise DataInvalid(
                f"The columns of the frame have {levels} levels.",
                hint='Give one of them, such as df["y"] of a pivoted frame.',
            )
        frame = found.to_frame() if isinstance(found, nw.Series) else found
    except DuplicateError as error:
        raise DataInvalid(
            f"The frame has a column twice. Received: {', '.join(map(str, data.columns))[:200]}.",
            hint="Give each column a name of its own.",
        ) from error
    except TypeError as error:
        lazy = "Call .collect() first: give" if type(data).__name__ == "LazyFrame" else "Give"
        raise DataInvalid(
            f"The data is a {type(data).__name__}, not a frame.",
            hint=f"{lazy} a pandas or polars frame, or a pyarrow Table, with the columns unique_id, ds and y.",
        ) from error
    if isinstance(found, nw.Series) and not any(map(_is_dates, _levels(frame))):
        raise DataInvalid(
            "The Series has no dates.",
            hint="Make its index a DatetimeIndex or a PeriodIndex, or give a frame with the columns ds and y.",
        )
    return frame


def _levels(frame: nw.DataFrame[Any]) -> list[Any]:
    """Return each level of the index of a pandas frame."""
    index = nw.maybe_get_index(frame)
    return [] if index is None else [index.get_level_values(place) for place in range(index.nlevels)]


def _is_dates(level: Any) -> bool:  # noqa: ANN401 - an index of pandas
    return type(level).__name__ in INDEXES


def _with_levels(frame: nw.DataFrame[Any], columns: Columns) -> nw.DataFrame[Any]:
    """Return a pandas frame with a column for each level of its index that has the ids or the dates."""
    taken: list[str] = []
    for given, name in (((columns.id, *columns.parts), "id"), ((columns.time,), "timestamp")):
        wanted = [one for one in given if one]
        if not wanted and find_column(map(str, frame.columns), name) is None:
            usual = find_column([one.name for one in _levels(frame) if isinstance(one.name, str)], name)
            wanted = [usual] if usual is not None else []
        taken += [one.name for one in _levels(frame) if one.name in wanted and one.name not in frame.columns]
    if not taken or (len(_levels(frame)) == 1 and _is_dates(_levels(frame)[0])):
        return frame
    return nw.from_native(frame.to_native().reset_index(level=taken), eager_only=True)


def _kinds(frame: nw.DataFrame[Any]) -> dict[str, Any]:
    """Return the type of each column, of pandas in its own types."""
    if frame.implementation.is_pandas_like():
        return {str(name): kind for name, kind in frame.to_native().dtypes.items()}
    return dict(frame.schema)


def _is_category(kind: Any) -> bool:  # noqa: ANN401 - a type of narwhals
    return isinstance(kind, nw.Categorical | nw.Enum)


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
    return [*map(_is_dates, _levels(frame))] == [True] and (columns.time or TIME) not in frame.columns


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
        column = frame.get_column(name)
        if _is_category(column.dtype) and not frame.implementation.is_pandas_like():
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


def concatenate(table: pa.Table, future: pa.Table) -> pa.Table:
    """Return a table with that of its future below it; columns that one of them lacks are empty there.

    Raises:
        DataInvalid: If a column has another type in the future.
    """
    tables = [_without_dictionaries(one) for one in (table, future)]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        kinds = [dict(zip(one.column_names, one.schema.types, strict=True)) for one in tables]
        other = [name for name in kinds[0] if name in kinds[1] and kinds[0][name] != kinds[1][name]]
        raise DataInvalid(
            f"The frame and future= have different types in {', '.join(other)[:200]}.",
            hint="Give both the same types, such as dates in both.",
        ) from error


def _without_dictionaries(table: pa.Table) -> pa.Table:
    """Return a table whose categories are plain values."""
    columns = [one.cast(one.type.value_type) if pa.types.is_dictionary(one.type) else one for one in table.columns]
    return pa.table(columns, names=table.column_names)
