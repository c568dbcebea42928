"""Export: a Keras network as an ONNX file, and the check that both forecast alike."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import onnx
from onnx import TensorProto

from models.artifact import open_network
from models.networks.build import NetworkOptions
from models.networks.errors import ParityFailed
from models.networks.onnx_export.covariates import encode_covariates
from models.networks.onnx_export.encoders import encode
from models.networks.onnx_export.graph import GraphWriter
from models.networks.onnx_export.head import decode, restore
from models.networks.onnx_export.preparation import anchors, normalize, normalize_globally

TOLERANCE = 1e-5
"""Largest difference between Keras and ONNX, in units of each window's scale; relative beyond one unit."""

BATCHES = (1, 7, 64)


def export(network: keras.Model, options: NetworkOptions, path: Path) -> None:
    """Write a network as ONNX with its inputs by name, the output `quantiles` and a free batch axis.

    The graph is written node by node, 75 to 120 of them, more with covariates or with over six blocks of a WaveNet;
    `check_parity` compares it with the network.

    Args:
        network: Has the weights: from `build.build` or `build.serving_network` with these options.
        options: How the network is built.
        path: The file to write.
    """
    path.write_bytes(to_onnx(network, options).SerializeToString())


def to_onnx(network: keras.Model, options: NetworkOptions) -> onnx.ModelProto:
    """Return a network as an ONNX model."""
    graph = GraphWriter()
    prepare = normalize_globally if options.context_length == 1 else normalize
    window = prepare(graph, network, options)
    known = encode_covariates(graph, network, options, window)
    state = encode(graph, network, options, window, known.channels)
    halves = decode(graph, network, options, state, anchors(graph, options, window), window, known)
    return graph.model(
        _inputs_of(options), restore(graph, window, halves), (options.horizon, len(options.quantile_levels))
    )


def _inputs_of(options: NetworkOptions) -> dict[str, tuple[int, Sequence[int]]]:
    """Return element type and shape of each input, without the batch."""
    inputs: dict[str, tuple[int, Sequence[int]]] = {
        "context": (TensorProto.DOUBLE, (options.context_length,)),
        "phase": (TensorProto.INT32, ()),
    }
    count = options.past_covariates + options.future_covariates
    if count:
        inputs["past_covariates"] = (TensorProto.DOUBLE, (options.context_length, count))
    if options.future_covariates:
        inputs["future_covariates"] = (TensorProto.DOUBLE, (options.horizon, options.future_covariates))
    return inputs


def check_parity(
    network: keras.Model, path: Path, seed: int = 0, *, measure: keras.layers.Layer | None = None
) -> float:
    """Return the largest difference between Keras and ONNX over batches of 1, 7 and 64, in units of the window's scale.

    Args:
        network: The exported network.
        path: Its ONNX file.
        seed: Seed of the synthetic windows: seasons, random walks, gaps, short histories, unknown dates.
        measure: Normalization for each window's scale; by default the network's `normalize` layer.

    Raises:
        ParityFailed: If the difference is above 1e-5.
    """
    session = open_network(path)
    generator = np.random.default_rng(seed)
    measure = measure or network.get_layer("normalize")
    drawn = []
    for batch in BATCHES:
        inputs = _inputs(network, generator, batch, getattr(measure, "season_length", 1))
        context = inputs["context"]
        if context.shape[1] == 1:  # scaled by the training set, so values must be near it
            known = {key: np.asarray(value) for key, value in measure(context).items()}
            context = known["level"] + known["scale"] * generator.normal(0.0, 1.0, context.shape)
            inputs["context"] = context
        drawn.append(inputs)
    every = {name: np.concatenate([one[name] for one in drawn]) for name in drawn[0]}
    expected = np.asarray(network(list(every.values()), training=False))  # once: a pass takes as long for 72 as for 1
    found = np.concatenate([session.run(None, one)[0] for one in drawn])
    window = {key: np.asarray(value)[..., None] for key, value in measure(every["context"]).items()}
    worst = float(np.max(_scaled_difference(found, expected, window)))  # NaN if any is NaN
    if not worst <= TOLERANCE:
        raise ParityFailed(
            f"ONNX differs from Keras by {worst:.2g} scaled units; {TOLERANCE:g} is allowed.",
            hint="Look for an operation that the exporter computes in lower precision.",
        )
    return worst


def _scaled_difference(found: np.ndarray, expected: np.ndarray, window: dict[str, np.ndarray]) -> np.ndarray:
    """Return |found - expected| in each window's scaled units, after the logarithm if it was logged.

    Beyond one unit from the level the difference is relative, because float32 has seven digits.
    """
    logged = window["logged"]
    ours, theirs = (
        (np.where(logged, np.log(np.where(logged, one, 1.0)), one) - window["level"]) / window["scale"]
        for one in (found, expected)
    )
    return np.abs(ours - theirs) / np.maximum(np.abs(theirs), 1.0)


def _inputs(
    network: keras.Model, generator: np.random.Generator, batch: int, season_length: int
) -> dict[str, np.ndarray]:
    """Return synthetic inputs of a network by name, in its order."""
    shapes = {one.name: one.shape[1:] for one in network.inputs}
    context, phase = _windows(generator, batch, shapes["context"][0], season_length)
    made = {"context": context, "phase": phase}
    if "past_covariates" in shapes:
        length, count = shapes["past_covariates"]
        horizon, ahead = shapes.get("future_covariates", (0, 0))
        columns = _columns(generator, (batch, length + horizon, count))
        made |= {"past_covariates": columns[:, :length], "future_covariates": columns[:, length:, count - ahead :]}
    return {name: made[name] for name in shapes}


def _columns(generator: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Return synthetic covariates: numbers of any size, flags, constants; some values or all unknown."""
    batch, _, count = shape
    kind = generator.integers(0, 4, (batch, 1, count))
    columns = np.where(kind == 0, generator.random(shape) < 0.1, generator.normal(3.0, 1.0, shape))  # noqa: PLR2004
    columns = np.where(kind == 1, columns[:, :1], columns) * 10.0 ** generator.uniform(-3, 6, (batch, 1, count))
    columns[generator.random(shape) < 0.1] = np.nan  # noqa: PLR2004
    return np.where((kind == 2) & (generator.random((batch, 1, count)) < 0.5), np.nan, columns)  # noqa: PLR2004


def _windows(
    generator: np.random.Generator, batch: int, length: int, season_length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return synthetic windows and phases."""
    steps = np.arange(length)
    scale = 10.0 ** generator.uniform(-3, 6, batch)
    walk = generator.normal(0.0, 0.3, (batch, length)).cumsum(axis=1)
    season = np.sin(2 * np.pi * (steps[None] + generator.integers(0, 12, (batch, 1))) / 12)
    values = 20.0 + walk + 3.0 * season + generator.normal(0.0, 1.0, (batch, length))
    values[generator.random((batch, length)) < 0.05] = np.nan  # noqa: PLR2004
    short = generator.random(batch) < 0.2  # noqa: PLR2004
    values[short, : length - min(5, length)] = np.nan
    values[:, -1] = 20.0
    phase = generator.integers(-1, season_length, batch).astype(np.int32)
    return values * scale[:, None], phase
