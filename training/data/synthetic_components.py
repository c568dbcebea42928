"""Components: what a synthetic series is the sum of: trends, seasons, cycles, noise and breaks, each over many series at once.

Every function returns an array of shape (count, length), one series a row, drawn from the generator that it is given; each
is of about unit size, unless it says otherwise, so that what adds them up decides how much of each there is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TRENDS = {"none": 0.1, "linear": 0.2, "damped": 0.1, "walk": 0.3, "integrated": 0.15, "bent": 0.15}
"""Kinds of trend and their shares; a `walk` is a random walk, `integrated` one whose slope walks, `bent` changes slope."""

GROWING = 0.65
"""Share of trends that go up: what people count and measure grows more often than it shrinks."""

MOST_BENDS = 3
"""Changes of slope at the most."""

PROFILES = {"harmonics": 0.45, "random": 0.2, "smooth": 0.15, "spikes": 0.1, "both": 0.1}
"""Kinds of seasonal profile and their shares; `both` are harmonics with spikes."""

MOST_HARMONICS = 8

FLAT = 1e-9
"""Standard deviation below which a row does not vary."""

LIVES = {"steady": 0.45, "growing": 0.2, "wandering": 0.2, "turning": 0.15}
"""How seasons change: not at all, their amplitude by a line, by a random walk, or their profile into another."""

HEAVY_TAILED, SEASONAL_NOISE, BURSTS = 0.3, 0.15, 0.1
"""Shares of noise that has Student's t tails, that is louder in some seasons, whose volume wanders."""


def draw_kinds(generator: np.random.Generator, shares: Mapping[str, float], count: int) -> NDArray[np.str_]:
    """Return one kind for each series, drawn by the shares, shape (count,)."""
    total = sum(shares.values())
    return generator.choice(list(shares), size=count, p=[one / total for one in shares.values()])


def chance(generator: np.random.Generator, share: float, shape: int | tuple[int, ...]) -> NDArray[np.bool_]:
    """Return what is true for a share of the places."""
    drawn: NDArray[np.bool_] = generator.random(shape) < share
    return drawn


def log_uniform(generator: np.random.Generator, low: float, high: float, shape: int | tuple[int, ...]) -> Floats:
    """Return numbers whose logarithm is uniform between two bounds."""
    found: Floats = np.exp(generator.uniform(np.log(low), np.log(high), shape))
    return found


@dataclass(frozen=True, slots=True)
class Memory:
    """Which share of noise remembers its last value, and the bounds of what it keeps of it."""

    share: float
    least: float
    most: float


LOOSE, SHORT = Memory(0.15, -0.2, 0.95), Memory(0.7, -0.2, 0.6)
"""Memory of most noise, and that of the weather: common, but short."""


def trends(generator: np.random.Generator, count: int, length: int) -> Floats:
    """Return trends that end at 0 and have gone about one unit in their whole length."""
    kinds = draw_kinds(generator, TRENDS, count)
    time = np.linspace(-1.0, 0.0, length)[None, :]
    made = np.zeros((count, length))
    for kind, make in _TREND_MAKERS.items():
        rows = np.flatnonzero(kinds == kind)
        made[rows] = make(generator, len(rows), time)
    return made - made[:, -1:]


def _directions(generator: np.random.Generator, count: int) -> Floats:
    """Return 1 for the series that grow and -1 for those that shrink, (count, 1)."""
    return np.where(chance(generator, GROWING, (count, 1)), 1.0, -1.0)


def _linear(generator: np.random.Generator, count: int, time: Floats) -> Floats:
    return _directions(generator, count) * time


def _damped(generator: np.random.Generator, count: int, time: Floats) -> Floats:
    made: Floats = _directions(generator, count) * (1 - np.exp(-(time + 1) / generator.uniform(0.03, 0.5, (count, 1))))
    return made


def _walk(generator: np.random.Generator, count: int, time: Floats) -> Floats:
    drift = _directions(generator, count) * log_uniform(generator, 0.01, 0.5, (count, 1))
    steps = generator.standard_normal((count, time.shape[1])) + drift
    made: Floats = np.cumsum(steps, axis=1) / np.sqrt(time.shape[1])
    return made


def _integrated(generator: np.random.Generator, count: int, time: Floats) -> Floats:
    length = time.shape[1]
    slopes = np.cumsum(generator.standard_normal((count, length)), axis=1) / np.sqrt(length)
    made: Floats = np.cumsum(slopes + generator.standard_normal((count, 1)), axis=1) / length
    return made


def _bent(generator: np.random.Generator, count: int, time: Floats) -> Floats:
    """Return straight lines that change slope at up to three moments."""
    knots = np.sort(generator.uniform(-1.0, 0.0, (count, MOST_BENDS, 1)), axis=1)
    changes = generator.standard_normal((count, MOST_BENDS, 1)) * (chance(generator, 0.6, (count, MOST_BENDS, 1)))
    bends = (changes * np.maximum(time[None] - knots, 0.0)).sum(axis=1)
    made: Floats = bends + _directions(generator, count) * generator.random((count, 1)) * time
    return made


_TREND_MAKERS = {"linear": _linear, "damped": _damped, "walk": _walk, "integrated": _integrated, "bent": _bent}


def seasons(generator: np.random.Generator, count: int, length: int, season: int) -> Floats:
    """Return seasons of one length that end anywhere in their profile; their amplitude at the end is about one."""
    profile = profiles(generator, count, season)
    other = profiles(generator, count, season)
    lives = draw_kinds(generator, LIVES, count)
    time = np.linspace(-1.0, 0.0, length)[None, :]
    position = (np.arange(length)[None, :] + generator.integers(season, size=(count, 1))) % season
    made = np.take_along_axis(profile, position, axis=1)
    growing, wandering, turning = (np.flatnonzero(lives == kind) for kind in ("growing", "wandering", "turning"))
    made[growing] *= np.maximum(1.0 + generator.uniform(-1.0, 1.0, (len(growing), 1)) * time, 0.0)
    wander = np.cumsum(generator.standard_normal((len(wandering), length)), axis=1) / np.sqrt(length)
    made[wandering] *= np.exp(log_uniform(generator, 0.1, 1.0, (len(wandering), 1)) * (wander - wander[:, -1:]))
    turned = np.take_along_axis(other[turning], position[turning], axis=1)
    share = np.clip(1.0 + time * log_uniform(generator, 0.3, 1.5, (len(turning), 1)), 0.0, 1.0)
    made[turning] = share * made[turning] + (1 - share) * turned
    return made


def repeated(generator: np.random.Generator, profile: Floats, length: int) -> Floats:
    """Return each row of (count, season) repeated over the whole length, begun anywhere in it."""
    count, season = profile.shape
    position = (np.arange(length)[None, :] + generator.integers(season, size=(count, 1))) % season
    return np.take_along_axis(profile, position, axis=1)


def profiles(generator: np.random.Generator, count: int, season: int) -> Floats:
    """Return one season each of mean 0 and standard deviation 1, shape (count, season)."""
    kinds = draw_kinds(generator, PROFILES, count)[:, None]
    waves = _harmonics(generator, count, season)
    rough = generator.standard_normal((count, season))
    smooth = rough + np.roll(rough, 1, axis=1) + np.roll(rough, 2, axis=1)
    spikes = np.where(
        chance(generator, 1.5, (count, season)) / season, generator.normal(0.0, 3.0, (count, season)), 0.0
    )
    choices = [waves, rough, smooth, spikes, unit(waves) + 0.7 * spikes]
    return unit(np.select([kinds == kind for kind in PROFILES], choices))


def _harmonics(
    generator: np.random.Generator, count: int, season: int, falling: tuple[float, float] = (0.3, 2.5)
) -> Floats:
    """Return sums of harmonics of falling weight, (count, season)."""
    orders = np.arange(1, max(1, min(MOST_HARMONICS, season // 2)) + 1)
    weights = generator.standard_normal((count, len(orders))) * orders ** -generator.uniform(*falling, (count, 1))
    phases = generator.uniform(0.0, 2 * np.pi, (count, len(orders)))
    angles = 2 * np.pi * orders[:, None] * np.arange(season)[None, :] / season
    waves: Floats = np.einsum("ck,cks->cs", weights, np.cos(angles[None] + phases[:, :, None]))
    return waves


def waves(generator: np.random.Generator, count: int, season: int) -> Floats:
    """Return smooth profiles, hardly more than one wave, of mean 0 and standard deviation 1, shape (count, season)."""
    return unit(_harmonics(generator, count, season, (2.0, 4.0)))


def unit(rows: Floats) -> Floats:
    """Return rows of mean 0 and standard deviation 1; rows that do not vary become 0."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    return np.where(spread > FLAT, centred / np.maximum(spread, FLAT), 0.0)


def cycles(generator: np.random.Generator, count: int, length: int, season: int) -> Floats:
    """Return business cycles: waves of one and a half to ten seasons whose period wanders."""
    period = log_uniform(generator, max(1.5 * season, 8.0), max(10.0 * season, 40.0), (count, 1))
    jitter = 0.1 * generator.standard_normal((count, length))
    angle = 2 * np.pi * (np.arange(length)[None, :] + np.cumsum(jitter * np.sqrt(period), axis=1)) / period
    made: Floats = np.sqrt(2.0) * np.sin(angle + generator.uniform(0.0, 2 * np.pi, (count, 1)))
    return made


def noise(generator: np.random.Generator, count: int, length: int, season: int, memory: Memory = LOOSE) -> Floats:
    """Return noise of unit shocks, white or AR(1), of light or heavy tails, some louder in some seasons."""
    tail = log_uniform(generator, 2.5, 12.0, (count, 1))
    heavy = generator.standard_t(tail, (count, length)) * np.sqrt((tail - 2) / tail)
    heavily = chance(generator, HEAVY_TAILED, (count, 1))
    drawn = np.where(heavily, heavy, generator.standard_normal((count, length)))
    louder = np.exp(0.5 * generator.standard_normal((count, season)) * chance(generator, SEASONAL_NOISE, (count, 1)))
    bursts = 0.7 * np.cumsum(generator.standard_normal((count, length)), axis=1) / np.sqrt(season * 5)
    bursting = chance(generator, BURSTS, (count, 1))
    volume = np.where(bursting, np.exp(np.clip(bursts, -3.0, 3.0)), 1.0)
    shocks = drawn * repeated(generator, louder, length) * volume
    remembering = chance(generator, memory.share, count)
    return autoregress(shocks, np.where(remembering, generator.uniform(memory.least, memory.most, count), 0.0))


def autoregress(shocks: Floats, memory: Floats) -> Floats:
    """Return x_t = φ x_{t-1} + e_t of each row, with φ of shape (count,)."""
    columns = np.ascontiguousarray(shocks.T)
    for step in range(1, len(columns)):
        columns[step] += memory * columns[step - 1]
    return columns.T


def shifts(generator: np.random.Generator, count: int, length: int) -> Floats:
    """Return one to three steps from one level to another, at any time."""
    size = generator.standard_normal((count, 3, 1)) * (
        np.arange(3)[None, :, None] < generator.integers(1, 4, (count, 1, 1))
    )
    when = generator.integers(0, length, (count, 3, 1))
    made: Floats = (size * (np.arange(length)[None, None, :] >= when)).sum(axis=1)
    return made


def outliers(generator: np.random.Generator, count: int, length: int) -> Floats:
    """Return rare single values, about one to three in a hundred."""
    rare = generator.random((count, length)) < generator.uniform(0.003, 0.03, (count, 1))
    return np.where(rare, generator.standard_normal((count, length)), 0.0)


def state_space(generator: np.random.Generator, count: int, length: int, lengths: Sequence[int]) -> Floats:
    """Return exponential smoothing read as a generator: level, slope and season each corrected by the same shock.

        made[t] = level + slope + season[t mod m] + shock
        level   = level + slope + alpha shock
        slope   = damping (slope + beta shock)
        season  = season + gamma shock

    Shocks are of unit size, their tails heavy or light; alpha, beta, gamma and damping are drawn for each series. Seasons
    after the first change as `seasons` do.

    Source: Hyndman, Koehler, Snyder & Grose (2002), A state space framework for automatic forecasting.
    """
    rates = Rates.draw(generator, count)
    season = lengths[0]
    strength = log_uniform(generator, 0.3, 10.0, count) * chance(generator, 0.8, count)
    profile = np.ascontiguousarray((profiles(generator, count, season) * strength[:, None]).T)
    tail = log_uniform(generator, 3.0, 50.0, count)
    shocks = generator.standard_t(tail, (length, count)) * np.sqrt((tail - 2) / tail)
    level = np.zeros(count)
    slope = _directions(generator, count)[:, 0] * log_uniform(generator, 0.003, 0.5, count)
    made = np.empty((length, count))
    for step, shock in enumerate(shocks):
        place = step % season
        made[step] = level + slope + profile[place] + shock
        level += slope + rates.alpha * shock
        slope = rates.damping * (slope + rates.beta * shock)
        profile[place] += rates.gamma * shock
    whole = made.T
    for longer in lengths[1:]:
        strength = log_uniform(generator, 0.3, 10.0, (count, 1)) * chance(generator, 0.6, (count, 1))
        whole = whole + strength * seasons(generator, count, length, longer)
    return whole


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast each series of a state space moves, all of shape (count,).

    Attributes:
        alpha: Of the level.
        beta: Of the slope.
        gamma: Of the season.
        damping: What stays of a slope from one step to the next.
    """

    alpha: Floats
    beta: Floats
    gamma: Floats
    damping: Floats

    @classmethod
    def draw(cls, generator: np.random.Generator, count: int) -> "Rates":
        """Return rates of which many are 0 or close to it: most series have parts that hold still."""
        calm = chance(generator, 0.3, count)
        alpha = np.where(calm, generator.uniform(0.0, 0.1, count), generator.uniform(0.0, 1.0, count))
        beta = alpha * generator.uniform(0.0, 0.2, count) * chance(generator, 0.5, count)
        gamma = (1 - alpha) * generator.uniform(0.0, 0.5, count) * chance(generator, 0.7, count)
        damping = np.where(chance(generator, 0.5, count), 1.0, generator.uniform(0.85, 1.0, count))
        return cls(alpha, beta, gamma, damping)
