"""Origins: where the held-out block of a comparison begins, once or several times, and how models do over all of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.errors import DataInvalid
from models.forecaster import Forecaster
from models.series import Series
from training.data.eligibility import fewest_points
from training.data.holdout import Split, hold_out
from training.evaluation.baselines import BaselineWish, backtest_baselines
from training.evaluation.comparison import BaselineResult, Sample
from training.evaluation.scores import Predictions, Scores, join_scores, predict_network, score
from training.progress import Progress

Booleans = NDArray[np.bool_]

LARGEST_SHARE = 1 / 3
"""Share of the median series that all origins together may hold out: the rest is what candidates learn from."""

FEWEST_SCORED = 0.9
"""Share of the series scored at the newest origin that an older one must score too: else it is of other series."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Rolling origins, a horizon apart.

    Attributes:
        splits: The newest first; what lies before the last of them is all that a candidate is fitted on. Later origins
            only lengthen the history that it forecasts from.
        notes: Why there are fewer than were asked for, where that is so.
    """

    splits: tuple[Split, ...]
    notes: tuple[str, ...] = ()

    @property
    def cutoff(self) -> Split:
        """The oldest origin, at which training ends."""
        return self.splits[-1]


def roll_origins(series: Sequence[Series], horizon: int, *, season_length: int, wanted: int) -> Origins:
    """Return as many origins as were asked for, or as the series allow, at least one.

    More than one hold out at most a third of the median series, and score at least nine tenths of the series that the
    newest one scores.

    Raises:
        DataInvalid: If no series can be scored at any origin.
    """
    newest = hold_out(series, horizon, season_length=season_length)
    splits, notes = [newest], list[str]()
    median = float(np.median([len(one) for one in series if one.id not in newest.left_out]))
    for blocks in range(2, wanted + 1):
        if blocks * horizon > LARGEST_SHARE * median:
            notes.append(_fewer(blocks - 1, wanted, f"more would hold out over a third of {median:g} points"))
            break
        older = _older(series, horizon, season_length, blocks)
        needed = fewest_points(horizon, season_length) + horizon
        if older is not None and (longest := max(len(one) for one in older.histories)) < needed:
            notes.append(
                _fewer(blocks - 1, wanted, f"more would leave {longest} points to learn from, of {needed} needed")
            )
            break
        if older is None or len(older.scored) < FEWEST_SCORED * len(newest.scored):
            scored = len(older.scored) if older else 0
            notes.append(_fewer(blocks - 1, wanted, f"the next scores {scored} of {len(newest.scored)} series"))
            break
        splits.append(older)
    return Origins(tuple(splits), tuple(notes))


def last_origins(series: Sequence[Series], horizon: int, *, season_length: int, count: int) -> tuple[Split, ...]:
    """Return so many origins, the newest first; raises DataInvalid where no series reaches back so far."""
    blocks = range(1, count + 1)
    return tuple(hold_out(series, horizon, season_length=season_length, blocks=one) for one in blocks)


def score_over(forecaster: Forecaster, splits: Sequence[Split]) -> tuple[Scores, Predictions]:
    """Return a model's errors over all origins, a row for each series at each, and its forecasts of the first one given."""
    predictions = [predict_network(forecaster, one) for one in splits]
    scores = [score(one, found) for one, found in zip(splits, predictions, strict=True)]
    return join_scores(scores), predictions[0]


def baselines_over(splits: Sequence[Split], wish: BaselineWish, progress: Progress) -> dict[str, BaselineResult]:
    """Return each baseline that could be made at every origin, its errors in the order of `score_over`."""
    shared = replace(wish, origins=len(splits))
    parts = [backtest_baselines(one, shared, progress) for one in splits]
    names = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: _joined([part[name] for part in parts], splits) for name in names}


def _joined(parts: Sequence[BaselineResult], splits: Sequence[Split]) -> BaselineResult:
    """Return one baseline over all origins; its rows are those of its samples."""
    if len(parts) == 1:
        return parts[0]
    scores = join_scores([one.scores for one in parts])
    milliseconds = float(np.mean([one.forecast_ms for one in parts]))
    samples = [one.sample for one in parts if one.sample]
    if not samples:
        return BaselineResult(scores, parts[0].predictions, milliseconds)
    starts = np.cumsum([0, *(len(one.scored) for one in splits)])
    rows = tuple(int(start + place) for start, one in zip(starts, samples, strict=False) for place in one.places)
    return BaselineResult(scores, parts[0].predictions, milliseconds, Sample.join(samples), rows)


def _older(series: Sequence[Series], horizon: int, season_length: int, blocks: int) -> Split | None:
    """Return the split of an older origin, or None where no series reaches back so far."""
    try:
        return hold_out(series, horizon, season_length=season_length, blocks=blocks)
    except DataInvalid:
        return None


def _fewer(count: int, wanted: int, why: str) -> str:
    return f"{count} of {wanted} origins: {why}."
