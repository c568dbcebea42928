"""JSON: an object a line, or an array of objects; their fields are the columns."""

import json
from collections.abc import Iterator

import numpy as np

from models.errors import Finding
from models.tables.cells import column_of
from models.tables.faults import TableInvalid
from models.tables.sheet import Sheet, make_sheet

JSON_HINT = 'Write an object a line: {"unique_id": "a", "ds": "2024-01-31", "y": 1.5}'


def read_json_lines(text: str, findings: tuple[Finding, ...] = ()) -> Sheet:
    """Return JSON lines, or a JSON array of objects, as a sheet; a field that one lacks is an empty cell.

    Raises:
        TableInvalid: If a line or entry is not a JSON object, or has a list or an object as a field.
    """
    objects, places = list[dict[str, object]](), list[int]()
    for kind, number, entry, shown in _array(text) if text.lstrip()[:1] == "[" else _lines(text):
        if not isinstance(entry, dict) or any(isinstance(cell, list | dict) for cell in entry.values()):
            detail = f"has {shown[:60]!r}, which is not an object of text and numbers."
            raise TableInvalid(detail, hint=JSON_HINT, place=f", {kind} {number}")
        objects.append(entry)
        places.append(number)
    names = list(dict.fromkeys(name for entry in objects for name in entry))
    columns = [column_of([entry.get(name) for entry in objects]) for name in names]
    return make_sheet(names, columns, np.array(places, dtype=np.int64), findings=findings)


def _lines(text: str) -> Iterator[tuple[str, int, object, str]]:
    """Yield the number, the JSON and the text of each line that is not empty."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield "line", number, _parse(line, f", line {number}"), line.strip()


def _array(text: str) -> Iterator[tuple[str, int, object, str]]:
    """Yield the number and the JSON of each entry of an array, as `to_json(orient="records")` writes it."""
    entries = _parse(text, "")
    for number, entry in enumerate(entries if isinstance(entries, list) else [], start=1):
        yield "entry", number, entry, json.dumps(entry)


def _parse(text: str, place: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_distinct)
    except _KeyTwiceError as error:
        detail = f"has the key {error.args[0]!r} twice."
        raise TableInvalid(detail, hint="Write each key once.", place=place) from error
    except (ValueError, RecursionError) as error:
        raise TableInvalid(f"is not JSON ({error}).", hint=JSON_HINT, place=place) from error


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
