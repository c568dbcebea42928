"""Preparation: the ONNX nodes of normalization, seasonal differences and anchors.

The twin of `models.networks.normalization` and `models.networks.decoder.Anchors` for a forecast from the newest step.
Values are kept as half of z, asinh(u / 3), which saves a multiplication on the way in and one on the way out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.networks.build import NetworkOptions
from models.networks.decoder import FEWEST_CHANGES, season_reaches
from models.networks.normalization import FEWEST_DIFFERENCES, LARGEST
from models.networks.onnx_export.graph import GraphWriter


@dataclass(frozen=True, slots=True)
class Window:
    """A normalized window.

    Attributes:
        values: (batch, 1, context_length) float32: z / 2, 0 where unknown.
        mask: The same shape, 1 where observed.
        newest: The same shape: `values` at the last observed step, 0 elsewhere.
        differences: (batch, 1, those read) float32: the newest seasonal differences of z / 2, season after season, 0 where
            unknown; "" without a season in the context.
        changes: (batch, 1, seasons) float64: the number of the newest differences that are known, at least 1.
        level: (batch, 1, 1) float64.
        scale3: (batch, 1, 1) float64: three times the scale.
        logged: (batch, 1, 1) bool, or "" if no window is log-transformed.
    """

    values: str
    mask: str
    newest: str
    differences: str
    changes: str
    level: str
    scale3: str
    logged: str = ""


def seasons_within(options: NetworkOptions) -> list[int]:
    """Return the seasons whose differences fit into the context."""
    return [one for one in options.seasons or (options.season_length,) if one < options.context_length]


def kept_differences(options: NetworkOptions) -> list[int]:
    """Return how many of the newest differences of each such season are read, by the encoder or for the drift."""
    length = options.context_length
    return [min(length - one, max(options.encoder_length, one, FEWEST_CHANGES)) for one in seasons_within(options)]


def normalize(graph: GraphWriter, options: NetworkOptions) -> Window:
    """Add the nodes of `Normalize` over the input `context`."""
    context = graph.add("Unsqueeze", "context", np.array([1]))
    missing = graph.add("IsNaN", context)
    raw, logged = _transform(graph, options, context, missing)
    filled = graph.add("Where", missing, np.float64(0.0), raw)
    known = graph.add("Where", missing, np.float64(0.0), np.float64(1.0))
    newer = graph.add("CumSum", known, np.array(2), exclusive=1, reverse=1)
    recent = graph.add("Where", graph.add("Less", newer, np.float64(options.season_length)), filled, np.float64(0.0))
    observed = graph.add("ReduceSum", known, np.array([2]))
    used = graph.add("Clip", observed, np.float64(1.0), np.float64(options.season_length))
    level = graph.add("Div", graph.add("ReduceSum", recent, np.array([2])), used)
    centred = graph.add("Sub", raw, level)
    scale3, unknown, changes = _measure(graph, options, raw, centred, level)
    third = graph.add("Cast", graph.add("Div", centred, scale3), to=1)
    limited = graph.add("Clip", third, np.float32(-LARGEST / 3), np.float32(LARGEST / 3))
    values = graph.add("Where", missing, np.float32(0.0), graph.add("Asinh", limited))
    mask = graph.add("Where", missing, np.float32(0.0), np.float32(1.0))
    newest = graph.add("Where", graph.add("Less", newer, np.float64(1.0)), values, np.float32(0.0))
    differences = _differences(graph, options, values, unknown)
    return Window(values, mask, newest, differences, changes, level, scale3, logged)


def normalize_globally(graph: GraphWriter, level: float, scale: float) -> Window:
    """Add the nodes of `NormalizeGlobally` over a context of one value."""
    context = graph.add("Unsqueeze", "context", np.array([1]))
    missing = graph.add("IsNaN", context)
    shift, scale3 = (np.full((1, 1, 1), one) for one in (level, 3.0 * scale))
    third = graph.add("Cast", graph.add("Div", graph.add("Sub", context, shift), scale3), to=1)
    limited = graph.add("Clip", third, np.float32(-LARGEST / 3), np.float32(LARGEST / 3))
    values = graph.add("Where", missing, np.float32(0.0), graph.add("Asinh", limited))
    mask = graph.add("Where", missing, np.float32(0.0), np.float32(1.0))
    return Window(values, mask, values, "", "", graph.constant(shift), graph.constant(scale3))


def _transform(graph: GraphWriter, options: NetworkOptions, context: str, missing: str) -> tuple[str, str]:
    """Return the context, in logarithms where all values are positive, and where it is; NaN stays NaN."""
    if options.transform != "log":
        return context, ""
    positive = graph.add("Where", missing, np.float64(1.0), context)
    logged = graph.add("Greater", graph.add("ReduceMin", positive, axes=[2]), np.float64(0.0))
    return graph.add("Where", logged, graph.add("Log", context), context), logged


def _measure(graph: GraphWriter, options: NetworkOptions, raw: str, centred: str, level: str) -> tuple[str, str, str]:
    """Return three times the scale; where seasonal differences are unknown; and how many of the newest are known.

    One vector holds the distances to the level and the differences of every lag, so that each step is one node: of these
    columns one matrix takes all means, and one all counts.
    """
    length, first, seasons = options.context_length, options.season_length, seasons_within(options)
    kept = kept_differences(options)
    lags = {one: length - one for one in (1, first) if one < length}
    lags |= {one: count for one, count in zip(seasons, kept, strict=True) if one not in lags}
    earlier = np.concatenate([np.arange(length - lag - count, length - lag) for lag, count in lags.items()])
    later = np.concatenate([np.arange(length - count, length) for count in lags.values()])
    steps = graph.add("Sub", *(graph.add("Gather", raw, index, axis=2) for index in (later, earlier)))
    distances = graph.add("Abs", graph.add("Concat", centred, steps, axis=2))
    nothing = graph.add("IsNaN", distances)
    distances = graph.add("Where", nothing, np.float64(0.0), distances)
    known = graph.add("Where", nothing, np.float64(0.0), np.float64(1.0))
    ends = dict(zip(lags, length + np.cumsum([*lags.values()]), strict=True))
    sums, counts = np.zeros((length + len(later), 3)), np.zeros((length + len(later), 3 + len(seasons)))
    sums[:length, 0], counts[:length, 0] = 3.0 * 0.01, 1.0
    for column, lag in ((1, 1), (2, first)):
        if lag < length:
            rows = slice(ends[lag] - lags[lag], ends[lag])
            sums[rows, column], counts[rows, column] = 3.0, 1.0
    for place, (season, count) in enumerate(zip(seasons, kept, strict=True)):
        counts[ends[season] - min(max(season, FEWEST_CHANGES), count) : ends[season], 3 + place] = 1.0
    scale3, changes = _scale(
        graph, graph.add("MatMul", distances, sums), graph.add("MatMul", known, counts), level, len(seasons)
    )
    read = np.concatenate(
        [np.arange(ends[one] - count, ends[one]) for one, count in zip(seasons, kept, strict=True)] or [later[:0]]
    )
    return scale3, _part(graph, nothing, read), changes


def _scale(graph: GraphWriter, sums: str, counts: str, level: str, seasons: int) -> tuple[str, str]:
    """Return three times the scale, from three times the sums and the counts of `Normalize.measure`; and the other counts."""
    sizes, changes = np.array([1, 1, 1, seasons]), ""
    divisors = graph.add("Max", counts, np.float64(1.0))
    if seasons:
        _, pairs, seasonal_pairs, _ = graph.split("Split", counts, sizes, outputs=4, axis=2)
        divisors, changes = graph.split("Split", divisors, np.array([3, seasons]), outputs=2, axis=2)
    else:
        _, pairs, seasonal_pairs = graph.split("Split", counts, sizes[:3], outputs=3, axis=2)
    typical, step, seasonal = graph.split("Split", graph.add("Div", sums, divisors), sizes[:3], outputs=3, axis=2)
    enough = graph.add("GreaterOrEqual", seasonal_pairs, np.float64(FEWEST_DIFFERENCES))
    scale, size = graph.add("Where", enough, seasonal, step), graph.add("Abs", level)
    tenth, least = (graph.add("Mul", size, np.float64(3.0 * share)) for share in (0.1, 1e-12))
    scale = graph.add("Where", graph.add("Greater", pairs, np.float64(0.0)), scale, tenth)
    return graph.add("Max", scale, typical, least, np.float64(3e-30)), changes


def _part(graph: GraphWriter, columns: str, index: NDArray[np.int64]) -> str:
    """Return some columns, "" if there are none."""
    if not index.size:
        return ""
    if (np.diff(index) == 1).all():
        return graph.slice(columns, 2, int(index[0]), int(index[-1]) + 1)
    return graph.add("Gather", columns, index, axis=2)


def _differences(graph: GraphWriter, options: NetworkOptions, values: str, unknown: str) -> str:
    """Return the newest seasonal differences of every season side by side."""
    seasons, kept, length = seasons_within(options), kept_differences(options), options.context_length
    if not seasons:
        return ""
    later = np.concatenate([np.arange(length - count, length) for count in kept])
    earlier = later - np.repeat(seasons, kept)
    found = graph.add("Sub", _part(graph, values, later), _part(graph, values, earlier))
    return graph.add("Where", unknown, np.float32(0.0), found)


def anchors(graph: GraphWriter, options: NetworkOptions, window: Window) -> str:
    """Add the nodes of `Anchors` and return them, (batch, horizon, anchors) float32, as halves of z."""
    seasons = options.seasons or (options.season_length,)
    last = graph.add("ReduceSum", window.newest, np.array([2]))
    last = graph.add("Mul", last, np.ones((1, 1, options.horizon), np.float32))
    reaches = [len(season_reaches(options.context_length, one)) for one in seasons]
    means = _means(graph, options, window, seasons)
    drifts = _drifts(graph, options, window)
    rows = graph.add("Concat", last, *drifts, means, axis=1)
    steps = graph.add("Transpose", rows, perm=[0, 2, 1])
    return graph.add("MatMul", steps, _combination(options, seasons, reaches))


def _combination(options: NetworkOptions, seasons: tuple[int, ...], reaches: list[int]) -> NDArray[np.float32]:
    """Return the matrix from last, drifts, means to last, 0, season plus drift, means."""
    within = seasons_within(options)
    first = 1 + len(within)
    firsts = first + np.cumsum([0, *reaches[:-1]])
    matrix = np.zeros((first + sum(reaches), 2 + len(seasons) + sum(reaches)), np.float32)
    matrix[0, 0] = 1.0
    for place, season in enumerate(seasons):
        matrix[firsts[place], 2 + place] = 1.0
        if season in within:
            matrix[1 + within.index(season), 2 + place] = 1.0
    matrix[first:, 2 + len(seasons) :] = np.eye(sum(reaches), dtype=np.float32)
    return matrix


def _means(graph: GraphWriter, options: NetworkOptions, window: Window, seasons: tuple[int, ...]) -> str:
    """Return the seasonal means of every season and reach, (batch, means, horizon).

    Reshaped to rows of a season each, the sums over the newest seasons are a product with a triangle of ones.
    """
    length, horizon = options.context_length, options.horizon
    pair = graph.add("Concat", window.values, window.mask, axis=1)
    parts, blocks = [], []
    for season in seasons:
        reaches = season_reaches(length, season)
        rows, start = reaches[-1], length - reaches[-1] * season
        newest = graph.slice(pair, 2, start) if start > 0 else pair
        if start < 0:
            newest = graph.add("Pad", pair, np.array([0, 0, -start, 0, 0, 0]), np.float32(0.0))
        table = graph.add("Reshape", newest, np.array([0, 2, rows, season]))
        over = np.array([[float(row >= rows - reach) for row in range(rows)] for reach in reaches], np.float32)
        sums = graph.add("MatMul", over, table)
        ahead = np.arange(horizon) % season
        parts.append(sums if list(ahead) == list(range(season)) else graph.add("Gather", sums, ahead, axis=3))
        blocks.append(len(reaches))
    joined = graph.add("Concat", *parts, axis=2) if len(parts) > 1 else parts[0]
    total, count = (graph.add("Gather", joined, np.array(row), axis=1) for row in (0, 1))
    mean = graph.add("Div", total, graph.add("Max", count, np.float32(1.0)))
    if max(blocks) == 1:
        return mean
    # A mean of missing values only is replaced by that of the first longer reach with an observed value.
    first, same = _block_diagonals(blocks)
    seen = graph.add("Min", count, np.float32(1.0))
    substitute = graph.add("MatMul", same, graph.add("Mul", mean, graph.add("MatMul", first, seen)))
    return graph.add("Where", graph.add("Greater", count, np.float32(0.0)), mean, substitute)


def _block_diagonals(sizes: list[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return two matrices: the difference from the reach before, and the sum over the reaches of the same season."""
    first, same = (np.zeros((sum(sizes), sum(sizes)), np.float32) for _ in range(2))
    for start, size in zip(np.cumsum([0, *sizes[:-1]]), sizes, strict=True):
        block = slice(start, start + size)
        same[block, block] = 1.0
        first[block, block] = np.eye(size) - np.eye(size, k=-1)
    return first, same


def _drifts(graph: GraphWriter, options: NetworkOptions, window: Window) -> list[str]:
    """Return the drift of each season that fits, each (batch, 1, horizon) or one tensor with all, (batch, seasons, horizon)."""
    seasons, kept, horizon = seasons_within(options), kept_differences(options), options.horizon
    if not seasons:
        return []
    sums, end = np.zeros((sum(kept), len(seasons) * horizon), np.float32), 0
    for place, (season, count) in enumerate(zip(seasons, kept, strict=True)):
        end += count
        ahead = 1 + np.arange(horizon) // season
        sums[end - min(max(season, FEWEST_CHANGES), count) : end, place * horizon : (place + 1) * horizon] = ahead
    found = graph.add("MatMul", window.differences, sums)
    counts = graph.add("Cast", window.changes, to=1)
    if len(seasons) == 1:
        return [graph.add("Div", found, counts)]
    table = graph.add("Reshape", found, np.array([0, len(seasons), horizon]))
    return [graph.add("Div", table, graph.add("Transpose", counts, perm=[0, 2, 1]))]
