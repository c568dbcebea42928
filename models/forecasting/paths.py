"""Paths: samples of a forecast whose steps hang together, and the distribution of sums of its steps.

A path is a row of standard normal scores with the correlation of `models.forecasting.dependence`, of which each is read in the
step's own quantile function (a Gaussian copula): linear between the trained levels, normal tails beyond, with conformal
offsets and bounds. So each step of the paths has the quantiles that the forecast states, out to 4 standard deviations. There is
one exception, series that are mostly 0: `models.forecasting.rare_values`.

Source: Nelsen (2006), An introduction to copulas, section 2.9.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from models.forecast import WindowSum
from models.forecasting.dependence import Dependence, estimate_dependence
from models.forecasting.rare_values import smallest_sale, with_rare_values, with_whole_sales
from models.forecasting.sampling import Sampling, Window
from models.series import Series
from models.spec import ModelSpec

Floats = NDArray[np.float64]

SCORES = tuple(round(0.1 * k - 4.0, 1) for k in range(81))
"""Standard normal scores at which quantiles are computed, rising; between them quantiles are linear."""

PATH_LEVELS = tuple(NormalDist().cdf(score) for score in SCORES)
"""Their levels."""

SUM_PATHS = 1_000
"""Paths whose sums are a distribution. Their total scores are the quantiles of a normal distribution, so that they err less
than independent ones; docs/sums.md says how much."""

PER_SCORE = 10
"""Scores in 1."""

PATHS, SUMS = 0, 1
"""Streams of noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Sample paths and sums of one forecast.

    Attributes:
        paths: Shape (paths, horizon), the series' units; None if none are asked for.
        sums: In the order of the request, without windows that have no step.
    """

    paths: Floats | None
    sums: tuple[WindowSum, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Marginals:
    """What a forecast states of each step, and what its series shows of their dependence.

    Attributes:
        quantiles: At PATH_LEVELS, shape (len(PATH_LEVELS), horizon), rising along the first axis.
        dependence: Of the steps' errors.
        id: The series' id, which the noise depends on.
        open: True for each step that counts, shape (horizon,); None for all.
        smallest: The smallest sale of a series that is mostly 0; 0 for any other series.
    """

    quantiles: Floats
    dependence: Dependence
    id: str
    open: NDArray[np.bool_] | None
    smallest: float = 0.0

    @classmethod
    def make(cls, quantiles: Floats, series: Series, spec: ModelSpec, closed: NDArray[np.bool_] | None) -> "Marginals":
        """Return the marginals of a series' forecast.

        Args:
            quantiles: As the attribute.
            series: As the model has read it.
            spec: Of the model.
            closed: True for each step in closed hours, shape (horizon,); None without such hours.
        """
        values = series.values[-spec.context_length :]
        return cls(
            with_rare_values(quantiles, PATH_LEVELS, series, spec),
            estimate_dependence(values, spec.season_length),
            series.id,
            None if closed is None else ~closed,
            smallest_sale(series, spec),
        )

    def sample(
        self, asked: Sampling, levels: tuple[float, ...], sides: tuple[tuple[float, float, float], ...], *, mean: bool
    ) -> Samples:
        """Return paths and sums.

        Args:
            asked: How many paths, their seed, and the windows of the sums.
            levels: Quantile levels of the sums.
            sides: Level of each interval in per cent, and the quantile levels of its sides.
            mean: Whether the sums have a mean.
        """
        with np.errstate(invalid="ignore", over="ignore"):  # the caller refuses a forecast that overflowed
            paths = self._paths(asked) if asked.paths else None
            found = [(window, self._sums(window, asked.seed)) for window in asked.windows]
        sums = [_describe(window, sums, levels, sides, mean=mean) for window, sums in found if sums is not None]
        return Samples(paths, tuple(sums))

    def _paths(self, asked: Sampling) -> Floats:
        generator = self._generator(asked.seed, PATHS)
        scores = draw_scores(generator, self.quantiles.shape[1], asked.paths, self.dependence)
        values = with_whole_sales(read_scores(self.quantiles, scores), self.smallest)
        return np.ascontiguousarray(values.T) + 0.0  # turns -0.0 into 0.0

    def _sums(self, window: Window, seed: int) -> Floats | None:
        """Return the sums of many paths over a window, rising, shape (SUM_PATHS,); None if no step of it is open."""
        steps = self.quantiles if self.open is None else self.quantiles[:, self.open]
        steps = steps[:, window.first - 1 : window.last]
        if not steps.shape[1]:
            return None
        generator = self._generator(seed, SUMS)
        scores = draw_scores(generator, steps.shape[1], SUM_PATHS, self.dependence)
        values = with_whole_sales(read_scores(steps, stratify(scores, self.dependence)), self.smallest)
        sums: Floats = values.sum(axis=0) + 0.0
        sums.sort()
        return sums

    def _generator(self, seed: int, stream: int) -> np.random.Generator:
        name = int.from_bytes(blake2b(self.id.encode("utf-8", "surrogatepass"), digest_size=8).digest())
        return np.random.Generator(np.random.PCG64([seed, stream, name]))


def draw_scores(generator: np.random.Generator, steps: int, count: int, dependence: Dependence) -> Floats:
    """Return standard normal scores with the correlation of a dependence, shape (steps, count).

    The first steps are those of a longer horizon, too.
    """
    noise: Floats = generator.standard_normal((steps + 1, count))
    fading, kept = noise[1:], dependence.persistence
    for step in range(1, steps):
        fading[step] *= np.sqrt(1.0 - kept**2)
        fading[step] += kept * fading[step - 1]
    scores: Floats = np.sqrt(dependence.common) * noise[0] + np.sqrt(1.0 - dependence.common) * fading
    return scores


def stratify(scores: Floats, dependence: Dependence) -> Floats:
    """Return scores whose totals, by their ranks, are evenly spaced quantiles of their distribution; shape (steps, count).

    A step's score given the total is linear in the total, so the scores keep their joint distribution.
    """
    steps, count = scores.shape
    covariances = dependence.totals(steps)
    variance = covariances.sum()
    totals = scores.sum(axis=0)
    wanted = np.empty(count)
    wanted[np.argsort(totals)] = np.sqrt(variance) * _strata(count)
    stratified: Floats = scores + (covariances / variance)[:, None] * (wanted - totals)
    return stratified


def read_scores(quantiles: Floats, scores: Floats) -> Floats:
    """Return the values of standard normal scores, shape (steps, count), from quantiles at PATH_LEVELS, shape (levels, steps)."""
    place = np.clip((scores - SCORES[0]) * PER_SCORE, 0.0, len(SCORES) - 1.0)
    left = np.minimum(place.astype(np.int64), len(SCORES) - 2)
    rows = np.ascontiguousarray(quantiles.T)
    low, high = np.take_along_axis(rows, left, axis=1), np.take_along_axis(rows, left + 1, axis=1)
    values: Floats = np.minimum(low + (place - left) * (high - low), high)
    return values


def _describe(
    window: Window,
    sums: Floats,
    levels: tuple[float, ...],
    sides: tuple[tuple[float, float, float], ...],
    *,
    mean: bool,
) -> WindowSum:
    """Return the distribution of a sum from rising samples of it."""
    wanted = (0.5, *levels, *(side for _, low, high in sides for side in (low, high)))
    median, *found = np.interp(wanted, _centres(len(sums)), sums).tolist()
    bounds = found[len(levels) :]
    pairs = zip(bounds[::2], bounds[1::2], strict=True)
    average = float(np.clip((sums / len(sums)).sum(), sums[0], sums[-1])) if mean else None
    return WindowSum(
        window.name,
        median,
        tuple(found[: len(levels)]),
        tuple((level, low, high) for (level, _, _), (low, high) in zip(sides, pairs, strict=True)),
        average,
    )


@lru_cache(maxsize=4)
def _centres(count: int) -> Floats:
    return (np.arange(count) + 0.5) / count


@lru_cache(maxsize=4)
def _strata(count: int) -> Floats:
    """Return so many standard normal quantiles, evenly spaced in their levels."""
    return np.array([NormalDist().inv_cdf(level) for level in _centres(count).tolist()])
