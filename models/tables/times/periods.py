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
_OF_YEAR = {"Y": 12, "Q": 3, "M": 1}
"""Months of a period."""

_UNITS = {"A": "Y", "H": "h", "T": "m", "min": "m", "S": "s", "L": "ms", "U": "us", "N": "ns",
          **{name: name for name in ("Y", "Q", "M", "W", "B", "D", "h", "s", "ms", "us", "ns")}}  # fmt: skip
"""Units, most of them NumPy's, by the names of pandas; those of before version 2.2 first."""

_IN_YEAR = {"Y": 1, "Q": 4, "M": 12, "W": 52, "B": 261, "D": 365, "h": 8_760, "m": 525_600, "s": 31_536_000,
            "ms": 31_536_000_000, "us": 31_536_000_000_000}  # fmt: skip
"""Periods of a year, by the units of NumPy; those of nanoseconds are in the years 1677 to 2262."""
_YEARS = (-1_969, 8_029)
"""Years from 1970 on in which a period may be: 1 to 9999."""

_FIRST_WEEK = np.datetime64("1969-12-22")
"""Beginning of week 0 of those that end on Sunday."""

_MISSING = np.iinfo(np.int64).min
"""NaT of pandas."""

_FREQUENCY = re.compile(r"\d*([A-Za-z]+)(?:-([A-Z]{3}))?")


def period_of(field: Any) -> str | None:  # noqa: ANN401 - pyarrow's
    """Return the frequency of pandas of a column of periods, such as M or W-SUN; None for any other column."""
    kind = field.type
    if getattr(kind, "extension_name", "") == EXTENSION:
        return str(kind.freq)
    metadata = field.metadata or {}
    if metadata.get(b"ARROW:extension:name") != EXTENSION.encode():
        return None
    try:
        return str(json.loads(metadata[b"ARROW:extension:metadata"])["freq"])
    except (KeyError, TypeError, ValueError):
        return "unknown"


def starts_of(column: Any, frequency: str, name: str) -> Any:  # noqa: ANN401 - pyarrow's
    """Return periods of pandas as the timestamps at which they begin, an array of pyarrow.

    Raises:
        TableInvalid: If the frequency is of another kind, or a period is not in the years 1 to 9999.
    """
    import pyarrow as pa

    storage = pa.concat_arrays(
        [getattr(chunk, "storage", chunk) for chunk in column.chunks] or [pa.array([], pa.int64())]
    )
    numbers = storage.fill_null(_MISSING).to_numpy(zero_copy_only=False).astype(np.int64)
    missing = numbers == _MISSING
    numbers[missing] = 0
    starts = _starts(numbers, frequency)
    if starts is None:
        hint = f"Write timestamps: frame[{name!r}].dt.to_timestamp()."
        detail = f"has periods of pandas of the frequency {frequency[:20]!r} in column {name!r} that are no dates until 9999."
        raise TableInvalid(detail, hint=hint, about=TIME)
    return pa.array(starts, mask=missing)


def _starts(numbers: NDArray[np.int64], frequency: str) -> NDArray[np.datetime64] | None:
    """Return when the periods of these numbers begin, in microseconds or nanoseconds; None for no frequency, or no years."""
    match = _FREQUENCY.fullmatch(frequency)
    name, anchor = match.groups() if match else ("", None)
    unit = _UNITS.get(name, "")
    most = _IN_YEAR.get(unit)
    if not unit or (
        most and not (_YEARS[0] * most <= numbers.min(initial=0) <= numbers.max(initial=0) <= _YEARS[1] * most)
    ):
        return None
    if unit in _OF_YEAR and (anchor or "DEC") in _MONTHS:
        shift = (_MONTHS.index(anchor or "DEC") + 1) % 12
        months = _OF_YEAR[unit] * numbers + (shift - 12 if shift else 0)
        return months.astype("M8[M]").astype("M8[us]")
    if unit == "W" and (anchor or "SUN") in _DAYS:
        return (_FIRST_WEEK + _DAYS.index(anchor or "SUN") + 7 * numbers).astype("M8[us]")
    if unit == "B":
        starts: NDArray[np.datetime64] = np.busday_offset(np.datetime64("1970-01-01", "D"), numbers.tolist())
        return starts.astype("M8[us]")
    if anchor is None:
        return numbers.astype(f"M8[{unit}]").astype("M8[ns]" if unit == "ns" else "M8[us]")
    return None
