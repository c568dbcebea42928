"""Graph: a writer of ONNX graphs that adds every node and every constant once."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any] | np.generic

OPSET, IR_VERSION = 15, 8
"""Those of older artifacts, so that an ensemble can have both."""

BATCH = "batch"
"""Name of the free axis."""


class GraphWriter:
    """Nodes and constants of a graph in the making.

    An equal request returns the tensor of the first one, so that steps which several parts need are computed once.
    """

    def __init__(self) -> None:
        """Start without nodes."""
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[Any, ...], onnx.TensorProto] = {}
        self._made: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def constant(self, value: Array) -> str:
        """Return the name of a constant."""
        array = np.asarray(value, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = numpy_helper.from_array(array, f"constant_{len(self._constants)}")
        return self._constants[key].name

    def add(self, operator: str, *inputs: str | Array, **attributes: Any) -> str:
        """Add a node with one output and return the output's name; arrays become constants."""
        return self.split(operator, *inputs, outputs=1, **attributes)[0]

    def split(self, operator: str, *inputs: str | Array, outputs: int, **attributes: Any) -> tuple[str, ...]:
        """Add a node with several outputs and return their names."""
        names = tuple(one if isinstance(one, str) else self.constant(one) for one in inputs)
        key = (operator, names, outputs, tuple(sorted((name, str(value)) for name, value in attributes.items())))
        if key not in self._made:
            made = tuple(f"{operator.lower()}_{len(self._nodes)}_{place}" for place in range(outputs))
            self._nodes.append(helper.make_node(operator, names, made, **attributes))
            self._made[key] = made
        return self._made[key]

    def recurrent(self, operator: str, *inputs: str | Array, final: bool, **attributes: Any) -> str:
        """Add a recurrent node and return its only output: its final state, (1, batch, units), or its states.

        Args:
            operator: The ONNX operator.
            inputs: Those of the node.
            final: Whether the final state is the output.
            attributes: Those of the node.
        """
        name = self.add(operator, *inputs, **attributes)
        if final:
            node = next(one for one in self._nodes if name in one.output)
            node.output[:] = ["", name]
        return name

    def slice(self, source: str, axis: int, start: int, end: int | None = None, step: int = 1) -> str:
        """Return a part of a tensor along one axis, in Python's terms."""
        last = np.iinfo(np.int64).max if end is None else end
        bounds = (np.array([one], dtype=np.int64) for one in (start, last, axis, step))
        return self.add("Slice", source, *bounds)

    def model(self, inputs: dict[str, tuple[int, Sequence[int]]], output: str, shape: Sequence[int]) -> onnx.ModelProto:
        """Return the checked model.

        Args:
            inputs: Element type and shape without the batch of each input.
            output: What the last node returns, which no other reads: it becomes `quantiles`, float64.
            shape: Its shape without the batch.
        """
        described = [
            helper.make_tensor_value_info(name, kind, [BATCH, *sizes]) for name, (kind, sizes) in inputs.items()
        ]
        result = helper.make_tensor_value_info("quantiles", TensorProto.DOUBLE, [BATCH, *shape])
        last = next(node for node in self._nodes if output in node.output)
        last.output[:] = ["quantiles"]
        graph = helper.make_graph(self._nodes, "network", described, [result], list(self._constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model
