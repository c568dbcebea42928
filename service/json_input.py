"""JSON input: errors at a place in a request body, and the checks that all bodies share."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from models.errors import AlmanacError, Finding
from models.json_values import json_pointer
from service.errors import FieldUnknown

TEXT_FIELDS = ("id", "start", "frequency", "timezone")


SHOWN_LENGTH = 60


@dataclass(frozen=True, slots=True)
class SeriesFault:
    """What is wrong with one series of a request.

    Attributes:
        id: The series' id, or its index where it has none that can be read.
        finding: What is wrong; the pointer starts at the request.
    """

    id: str
    finding: Finding

    def to_dict(self) -> dict[str, str]:
        """Return the fault as an entry of `errors`."""
        found = self.finding
        return {"id": self.id, "code": found.code, "detail": found.detail, "pointer": found.pointer, "hint": found.hint}


def fault_of(index: int, series_id: str, error: AlmanacError) -> SeriesFault:
    """Return an error of one series as its fault, pointing into the request."""
    return fault_at(json_pointer("series", index) + error.pointer, series_id, error)


def fault_at(pointer: str, series_id: str, error: AlmanacError) -> SeriesFault:
    """Return an error as a fault that points to a place in the request."""
    return SeriesFault(series_id, Finding(error.code, error.detail, pointer, error.hint))


def refuse_unknown(entry: Mapping[str, Any], known: tuple[str, ...], pointer: str = "") -> None:
    """Raise FieldUnknown for the first field that nobody reads: a slip that is swallowed is a wrong answer later."""
    for name in entry:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else f"The fields are {', '.join(known)}."
            raise FieldUnknown(f"There is no field {shown(name)}.", pointer=pointer + json_pointer(name), hint=hint)


def shown(value: object) -> str:
    """Return a value as it can be shown in an error: short, and never the whole of a large body."""
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        return f"{kind} of {len(value)}"
    if isinstance(value, int) and abs(value) >= 10**SHOWN_LENGTH:
        return "a number of very many digits"
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}…"
