"""What is outside a network's file is found: weights in other files, and operators of other libraries."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.onnx_files.contents import Outside, find_outside
from tests.artifacts import seasonal_naive


def network() -> onnx.ModelProto:
    """Return a small network."""
    return seasonal_naive(12, 60, 12, 0.0)


def external(tensor: TensorProto) -> None:
    """Let a tensor be in another file."""
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def external_weight(model: onnx.ModelProto) -> None:
    """Add a weight in another file."""
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(3), "weight"))
    external(model.graph.initializer[-1])


def external_constant(model: onnx.ModelProto) -> None:
    """Add a constant in another file, to a graph within an If."""
    tensor = numpy_helper.from_array(np.zeros(3), "constant")
    external(tensor)
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], [])
    model.graph.node.append(helper.make_node("If", ["condition"], ["d"], then_branch=inner, else_branch=inner))


def custom_operator(model: onnx.ModelProto) -> None:
    """Add an operator of a library."""
    model.graph.node.append(helper.make_node("Shell", [], ["e"], domain="evil.ops"))


def custom_function(model: onnx.ModelProto) -> None:
    """Add a function with such an operator."""
    node = helper.make_node("Shell", [], ["e"], domain="evil.ops")
    model.functions.append(helper.make_function("", "f", [], ["e"], [node], []))


@pytest.mark.parametrize(
    ("change", "outside"),
    [
        (lambda _model: None, Outside(frozenset(), has_external_data=False)),
        (external_weight, Outside(frozenset(), has_external_data=True)),
        (external_constant, Outside(frozenset(), has_external_data=True)),
        (custom_operator, Outside(frozenset({"evil.ops"}), has_external_data=False)),
        (custom_function, Outside(frozenset({"evil.ops"}), has_external_data=False)),
    ],
)
def test_what_reaches_outside_is_found(change: Callable[[onnx.ModelProto], None], outside: Outside) -> None:
    """However deep it is."""
    model = network()
    change(model)

    assert find_outside(model.SerializeToString()) == outside


@pytest.mark.parametrize("content", [b"\x08", b"\x3a\xff\x01", b"\x3b", b"\x80" * 11, b"\x3a\x02\x0a" * 2])
def test_what_is_no_protocol_buffer_is_refused(content: bytes) -> None:
    """Cut off, or of another kind."""
    with pytest.raises(ValueError, match=r"field|number"):
        find_outside(content)


def test_graphs_may_not_nest_without_end() -> None:
    """A file of a few bytes would fill the stack."""
    content = b""
    for _ in range(100):
        for key in (0x32, 0x2A, 0x0A):  # graph of an attribute, attribute of a node, node of a graph
            content = bytes([key]) + _length(len(content)) + content

    with pytest.raises(ValueError, match="nested"):
        find_outside(b"\x3a" + _length(len(content)) + content)


def _length(number: int) -> bytes:
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])
