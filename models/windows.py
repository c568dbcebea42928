"""Windows: the inputs of a network from series, the same in training and in the service."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.holidays import count_holidays
from models.covariates import CovariateNames
from models.series import Series

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Contexts:
    """A batch of inputs of a graph.

    Attributes:
        context: Newest values, oldest first, left-padded with NaN, shape (batch, context_length), float64.
        phase: Season position of the first forecast step, shape (batch,), int32; -1 without dates.
        past_covariates: History of every covariate, those known ahead last, NaN where unknown, shape
            (batch, context_length, covariates), float64; None if the graph reads none.
        future_covariates: Those known ahead, over the horizon, NaN where unknown, shape (batch, horizon, known ahead),
            float64; None if the graph reads none.
    """

    context: Floats
    phase: Integers
    past_covariates: Floats | None = None
    future_covariates: Floats | None = None

    def inputs(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by the names of the graph's inputs, in their order."""
        found: dict[str, NDArray[Any]] = {"context": self.context, "phase": self.phase}
        if self.past_covariates is not None:
            found["past_covariates"] = self.past_covariates
        if self.future_covariates is not None:
            found["future_covariates"] = self.future_covariates
        return found

    def part(self, rows: slice | NDArray[np.bool_]) -> "Contexts":
        """Return some rows of the batch."""
        return Contexts(**{name: value[rows] for name, value in self.inputs().items()})

    def within(self, horizon: int) -> "Contexts":
        """Return the contexts with covariates known ahead cut to `horizon` steps."""
        if self.future_covariates is None:
            return self
        return replace(self, future_covariates=self.future_covariates[:, :horizon])


@dataclass(frozen=True, slots=True)
class Panel:
    """Series in one padded matrix, so that a batch of windows is one indexing operation.

    Attributes:
        values: NaN-padded values, shape (series, left + longest + right); a series begins at column `left`.
        lengths: Points of each series, shape (series,).
        phases: Season position of each series' first point, shape (series,); -1 without dates.
        left: Columns of padding before each series.
        covariates: Every covariate, those known ahead last, NaN where unknown, shape (series, columns, covariates); None
            if none is read.
        known_ahead: Number of covariates known ahead; they have values after a series' end.
    """

    values: Floats
    lengths: NDArray[np.int64]
    phases: Integers
    left: int
    covariates: Floats | None = None
    known_ahead: int = 0


def last_context(values: Floats, context_length: int) -> Floats:
    """Return the newest `context_length` values, left-padded with NaN, shape (context_length,)."""
    newest = values[-context_length:]
    if len(newest) == context_length:
        return newest.copy()
    context = np.full(context_length, np.nan)
    context[context_length - len(newest) :] = newest
    return context


def last_contexts(
    series: Sequence[Series],
    context_length: int,
    season_length: int,
    *,
    names: CovariateNames | None = None,
    horizon: int = 0,
) -> Contexts:
    """Return the newest context of each series."""
    context = np.empty((len(series), context_length))
    phase = np.empty(len(series), dtype=np.int32)
    for row, one in enumerate(series):
        context[row] = last_context(one.values, context_length)
        phase[row] = one.future_phase(season_length)
    if not names:
        return Contexts(context, phase)
    laid = [covariate_columns(one, names, context_length, horizon) for one in series]
    past, ahead = np.stack([history for history, _ in laid]), np.stack([future for _, future in laid])
    return Contexts(context, phase, past, ahead if names.future else None)


def covariate_columns(one: Series, names: CovariateNames, length: int, horizon: int) -> tuple[Floats, Floats]:
    """Return the covariates that a graph reads: the newest `length` steps of a series, and `horizon` steps after them.

    Holidays that the series does not have are counted from its dates; other missing covariates are NaN.

    Returns:
        History of every covariate, shape (length, covariates), and those known ahead, shape (horizon, known ahead).
    """
    history, ahead = np.full((length, len(names.all)), np.nan), np.full((horizon, len(names.future)), np.nan)
    for place, name in enumerate(names.all):
        if name in one.past_covariates:
            history[:, place] = last_context(one.past_covariates[name], length)
    for place, name in enumerate(names.future):
        if name in one.future_covariates:
            known = one.future_covariates[name][:horizon]
            ahead[: len(known), place] = known
    for country, name in zip(names.holidays, names.counted, strict=True):
        if name not in one.future_covariates and one.start is not None:
            kept = min(len(one), length)
            counts = count_holidays(country, one, len(one) - kept, kept + horizon)
            history[length - kept :, names.all.index(name)] = counts[:kept]
            ahead[:, names.future.index(name)] = counts[kept:]
    return history, ahead


def advance(contexts: Contexts, block: Floats, season_length: int) -> Contexts:
    """Return the contexts moved on by a block of forecasts, shape (batch, horizon), which become values.

    Covariates known ahead become history; the others are unknown in the block.
    """
    length, horizon = contexts.context.shape[1], block.shape[1]
    context = np.concatenate([contexts.context, block], axis=1)[:, -length:]
    phase = np.where(contexts.phase < 0, -1, (contexts.phase + horizon) % season_length).astype(np.int32)
    past, ahead = contexts.past_covariates, contexts.future_covariates
    if past is None:
        return Contexts(context, phase)
    passed = np.full((len(block), horizon, past.shape[2]), np.nan)
    if ahead is not None:
        passed[..., past.shape[2] - ahead.shape[2] :] = ahead[:, :horizon]
        ahead = ahead[:, horizon:]
    return Contexts(context, phase, np.concatenate([past, passed], axis=1)[:, -length:], ahead)


def make_panel(
    series: Sequence[Series], left: int, right: int, season_length: int, *, names: CovariateNames | None = None
) -> Panel:
    """Return all series and the named covariates, padded by `left` and `right` steps."""
    lengths = np.array([len(one) for one in series], dtype=np.int64)
    values = np.full((len(series), left + int(lengths.max()) + right), np.nan)
    phases = np.full(len(series), -1, dtype=np.int32)
    for row, one in enumerate(series):
        values[row, left : left + len(one)] = one.values
        after = one.future_phase(season_length)
        if after >= 0:
            phases[row] = (after - len(one)) % season_length
    if not names:
        return Panel(values, lengths, phases, left)
    covariates = np.full((*values.shape, len(names.all)), np.nan)
    known_ahead = len(names.future)
    for row, one in enumerate(series):
        end = left + len(one)
        history, ahead = covariate_columns(one, names, len(one), right)
        covariates[row, left:end] = history
        covariates[row, end : end + right, len(names.past) :] = ahead
    return Panel(values, lengths, phases, left, covariates, known_ahead)


def cut_contexts(  # noqa: PLR0913 - where to cut, and how long
    panel: Panel,
    rows: NDArray[np.int64],
    cutoffs: NDArray[np.int64],
    length: int,
    season_length: int,
    *,
    horizon: int = 0,
) -> Contexts:
    """Return the contexts of `length` values that end just before each cutoff.

    Args:
        panel: Series with `left` of at least `length`.
        rows: Series of each window, shape (batch,).
        cutoffs: Points before the forecast, counted from each series' first, shape (batch,).
        length: Values in a context.
        season_length: Steps in one season.
        horizon: Steps of covariates known ahead.
    """
    columns = panel.left + cutoffs[:, None] + np.arange(-length, 0)[None, :]
    phases = panel.phases[rows]
    phase = np.where(phases < 0, -1, (phases + cutoffs) % season_length).astype(np.int32)
    context = panel.values[rows[:, None], columns]
    if panel.covariates is None:
        return Contexts(context, phase)
    past = panel.covariates[rows[:, None], columns]
    if not panel.known_ahead:
        return Contexts(context, phase, past)
    after = panel.left + cutoffs[:, None] + np.arange(horizon)[None, :]
    return Contexts(context, phase, past, panel.covariates[rows[:, None], after, -panel.known_ahead :])


def cut_targets(panel: Panel, rows: NDArray[np.int64], cutoffs: NDArray[np.int64], horizon: int) -> Floats:
    """Return the `horizon` values from each cutoff on, NaN past a series' end, shape (batch, horizon)."""
    columns = panel.left + cutoffs[:, None] + np.arange(horizon)[None, :]
    targets: Floats = panel.values[rows[:, None], columns]
    return targets
