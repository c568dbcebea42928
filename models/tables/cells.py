"""Cells: Python values of a workbook or of JSON as columns."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any


def column_of(cells: Sequence[object]) -> Any:  # noqa: ANN401 - pyarrow's
    """Return cells as a pyarrow array of numbers, booleans or timestamps if all are of one type, else of text."""
    import pyarrow as pa

    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds and kinds <= {int, float}:
        return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())  # type: ignore[arg-type]
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    if kinds and kinds <= {date, datetime}:
        return pa.array([_moment(cell) for cell in cells], pa.timestamp("us"))
    return pa.array([None if cell is None else _text(cell) for cell in cells], pa.string())


def _moment(cell: object) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    return datetime(cell.year, cell.month, cell.day) if isinstance(cell, date) else None  # noqa: DTZ001 - a wall clock


def _text(cell: object) -> str:
    """Return a cell as text: a whole number without a point, a date in ISO 8601."""
    if isinstance(cell, float) and cell.is_integer():
        return f"{cell:.0f}"
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
