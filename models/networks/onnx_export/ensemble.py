"""Ensemble: the ONNX graphs of several networks merged into one, with the weighted mean of their quantiles.

    share_k = w_k s_k / Σ w s        s_k = 1 if the context of network k has an observed value, else 0
    quantiles = Σ share_k quantiles_k            (float64)

The mean is taken quantile by quantile (Vincentization), so it keeps the common shape of the members; a mean of
probabilities would be wider than each of them. Shares are not negative and equal for all levels, and rounding is monotone, so
the mean of quantiles without crossings has no crossings.

Source: Genest (1992), Vincentization revisited, Annals of Statistics 20(2); Lichtendahl, Grushka-Cockayne & Winkler
(2013), Is it better to average probabilities or quantiles?, Management Science 59(7).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

from models.networks.errors import OptionInvalid

LEAST = 1e-12
"""Least sum of weights to divide by: the forecast is 0 if no context has an observed value."""

OUTPUT = "quantiles"

PAST = "past_covariates"
"""The input with a time axis, beside the context."""


def merge_graphs(members: Sequence[onnx.ModelProto], weights: Sequence[float]) -> onnx.ModelProto:
    """Return one graph over the members' inputs, each as long as the longest.

    A member with a shorter context reads the newest part.

    Args:
        members: Graphs with the input `context` (batch, length) and others, and the one output `quantiles` (batch,
            horizon, levels) float64.
        weights: One for each member, above 0, of sum 1.

    Raises:
        OptionInvalid: If members do not match each other, or weights do not match members.
    """
    check_weights(weights, len(members))
    _check_alike("operator sets", [[one.version for one in model.opset_import if not one.domain] for model in members])
    _check_alike("forecasts of shape", [_sizes(model.graph.output[0]) for model in members])
    inputs = _shared_inputs([model.graph for model in members])
    nodes, initializers = [], _constants(weights)
    for place, member in enumerate(members):
        graph = compose.add_prefix_graph(member.graph, f"member_{place}/")
        nodes += [*_feed(graph, member.graph, inputs), *graph.node, *_weigh(place)]
        initializers += [*_starts(graph, member.graph, inputs), *graph.initializer]
    nodes += _mean(len(members))
    nodes, initializers = merge_equal(nodes, initializers)
    merged = helper.make_graph(nodes, "ensemble", list(inputs.values()), [members[0].graph.output[0]], initializers)
    opsets = {one.domain: one for member in members for one in member.opset_import}
    model = helper.make_model(
        merged, opset_imports=list(opsets.values()), ir_version=max(one.ir_version for one in members)
    )
    onnx.checker.check_model(model)
    return model


def merge_equal(
    nodes: Sequence[onnx.NodeProto], constants: Sequence[onnx.TensorProto]
) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Return each constant and each computation once: members that prepare their windows alike share the preparation.

    Args:
        nodes: In the order of computation; their inputs are renamed.
        constants: Of all members.
    """
    same: dict[str, str] = {}
    kept_constants: dict[tuple[Any, ...], onnx.TensorProto] = {}
    for one in constants:
        array = numpy_helper.to_array(one)
        same[one.name] = kept_constants.setdefault((array.dtype.str, array.shape, array.tobytes()), one).name
    kept_nodes: dict[tuple[Any, ...], onnx.NodeProto] = {}
    for node in nodes:
        node.input[:] = [same.get(name, name) for name in node.input]
        if node.op_type == "Identity" and OUTPUT not in node.output:
            same[node.output[0]] = node.input[0]
            continue
        attributes = sorted(one.SerializeToString(deterministic=True) for one in node.attribute)
        kept = kept_nodes.setdefault((node.op_type, *node.input, b"", *attributes, len(node.output)), node)
        same |= {own: name for own, name in zip(node.output, kept.output, strict=True) if own != name}
    return list(kept_nodes.values()), list(kept_constants.values())


def check_weights(weights: Sequence[float], count: int) -> None:
    """Raise OptionInvalid unless there is one weight above 0 for each member, of sum 1."""
    if not count or len(weights) != count or min(weights) <= 0 or not np.isclose(sum(weights), 1.0):
        raise OptionInvalid(
            f"An ensemble of {count} needs one weight above 0 for each member, of sum 1. Received: {list(weights)}."
        )


def _check_alike(what: str, found: Sequence[object]) -> None:
    """Raise OptionInvalid if a property differs between members."""
    if any(one != found[0] for one in found):
        raise OptionInvalid(
            f"The members of an ensemble have different {what}: {', '.join(map(str, found))}.",
            hint="Train them on the same data for the same horizon.",
        )


def _sizes(value: onnx.ValueInfoProto) -> list[int]:
    """Return a tensor's sizes without the batch."""
    return [one.dim_value for one in value.type.tensor_type.shape.dim[1:]]


def _shared_inputs(graphs: Sequence[onnx.GraphProto]) -> dict[str, onnx.ValueInfoProto]:
    """Return the inputs of the ensemble by name, in order of appearance, each as long as the longest.

    Past covariates are as long as the context, even if the member with the longest context reads none.
    """
    inputs: dict[str, onnx.ValueInfoProto] = {}
    for graph in graphs:
        for one in graph.input:
            longest = inputs.setdefault(one.name, one)
            _check_alike(f"sizes of input {one.name}", [_sizes(longest)[1:], _sizes(one)[1:]])
            if _sizes(one) > _sizes(longest):
                inputs[one.name] = one
    if PAST in inputs:
        past = onnx.ValueInfoProto()
        past.CopyFrom(inputs[PAST])
        past.type.tensor_type.shape.dim[1].dim_value = _sizes(inputs["context"])[0]
        inputs[PAST] = past
    return inputs


def _feed(
    graph: onnx.GraphProto, plain: onnx.GraphProto, inputs: Mapping[str, onnx.ValueInfoProto]
) -> list[onnx.NodeProto]:
    """Return the nodes that pass a member its inputs, whole or the newest part."""
    nodes = []
    for own, one in zip(graph.input, plain.input, strict=True):
        if _sizes(one) == _sizes(inputs[one.name]):
            nodes.append(helper.make_node("Identity", [one.name], [own.name]))
        else:
            nodes.append(helper.make_node("Slice", [one.name, f"{own.name}/start", "end", "time"], [own.name]))
    return nodes


def _starts(
    graph: onnx.GraphProto, plain: onnx.GraphProto, inputs: Mapping[str, onnx.ValueInfoProto]
) -> list[onnx.TensorProto]:
    """Return the start of the newest part of each longer input."""
    return [
        numpy_helper.from_array(np.array([-_sizes(one)[0]], dtype=np.int64), f"{own.name}/start")
        for own, one in zip(graph.input, plain.input, strict=True)
        if _sizes(one) != _sizes(inputs[one.name])
    ]


def _constants(weights: Sequence[float]) -> list[onnx.TensorProto]:
    """Return the constants of the joining nodes, with the weights."""
    whole = {"end": np.iinfo(np.int64).max, "time": 1, "last": 2}
    real = {"zero": 0.0, "one": 1.0, "least": LEAST}
    return [
        *(numpy_helper.from_array(np.array([value], dtype=np.int64), name) for name, value in whole.items()),
        *(numpy_helper.from_array(np.array(value, dtype=np.float64), name) for name, value in real.items()),
        *(
            numpy_helper.from_array(np.array(value, dtype=np.float64), f"join_{place}/weight")
            for place, value in enumerate(weights)
        ),
    ]


def _weigh(place: int) -> list[onnx.NodeProto]:
    """Return the nodes of w_k s_k, (batch, 1, 1), and of the member's forecast, 0 without an observed value."""
    own, member = f"join_{place}/", f"member_{place}/"
    return [
        helper.make_node("IsNaN", [f"{member}context"], [f"{own}missing"]),
        helper.make_node("Where", [f"{own}missing", "zero", "one"], [f"{own}known"]),
        helper.make_node("ReduceSum", [f"{own}known", "time"], [f"{own}count"], keepdims=1),
        helper.make_node("Unsqueeze", [f"{own}count", "last"], [f"{own}counts"]),
        helper.make_node("Greater", [f"{own}counts", "zero"], [f"{own}sees"]),
        helper.make_node("Where", [f"{own}sees", f"{own}weight", "zero"], [f"{own}weighed"]),
        helper.make_node("Where", [f"{own}sees", f"{member}{OUTPUT}", "zero"], [f"{own}answer"]),
    ]


def _mean(count: int) -> list[onnx.NodeProto]:
    """Return the nodes of Σ w s quantiles / Σ w s."""
    owns = [f"join_{place}/" for place in range(count)]
    nodes = [
        helper.make_node("Sum", [f"{own}weighed" for own in owns], ["sum"]),
        helper.make_node("Max", ["sum", "least"], ["total"]),
    ]
    for own in owns:
        nodes += [
            helper.make_node("Div", [f"{own}weighed", "total"], [f"{own}share"]),
            helper.make_node("Mul", [f"{own}share", f"{own}answer"], [f"{own}part"]),
        ]
    return [*nodes, helper.make_node("Sum", [f"{own}part" for own in owns], [OUTPUT])]
