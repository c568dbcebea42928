"""Contents: the parts of an ONNX file that reach outside it: tensors in other files, and operators of other libraries.

The file is read as protocol buffers (https://protobuf.dev/programming-guides/encoding), with the field numbers of onnx.proto, so that
a service needs no package for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5
MOST_DEPTH = 32
"""Graphs within graphs; an `If` within an `If` has two."""

STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml"})
"""Domains of operators that onnxruntime has without a library."""

Fields = Mapping[int, str]

PARTS: Mapping[str, Fields] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""The messages within each message, by the number of their field."""
DOMAIN = {"node": 7, "function": 10}
EXTERNAL_DATA, DATA_LOCATION = 13, 14


@dataclass(frozen=True, slots=True)
class Outside:
    """What a network needs beside its file.

    Attributes:
        domains: Of operators, other than the standard ones.
        has_external_data: Whether a tensor's numbers are in another file.
    """

    domains: frozenset[str]
    has_external_data: bool


def find_outside(content: bytes) -> Outside:
    """Return what the network in an ONNX file needs beside it; raise ValueError if it is not a protocol buffer."""
    domains, external = set[str](), False
    for kind, number, value in _walk("model", memoryview(content), 0):
        if number == DOMAIN.get(kind) and isinstance(value, memoryview):
            domains.add(bytes(value).decode())
        external = external or (
            kind == "tensor" and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value == 1))
        )
    return Outside(frozenset(domains - STANDARD), external)


def _walk(kind: str, message: memoryview, depth: int) -> Iterator[tuple[str, int, memoryview | int]]:
    """Yield each field of a message and of those within it: the message's kind, the field's number, its value."""
    if depth > MOST_DEPTH:
        raise ValueError(f"graphs are nested more than {MOST_DEPTH} deep")
    for number, value in _fields(message):
        yield kind, number, value
        part = PARTS[kind].get(number)
        if part is not None and isinstance(value, memoryview):
            yield from _walk(part, value, depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield the number and the value of each field; numbers of fixed width are skipped."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
        elif kind == BYTES:
            length, at = _varint(message, at)
            if length > len(message) - at:
                raise ValueError("a field is cut off")
            yield key >> 3, message[at : at + length]
            at += length
        elif kind in {FIXED_32, FIXED_64}:
            at += 4 if kind == FIXED_32 else 8
        else:
            raise ValueError(f"a field is of the unknown type {kind}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """Return the number at a place, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("a number is cut off")
        byte = message[at]
        value, at = value | (byte & 127) << shift, at + 1
        if byte < 128:  # noqa: PLR2004 (the bit of a number that goes on)
            return value, at
    raise ValueError("a number is too long")
