"""Rolling origins: one or several held-out blocks of a comparison, and the scores over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.errors import DataInvalid
from models.forecaster import Forecaster
from models.series import Series
from training.data.eligibility import fewest_points
from training.data.holdout import Split, hold_out
from training.evaluation.baselines import BaselineRequest, backtest_baselines
from training.evaluation.comparison import BaselineResult, Sample
from training.evaluation.scores import Predictions, Scores, join_scores, predict_network, score
from training.progress import Progress

Booleans = NDArray[np.bool_]

MAX_HELD_OUT = 1 / 3
"""Maximum share of the median series that all origins together hold out; candidates train on the rest."""

MIN_SCORED = 0.9
"""Minimum share of the newest origin's series that an older origin also scores."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Rolling origins, a horizon apart.

    Attributes:
        splits: The newest first. A candidate is fitted once, on the data before the oldest origin; at newer origins it
            only reads a longer history.
        notes: Why there are fewer origins than requested.
    """

    splits: tuple[Split, ...]
    notes: tuple[str, ...] = ()

    @property
    def cutoff(self) -> Split:
        """The oldest origin, where the training data end."""
        return self.splits[-1]


def roll_origins(series: Sequence[Series], horizon: int, *, season_length: int, wanted: int) -> Origins:
    """Return as many origins as requested, or as the series allow, at least one.

    Several origins hold out at most `MAX_HELD_OUT` of the median series, and each scores at least `MIN_SCORED` of the
    series that the newest one scores.

    Raises:
        DataInvalid: If no series can be scored at the newest origin.
    """
    newest = hold_out(series, horizon, season_length=season_length)
    splits = [newest]
    for blocks in range(2, wanted + 1):
        older = _older(series, horizon, season_length, blocks)
        limit = _limit(series, newest, older, blocks)
        if older is None or limit:
            return Origins(tuple(splits), (f"{blocks - 1} of {wanted} origins: {limit}.",))
        splits.append(older)
    return Origins(tuple(splits))


def _limit(series: Sequence[Series], newest: Split, older: Split | None, blocks: int) -> str:
    """Return why the series do not allow an older origin, or "" if they do."""
    median = float(np.median([len(one) for one in series if one.id not in newest.left_out]))
    if blocks * newest.horizon > MAX_HELD_OUT * median:
        return f"more would hold out over a third of {median:g} points"
    needed = fewest_points(newest.horizon, newest.season_length) + newest.horizon
    if older is not None and (longest := max(len(one) for one in older.histories)) < needed:
        return f"more would leave {longest} points for training, of {needed} needed"
    scored = len(older.scored) if older else 0
    if scored < MIN_SCORED * len(newest.scored):
        return f"the next scores {scored} of {len(newest.scored)} series"
    return ""


def last_origins(series: Sequence[Series], horizon: int, *, season_length: int, count: int) -> tuple[Split, ...]:
    """Return `count` origins, the newest first; raise DataInvalid if no series is long enough."""
    blocks = range(1, count + 1)
    return tuple(hold_out(series, horizon, season_length=season_length, blocks=one) for one in blocks)


def score_over(forecaster: Forecaster, splits: Sequence[Split]) -> tuple[Scores, Predictions]:
    """Return a model's errors at all origins, a row for each series at each, and its forecasts at the first origin."""
    predictions = [predict_network(forecaster, one) for one in splits]
    scores = [score(one, found) for one, found in zip(splits, predictions, strict=True)]
    return join_scores(scores), predictions[0]


def baselines_over(splits: Sequence[Split], request: BaselineRequest, progress: Progress) -> dict[str, BaselineResult]:
    """Return the baselines that have results at every origin, their errors in the order of `score_over`."""
    shared = replace(request, origins=len(splits))
    parts = [backtest_baselines(one, shared, progress) for one in splits]
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: _joined([part[name] for part in parts], splits) for name in names}


def _joined(parts: Sequence[BaselineResult], splits: Sequence[Split]) -> BaselineResult:
    """Return the results of one baseline at several origins as one; `rows` are those of its samples."""
    if len(parts) == 1:
        return parts[0]
    scores = join_scores([one.scores for one in parts])
    milliseconds = float(np.mean([one.forecast_ms for one in parts]))
    samples = [one.sample for one in parts if one.sample]
    if not samples:
        return BaselineResult(scores, parts[0].predictions, milliseconds)
    starts = np.cumsum([0, *(len(one.scored) for one in splits)])
    rows = tuple(int(start + index) for start, one in zip(starts, samples, strict=False) for index in one.indices)
    return BaselineResult(scores, parts[0].predictions, milliseconds, Sample.join(samples), rows)


def _older(series: Sequence[Series], horizon: int, season_length: int, blocks: int) -> Split | None:
    """Return the split of an older origin, or None if no series is long enough."""
    try:
        return hold_out(series, horizon, season_length=season_length, blocks=blocks)
    except DataInvalid:
        return None
