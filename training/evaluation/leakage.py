"""Leakage: which held-out points a model has seen in its training."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.series import Series
from training.data.holdout import Split
from training.evaluation.rolling_origins import Booleans, Origins

MIN_UNSEEN = 0.5
"""Minimum share of the scored series whose held-out block is new to a model, for an origin to count as new to it."""


@dataclass(frozen=True, slots=True)
class SeenData:
    """Which data a model was trained on.

    Attributes:
        until: Last timestamp of the training data, ISO 8601; None if unknown.
        ends: Last timestamp of each training series, by id; None if unknown. Series end at different times, so a block
            of one series can be new although another series was seen beyond it.
    """

    until: str | None
    ends: Mapping[str, str] | None = None

    def is_new(self, history: Series) -> bool:
        """Return whether the points after a history are new to the model."""
        ahead = history.future(1)
        if self.ends is not None and history.id not in self.ends:
            return True
        end = self.until if self.ends is None else self.ends[history.id]
        return end is not None and ahead is not None and bool(ahead[0] > np.datetime64(end[:19]))


def ends_of(series: Sequence[Series]) -> dict[str, str]:
    """Return the last timestamp of each series with dates, by id."""
    return {one.id: str(one.timestamps[-1]) for one in series if one.timestamps is not None}


def new_rows(split: Split, seen: SeenData) -> Booleans:
    """Return for each scored series whether its held-out block is new to a model, shape (series,)."""
    return np.array([seen.is_new(history) for history in split.scored_histories])


def is_new_to(split: Split, seen: SeenData) -> bool:
    """Return whether a held-out block is new to a model for at least half of the series."""
    return bool(np.mean(new_rows(split, seen)) >= MIN_UNSEEN)


def unseen_by(origins: Origins, seen: SeenData) -> tuple[Split, ...]:
    """Return the newest origins whose held-out blocks are all new to a model, the newest first."""
    return tuple(itertools.takewhile(lambda split: is_new_to(split, seen), origins.splits))
