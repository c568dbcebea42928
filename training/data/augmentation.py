"""Mixing: synthetic windows among the real ones, which keep a network from learning few data by heart.

Source: Ansari et al. (2024), Chronos: learning the language of time series, TMLR: training on real and synthetic series
together.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.networks.build import NetworkOptions
from models.windows import Contexts
from training.data.synthetic import hide, synthesize
from training.data.window_sampling import Batch, Dataset, Windows

Floats = NDArray[np.float64]

HALF = 0.5
"""Share of synthetic windows that is tried beside none."""

FEW_POINTS = 20_000
"""Points that training sees, up to which it is tried."""

POOL = 4096
"""Synthetic series that windows are drawn from, made once: each shows another part of itself whenever it is drawn."""


@dataclass(frozen=True, slots=True)
class Mixed:
    """Windows of a training set and synthetic ones in one batch.

    Attributes:
        real: The training set.
        seasons: Season lengths of the synthetic series, shortest first.
        share: Share of synthetic windows.
    """

    real: Dataset
    seasons: tuple[int, ...]
    share: float

    def draw(self, generator: np.random.Generator, size: int) -> Batch:
        """Return random windows, the real ones first; at least one of either kind where there are two or more."""
        count = min(max(round(self.share * size), 1), size - 1)
        real = self.real.draw(generator, size - count)
        length = self.real.context_length
        made = synthetic_series(self.seasons, length + self.real.horizon)
        made = made[generator.integers(len(made), size=count)]
        context = made[:, :length].copy()
        hide(generator, context, self.seasons)
        undated = np.full(count, -1, dtype=np.int32)
        contexts = Contexts(
            np.concatenate([real.contexts.context, context]), np.concatenate([real.contexts.phase, undated])
        )
        return Batch(contexts, np.concatenate([real.targets, made[:, None, length:]]))


def mixed(dataset: Dataset, options: NetworkOptions, share: float) -> Windows:
    """Return what a network's training windows are drawn from."""
    return Mixed(dataset, options.seasons or (options.season_length,), share) if share else dataset


def can_mix(options: NetworkOptions) -> bool:
    """Return whether a network can learn from synthetic windows: they have no covariates, one origin and a scale of their own."""
    covariates = options.past_covariates + options.future_covariates
    return not covariates and options.context_length > 1 and options.supervised_steps == 1


def is_small(dataset: Dataset) -> bool:
    """Return whether training sees so few points that synthetic windows are worth a trial."""
    return dataset.points <= FEW_POINTS


@lru_cache(maxsize=2)
def synthetic_series(seasons: tuple[int, ...], length: int) -> Floats:
    """Return the same synthetic series every time, (POOL, length)."""
    return synthesize(np.random.default_rng(0), POOL, length, seasons)
