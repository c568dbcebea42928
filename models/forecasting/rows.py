"""Rows: the series of a batch, with implausible values replaced, and the contexts that the network reads."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.calendar.zoned_grid import Timestamps
from models.forecasting.plan import Plan
from models.forecasting.request import ForecasterRequest
from models.safeguards.plausible import count_known, look_closer, read_otherwise
from models.series import Series
from models.windows import Contexts

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Row:
    """One series of a batch.

    Attributes:
        series: The series; `read_contexts` replaces its implausible values.
        plan: What is asked of its forecast.
        request: The request that it is of.
        future: Timestamps of the forecast, shape (horizon,), or None without dates.
        phase: Season position of the first forecast step, -1 without dates.
        covariates: What `models.windows.covariate_columns` returns for it; None if the model reads none.
        observed: Observed values in the context.
        least: Lowest value in the context.
        middle: A value in the middle of the context.
        largest: Highest value in the context.
    """

    series: Series
    plan: Plan
    request: ForecasterRequest
    future: Timestamps | None
    phase: int
    covariates: tuple[Floats, Floats] | None = None
    observed: int = 0
    least: float = 0.0
    middle: float = 0.0
    largest: float = 0.0

    @property
    def constant(self) -> float:
        """The only value of the context; NaN if there are several."""
        return self.least if self.least == self.largest else math.nan


def read_contexts(rows: Sequence[Row], length: int) -> Contexts:
    """Return the newest `length` values of each row with implausible ones clipped or masked, and its other inputs."""
    context = np.empty((len(rows), length))
    context.fill(np.nan)
    longest = 0
    for values, row in zip(context, rows, strict=True):
        newest = row.series.values
        count = len(newest)
        if count > length:
            newest, count = newest[-length:], length
        values[length - count :] = newest
        longest = max(longest, count)
    _replace_implausible(rows, context, longest)
    phase = np.array([row.phase for row in rows], dtype=np.int32)
    return Contexts(context, phase, *_covariates(rows))


def _replace_implausible(rows: Sequence[Row], context: Floats, longest: int) -> None:
    """Replace the implausible values of each row, in its series and its context, and note what is observed."""
    length = context.shape[1]
    newest = context[:, length - longest :]
    ordered = newest.copy()
    ordered.sort(axis=1)
    counts = count_known(ordered)
    others = read_otherwise(newest, ordered, counts)
    for at in others:
        row = rows[at]
        row.series = look_closer(row.series, length, row.request.outliers)
        newest[at, longest - min(len(row.series), length) :] = row.series.values[-length:]
    if others:
        ordered[others] = np.sort(newest[others])
        counts = count_known(ordered)
    for row, numbers, count in zip(rows, ordered, counts, strict=True):
        row.observed = count
        row.least, row.middle, row.largest = numbers.item(0), numbers.item(count // 2), numbers.item(count - 1)


def _covariates(rows: Sequence[Row]) -> tuple[Floats, Floats | None] | tuple[()]:
    """Return history and future of the covariates, NaN where a row's own horizon ends; nothing if none are read."""
    laid = [row.covariates for row in rows if row.covariates is not None]
    if not laid:
        return ()
    steps, known = max(len(ahead) for _, ahead in laid), laid[0][1].shape[1]
    future = np.full((len(laid), steps, known), np.nan)
    for place, (_, ahead) in zip(future, laid, strict=True):
        place[: len(ahead)] = ahead
    return np.stack([history for history, _ in laid]), future if known else None


def stays_nonnegative(row: Row, *, learned: bool) -> bool:
    """Return whether no value of a row's series is below 0 and, unless the model has learned that, all are whole numbers."""
    series = row.series
    if row.least < 0 or (not learned and not row.middle.is_integer()):
        return False
    if np.nanmin(series.values) < 0:  # values before the context count too
        return False
    return learned or series.is_whole
