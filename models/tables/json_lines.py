"""JSON lines: an object a line, its fields the columns."""

import json

import numpy as np

from models.errors import Finding
from models.tables.cells import column_of
from models.tables.faults import TableInvalid
from models.tables.sheet import Sheet, make_sheet

JSON_HINT = 'Write an object a line: {"unique_id": "a", "ds": "2024-01-31", "y": 1.5}'


def read_json_lines(text: str, findings: tuple[Finding, ...] = ()) -> Sheet:
    """Return JSON lines as a sheet; a field that a line lacks is an empty cell.

    Raises:
        TableInvalid: If a line is not a JSON object, or has a list or an object as a field.
    """
    objects, places = list[dict[str, object]](), list[int]()
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line, object_pairs_hook=_distinct)
        except _KeyTwiceError as error:
            detail = f"has the key {error.args[0]!r} twice."
            raise TableInvalid(detail, hint="Write each key once.", place=f", line {number}") from error
        except ValueError as error:
            raise TableInvalid(f"is not JSON ({error}).", hint=JSON_HINT, place=f", line {number}") from error
        if not isinstance(entry, dict) or any(isinstance(cell, list | dict) for cell in entry.values()):
            detail = f"has {line.strip()[:60]!r}, which is not an object of text and numbers."
            raise TableInvalid(detail, hint=JSON_HINT, place=f", line {number}")
        objects.append(entry)
        places.append(number)
    names = list(dict.fromkeys(name for entry in objects for name in entry))
    columns = [column_of([entry.get(name) for entry in objects]) for name in names]
    return make_sheet(names, columns, np.array(places, dtype=np.int64), findings=findings)


class _KeyTwiceError(Exception):
    """A key that stands twice in an object."""


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of distinct keys; raise _KeyTwiceError for another one."""
    found: dict[str, object] = {}
    for key, cell in pairs:
        if key in found:
            raise _KeyTwiceError(key)
        found[key] = cell
    return found
