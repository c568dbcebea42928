"""Frames: pandas, polars and other frames as an Arrow table, and Arrow tables as frames of the same kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import pyarrow as pa

from models.errors import DataInvalid

ID, TIME, TARGET = "unique_id", "ds", "y"
"""The columns of a long frame, as in statsforecast, neuralforecast and TimeGPT."""

INDEXES = ("DatetimeIndex", "PeriodIndex")
"""Indexes of pandas that are dates."""

ALONE = "series"
"""The id of a series that has no name."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns of a long frame; None for those that Almanac recognizes: `unique_id`, `ds`, `y` and others."""

    id: str | None = None
    time: str | None = None
    target: str | None = None


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
        frame, columns = _from_index(frame)
    if missing := [name for name in (columns.id, columns.time, columns.target) if name and name not in frame.columns]:
        raise DataInvalid(
            f"The frame has no column {missing[0]!r}. Received: {', '.join(map(str, frame.columns))[:200]}.",
            hint="Name its columns with id_col=, time_col= and target_col=.",
        )
    return Frame(_to_arrow(frame), columns, frame.implementation)


def _is_dated(frame: nw.DataFrame[Any], columns: Columns) -> bool:
    """Return whether the dates of a frame are in its index."""
    index = nw.maybe_get_index(frame)
    return type(index).__name__ in INDEXES and (columns.time or TIME) not in frame.columns


def _from_index(frame: nw.DataFrame[Any]) -> tuple[nw.DataFrame[Any], Columns]:
    """Return a pandas frame whose index has the dates as a long frame: each column is a series, unless there is an id or a value."""
    native = frame.to_native()
    index = native.index.to_timestamp() if type(native.index).__name__ == INDEXES[1] else native.index
    wide = native.set_axis(index, axis=0).rename_axis(index=TIME)
    if {ID, TARGET} & set(frame.columns):
        return nw.from_native(wide.reset_index(), eager_only=True), Columns()
    names = [ALONE if name in {None, 0, ""} else str(name) for name in wide.columns]
    long = wide.set_axis(names, axis=1).reset_index().melt(TIME, var_name=ID, value_name=TARGET)
    return nw.from_native(long, eager_only=True), Columns(ID, TIME, TARGET)


def _to_arrow(frame: nw.DataFrame[Any]) -> pa.Table:
    """Return a frame as a table; periods become their first days."""
    arrays = []
    for name in frame.columns:
        column = frame[name]
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
