"""Graph: the nodes of the served networks, and the time of a whole one against its recurrent nodes alone."""

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models import starters
from models.artifact import NETWORK, open_network
from tests.benchmarks.serving.batches import feeds_of, timed
from tests.benchmarks.serving.bodies import MONTHS, make_sample
from tests.benchmarks.serving.plan import MeasurePlan
from tests.benchmarks.serving.prepare import Prepared, registered_artifact

RECURRENT = ("LSTM", "GRU", "RNN")
WEIGHT_INPUTS = slice(1, 4)
"""The weights of a recurrent node: of its input, of its state, and its biases."""

CHUNK = 50
WARM_CHUNKS = 2


def measure_graph(prepared: Prepared, scratch: Path, plan: MeasurePlan) -> dict[str, Any]:
    """Return the number of nodes of each network, and microseconds of one series through the LSTM and its recurrent nodes."""
    lstm = registered_artifact(prepared.lstm) / NETWORK
    files = {"LSTM": lstm, "starter M": starters.FOLDER / "M" / NETWORK}
    files["ensemble of four"] = registered_artifact(prepared.ensemble) / NETWORK
    found: dict[str, Any] = {"nodes": {name: count_nodes(onnx.load(path).graph) for name, path in files.items()}}
    part = recurrent_part(onnx.load(lstm))
    if part is not None:
        onnx.save(part, scratch / "recurrent.onnx")
        found |= _compare(lstm, scratch / "recurrent.onnx", plan.graph_chunks)
    click.echo(f"graph: {found}", err=True)
    return found


def count_nodes(graph: onnx.GraphProto) -> int:
    """Return the nodes of a graph and of the graphs inside its nodes, without constants."""
    inner = (one.g for node in graph.node for one in node.attribute if one.type == onnx.AttributeProto.GRAPH)
    return sum(1 for node in graph.node if node.op_type != "Constant") + sum(count_nodes(one) for one in inner)


def recurrent_part(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Return the recurrent nodes of a network, one after another from zero states, or None if it has no native ones."""
    nodes = [node for node in model.graph.node if node.op_type in RECURRENT]
    if not nodes:
        return None
    constants = _constants(model.graph)
    first = constants[nodes[0].input[1]]
    entry = helper.make_tensor_value_info("x0", onnx.TensorProto.FLOAT, (MONTHS, 1, first.shape[2]))
    made, weights = [], [numpy_helper.from_array(np.array([1], dtype=np.int64), "axis")]
    for place, node in enumerate(nodes):
        names = [f"{place}_{slot}" for slot in ("w", "r", "b")]
        weights += [
            numpy_helper.from_array(constants[source], name)
            for name, source in zip(names, node.input[WEIGHT_INPUTS], strict=True)
        ]
        attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        made.append(helper.make_node(node.op_type, [f"x{place}", *names], [f"y{place}"], **attributes))
        made.append(helper.make_node("Squeeze", [f"y{place}", "axis"], [f"x{place + 1}"]))
    leave = helper.make_tensor_value_info(f"x{len(nodes)}", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(made, "recurrent", [entry], [leave], weights)
    opset = [one for one in model.opset_import if one.domain in {"", "ai.onnx"}]
    return helper.make_model(graph, opset_imports=opset, ir_version=model.ir_version)


def _constants(graph: onnx.GraphProto) -> Mapping[str, NDArray[Any]]:
    """Return initializers and constants by name."""
    found = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _compare(network: Path, part: Path, chunks: int) -> dict[str, float]:
    """Return the median microseconds of both, in turns, one series at a time on one thread."""
    whole, recurrent = open_network(network), open_network(part)
    feeds = feeds_of(make_sample(CHUNK, seed=5), 1)
    width = recurrent.get_inputs()[0].shape[2]
    steps = [{"x0": np.random.default_rng(place).normal(size=(MONTHS, 1, width)).astype("f")} for place in range(CHUNK)]
    took: dict[str, list[float]] = {"whole": [], "recurrent": []}
    for place in range(WARM_CHUNKS + chunks):
        for name, session, inputs in (("whole", whole, feeds), ("recurrent", recurrent, steps)):
            seconds = timed(session, inputs) / CHUNK
            if place >= WARM_CHUNKS:
                took[name].append(1e6 * seconds)
    return {name: statistics.median(one) for name, one in took.items()}
