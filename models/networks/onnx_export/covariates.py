"""Covariates: the ONNX nodes of covariate channels, features and effects.

The twin of `models.networks.covariates` for a forecast from the newest step.
"""

from dataclasses import dataclass

import keras
import numpy as np

from models.networks.build import NetworkOptions
from models.networks.covariates import RIDGE, SMALLEST
from models.networks.normalization import LARGEST
from models.networks.onnx_export.graph import GraphWriter
from models.networks.onnx_export.layout import Layout
from models.networks.onnx_export.preparation import Window

TIME = np.array([1])


@dataclass(frozen=True, slots=True)
class CovariateNodes:
    """Tensors of a network's covariates; "" for those that it does not have.

    Attributes:
        channels: For the encoder, (batch, context_length, 3 covariates) float32.
        features: For the decoder, (batch, horizon, width) float32.
        effects: Those among the features that move all quantiles, (batch, horizon, width) float32.
    """

    channels: str = ""
    features: str = ""
    effects: str = ""


def encode_covariates(
    graph: GraphWriter, network: keras.Model, options: NetworkOptions, window: Window
) -> CovariateNodes:
    """Add the nodes over the inputs `past_covariates` and, where some are known ahead, `future_covariates`."""
    count, ahead = options.past_covariates + options.future_covariates, options.future_covariates
    if not count:
        return CovariateNodes()
    length = options.context_length
    columns = "past_covariates"
    if ahead:
        pads = np.array([0, 0, count - ahead, 0, 0, 0])
        future = graph.add("Pad", "future_covariates", pads, np.float64("nan"))
        columns = graph.add("Concat", columns, future, axis=1)
    missing = graph.add("IsNaN", columns)
    known = graph.add("Where", missing, np.float64(0.0), np.float64(1.0))
    values = graph.add("Where", missing, np.float64(0.0), columns)
    mask = graph.add("Cast", known, to=1)
    mean, deviation = network.get_layer("normalize_covariates").get_weights()
    local = _squash(graph, values, *_moments(graph, values, known), mask)
    general = _squash(graph, values, graph.constant(mean), graph.constant(deviation), mask)
    joined = graph.add("Concat", local, general, mask, axis=2)
    history = graph.slice(joined, 1, 0, length) if ahead else joined
    if not ahead:
        return CovariateNodes(history)
    targets = [graph.slice(graph.slice(one, 1, length), 2, count - ahead) for one in (local, general, mask)]
    x, there = (graph.add("Cast", graph.slice(one, 2, count - ahead), to=11) for one in (local, mask))
    y, seen = (
        graph.add("Unsqueeze", graph.add("Cast", graph.slice(one, 1, 0, length), to=11), np.array([2]))
        for one in (window.values, window.mask)
    )
    y = graph.add("Mul", y, np.float64(2.0))  # values are halves of z
    parts = [_effect(graph, options, y, seen, x, there, lag) for lag in (0, *Layout(options).within)]
    effects = graph.add("Cast", graph.add("Concat", *parts, axis=2) if len(parts) > 1 else parts[0], to=1)
    return CovariateNodes(history, graph.add("Concat", *targets, effects, axis=2), effects)


def _moments(graph: GraphWriter, values: str, known: str) -> tuple[str, str]:
    """Return mean and deviation over time of the known values, both (batch, 1, covariates)."""
    count = graph.add("Max", graph.add("ReduceSum", known, TIME), np.float64(1.0))
    mean = graph.add("Div", graph.add("ReduceSum", values, TIME), count)
    centred = graph.add("Mul", graph.add("Sub", values, mean), known)
    variance = graph.add("Div", graph.add("ReduceSum", graph.add("Mul", centred, centred), TIME), count)
    floor = graph.add("Mul", graph.add("Abs", mean), np.float64(SMALLEST))
    return mean, graph.add("Max", graph.add("Sqrt", variance), floor, np.float64(1e-30))


def _squash(graph: GraphWriter, values: str, mean: str, deviation: str, mask: str) -> str:
    """Return z of the values, 0 where unknown, float32."""
    scaled = graph.add("Cast", graph.add("Div", graph.add("Sub", values, mean), deviation), to=1)
    limited = graph.add("Clip", scaled, np.float32(-LARGEST), np.float32(LARGEST))
    halves = graph.add("Asinh", graph.add("Div", limited, np.float32(3.0)))
    return graph.add("Mul", graph.add("Mul", halves, np.float32(2.0)), mask)


def _effect(  # noqa: PLR0913, PLR0917 - both columns and where they are known
    graph: GraphWriter, options: NetworkOptions, y: str, seen: str, x: str, there: str, lag: int
) -> str:
    """Return slope · (x ahead - mean or x a season before), (batch, horizon, ahead) float64."""
    length, horizon = options.context_length, options.horizon
    history = graph.slice(x, 1, 0, length)
    both = graph.add("Mul", seen, graph.slice(there, 1, 0, length))
    if lag:
        y, history = (
            graph.add("Sub", graph.slice(one, 1, lag), graph.slice(one, 1, 0, length - lag)) for one in (y, history)
        )
        both = graph.add("Mul", graph.slice(both, 1, lag), graph.slice(both, 1, 0, length - lag))
    slope, middle = _slope(graph, history, y, both)
    moved, present = graph.slice(x, 1, length), graph.slice(there, 1, length)
    if not lag:
        return graph.add("Mul", graph.add("Mul", slope, graph.add("Sub", moved, middle)), present)
    before = length - lag + np.arange(horizon) % lag
    earlier, known = (graph.add("Gather", one, before, axis=1) for one in (x, there))
    found = graph.add("Mul", slope, graph.add("Sub", moved, earlier))
    return graph.add("Mul", found, graph.add("Mul", present, known))


def _slope(graph: GraphWriter, x: str, y: str, both: str) -> tuple[str, str]:
    """Return the slope of y on x and the mean of x, (batch, 1, ahead)."""
    wx, wy = graph.add("Mul", x, both), graph.add("Mul", y, both)
    count, sx, sy, sxx, sxy = (
        graph.add("ReduceSum", one, TIME) for one in (both, wx, wy, graph.add("Mul", wx, x), graph.add("Mul", wx, y))
    )
    count = graph.add("Max", count, np.float64(1.0))
    mean = graph.add("Div", sx, count)
    variance = graph.add("Max", graph.add("Sub", sxx, graph.add("Mul", sx, mean)), np.float64(0.0))
    shared = graph.add("Sub", sxy, graph.add("Mul", mean, sy))
    return graph.add("Div", shared, graph.add("Add", variance, np.float64(RIDGE))), mean
