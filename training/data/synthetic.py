"""Synthetic: series made of nothing but chance, of every kind that the starter should be at home with.

No data set is read, here or by anything imported here. A series is one of four kinds:

- `structural`: trend, seasons, cycle, noise, level shifts and outliers, each of a random strength, added up;
- `state_space`: exponential smoothing read as a generator, so that level, slope and season all move by the same shocks;
- `climate`: a season that never changes under noise with a short memory, and hardly a trend;
- `intermittent`: counts, many of them 0, whose rate has a season.

Half of those that are not counts are then taken through exp, so that their parts multiply; all are brought to a scale and
an offset over many decades, and some are rounded to whole numbers or cut at 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.windows import Contexts
from training.data import synthetic_calendar, synthetic_components, synthetic_processes
from training.data.synthetic_components import Floats, chance, draw_kinds, log_uniform
from training.data.window_sampling import Batch

_MODULES = (synthetic_components, synthetic_calendar, synthetic_processes)
SOURCES = (Path(__file__), *(Path(str(one.__file__)) for one in _MODULES))
"""The program that makes the series."""

BROAD = {"structural": 0.2, "state_space": 0.64, "climate": 0.13, "intermittent": 0.03}
"""Kinds of series and their shares, for a network that is to have seen everything."""

NARROW = {"structural": 0.03, "state_space": 0.84, "climate": 0.1, "intermittent": 0.03}
"""The same for one that has: nearer to what is counted and measured month by month, whose level seldom comes back."""

SEASONS = {
    "calendar": 0.45,
    "state_space": 0.23,
    "spectral": 0.11,
    "structural": 0.06,
    "machines": 0.05,
    "growth": 0.03,
    "climate": 0.03,
    "intermittent": 0.04,
}
"""The same for hours, days and weeks, whose seasons interact."""

TRENDS = {
    "growth": 0.25,
    "state_space": 0.5,
    "structural": 0.1,
    "spectral": 0.05,
    "climate": 0.05,
    "intermittent": 0.05,
}
"""The same for quarters and years, which have grown for long and go on."""

MONTHS = {
    "state_space": 0.48,
    "structural": 0.12,
    "growth": 0.1,
    "exponential": 0.08,
    "climate": 0.12,
    "spectral": 0.05,
    "intermittent": 0.05,
}
"""The same for months, of which more grow by the same number or share, some for as long as they are known."""

MIXTURES = {"broad": BROAD, "narrow": NARROW, "months": MONTHS, "seasons": SEASONS, "trends": TRENDS}

MULTIPLIED = 0.55
"""Share of series whose parts multiply."""

COUNTED, FLOORED, CAPPED = 0.08, 0.08, 0.04
"""Shares of calendar and spectral series that are counts, are 0 where they are low, never exceed a bound."""

ROUNDED, BOUNDED = 0.15, 0.1
"""Shares of series rounded to whole numbers, and cut at 0."""


def synthesize(
    generator: np.random.Generator, count: int, length: int, seasons: Sequence[int], shares: Mapping[str, float] = BROAD
) -> Floats:
    """Return synthetic series without gaps, shape (count, length), float64, finite.

    Args:
        generator: Of all that is random: the same state gives the same series.
        count: Series.
        length: Steps of each.
        seasons: Season lengths, shortest first; (1,) for series without a season.
        shares: Of each kind.
    """
    kinds = draw_kinds(generator, shares, count)
    made = np.empty((count, length))
    for kind, make in _MAKERS.items():
        rows = np.flatnonzero(kinds == kind)
        if len(rows):
            made[rows] = make(generator, len(rows), length, seasons)
    smooth = np.flatnonzero(~np.isin(kinds, ("intermittent", "exponential")))
    made[smooth] = _scaled(generator, made[smooth], may_multiply=kinds[smooth] != "climate")
    cut = np.flatnonzero(np.isin(kinds, ("calendar", "spectral")))
    made[cut] = _cut(generator, made[cut])
    return made


def _structural(generator: np.random.Generator, count: int, length: int, seasons: Sequence[int]) -> Floats:
    """Return sums of components; noise has size 1, everything else is so many times as strong."""
    column = (count, 1)
    made = log_uniform(generator, 1.0, 100.0, column) * synthetic_components.trends(generator, count, length)
    for season in seasons:
        if season > 1:
            strength = log_uniform(generator, 0.2, 12.0, column) * (chance(generator, 0.8, column))
            made += strength * synthetic_components.seasons(generator, count, length, season)
    made += _sometimes(generator, 0.25, 0.3, 5.0, count) * synthetic_components.cycles(
        generator, count, length, seasons[0]
    )
    made += _sometimes(generator, 0.15, 1.0, 10.0, count) * synthetic_components.shifts(generator, count, length)
    made += _sometimes(generator, 0.15, 2.0, 10.0, count) * synthetic_components.outliers(generator, count, length)
    return made + synthetic_components.noise(generator, count, length, seasons[0])


def _climate(generator: np.random.Generator, count: int, length: int, seasons: Sequence[int]) -> Floats:
    """Return smooth seasons that never change, strong under noise of short memory, with no trend or a slow one."""
    made = _sometimes(generator, 0.5, 0.1, 2.0, count) * synthetic_components.trends(generator, count, length)
    for season in seasons:
        strength = log_uniform(generator, 1.0, 10.0, (count, 1))
        made += strength * synthetic_components.repeated(
            generator, synthetic_components.waves(generator, count, season), length
        )
    return made + synthetic_components.noise(generator, count, length, seasons[0], synthetic_components.SHORT)


def _intermittent(generator: np.random.Generator, count: int, length: int, seasons: Sequence[int]) -> Floats:
    """Return counts of a low rate with a season: Poisson, overdispersed in part, in part only now and then."""
    column = (count, 1)
    strength = generator.uniform(0.0, 1.0, column)
    wave = (
        synthetic_components.seasons(generator, count, length, seasons[0])
        if seasons[0] > 1
        else np.zeros((count, length))
    )
    rate = log_uniform(generator, 0.05, 2.0, column) * np.exp(np.clip(strength * wave, -4.0, 2.0))
    rate = np.where(chance(generator, 0.4, column), rate * generator.gamma(2.0, 0.5, (count, length)), rate)
    awake = np.where(chance(generator, 0.5, column), generator.uniform(0.1, 1.0, column), 1.0)
    asked = generator.random((count, length)) < awake
    return generator.poisson(rate).astype(np.float64) * asked


def _cut(generator: np.random.Generator, made: Floats) -> Floats:
    """Return series of which some are counts, are 0 where they are low, or never exceed a bound."""
    column = (len(made), 1)
    low, high = np.quantile(made, [0.02, 0.98], axis=1)[:, :, None]
    place = generator.random(column)
    width = np.maximum(high - low, 1e-30)
    floor = low + width * generator.uniform(0.05, 0.6, column)
    ceiling = high - width * generator.uniform(0.0, 0.3, column)
    counted = np.clip((made - low) / width, 0.0, 10.0) * log_uniform(generator, 0.5, 100.0, column)
    counts = generator.poisson(counted).astype(np.float64)
    ways = [place < COUNTED, place < COUNTED + FLOORED, place < COUNTED + FLOORED + CAPPED]
    found: Floats = np.select(ways, [counts, np.maximum(made - floor, 0.0), np.minimum(made, ceiling)], made)
    return found


_MAKERS = {
    "calendar": synthetic_calendar.calendar_series,
    "spectral": synthetic_processes.spectral,
    "growth": synthetic_processes.growth,
    "exponential": synthetic_processes.exponential,
    "machines": synthetic_processes.machines,
    "structural": _structural,
    "state_space": synthetic_components.state_space,
    "climate": _climate,
    "intermittent": _intermittent,
}


def _sometimes(generator: np.random.Generator, share: float, low: float, high: float, count: int) -> Floats:
    """Return strengths, log-uniform for a share of the series, 0 for the others, shape (count, 1)."""
    return log_uniform(generator, low, high, (count, 1)) * (chance(generator, share, (count, 1)))


def _scaled(generator: np.random.Generator, made: Floats, may_multiply: NDArray[np.bool_]) -> Floats:
    """Return series in units of their own: some through exp, over many decades, some whole numbers, some cut at 0."""
    count = len(made)
    column = (count, 1)
    unit = (made - made.mean(axis=1, keepdims=True)) / np.maximum(made.std(axis=1, keepdims=True), 1e-9)
    grown = np.exp(np.clip(log_uniform(generator, 0.1, 1.3, column) * unit, -8.0, 8.0))
    multiplied = may_multiply[:, None] & (chance(generator, MULTIPLIED, column))
    offset = generator.normal(0.0, 1.0, column) * log_uniform(generator, 0.5, 100.0, column)
    raw = np.where(multiplied, grown, unit + offset) * 10 ** generator.uniform(-2.0, 6.0, column)
    rounded = chance(generator, ROUNDED, column) & (np.abs(raw).max(axis=1, keepdims=True) > LEAST_ROUNDED)
    raw = np.where(rounded, np.round(raw), raw)
    bounded = chance(generator, BOUNDED, column)
    bound: Floats = np.where(bounded & (raw.mean(axis=1, keepdims=True) > 0), np.maximum(raw, 0.0), raw)
    return bound


LEAST_ROUNDED = 5.0
"""What the largest value of a series must exceed for it to be rounded."""

SHORTEST_VISIBLE = 3
"""Steps of a window that are visible at the least."""

SHORT = 0.05
"""Share of windows that show less than one season."""

WHOLE = 0.35
"""Share of windows whose whole context is visible; of the others the length is log-uniform."""

SPARE = 0.17
"""Steps that a series has beyond one window, as a share of it, if several are cut from it."""

GAPPED = 0.1
"""Share of windows with single gaps, and share with one long one."""


@dataclass(frozen=True, slots=True)
class SyntheticWindows:
    """Windows of synthetic series, made as they are drawn.

    Attributes:
        seasons: Season lengths, shortest first.
        context_length: Steps of a context.
        horizon: Steps ahead.
        shares: Of each kind of series.
        windows_of_series: Windows that are cut from each series, at random places: a long series takes longer to make than
            a network takes to learn from it.
        short: Share of windows that show less than one season.
    """

    seasons: tuple[int, ...]
    context_length: int
    horizon: int
    shares: Mapping[str, float] = field(default_factory=lambda: BROAD)
    windows_of_series: int = 1
    short: float = SHORT

    def draw(self, generator: np.random.Generator, size: int) -> Batch:
        """Return windows without dates, NaN where they hide a value, and what came after them."""
        whole = self._cut_windows(generator, size)
        context, targets = whole[:, : self.context_length].copy(), whole[:, self.context_length :]
        hide(generator, context, self.seasons, self.short)
        return Batch(Contexts(context, np.full(size, -1, dtype=np.int32)), targets[:, None])

    def _cut_windows(self, generator: np.random.Generator, size: int) -> Floats:
        """Return whole windows, (size, context_length + horizon), without gaps."""
        length = self.context_length + self.horizon
        if self.windows_of_series == 1:
            return synthesize(generator, size, length, self.seasons, self.shares)
        spare = round(SPARE * length)
        count = -(-size // self.windows_of_series)
        series = synthesize(generator, count, length + spare, self.seasons, self.shares)
        rows = np.arange(size)[:, None] // self.windows_of_series
        begun = generator.integers(0, spare + 1, (size, 1))
        windows: Floats = series[rows, begun + np.arange(length)[None, :]]
        return windows


def hide(generator: np.random.Generator, context: Floats, seasons: Sequence[int], short: float = SHORT) -> None:
    """Set to NaN what a window does not show: all before a random age, and gaps; the newest value stays."""
    size, length = context.shape
    shortest = min(max(SHORTEST_VISIBLE, seasons[0]), length)
    drawn = log_uniform(generator, shortest, length, size)
    below = chance(generator, short, size)
    drawn = np.where(below, generator.integers(min(SHORTEST_VISIBLE, length), shortest + 1, size), drawn)
    # With the usual share a short window may be shown whole all the same: the monthly starter was trained so.
    visible = np.where(chance(generator, WHOLE, size) & ~(below & (short > SHORT)), length, drawn.astype(np.int64))
    place = np.arange(length)[None, :]
    hidden = place < (length - visible)[:, None]
    single = (chance(generator, GAPPED, (size, 1))) & (
        generator.random((size, length)) < generator.uniform(0, 0.3, (size, 1))
    )
    start = generator.integers(0, length, (size, 1))
    block = (place >= start) & (place < start + generator.integers(1, 2 * seasons[0] + 1, (size, 1)))
    hidden |= single | (block & (chance(generator, GAPPED, (size, 1))))
    hidden[:, -1] = False
    context[hidden] = np.nan
