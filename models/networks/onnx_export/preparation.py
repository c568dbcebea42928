"""Preparation: the ONNX nodes of normalization, seasonal differences and anchors.

The twin of `models.networks.normalization` and `models.networks.decoder.Anchors` for a forecast from the newest step.
Values are kept as half of z, asinh(u / 3), which saves a multiplication on the way in and one on the way out.
"""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

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

NEVER = 2.0**600
"""A divisor that makes a candidate for the scale smaller than every other."""

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
    missing = graph.add("IsNaN", context)
    row, raw, logged = _transform(graph, options, context, missing)
    last, level = _newest(graph, options, raw, missing)
    centred = graph.add("Sub", graph.add("Concat", row, last, level, axis=1), level)
    distances = graph.add("Concat", centred, *_subtract(graph, row, _compared(layout), np.float64), level, axis=1)
    scale3 = _scale(graph, layout, distances)
    halves = _squash(graph, graph.add("Div", centred, scale3), limit=layout.length > CERTAIN_LIMIT)
    differences = _subtract(graph, halves, _read(layout), np.float32)
    columns = graph.add("Concat", halves, *differences, axis=1) if differences else halves
    nothing = graph.add("IsNaN", columns)
    values = graph.add("Where", nothing, np.float32(0.0), columns)
    mask = graph.add("Where", nothing, np.float32(0.0), np.float32(1.0))
    columns = graph.add("Concat", values, mask, *_drifts(graph, layout, values, mask), axis=1)
    level, scale3 = (graph.add("Unsqueeze", one, np.array([2])) for one in (level, scale3))
    return Window(columns, *_positions(graph, network, layout), values, mask, level, scale3, logged)


def normalize_globally(graph: GraphWriter, network: keras.Model, options: NetworkOptions) -> Window:
    """Add the nodes of `NormalizeGlobally` over a context of one value, which is the last observed one too."""
    level, scale = (one.item() for one in network.get_layer("normalize").get_weights())
    missing = graph.add("IsNaN", "context")
    scaled = graph.add("Div", graph.add("Sub", "context", np.array([[level]])), np.array([[3.0 * scale]]))
    value = graph.add("Where", missing, np.float32(0.0), _squash(graph, scaled, limit=True))
    mask = graph.add("Where", missing, np.float32(0.0), np.float32(1.0))
    zero = graph.add("Mul", mask, np.float32(0.0))
    one = graph.add("Add", zero, np.float32(1.0))
    positions = _positions(graph, network, Layout(options))
    columns = graph.add("Concat", value, value, zero, mask, mask, one, axis=1)
    constants = (graph.constant(np.full((1, 1, 1), number)) for number in (level, 3.0 * scale))
    return Window(columns, *positions, value, mask, *constants)


def _transform(graph: GraphWriter, options: NetworkOptions, context: str, missing: str) -> tuple[str, str, str]:
    """Return the context, (batch, length) and (batch, 1, length), in logarithms where all values are positive; and where.

    NaN stays NaN.
    """
    if options.transform != "log":
        return "context", context, ""
    positive = graph.add("Where", missing, np.float64(1.0), context)
    logged = graph.add("Greater", graph.add("ReduceMin", positive, axes=[2]), np.float64(0.0))
    raw = graph.add("Where", logged, graph.add("Log", context), context)
    return graph.add("Gather", raw, np.array(0), axis=1), raw, logged


def _newest(graph: GraphWriter, options: NetworkOptions, raw: str, missing: str) -> tuple[str, str]:
    """Return the last value and the mean of the last season, (batch, 1) each."""
    axis, season = np.array([2]), options.season_length
    counts = np.array([1.0, season])
    filled = graph.add("Where", missing, np.float64(0.0), raw)
    known = graph.add("Where", missing, np.float64(0.0), np.float64(1.0))
    newer = graph.add("CumSum", known, np.array(2), exclusive=1, reverse=1)
    newest = graph.add("Where", graph.add("Less", newer, counts[:, None]), filled, np.float64(0.0))
    last, total = graph.split("Split", graph.add("ReduceSum", newest, axis, keepdims=0), outputs=2, axis=1)
    if season == 1:
        return last, last
    observed = graph.add("ReduceSum", known, axis, keepdims=0)
    return last, graph.add("Div", total, graph.add("Clip", observed, np.float64(1.0), np.float64(season)))


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


def _compared(layout: Layout) -> Pairs:
    """Return the columns of both terms of the differences of one step and of one season, (2, differences)."""
    steps = [(step, step - 1) for step in range(1, layout.length)]
    seasons = [(step, step - layout.season) for step in range(layout.season, layout.length)]
    return np.array([*steps, *seasons], dtype=np.int64).reshape(-1, 2).T


def _scale(graph: GraphWriter, layout: Layout, distances: str) -> str:
    """Return three times the scale, (batch, 1): the largest candidate of those of `Normalize.measure` that count.

    The candidates are the mean distance to the level, the mean step, the mean seasonal difference, a tenth of the level, and
    the least ones. One matrix takes all sums, and one all counts. A candidate that does not count has a huge divisor.
    """
    length, season = layout.length, layout.season
    steps = slice(length + 2, 2 * length + 1)
    seasonal = slice(steps.stop, steps.stop + max(length - season, 0))
    level = seasonal.stop
    parts, least = np.zeros((level + 1, 6)), np.array([0.0, 0.0, 0.0, 0.0, 0.0, LEAST_SCALE])
    parts[:length, 0], parts[steps, 1], parts[seasonal, 2] = 1.0, 1.0, 1.0
    parts[level, [3, 4]] = 1.0
    # Of the counts: divisors, and others that are huge where a candidate does not count, else 0 or less.
    weights, few = np.array([0.03, 3.0, 3.0, 0.3, 3e-12, 3.0]), FEWEST_DIFFERENCES
    too_many, none = np.zeros((2, 7, 6))  # the last row is a constant
    too_many[[2, -1], 1] = 1.0, 1.0 - few  # a step counts where there are few seasonal differences
    too_many[[2, -1], 2] = -1.0, few  # these count where there are more
    too_many[1, 3] = 1.0  # a tenth of the level counts where there is no step
    none[[1, -1], 1:3] = [[-1.0], [1.0]]  # the others do not count there
    divisors = np.pad(np.diag(1.0 / weights), ((0, 1), (0, 0)))
    matrix = np.concatenate([divisors, NEVER * too_many, NEVER * none], axis=1)
    nothing = graph.add("IsNaN", distances)
    measured = graph.add("Where", nothing, np.float64(0.0), graph.add("Abs", distances))
    known = graph.add("Where", nothing, np.float64(0.0), np.float64(1.0))
    counts = graph.add("Gemm", graph.add("MatMul", known, parts), matrix[:-1], matrix[-1])
    divisor = graph.add("Max", *graph.split("Split", counts, outputs=3, axis=1), 1.0 / weights)
    return graph.add("ReduceMax", graph.add("Div", graph.add("Gemm", measured, parts, least), divisor), axes=[1])


def _squash(graph: GraphWriter, scaled: str, *, limit: bool) -> str:
    """Return half of z, float32, from a third of the scaled values."""
    third = graph.add("Cast", scaled, to=1)
    return graph.add(
        "Asinh", graph.add("Clip", third, np.float32(-LARGEST / 3), np.float32(LARGEST / 3)) if limit else third
    )


def _read(layout: Layout) -> Pairs:
    """Return the columns of both terms of each seasonal difference that is kept, (2, differences)."""
    pairs = list[tuple[int, int]]()
    for season, count in zip(layout.within, layout.kept, strict=True):
        pairs += [(step, step - season) for step in range(layout.length - count, layout.length)]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T


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
    total, count = graph.split("Split", graph.add("MatMul", read, sums.astype(kind)), outputs=2, axis=2)
    found = graph.add("Div", total, count)
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
