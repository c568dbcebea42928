"""Tabular: CSV and Parquet bodies as columns, with the names that forecasting packages give them."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import Timestamps
from models.errors import AlmanacError
from service.errors import BatchTooLarge, FieldInvalid, FieldMissing, FileInvalid

PARQUET = b"PAR1"
"""How a Parquet file begins."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "unique_id", "series_id", "item_id"),
    "timestamp": ("timestamp", "ds", "date", "datetime"),
    "value": ("value", "y", "target"),
}
"""What the three columns may be called."""

SWELLING = 64
"""How many times larger than the body a Parquet file's columns may be."""


@dataclass(frozen=True, slots=True, eq=False)
class RawColumns:
    """Rows as they were sent.

    Attributes:
        ids: Names of the series, as sent.
        timestamps: Text, or datetime64[us] where the file has them so.
        values: Anything, or float64 where the file has them so; NaN is a gap.
        pointer: Where a field of a row stands in the request, with {row} and {field}.
        faults: Rows that are wrong as rows.
    """

    ids: Sequence[Any]
    timestamps: Sequence[Any] | Timestamps
    values: Sequence[Any] | NDArray[np.float64]
    pointer: str
    faults: Mapping[int, AlmanacError] = field(default_factory=dict)


def find_names(columns: Iterable[str], what: str) -> list[str]:
    """Return which of some columns, or fields, are called as a field may be.

    Raises:
        FieldInvalid: If there are several: nobody can tell which is meant.
    """
    found = [name for name in NAMES[what] if name in columns]
    if len(found) > 1:
        raise FieldInvalid(
            f"There are {' and '.join(found)}, and both mean the {what}.", pointer=what, hint="Send one of them."
        )
    return found


def get_field(row: Mapping[str, Any], field: str, default: object = None) -> Any:  # noqa: ANN401 (whatever was sent)
    """Return a field under any of its names."""
    return next((row[name] for name in NAMES[field] if name in row), default)


def read_csv(body: bytes, limit: int) -> RawColumns:
    """Return the columns of a CSV file with a header, comma-separated, UTF-8; an empty value is a gap.

    Raises:
        FileInvalid: If it is no such file.
        FieldMissing: If it lacks one of the columns.
        BatchTooLarge: If it has more than `limit` rows.
    """
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = [name.strip().lower() for name in next(reader, [])]
        places = [_place(header, field) for field in NAMES]
        rows = [row for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileInvalid(f"The CSV cannot be read: {error}.", hint="Send UTF-8, with a header and commas.") from error
    check_count(len(rows), limit)
    width = len(header)
    faults = {place: _width_error(len(row), width) for place, row in enumerate(rows) if len(row) != width}
    for place in faults:
        rows[place] = (rows[place] + [""] * width)[:width]
    ids, stamps, values = ([row[place].strip() for row in rows] for place in places)
    return RawColumns(ids, stamps, _numbers(values), "/observations/{row}/{field}", faults)


def read_parquet(body: bytes, limit: int) -> RawColumns:
    """Return the columns of a Parquet file.

    Raises:
        FileInvalid: If it is no such file, or unpacks to far more than it is.
        FieldMissing: If it lacks one of the columns.
        BatchTooLarge: If it has more than `limit` rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(body))
        check_count(file.metadata.num_rows, limit)
        names = list(file.schema_arrow.names)
        wanted = [names[_place([name.lower() for name in names], field)] for field in NAMES]
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > SWELLING * len(body):
            raise FileInvalid("The Parquet file unpacks to far more than it is.", hint="Send it in smaller parts.")
        texts = [name for name in wanted if pa.types.is_string(file.schema_arrow.field(name).type)]
        table = pq.read_table(io.BytesIO(body), columns=wanted, read_dictionary=texts, use_threads=False)
        ids, stamps, values = (_plain(table.column(name)) for name in wanted)
    except (pa.ArrowException, OSError, OverflowError) as error:
        said = str(error).splitlines()[0][:200]
        raise FileInvalid(f"The Parquet file cannot be read: {said}.", hint="Write it again.") from error
    named = [None if one is None else str(one) for one in (ids.tolist() if isinstance(ids, np.ndarray) else ids)]
    return RawColumns(named, stamps, values, "/observations/{row}/{field}")


def _plain(column: Any) -> Any:  # noqa: ANN401 (pyarrow ships no types)
    """Return a column as numpy has it where it is times or numbers, else as a list."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        naive = column.cast(pa.timestamp("us"), safe=False) if kind != pa.timestamp("us") else column
        stamps: NDArray[np.datetime64] = naive.to_numpy().astype("M8[us]")
        return [None if one is None else f"{one}Z" for one in _texts(stamps)] if getattr(kind, "tz", None) else stamps
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False).to_numpy()
    return column.to_pylist()


def _texts(stamps: Timestamps) -> list[str | None]:
    """Return times as ISO 8601 text, None where there is none."""
    return [
        None if missing else text
        for text, missing in zip(np.datetime_as_string(stamps).tolist(), np.isnat(stamps).tolist(), strict=True)
    ]


def _numbers(texts: list[str]) -> Sequence[Any]:
    """Return the numbers that texts say, None for an empty one, and the text itself where it says none."""
    try:
        numbers = [float(text) if text else None for text in texts]
    except ValueError:
        return [_number(text) for text in texts]
    return [_number(text) for text in texts] if any("_" in text for text in texts) else numbers


def _number(text: str) -> float | str | None:
    try:
        return (text if "_" in text else float(text)) if text else None  # Python reads 1_000, and nobody else does
    except ValueError:
        return text


def _width_error(cells: int, width: int) -> FieldInvalid:
    return FieldInvalid(
        f"The row has {cells} cells, the header {width}.",
        pointer="value",
        hint="Send a cell for each column, empty where there is none; quote a cell that holds a comma.",
    )


def _place(header: Sequence[str], field: str) -> int:
    for name in find_names(header, field):
        return header.index(name)
    raise FieldMissing(
        f"There is no column `{field}` among {', '.join(header)[:200] or 'none'}.",
        pointer=f"/{field}",
        hint=f"Call it {' or '.join(NAMES[field])}.",
    )


def check_count(rows: int, limit: int) -> None:
    """Raise BatchTooLarge for more rows than one request may bring."""
    if rows > limit:
        raise BatchTooLarge(
            f"The request has {rows} observations.",
            pointer="/observations",
            hint=f"Send at most {limit} at a time (ALMANAC_MAX_OBSERVATIONS).",
        )
