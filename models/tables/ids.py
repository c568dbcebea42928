"""Ids: the cells of one or several columns as the names of series, which are text whatever the file says."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.ids import BLANKS, DOT_SEGMENTS, DOTS_HINT, plain_id
from models.tables.cells import as_text
from models.tables.faults import ID, CellFault, TableInvalid
from models.tables.sheet import Rows

SEPARATOR = "/"
"""What joins the cells of several id columns."""

FILL_HINT = "Give each row an id: where it stands only in the first row of a group, fill it down."

ESCAPES = (("\\", "\\\\"), (SEPARATOR, "\\/"))
"""How a cell that contains the separator is written, so that two series never get one id."""


def read_ids(columns: Sequence[tuple[str, Any]], rows: Rows) -> tuple[Any, dict[int, CellFault]]:
    """Return the id of each row, a pyarrow dictionary in the order of first rows, and a fault for each row without one.

    Args:
        columns: Name and cells of each column, at least one.
        rows: Row of the file of each cell.

    Raises:
        TableInvalid: If a number is not a name of a series, since it has decimals.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    faults: dict[int, CellFault] = {}
    parts = []
    for name, column in columns:
        _refuse_decimals(name, column, rows)
        encoded = _encode(column)
        empty = np.flatnonzero(encoded.is_null().to_numpy(zero_copy_only=False)).tolist()
        hint = FILL_HINT if empty and empty[0] else "Give each row an id."
        for at in empty:
            faults.setdefault(at, CellFault(int(rows[at]), name, ID, "", "the id is missing", hint))
        parts.append(encoded.cast(pa.string()).fill_null("").dictionary_encode() if empty else encoded)
    if len(parts) == 1:
        (part,) = parts
        if not DOT_SEGMENTS.isdisjoint(part.dictionary.to_pylist()):
            dots = pc.is_in(part.cast(pa.string()), pa.array(sorted(DOT_SEGMENTS), pa.string()))
            for at in np.flatnonzero(dots.to_numpy(zero_copy_only=False)).tolist():
                fault = CellFault(int(rows[at]), columns[0][0], ID, part[at].as_py(), "cannot be an id", DOTS_HINT)
                faults.setdefault(at, fault)
        return part, faults
    texts = [part.cast(pa.string()) for part in parts]
    for sign, escape in ESCAPES:
        texts = [pc.replace_substring(one, sign, escape) for one in texts]
    joined = pc.binary_join_element_wise(*texts, pa.scalar(SEPARATOR, pa.string()))
    return joined.dictionary_encode(), faults


def _encode(column: Any) -> Any:  # noqa: ANN401 - pyarrow's
    """Return cells as ids, a dictionary in the order of their first rows; null where there is nothing but blanks."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = column.dictionary_encode()
    names = pc.utf8_trim(as_text(encoded.dictionary), BLANKS)
    if pc.all(pc.string_is_ascii(names)).as_py() is False:
        names = pa.array([None if one is None else plain_id(one) for one in names.to_pylist()], pa.string())
    again = pc.if_else(pc.equal(names, ""), None, names).dictionary_encode()
    if len(again.dictionary) == len(names):
        return pa.DictionaryArray.from_arrays(encoded.indices, again.dictionary)
    return pa.DictionaryArray.from_arrays(again.indices.take(encoded.indices), again.dictionary)


def _refuse_decimals(name: str, column: Any, rows: Rows) -> None:  # noqa: ANN401 - pyarrow's
    import pyarrow as pa

    if not pa.types.is_floating(column.type):
        return
    numbers = column.to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(np.isfinite(numbers) & (numbers != np.floor(numbers)))
    if wrong.size:
        raise TableInvalid(
            f"{numbers[wrong[0]].item()!r} is not an id.",
            hint="Ids are text or whole numbers. Name another column with --id-column.",
            place=f", row {rows[wrong[0]]}, column {name!r}",
            about=ID,
        )
