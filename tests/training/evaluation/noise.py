"""Noise: simulated errors of two models, one of them better by a known share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Test = Callable[[Floats, Floats, tuple[str, ...]], bool]
"""Takes the errors of challenger and champion and the series of each row; returns whether the challenger is promoted."""


@dataclass(frozen=True, slots=True)
class Noise:
    """A model of the errors of two forecasters: absolute values of normal errors, independent by default.

    Attributes:
        series: Number of series.
        origins: Number of origins of each series.
        horizon: Number of steps at each origin.
        lasting: Autocorrelation of errors from step to step, across origins too.
        shared: Share of each model's variance that all series share.
        agreeing: Share of the variance that both models share, since they forecast the same values.
        uneven: Standard deviation of the logarithm of the series' scales.
        growing: How much larger the last step's errors are than the first's.
        by_series: Standard deviation of the logarithm of each model's skill on each series.
        tails: Degrees of freedom of Student's t; 0 for normal errors.
        gaps: Share of points without an observed value.
    """

    series: int = 50
    origins: int = 1
    horizon: int = 12
    lasting: float = 0.0
    shared: float = 0.0
    agreeing: float = 0.0
    uneven: float = 0.0
    growing: float = 0.0
    by_series: float = 0.0
    tails: int = 0
    gaps: float = 0.0

    @property
    def groups(self) -> tuple[str, ...]:
        """The series of each row, the newest origin of all series first."""
        return tuple(f"s{one}" for one in range(self.series)) * self.origins

    def draw(self, generator: np.random.Generator, better: float = 0.0) -> tuple[Floats, Floats]:
        """Return scaled errors of champion and challenger, shape (rows, horizon); `better` is the share of improvement."""
        both = self._field(generator)
        gaps = generator.random((self.series, self.origins * self.horizon)) < self.gaps
        scale = np.exp(self.uneven * generator.normal(size=(self.series, 1)))
        steps = np.tile(np.linspace(1, 1 + self.growing, self.horizon), self.origins)
        models = []
        for share in (1.0, 1.0 - better):
            error = np.sqrt(self.agreeing) * both + np.sqrt(1 - self.agreeing) * self._field(generator)
            skill = share * np.exp(self.by_series * generator.normal(size=(self.series, 1)))
            models.append(self._rows(np.where(gaps, np.nan, np.abs(error) * scale * steps * skill)))
        return models[0], models[1]

    def _field(self, generator: np.random.Generator) -> Floats:
        """Return errors of one model, shape (series, origins · horizon), the oldest first."""
        times = self.origins * self.horizon
        own = self._autoregression(generator, self.series, times)
        common = self._autoregression(generator, 1, times)
        return np.asarray(np.sqrt(1 - self.shared) * own + np.sqrt(self.shared) * common)

    def _autoregression(self, generator: np.random.Generator, rows: int, times: int) -> Floats:
        """Return an autoregression of order 1 with unit variance in each row, shape (rows, times)."""
        shape = (rows, times)
        values = generator.standard_t(self.tails, size=shape) if self.tails else generator.normal(size=shape)
        for time in range(1, times if self.lasting else 1):
            values[:, time] = self.lasting * values[:, time - 1] + np.sqrt(1 - self.lasting**2) * values[:, time]
        return values

    def _rows(self, errors: Floats) -> Floats:
        """Return errors by series as rows of series and origins, the newest origin of all series first."""
        apart = errors.reshape(self.series, self.origins, self.horizon)[:, ::-1]
        return apart.transpose(1, 0, 2).reshape(-1, self.horizon)


def shares_promoted(
    noise: Noise, tests: Sequence[Test], draws: int, *, better: float = 0.0, seed: int = 0
) -> list[float]:
    """Return for each test the share of the same draws in which it promotes the challenger."""
    generator = np.random.default_rng(seed)
    found = np.zeros(len(tests))
    for _ in range(draws):
        champion, challenger = noise.draw(generator, better)
        found += [test(challenger, champion, noise.groups) for test in tests]
    return [float(one) for one in found / draws]
