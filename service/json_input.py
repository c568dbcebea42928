"""JSON input: validation that all request bodies share, with errors that point into the body."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from models.errors import AlmanacError, Finding
from models.json_values import json_pointer
from service.errors import FieldInvalid, FieldMissing, FieldUnknown, JsonInvalid

MAX_SHOWN = 60
BOM = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{")
"""How JSON in UTF-16 begins."""
HINTS: Mapping[str, str] = {
    "string_type": "Send text.",
    "bool_type": "Send true or false.",
    "dict_type": "Send an object.",
    "model_type": "Send an object.",
    "int_type": "Send a whole number.",
    "greater_than_equal": "Send a whole number above 0.",
}
"""By the type of pydantic's error; an error of our own carries its hint in its context."""


class StrictModel(BaseModel):
    """A request object; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")


Model = TypeVar("Model", bound=StrictModel)


@dataclass(frozen=True, slots=True)
class SeriesFault:
    """The error of one series in a request.

    Attributes:
        id: The series' id, or its index if it has no valid id.
        finding: What is wrong; the pointer starts at the request.
    """

    id: str
    finding: Finding

    def to_dict(self) -> dict[str, str]:
        """Return the fault as an entry of `errors`."""
        found = self.finding
        return {"id": self.id, "code": found.code, "detail": found.detail, "pointer": found.pointer, "hint": found.hint}


def fault_of(index: int, series_id: str, error: AlmanacError) -> SeriesFault:
    """Return the error of the series at an index as its fault."""
    return fault_at(json_pointer("series", index) + error.pointer, series_id, error)


def fault_at(pointer: str, series_id: str, error: AlmanacError) -> SeriesFault:
    """Return an error as a fault with this pointer."""
    return SeriesFault(series_id, Finding(error.code, error.detail, pointer, error.hint))


def parse_body(model: type[Model], body: bytes, hint: str) -> Model:
    """Return the request object in a body; a field that is null counts as left out.

    Raises:
        JsonInvalid: If the body is not JSON.
        FieldMissing, FieldUnknown, FieldInvalid: For the first field that is wrong.
    """
    sent = parse_object(body, hint, allow_inf_nan=False)
    reject_unknown_fields(sent, tuple(model.model_fields))
    try:
        return model.model_validate({name: value for name, value in sent.items() if value is not None})
    except ValidationError as error:
        raise field_error(error, hint) from None


def parse_object(body: bytes, hint: str, *, allow_inf_nan: bool) -> dict[str, Any]:
    """Return the JSON object in a body; raises JsonInvalid, FieldInvalid."""
    try:
        sent = from_json(body.removeprefix(BOM), allow_inf_nan=allow_inf_nan)
    except ValueError as error:
        if body.startswith(UTF16):
            raise JsonInvalid("The body is JSON in UTF-16.", hint="Send it in UTF-8.") from error
        raise JsonInvalid(f"The body is not valid JSON: {error}.", hint=hint) from error
    if not isinstance(sent, dict):
        raise FieldInvalid(f"The body is {describe_value(sent)}; it must be an object.", hint=hint)
    reject_repeated_names(body, sent)
    return sent


def reject_repeated_names(body: bytes, sent: object) -> None:
    """Raise JsonInvalid if an object in a body has a name twice: only one of the values would count.

    A decoder that can see this takes many times longer: it is used only for a body that may have one.
    """
    if not is_repeating(body, count_names(sent)):
        return
    with suppress(ValueError):  # numbers of thousands of digits, which were decoded already
        json.loads(body, object_pairs_hook=_unique_names)


def is_repeating(body: bytes, names: int) -> bool:
    """Return whether an object in a body may have a name twice.

    It has none if the number of `":` in the body is that of the names in the decoded value, and only quotes are before colons.
    """
    found = body.count(b'":') - body.count(b'\\":')
    return found != names or b" :" in body or b"\t:" in body or b"\n:" in body or b"\r:" in body


def count_names(value: object) -> int:
    """Return how many names all objects in a decoded value have."""
    if isinstance(value, dict):
        return len(value) + sum(count_names(one) for one in value.values())
    if isinstance(value, list) and not {dict, list}.isdisjoint(map(type, value)):
        return sum(map(count_names, value))
    return 0


def _unique_names(pairs: list[tuple[str, Any]]) -> None:
    """Raise JsonInvalid if a name occurs twice."""
    name, count = Counter(name for name, _ in pairs).most_common(1)[0] if pairs else ("", 1)
    if count > 1:
        raise JsonInvalid(f"An object in the body has {describe_value(name)} {count} times.", hint="Send it once.")


def reject_unknown_fields(sent: Mapping[str, Any], known: tuple[str, ...], pointer: str = "") -> None:
    """Raise FieldUnknown for the first unknown field: a typo that is ignored gives a wrong result."""
    for name in sent:
        if name not in known:
            near = get_close_matches(name[:MAX_SHOWN], known, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else f"The fields are {', '.join(known)}."
            raise FieldUnknown(
                f"There is no field {describe_value(name)}.", pointer=pointer + json_pointer(name), hint=hint
            )


def invalid_field(name: str, value: object, hint: str) -> FieldInvalid:
    """Return the error for a field with an invalid value."""
    return FieldInvalid(f"`{name}` is {describe_value(value)}.", pointer=f"/{name}", hint=hint)


def describe_value(value: object) -> str:
    """Return a value as it is shown in an error, short even if the value is large."""
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        return f"{kind} of {len(value)}"
    if isinstance(value, int) and abs(value) >= 10**MAX_SHOWN:
        return "a number of very many digits"
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def field_error(error: ValidationError, hint: str) -> FieldInvalid | FieldMissing:
    """Return the first of pydantic's errors; `hint` is used if the kind of error has none."""
    first = error.errors()[0]
    name, pointer = first["loc"][-1], json_pointer(*first["loc"])
    if first["type"] == "missing":
        return FieldMissing(f"`{name}` is missing.", pointer=pointer, hint=hint)
    own_hint = first.get("ctx", {}).get("hint") or HINTS.get(first["type"], hint)
    return FieldInvalid(f"`{name}` is {describe_value(first['input'])}.", pointer=pointer, hint=own_hint)
