"""Preparation: the ONNX nodes of normalization, seasonal differences and anchors.

The twin of `models.networks.normalization` and `models.networks.decoder.Anchors` for a forecast from the newest step.
Values are kept as half of z, asinh(u / 3), which saves a multiplication on the way in and one on the way out.
"""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto

from models.networks.build import NetworkOptions
from models.networks.decoder import EMBEDDING
from models.networks.normalization import FEWEST_DIFFERENCES, LARGEST
from models.networks.onnx_export.graph import GraphWriter
from models.networks.onnx_export.layout import Layout

Pairs = NDArray[np.int64]

SUBTRACT = np.array([1.0, -1.0])
"""As a row before two rows: their difference. A product with it is exact but for the rounding of the difference."""

LEAST_SCALE = 1e-30
"""Least scale of a window, where all of its values are 0."""

NEVER = 2.0**100
"""A divisor that makes a candidate for the scale smaller than every other."""

WEIGHTS = np.array([0.03, 3.0, 3.0, 0.3, 3e-12, 3.0])
"""Three times the weights of the candidates."""

LEAST_COUNT = 1e-30
"""What is added to counts: a sum of nothing, divided by it, is 0."""

LARGEST_TABLE = 2**15
"""Most numbers in a table of embedded seasons by phase; beyond it positions are looked up first, then embedded."""

FEW = 128
"""Most differences that one Gather takes; it copies number by number."""

LONG = 1000
"""Columns from which on the differences are cut out before they are summed."""

CERTAIN_LIMIT = LARGEST / 100
"""Length up to which no scaled value can exceed `LARGEST`: the scale is at least a hundredth of the mean distance."""


@dataclass(frozen=True, slots=True)
class Window:
    """A normalized window.

    Attributes:
        columns: (batch, columns) float32, as in `Layout`.
        past: (batch, steps, embedding) float32: the season positions of the steps that the encoder reads, "" if unknown.
        target: (batch, horizon, embedding) float32: those of the steps ahead.
        values: (batch, width) float32: z / 2, 0 where unknown, then the other columns up to the differences.
        mask: The same shape, 1 where observed.
        level: (batch, 1, 1) float64.
        scale3: (batch, 1, 1) float64: three times the scale.
        logged: (batch, 1, 1) bool, or "" if no window is log-transformed.
    """

    columns: str
    past: str
    target: str
    values: str
    mask: str
    level: str
    scale3: str
    logged: str = ""


def normalize(graph: GraphWriter, network: keras.Model, options: NetworkOptions) -> Window:
    """Add the nodes of `Normalize` over the input `context`, and of the season positions of the input `phase`."""
    layout = Layout(options)
    context = graph.add("Unsqueeze", "context", np.array([1]))
    observed = _observed(graph, context)
    row, raw, logged = _transform(graph, options, context, observed)
    last, level = _newest(graph, options, raw, observed)
    centred = graph.add("Sub", graph.add("Concat", row, last, level, axis=1), level)
    differences = _differences(graph, layout, row, raw)
    distances = graph.add("Concat", centred, *differences, level, axis=1)
    there = _observed(graph, distances)
    filled = graph.add("Where", there, distances, np.float64(0.0))
    scale3 = _scale(graph, layout, filled, there)
    limit = layout.length > CERTAIN_LIMIT
    if layout.multiplies:
        scaled = graph.add("Div", graph.slice(filled, 1, 0, layout.length + 2), scale3)
        mask = graph.add("Cast", there, to=TensorProto.FLOAT)
        values = _multiply(graph, layout, _squash(graph, scaled, limit=limit), mask)
    else:
        values, mask = _cut(graph, layout, _squash(graph, graph.add("Div", centred, scale3), limit=limit))
    columns = graph.add("Concat", values, mask, *_drifts(graph, layout, values, mask), axis=1)
    level, scale3 = (graph.add("Unsqueeze", one, np.array([2])) for one in (level, scale3))
    return Window(columns, *_positions(graph, network, layout), values, mask, level, scale3, logged)


def normalize_globally(graph: GraphWriter, network: keras.Model, options: NetworkOptions) -> Window:
    """Add the nodes of `NormalizeGlobally` over a context of one value, which is the last observed one too."""
    level, scale = (one.item() for one in network.get_layer("normalize").get_weights())
    observed = _observed(graph, "context")
    scaled = graph.add("Div", graph.add("Sub", "context", np.array([[level]])), np.array([[3.0 * scale]]))
    value = graph.add("Where", observed, _squash(graph, scaled, limit=True), np.float32(0.0))
    mask = graph.add("Cast", observed, to=TensorProto.FLOAT)
    zero = graph.add("Mul", mask, np.float32(0.0))
    one = graph.add("Add", zero, np.float32(1.0))
    positions = _positions(graph, network, Layout(options))
    columns = graph.add("Concat", value, value, zero, mask, mask, one, axis=1)
    constants = (graph.constant(np.full((1, 1, 1), number)) for number in (level, 3.0 * scale))
    return Window(columns, *positions, value, mask, *constants)


def _observed(graph: GraphWriter, values: str) -> str:
    """Return where there are values: NaN differs from itself."""
    return graph.add("Equal", values, values)


def _transform(graph: GraphWriter, options: NetworkOptions, context: str, observed: str) -> tuple[str, str, str]:
    """Return the context, (batch, length) and (batch, 1, length), in logarithms where all values are positive; and where.

    NaN stays NaN.
    """
    if options.transform != "log":
        return "context", context, ""
    positive = graph.add("Where", observed, context, np.float64(1.0))
    logged = graph.add("Greater", graph.add("ReduceMin", positive, axes=[2]), np.float64(0.0))
    raw = graph.add("Where", logged, graph.add("Log", context), context)
    return graph.add("Gather", raw, np.array(0), axis=1), raw, logged


def _newest(graph: GraphWriter, options: NetworkOptions, raw: str, observed: str) -> tuple[str, str]:
    """Return the last value and the mean of the last season, (batch, 1) each."""
    axis, season = np.array([2]), options.season_length
    counts = np.array([1.0, season])
    known = graph.add("Cast", observed, to=TensorProto.DOUBLE)
    newer = graph.add("CumSum", known, np.array(2), exclusive=1, reverse=1)
    newest = graph.add("And", graph.add("Less", newer, counts[:, None]), observed)
    sums = graph.add("ReduceSum", graph.add("Where", newest, raw, np.float64(0.0)), axis, keepdims=0)
    last, total = graph.split("Split", sums, outputs=2, axis=1)
    if season == 1:
        return last, last
    count = graph.add("ReduceSum", known, axis, keepdims=0)
    return last, graph.add("Div", total, graph.add("Clip", count, np.float64(1.0), np.float64(season)))


def _subtract(graph: GraphWriter, columns: str, pairs: Pairs, kind: type[np.floating]) -> list[str]:
    """Return the differences of pairs of columns: of a few with one Gather, of many with a part for each run of columns."""
    if not pairs.size:
        return []
    if pairs.shape[1] <= FEW:
        return [
            graph.add("MatMul", SUBTRACT.astype(kind), graph.add("Gather", columns, pairs.astype(np.int32), axis=1))
        ]
    ends = np.flatnonzero(np.any(np.diff(pairs) != 1, axis=0)) + 1
    parts = []
    for run in np.split(pairs, ends, axis=1):
        terms = (graph.slice(columns, 1, int(one[0]), int(one[-1]) + 1) for one in run)
        parts.append(graph.add("Sub", *terms))
    return parts


def _differences(graph: GraphWriter, layout: Layout, row: str, raw: str) -> list[str]:
    """Return the differences of one season, then of one step, (batch, …) each or together; NaN where one is unknown.

    If values and differences are one product, each step has one of each, 0 where the other step is before the context.
    """
    length, lags = layout.length, [one for one in (layout.season, 1) if one < layout.length]
    if not layout.multiplies:
        pairs = np.concatenate([_lagged(length, one, length - one) for one in lags], axis=1)
        return _subtract(graph, row, pairs, np.float64)
    steps = np.arange(length)
    earlier = np.array([np.where(steps < lag, steps, steps - lag) for lag in lags], np.int32)
    found = graph.add("Sub", raw, graph.add("Gather", row, earlier, axis=1))
    return [graph.add("Reshape", found, np.array([-1, len(lags) * length]))]


def _lagged(length: int, lag: int, count: int) -> Pairs:
    """Return the columns of both terms of the newest differences at a lag, (2, count)."""
    ends = np.arange(length - count, length)
    return np.array([ends, ends - lag])


def _scale(graph: GraphWriter, layout: Layout, distances: str, there: str) -> str:
    """Return three times the scale, (batch, 1): the largest candidate of those of `Normalize.measure` that count.

    The candidates are the mean distance to the level, the mean step, the mean seasonal difference, a tenth of the level, and
    the least ones. One matrix takes all sums, and one all counts. A candidate that does not count has a huge divisor.

    Args:
        graph: Takes the nodes.
        layout: Has the lengths.
        distances: From the level, the differences of `_differences`, and the level, float64; 0 where unknown.
        there: Where they are known.
    """
    length, season = layout.length, layout.season
    before = (season, 1) if layout.multiplies else (0, 0)  # columns of steps without an earlier one
    start = length + 2 + before[0]
    seasonal = slice(start, start + length - season) if season < length else slice(0)
    start = max(seasonal.stop, length + 2) + before[1]
    steps = slice(start, start + length - 1)
    parts = np.zeros((steps.stop + 1, 6))
    parts[:length, 0], parts[steps, 1], parts[seasonal, 2], parts[steps.stop, [3, 4]] = 1.0, 1.0, 1.0, 1.0
    of_counts, constant = _divisors()
    if layout.multiplies:  # in float32: counts and their products with a power of two are exact
        known = graph.add("Cast", there, to=TensorProto.FLOAT)
        divisors = graph.add("Gemm", known, _single(parts @ of_counts), _single(constant))
        parts *= WEIGHTS
    else:  # one large matrix, of small whole numbers, which `half_precision` can store
        counts = graph.add("MatMul", graph.add("Cast", there, to=TensorProto.DOUBLE), parts)
        shares = np.concatenate([1.0 / WEIGHTS, np.ones(12)])
        divisors = graph.add("Gemm", counts, of_counts * shares, constant * shares)
    divisor = graph.add("ReduceMax", graph.add("Reshape", divisors, np.array([-1, 3, 6])), axes=[1], keepdims=0)
    divisor = graph.add("Cast", divisor, to=TensorProto.DOUBLE) if layout.multiplies else divisor
    least = np.array([0.0, 0.0, 0.0, 0.0, 0.0, LEAST_SCALE * (WEIGHTS[-1] if layout.multiplies else 1.0)])
    sums = graph.add("Gemm", graph.add("Abs", distances), parts, least)
    return graph.add("ReduceMax", graph.add("Div", sums, divisor), axes=[1])


def _divisors() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what gives three divisors of each candidate from the counts, (6, 18), and a constant; the largest holds.

    It is a count, or huge where the candidate does not count, which can have two reasons.
    """
    matrix, few = np.zeros((7, 3, 6)), FEWEST_DIFFERENCES  # the last row is the constant
    matrix[:3, 0, :3] = np.eye(3)
    matrix[-1, 0] = [LEAST_COUNT, LEAST_COUNT, LEAST_COUNT, 1.0, 1.0, 1.0]
    matrix[[2, -1], 1, 1] = NEVER, (1.0 - few) * NEVER  # a step counts where there are few seasonal differences
    matrix[[2, -1], 1, 2] = -NEVER, few * NEVER  # these count where there are more
    matrix[1, 1, 3] = NEVER  # a tenth of the level counts where there is no step
    matrix[1, 2, 1:3], matrix[-1, 2, 1:3] = -NEVER, NEVER  # the others do not count there
    return matrix[:-1].reshape(6, 18), matrix[-1].reshape(18)


def _single(values: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _squash(graph: GraphWriter, scaled: str, *, limit: bool) -> str:
    """Return half of z, float32, from a third of the scaled values."""
    third = graph.add("Cast", scaled, to=TensorProto.FLOAT)
    return graph.add(
        "Asinh", graph.add("Clip", third, np.float32(-LARGEST / 3), np.float32(LARGEST / 3)) if limit else third
    )


def _multiply(graph: GraphWriter, layout: Layout, halves: str, mask: str) -> str:
    """Return the columns from values to differences, where 0 stands for unknown values: one product gives them all."""
    matrix = np.eye(layout.length + 2, layout.width, dtype=np.float32)
    steps = np.arange(layout.season, layout.length)
    matrix[steps, layout.length + 2 + steps], matrix[steps - layout.season, layout.length + 2 + steps] = 1.0, -1.0
    return graph.add("Mul", graph.add("MatMul", halves, matrix), mask)


def _cut(graph: GraphWriter, layout: Layout, halves: str) -> tuple[str, str]:
    """Return the columns from values to differences, and their mask, where NaN stands for unknown values."""
    pairs = [_lagged(layout.length, *one) for one in zip(layout.within, layout.kept, strict=True)]
    differences = _subtract(graph, halves, np.concatenate(pairs, axis=1), np.float32) if pairs else []
    columns = graph.add("Concat", halves, *differences, axis=1) if differences else halves
    there = _observed(graph, columns)
    return graph.add("Where", there, columns, np.float32(0.0)), graph.add("Cast", there, to=TensorProto.FLOAT)


def _drifts(graph: GraphWriter, layout: Layout, values: str, mask: str) -> list[str]:
    """Return the sums of the last differences of each season, times 1, 2, …, and how many are known."""
    if not layout.within:
        return []
    sums = np.zeros((layout.width, sum(layout.multiples)), np.float32)
    counts, end, column = np.zeros((layout.width, len(layout.within)), np.float32), layout.length + 2, 0
    for place, (kept, averaged, multiples) in enumerate(
        zip(layout.kept, layout.averaged, layout.multiples, strict=True)
    ):
        end += kept
        sums[end - averaged : end, column : column + multiples] = 1.0 + np.arange(multiples)
        counts[end - averaged : end, place] = 1.0
        column += multiples
    first = layout.length + 2 if layout.width > LONG else 0
    parts = [graph.slice(one, 1, first) if first else one for one in (values, mask)]
    return [graph.add("MatMul", one, matrix[first:]) for one, matrix in zip(parts, (sums, counts), strict=True)]


def _positions(graph: GraphWriter, network: keras.Model, layout: Layout) -> tuple[str, str]:
    """Return the embedded season positions of the steps that the encoder reads and of those ahead, or "" twice."""
    if not layout.options.calendar:
        return "", ""
    season = layout.season
    found = []
    for name, steps in (("past", np.arange(-layout.steps, 0)), ("target", np.arange(layout.options.horizon))):
        weights = network.get_layer(f"{name}_season").get_weights()[0]
        table = (np.arange(season)[:, None] + steps) % season
        table = np.concatenate([table, np.full((1, len(steps)), season)])  # of phase -1: an unknown position
        if table.size * EMBEDDING <= LARGEST_TABLE:
            found.append(graph.add("Gather", weights[table], "phase", axis=0))
        else:
            found.append(graph.add("Gather", weights, graph.add("Gather", table, "phase", axis=0), axis=0))
    return found[0], found[1]


def anchors(graph: GraphWriter, options: NetworkOptions, window: Window) -> str:
    """Add the nodes of `Anchors` and return them, (batch, horizon, anchors) float32, as halves of z.

    A mean over missing values only is that over the next longer reach. Hence the values beyond a reach count too, with a
    weight that vanishes beside that of one within: all means are one product, divided by the counts.
    """
    layout = Layout(options)
    deep = max(len(layout.reaches(one)) for one in layout.seasons) > 4  # noqa: PLR2004 - powers of 1e-8 in float32
    kind, share, least = (np.float64, 1e-14, 1e-200) if deep else (np.float32, 1e-8, 1e-36)
    read = graph.add("Gather", window.columns, layout.read_by_decoder().astype(np.int32), axis=1)
    read = graph.add("Cast", read, to=11) if deep else read
    sums, combined = _sums(layout, share, least)
    found = graph.add("Div", *(graph.add("MatMul", read, one.astype(kind)) for one in np.split(sums, 2, axis=1)))
    found = graph.add("Cast", found, to=1) if deep else found
    if layout.repeats:
        ahead = np.arange(options.horizon)
        found = graph.add("Gather", found, (ahead % layout.period).astype(np.int32), axis=1)
        times = np.ones((options.horizon, len(combined)), np.float32)
        for place, season in enumerate(layout.within, len(combined) - len(layout.within)):
            times[:, place] = (1 + ahead // season) / (1 + ahead % layout.period // season)
        found = graph.add("Mul", found, times) if layout.within else found
    return graph.add("MatMul", found, combined.astype(np.float32))


def _sums(layout: Layout, share: float, least: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrix of sums and counts over the columns that the decoder reads, and that from means to anchors.

    A value beyond a reach counts `share`, one beyond the next that squared, and so on; no count is below `least`.
    """
    reaches = [layout.reaches(one) for one in layout.seasons]
    within = [layout.seasons.index(one) for one in layout.within]
    sources = 1 + sum(one[-1] for one in reaches) + len(within)
    means = 1 + sum(map(len, reaches)) + len(within)
    weights, row, column = np.zeros((sources, means)), 1, 1
    weights[0, 0] = 1.0
    combined = np.zeros((means, layout.anchors))
    combined[0, 0] = 1.0
    for place, ends in enumerate(reaches):
        combined[column, 2 + place] = 1.0
        beyond = np.searchsorted(ends, np.arange(ends[-1]), side="right")  # the shortest reach that holds a value
        powers = np.maximum(beyond[:, None] - np.arange(len(ends)), 0)
        weights[row : row + ends[-1], column : column + len(ends)] = share**powers
        row, column = row + ends[-1], column + len(ends)
    combined[1:column, 2 + len(reaches) : layout.anchors] = np.eye(column - 1)
    for place, season in enumerate(within):
        weights[row + place, column + place] = 1.0
        combined[column + place, 2 + season] = 1.0
    sums = np.zeros((2 * sources + 1, 2 * means))
    sums[:sources, :means] = sums[sources : 2 * sources, means:] = weights
    sums[2 * sources, means:] = least
    return sums, combined
