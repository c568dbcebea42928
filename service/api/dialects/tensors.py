"""Tensors: the bodies of the Open Inference Protocol, JSON with or without binary data behind it."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from service.api.dialects.answering import DialectUnsupported, decode_fields
from service.errors import FieldInvalid, FieldMissing
from service.json_input import describe_value

HEADER = "inference-header-content-length"
"""How many bytes of a body are JSON; the rest is binary data."""
TEXT = "BYTES"
TYPES: Mapping[str, str] = {
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
BINARY_HINT = "Binary data follows the JSON in the order of `inputs`, each `binary_data_size` bytes long."
HINT = (
    'Send {"inputs": [{"name": "values", "datatype": "FP64", "shape": [1, 48], "data": […]}], "parameters": {"horizon": 12}}; '
    "a shape is [length] or [series, length]."
)
MOST_DIMENSIONS = 2
UNSUPPORTED: Mapping[str, str] = {
    "classification": "Leave class_count out: forecasts are numbers, not classes.",
    "shared_memory_region": "Send and receive the data with the request.",
}
"""Parameters of tensors that Triton's client sends and that are not ignored, each with the remedy."""

Size = Annotated[int, Field(ge=0, le=2**40)]


class Tensor(BaseModel):
    """An input as it is sent."""

    model_config = ConfigDict(extra="ignore")

    name: str
    datatype: str
    shape: list[Size] = Field(max_length=MOST_DIMENSIONS)
    parameters: dict[str, Any] | None = None
    data: Any = None


class Wanted(BaseModel):
    """An output that is asked for."""

    model_config = ConfigDict(extra="ignore")

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(BaseModel):
    """The JSON of a request; KServe's client repeats the model of the path."""

    model_config = ConfigDict(extra="ignore")

    model_name: str | None = None
    model_version: str | None = None
    id: str | None = None
    parameters: dict[str, Any] | None = None
    inputs: list[Tensor] = Field(min_length=1)
    outputs: list[Wanted] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """An input: numbers as float64 with NaN for null, or texts; flat, and its shape."""

    values: list[Any]
    shape: tuple[int, ...]
    is_text: bool


def decode_tensors(body: bytes, header: str | None) -> tuple[InferRequest, dict[str, Input]]:
    """Return a request and its inputs by name; raises FieldInvalid, FieldMissing and as `decode_fields`."""
    size = len(body)
    if header is not None:
        if not (header.isascii() and header.isdecimal() and int(header) <= len(body)):
            raise FieldInvalid(
                f"The header {HEADER} is {describe_value(header)}; the body has {len(body)} bytes.", hint=BINARY_HINT
            )
        size = int(header)
    sent = decode_fields(InferRequest, body[:size], HINT)
    found: dict[str, Input] = {}
    at = size
    for place, tensor in enumerate(sent.inputs):
        pointer = f"/inputs/{place}"
        if tensor.name in found:
            raise FieldInvalid(
                f"The input {describe_value(tensor.name)} occurs twice.",
                pointer=f"{pointer}/name",
                hint="Send it once.",
            )
        _refuse_parameters(tensor.parameters, f"{pointer}/parameters")
        length = (tensor.parameters or {}).get("binary_data_size")
        if length is None:
            values = _from_json(tensor, pointer)
        else:
            if isinstance(length, bool) or not isinstance(length, int) or not 0 <= length <= len(body) - at:
                raise FieldInvalid(
                    f"`binary_data_size` is {describe_value(length)}; {len(body) - at} bytes are left.",
                    pointer=f"{pointer}/parameters/binary_data_size",
                    hint=BINARY_HINT,
                )
            values = _from_bytes(tensor, body[at : at + length], pointer)
            at += length
        if len(values) != prod(tensor.shape):
            raise FieldInvalid(
                f"The input {describe_value(tensor.name)} has {len(values)} elements; its shape {tensor.shape} has "
                f"{prod(tensor.shape)}.",
                pointer=f"{pointer}/shape",
                hint="Send as many as the product of the shape.",
            )
        found[tensor.name] = Input(values, tuple(tensor.shape), tensor.datatype == TEXT)
    if at != len(body):
        raise FieldInvalid(f"{len(body) - at} bytes follow the last input.", pointer="/inputs", hint=BINARY_HINT)
    _check_outputs(sent.outputs or ())
    return sent, found


def _check_outputs(outputs: Sequence[Wanted]) -> None:
    """Raise FieldInvalid for an output that is asked for twice, DialectUnsupported for one that has to come in another way."""
    names = [one.name for one in outputs]
    for place, one in enumerate(outputs):
        if one.name in names[:place]:
            raise FieldInvalid(
                f"The output {describe_value(one.name)} occurs twice.",
                pointer=f"/outputs/{place}/name",
                hint="Ask for it once.",
            )
        _refuse_parameters(one.parameters, f"/outputs/{place}/parameters")


def _refuse_parameters(parameters: Mapping[str, Any] | None, pointer: str) -> None:
    """Raise DialectUnsupported for a parameter of a tensor by which it would be something else."""
    for name, hint in UNSUPPORTED.items():
        if (parameters or {}).get(name):
            raise DialectUnsupported(
                f"Almanac does not support `{name}` of a tensor.", pointer=f"{pointer}/{name}", hint=hint
            )


def _from_json(tensor: Tensor, pointer: str) -> list[Any]:
    if tensor.data is None:
        raise FieldMissing(
            f"The input {describe_value(tensor.name)} has neither `data` nor `binary_data_size`.",
            pointer=f"{pointer}/data",
            hint="Send a list.",
        )
    flat = list(_flatten(tensor.data))
    if tensor.datatype == TEXT:
        if all(isinstance(one, str) for one in flat):
            return flat
    elif tensor.datatype not in TYPES:
        raise _unknown_type(tensor, pointer)
    elif {type(one) for one in flat} <= {int, float, type(None)}:
        with suppress(OverflowError):
            numbers = np.array(flat, dtype=np.float64)
            if _is_of(tensor.datatype, numbers[~np.isnan(numbers)]):
                return [*numbers.tolist()]
    raise FieldInvalid(
        f"The data of {describe_value(tensor.name)} are not all {tensor.datatype}.",
        pointer=f"{pointer}/data",
        hint="Send a flat list of numbers (null is a gap), or of texts with the datatype BYTES.",
    )


def _is_of(datatype: str, numbers: NDArray[np.float64]) -> bool:
    """Return whether numbers can be of a datatype: whole ones within its range if it is one of integers."""
    kind = np.dtype(TYPES[datatype])
    if kind.kind not in "iu":
        return True
    limits = np.iinfo(kind)
    return bool(((numbers == np.floor(numbers)) & (numbers >= limits.min) & (numbers <= limits.max)).all())


def _flatten(data: Any) -> Iterator[Any]:  # noqa: ANN401 (any JSON)
    if isinstance(data, list):
        for one in data:
            yield from _flatten(one)
    else:
        yield data


def _from_bytes(tensor: Tensor, content: bytes, pointer: str) -> list[Any]:
    if tensor.datatype == TEXT:
        return list(_texts(content, pointer))
    if tensor.datatype not in TYPES:
        raise _unknown_type(tensor, pointer)
    kind = np.dtype(TYPES[tensor.datatype])
    if len(content) % kind.itemsize:
        raise FieldInvalid(
            f"{len(content)} bytes are no whole number of {tensor.datatype}.", pointer=pointer, hint=BINARY_HINT
        )
    return [*np.frombuffer(content, kind).astype(np.float64).tolist()]


def _texts(content: bytes, pointer: str) -> Iterator[str]:
    """Yield texts, each after its length in four bytes."""
    at = 0
    try:
        while at < len(content):
            (length,) = struct.unpack_from("<I", content, at)
            part = content[at + 4 : at + 4 + length]
            if len(part) < length:
                raise ValueError(f"a text of {length} bytes is cut off")  # noqa: TRY301
            yield part.decode()
            at += 4 + length
    except (struct.error, ValueError) as error:
        raise FieldInvalid(f"The texts cannot be read: {error}.", pointer=pointer, hint=BINARY_HINT) from error


def _unknown_type(tensor: Tensor, pointer: str) -> FieldInvalid:
    return FieldInvalid(
        f"The datatype of {describe_value(tensor.name)} is {describe_value(tensor.datatype)}.",
        pointer=f"{pointer}/datatype",
        hint=f"Send {', '.join(TYPES)} or {TEXT}.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """An output: FP64 numbers of any shape, or texts."""

    name: str
    values: NDArray[Any]

    def describe(self) -> dict[str, Any]:
        """Return its name, datatype and shape."""
        datatype = TEXT if self.values.dtype == object else "FP64"
        return {"name": self.name, "datatype": datatype, "shape": list(self.values.shape)}

    def to_bytes(self) -> bytes:
        """Return it as binary data."""
        if self.values.dtype != object:
            return self.values.astype("<f8").tobytes()
        texts = [text.encode() for text in self.values.ravel()]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def write_tensors(sent: InferRequest, head: Mapping[str, Any], outputs: Sequence[Output]) -> Response:
    """Return the response with the outputs that are asked for, as JSON or as binary data, as each is asked for.

    Raises:
        FieldInvalid: If another output is asked for.
    """
    by_name = {one.name: one for one in outputs}
    is_binary = (sent.parameters or {}).get("binary_data_output") is True
    wanted = sent.outputs or [Wanted(name=name) for name in by_name]
    entries: list[dict[str, Any]] = []
    behind: list[bytes] = []
    for place, one in enumerate(wanted):
        if one.name not in by_name:
            raise FieldInvalid(
                f"There is no output {describe_value(one.name)}.",
                pointer=f"/outputs/{place}/name",
                hint=f"The outputs are {', '.join(by_name)}.",
            )
        output = by_name[one.name]
        if (one.parameters or {}).get("binary_data", is_binary) is True:
            behind.append(output.to_bytes())
            entries.append({**output.describe(), "parameters": {"binary_data_size": len(behind[-1])}})
        else:
            entries.append({**output.describe(), "data": output.values.ravel().tolist()})
    described = {**head, **({} if sent.id is None else {"id": sent.id}), "outputs": entries}
    content = orjson.dumps(described, option=orjson.OPT_SERIALIZE_NUMPY)
    if not behind:
        return Response(content, media_type="application/json")
    headers = {HEADER: str(len(content))}
    return Response(content + b"".join(behind), headers=headers, media_type="application/octet-stream")
