"""Windows: how a series becomes the context a network sees, in training and in service alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.series import Series

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Contexts:
    """A batch of contexts, as the graph takes them.

    Attributes:
        context: Newest values, oldest first, left-padded with NaN, shape (batch, context_length), float64.
        phase: Season position of the first forecast step, shape (batch,), int32; -1 where no dates are known.
    """

    context: Floats
    phase: Integers


@dataclass(frozen=True, slots=True)
class Panel:
    """Series laid side by side, so that a batch of windows is one indexing and no loop.

    Attributes:
        values: NaN-padded values, shape (series, left + longest + right); a series begins at column `left`.
        lengths: Points of each series, shape (series,).
        phases: Season position of each series' first point, shape (series,); -1 where no dates are known.
        left: Columns of padding before each series.
    """

    values: Floats
    lengths: NDArray[np.int64]
    phases: Integers
    left: int


def last_context(values: Floats, context_length: int) -> Floats:
    """Return the newest `context_length` values, left-padded with NaN, shape (context_length,)."""
    context = np.full(context_length, np.nan)
    newest = values[-context_length:]
    context[context_length - len(newest) :] = newest
    return context


def last_contexts(series: Sequence[Series], context_length: int, season_length: int) -> Contexts:
    """Return the newest context of each series, ready for the graph."""
    context = np.empty((len(series), context_length))
    phase = np.empty(len(series), dtype=np.int32)
    for row, one in enumerate(series):
        context[row] = last_context(one.values, context_length)
        phase[row] = one.future_phase(season_length)
    return Contexts(context, phase)


def lay_panel(series: Sequence[Series], left: int, right: int, season_length: int) -> Panel:
    """Return all series in one padded matrix; a cut never leaves it."""
    lengths = np.array([len(one) for one in series], dtype=np.int64)
    values = np.full((len(series), left + int(lengths.max()) + right), np.nan)
    phases = np.full(len(series), -1, dtype=np.int32)
    for row, one in enumerate(series):
        values[row, left : left + len(one)] = one.values
        after = one.future_phase(season_length)
        if after >= 0:
            phases[row] = (after - len(one)) % season_length
    return Panel(values, lengths, phases, left)


def cut_contexts(
    panel: Panel, rows: NDArray[np.int64], cutoffs: NDArray[np.int64], length: int, season_length: int
) -> Contexts:
    """Return the contexts of `length` values that end just before each cutoff.

    Args:
        panel: Series side by side, `left` at least `length`.
        rows: Which series, shape (batch,).
        cutoffs: Points before the forecast, counted from each series' first, shape (batch,).
        length: Values in a context.
        season_length: Steps in one season.
    """
    columns = panel.left + cutoffs[:, None] + np.arange(-length, 0)[None, :]
    phases = panel.phases[rows]
    phase = np.where(phases < 0, -1, (phases + cutoffs) % season_length)
    return Contexts(panel.values[rows[:, None], columns], phase.astype(np.int32))


def cut_targets(panel: Panel, rows: NDArray[np.int64], cutoffs: NDArray[np.int64], horizon: int) -> Floats:
    """Return the `horizon` values from each cutoff on, NaN past a series' end, shape (batch, horizon)."""
    columns = panel.left + cutoffs[:, None] + np.arange(horizon)[None, :]
    targets: Floats = panel.values[rows[:, None], columns]
    return targets
