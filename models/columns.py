"""Columns: the usual names of the id, time and value columns of a CSV or Parquet file."""

from collections.abc import Iterable, Mapping

NAMES: Mapping[str, tuple[str, ...]] = {
    "id": ("unique_id", "series_id", "item_id", "series", "id"),
    "timestamp": ("ds", "date", "datetime", "timestamp", "time", "month", "day", "year", "period", "time_period"),
    "value": ("y", "value", "target", "obs_value"),
}
"""Names of each field, the preferred one first; lower case."""

LOOSE = frozenset({"series", "time", "month", "day", "year", "period"})
"""Names that often stand beside the field they could mean: they do not make a file ambiguous."""

SEPARATORS = ",;\t|"

TIMEZONE = "timezone"
EXPORT_METADATA = {"almanac.timestamps": "UTC where the column timezone has a name, else wall clocks"}
"""Metadata of an exported Parquet file: what its column TIMEZONE means."""


def find_column(columns: Iterable[str], field: str) -> str | None:
    """Return the column with the preferred name of a field, ignoring case, or None if no column has one of its names."""
    by_name = {name.lower(): name for name in reversed(list(columns))}
    return next((by_name[name] for name in NAMES[field] if name in by_name), None)


def find_columns(columns: Iterable[str], field: str) -> list[str]:
    """Return every column that can only mean a field, ignoring case; if there is none, the one that `find_column` returns.

    More than one column means that the file is ambiguous.
    """
    names = list(columns)
    exact = {name for name in NAMES[field] if name not in LOOSE}
    found = [name for name in names if name.lower() in exact]
    loose = None if found else find_column(names, field)
    return found if loose is None else [loose]


def find_separator(header: str) -> str:
    """Return what separates the cells of a CSV header: the most frequent of comma, semicolon, tab and bar."""
    return max(SEPARATORS, key=header.count)
