"""Leakage: which points a model has seen in its training, and which held-out points are new to it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.series import Series
from training.data.holdout import Split
from training.evaluation.rolling_origins import Booleans, Origins

FEWEST_UNSEEN = 0.5
"""Share of the scored series whose block must be new to a champion, for the block to count as new to it."""


@dataclass(frozen=True, slots=True)
class SeenData:
    """How far a model has seen.

    Attributes:
        until: Last timestamp of all that it was trained on, ISO 8601; None where nobody knows.
        ends: Last timestamp of each series that it was trained on, by id; None where only the whole is known. Series do
            not all end together, so that a block of one may be old beside what is seen of another.
    """

    until: str | None
    ends: Mapping[str, str] | None = None

    def is_new(self, history: Series) -> bool:
        """Return whether what comes after a history is new to the model."""
        ahead = history.future(1)
        if self.ends is not None and history.id not in self.ends:
            return True
        end = self.until if self.ends is None else self.ends[history.id]
        return end is not None and ahead is not None and bool(ahead[0] > np.datetime64(end[:19]))


def ends_of(series: Sequence[Series]) -> dict[str, str]:
    """Return the last timestamp of each series with dates, by id."""
    return {one.id: str(one.timestamps[-1]) for one in series if one.timestamps is not None}


def new_rows(split: Split, seen: SeenData) -> Booleans:
    """Return for each scored series whether its block is new to a model, shape (scored,)."""
    return np.array([seen.is_new(history) for history in split.scored_histories])


def is_new_to(split: Split, seen: SeenData) -> bool:
    """Return whether a block is new to a model for half the series or more."""
    return bool(np.mean(new_rows(split, seen)) >= FEWEST_UNSEEN)


def unseen_by(origins: Origins, seen: SeenData) -> tuple[Split, ...]:
    """Return the origins, the newest first, whose block is new to a model for half the series or more."""
    return tuple(itertools.takewhile(lambda split: is_new_to(split, seen), origins.splits))
