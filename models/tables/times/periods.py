"""Periods of pandas: whole numbers of months, weeks or hours since 1970 in Parquet, read as the time at which each begins."""

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tables.faults import TIME, TableInvalid

EXTENSION = "pandas.period"
"""Name of the type in the metadata of a column, beside its frequency."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_OF_YEAR = {"Y": 12, "A": 12, "Q": 3, "M": 1}
"""Months of a period."""

_UNITS = {"D": "D", "h": "h", "H": "h", "min": "m", "T": "m", "s": "s", "S": "s", "ms": "ms", "L": "ms", "us": "us", "U": "us",
          "ns": "ns", "N": "ns"}  # fmt: skip
"""Units of NumPy, by the names of pandas before version 2.2, too."""

_FIRST_WEEK = np.datetime64("1969-12-22")
"""Beginning of week 0 of those that end on Sunday."""

_FREQUENCY = re.compile(r"\d*([A-Za-z]+)(?:-([A-Z]{3}))?")


def period_of(field: Any) -> str | None:  # noqa: ANN401 - pyarrow's
    """Return the frequency of pandas of a column of periods, such as M or W-SUN; None for any other column."""
    kind = field.type
    if getattr(kind, "extension_name", "") == EXTENSION:
        return str(kind.freq)
    metadata = field.metadata or {}
    if metadata.get(b"ARROW:extension:name") != EXTENSION.encode():
        return None
    return str(json.loads(metadata.get(b"ARROW:extension:metadata", b"{}")).get("freq"))


def starts_of(column: Any, frequency: str, name: str) -> Any:  # noqa: ANN401 - pyarrow's
    """Return periods of pandas as the timestamps at which they begin, an array of pyarrow.

    Raises:
        TableInvalid: If the frequency is of another kind.
    """
    import pyarrow as pa

    storage = pa.concat_arrays(
        [getattr(chunk, "storage", chunk) for chunk in column.chunks] or [pa.array([], pa.int64())]
    )
    missing = storage.is_null().to_numpy(zero_copy_only=False)
    starts = _starts(storage.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64), frequency)
    if starts is None:
        hint = f"Write timestamps: frame[{name!r}].dt.to_timestamp()."
        detail = f"has periods of pandas of the frequency {frequency!r} in column {name!r}."
        raise TableInvalid(detail, hint=hint, about=TIME)
    return pa.array(starts, mask=missing)


def _starts(numbers: NDArray[np.int64], frequency: str) -> NDArray[np.datetime64] | None:
    """Return when the periods of these numbers begin, in microseconds or nanoseconds; None for an unknown frequency."""
    match = _FREQUENCY.fullmatch(frequency)
    unit, anchor = match.groups() if match else ("", None)
    if unit in _OF_YEAR and (anchor or "DEC") in _MONTHS:
        shift = (_MONTHS.index(anchor or "DEC") + 1) % 12
        months = _OF_YEAR[unit] * numbers + (shift - 12 if shift else 0)
        return months.astype("M8[M]").astype("M8[us]")
    if unit == "W" and (anchor or "SUN") in _DAYS:
        return (_FIRST_WEEK + _DAYS.index(anchor or "SUN") + 7 * numbers).astype("M8[us]")
    if unit == "B":
        starts: NDArray[np.datetime64] = np.busday_offset(np.datetime64("1970-01-01", "D"), numbers.tolist()).astype(
            "M8[us]"
        )
        return starts
    if unit in _UNITS and anchor is None:
        return numbers.astype(f"M8[{_UNITS[unit]}]").astype("M8[ns]" if _UNITS[unit] == "ns" else "M8[us]")
    return None
