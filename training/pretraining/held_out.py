"""Held-out windows: synthetic windows that no training sees, for figures and calibration of a starter."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from models.accuracy import mean_mase, scale_or_nan
from models.baselines import seasonal_naive
from models.calendar.zoned_grid import parse_frequency
from models.networks.learner import Learner
from models.series import Series
from models.windows import Contexts
from training.data.synthetic import SyntheticWindows
from training.data.synthetic_components import Floats
from training.data.window_sampling import Batch
from training.fit.loop import mean_scaled_error
from training.fit.validation import Validation
from training.pretraining.starter_specs import StarterSpec

HELD_OUT = 1024
"""Windows that are drawn."""

HELD_OUT_SEED = 1_000_000
"""Makes the generator of held-out windows differ from those of training."""


def synthetic_windows(spec: StarterSpec) -> SyntheticWindows:
    """Return what draws the windows of a starter."""
    seasons = parse_frequency(spec.frequency).seasons
    return SyntheticWindows(seasons, spec.context_length, spec.horizon, spec.shares, spec.windows_of_series, spec.short)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Synthetic windows with the scales of their errors."""

    batch: Batch
    scales: Floats

    @classmethod
    def draw(cls, spec: StarterSpec, seed: int) -> Self:
        """Return the windows whose visible part has a seasonal scale."""
        batch = synthetic_windows(spec).draw(np.random.default_rng([HELD_OUT_SEED, seed]), HELD_OUT)
        season = parse_frequency(spec.frequency).season_length
        scales = np.array([scale_or_nan(_visible(row), season) for row in batch.contexts.context])
        usable = np.flatnonzero(np.isfinite(scales) & (scales > 0))
        contexts = Contexts(batch.contexts.context[usable], batch.contexts.phase[usable])
        return cls(Batch(contexts, batch.targets[usable]), scales[usable])

    def error(self, learner: Learner) -> float:
        """Return the MASE of a network's medians."""
        return mean_scaled_error(learner, self.batch, self.scales)

    def naive_error(self, season: int) -> float:
        """Return the MASE of seasonal naive."""
        horizon = self.batch.targets.shape[-1]
        medians = np.array([seasonal_naive(one, horizon, season) for one in self.series()])
        return mean_mase(self.batch.targets[:, 0], medians, self.scales)

    def series(self) -> list[Series]:
        """Return the visible part of each window as a series."""
        rows = enumerate(self.batch.contexts.context)
        return [Series.make(_visible(row), id=f"synthetic-{at}") for at, row in rows]

    def validate(self, learner: Learner) -> Validation:
        """Return a network's forecasts, each window of a series of its own."""
        cutoffs = np.array([len(one) for one in self.series()])
        levels = tuple(learner.recipe.options.quantile_levels)
        quantiles = learner.predict(self.batch.contexts)
        rows = np.arange(len(self.scales))
        return Validation(rows, cutoffs, self.batch.targets[:, 0], quantiles, self.scales, levels)


def _visible(row: Floats) -> Floats:
    """Return a context from its first known value on."""
    visible: Floats = row[np.flatnonzero(~np.isnan(row))[0] :]
    return visible
