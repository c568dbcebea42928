"""Artifacts for tests: complete models whose network is a seasonal naive written out in ONNX, without TensorFlow."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models import artifact
from models.covariates import CovariateNames
from models.forecasting.season_blend import Blend
from models.spec import TRAINED_QUANTILES, ModelOptions, ModelSpec

INPUTS = ("context", "phase", "past_covariates", "future_covariates")
"""Inputs of a graph, in order; the last two only if the model reads covariates."""


def make_artifact(  # noqa: PLR0913 - each argument is a field of the spec
    directory: Path,
    *,
    name: str = "temperatures",
    frequency: str = "M",
    season_length: int = 12,
    context_length: int = 60,
    horizon: int = 12,
    shift: float = 0.0,
    seed: int = 0,
    names: CovariateNames | None = None,
) -> Path:
    """Write an artifact that repeats the last season plus `shift`, with quantiles 0.1 … 0.9 of unit normal errors.

    With covariates it adds, to each step, those known ahead there, and the newest of the others to all; unknown is 0.
    """
    names = names or CovariateNames()
    directory.mkdir(parents=True, exist_ok=True)
    network = seasonal_naive(season_length, context_length, horizon, shift, names=names)
    (directory / artifact.NETWORK).write_bytes(network.SerializeToString())
    (directory / artifact.WEIGHTS).write_bytes(b"")
    spec = ModelSpec(
        name=name,
        architecture="lstm",
        shape="many_to_many",
        frequency=frequency,
        season_length=season_length,
        context_length=context_length,
        encoder_length=context_length,
        horizon=horizon,
        receptive_field=context_length,
        memory=tuple(np.full(context_length, 1 / context_length)),
        validation={"mase": 1.0},
        seed=seed,
        past_covariates=names.past,
        future_covariates=names.future,
        holidays=names.holidays,
        created="2026-01-01T00:00:00+00:00",
    )
    artifact.save(directory, spec)
    return directory


def make_blended(directory: Path, *, weight: float = 0.5, shift: float = 10.0, **options: Any) -> Path:  # noqa: ANN401
    """Write an artifact that is blended, by the same weight for each series, with one whose forecasts are `shift` higher.

    Args:
        directory: Its folder.
        weight: Of the other one.
        shift: Of the other one.
        options: Of both, as for `make_artifact`.
    """
    make_artifact(directory, **options)
    make_artifact(directory / artifact.SEASONLESS, shift=shift, **options)
    artifact.update_spec(directory, options=ModelOptions(blend=Blend.constant(weight).to_dict()))
    return directory


def seasonal_naive(
    season_length: int, context_length: int, horizon: int, shift: float, *, names: CovariateNames | None = None
) -> onnx.ModelProto:
    """Return the graph: the value one season back (a gap becomes the context's mean), and fixed distances around it."""
    back = context_length - season_length + np.arange(horizon) % season_length
    distances = np.array([-1.28, -0.84, -0.52, -0.25, 0.0, 0.25, 0.52, 0.84, 1.28]) + shift
    constants = {
        "back": np.asarray(back, dtype=np.int64),
        "distances": distances.reshape(1, 1, len(TRAINED_QUANTILES)),
        "zero": np.zeros(1),
        "one": np.ones(1),
        "row": np.array([1], dtype=np.int64),
        "last": np.array([2], dtype=np.int64),
    }
    nodes = [
        helper.make_node("IsNaN", ["context"], ["missing"]),
        helper.make_node("Where", ["missing", "zero", "context"], ["filled"]),
        helper.make_node("Where", ["missing", "zero", "one"], ["present"]),
        helper.make_node("ReduceSum", ["filled", "row"], ["total"]),
        helper.make_node("ReduceSum", ["present", "row"], ["count"]),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        helper.make_node("Where", ["missing", "mean", "context"], ["whole"]),
        helper.make_node("Gather", ["whole", "back"], ["naive"], axis=1),
        helper.make_node("Unsqueeze", ["naive", "last"], ["column"]),
        helper.make_node("Add", ["column", "distances"], ["plain"]),
    ]
    inputs = {
        "context": helper.make_tensor_value_info("context", TensorProto.DOUBLE, ["batch", context_length]),
        "phase": helper.make_tensor_value_info("phase", TensorProto.INT32, ["batch"]),
    }
    total = "plain"
    if names and names.past:
        shape = ["batch", context_length, len(names.all)]
        inputs["past_covariates"] = helper.make_tensor_value_info("past_covariates", TensorProto.DOUBLE, shape)
        constants |= {"newest": np.array([-1]), "others": np.arange(len(names.past))}
        nodes += [
            helper.make_node("Gather", ["past_covariates", "newest"], ["newest_row"], axis=1),
            helper.make_node("Gather", ["newest_row", "others"], ["newest_past"], axis=2),
            *_add_known("newest_past", total, "moved"),
        ]
        total = "moved"
    if names and names.future:
        shape = ["batch", horizon, len(names.future)]
        inputs["future_covariates"] = helper.make_tensor_value_info("future_covariates", TensorProto.DOUBLE, shape)
        nodes += _add_known("future_covariates", total, "ahead")
        total = "ahead"
        if not names.past:  # the history is an input of every graph with covariates, read or not
            shape = ["batch", context_length, len(names.all)]
            inputs["past_covariates"] = helper.make_tensor_value_info("past_covariates", TensorProto.DOUBLE, shape)
    nodes.append(helper.make_node("Identity", [total], ["quantiles"]))
    graph = helper.make_graph(
        nodes,
        "seasonal_naive",
        [inputs[name] for name in INPUTS if name in inputs],
        [helper.make_tensor_value_info("quantiles", TensorProto.DOUBLE, ["batch", horizon, len(TRAINED_QUANTILES)])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def _add_known(source: str, total: str, result: str) -> list[onnx.NodeProto]:
    """Return the nodes that add up a source's last axis, NaN as 0, and add that to a total."""
    return [
        helper.make_node("IsNaN", [source], [f"{source}/missing"]),
        helper.make_node("Where", [f"{source}/missing", "zero", source], [f"{source}/filled"]),
        helper.make_node("ReduceSum", [f"{source}/filled", "last"], [f"{source}/sum"]),
        helper.make_node("Add", [total, f"{source}/sum"], [result]),
    ]
