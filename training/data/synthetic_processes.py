"""Processes: synthetic series that are not sums of the usual components: Gaussian processes, growth that goes on, machines.

Shapes are (count, length), one series a row.
"""

from collections.abc import Sequence

import numpy as np

from training.data.synthetic_calendar import years
from training.data.synthetic_components import GROWING, Floats, autoregress, chance, log_uniform

MOST_GROWTH = 0.2
"""Largest rate of growth of one step."""

JUMPS = 64
"""Levels of a machine's series before the first one returns."""


def spectral(generator: np.random.Generator, count: int, length: int, lengths: Sequence[int]) -> Floats:
    """Return draws of Gaussian processes: sums of kernels that are smooth, rough, periodic, or periodic for a while.

    A stationary kernel is a spectrum, so a draw is a sum of waves of frequencies drawn from it.

    Source: Rahimi & Recht (2007), Random features for large-scale kernel machines; the kernels are those of KernelSynth,
    Ansari et al. (2024), Chronos: learning the language of time series.
    """
    time = np.arange(length)[None, :]
    made = np.zeros((count, length))
    for _ in range(2):
        scale = log_uniform(generator, 3.0, 2.0 * length, (count, 1))
        tail = np.where(chance(generator, 0.5, (count, 1)), 30.0, 3.0)
        for _ in range(6):
            frequency = generator.standard_t(tail) / (2 * np.pi * scale)
            made += generator.standard_normal((count, 1)) * np.cos(
                2 * np.pi * (frequency * time + generator.random((count, 1)))
            )
    for season in [one for one in lengths if one > 1]:
        fades = log_uniform(generator, 2.0 * season, 30.0 * season, (count, 1))
        strength = log_uniform(generator, 0.3, 3.0, (count, 1)) * chance(generator, 0.8, (count, 1))
        falling = generator.uniform(0.3, 2.0, (count, 1))
        for order in range(1, min(5, season // 2) + 1):
            for _ in range(2):
                frequency = order / season + generator.standard_normal((count, 1)) / (2 * np.pi * fades)
                weight = strength * order**-falling * generator.standard_normal((count, 1))
                made += weight * np.cos(2 * np.pi * (frequency * time + generator.random((count, 1))))
    return made + log_uniform(generator, 0.01, 1.0, (count, 1)) * generator.standard_normal((count, length))


def growth(generator: np.random.Generator, count: int, length: int, lengths: Sequence[int]) -> Floats:
    """Return trends that go on: straight lines, whose logarithms may be what is seen, in part with a season.

    A step of a line is a hundredth to thirty times the noise, so that a line shows in a few values or only in many.
    """
    column = (count, 1)
    slope = log_uniform(generator, 0.01, 30.0, column) * np.where(chance(generator, GROWING, column), 1.0, -1.0)
    line = slope * np.arange(1 - length, 1)[None, :]
    season = log_uniform(generator, 0.3, 30.0, column) * np.maximum(slope, 0.3) * chance(generator, 0.6, column)
    wave = years(generator, count, length, np.full(column, float(lengths[0]))) if lengths[0] > 1 else 0.0
    kept = np.where(chance(generator, 0.5, count), 1 - log_uniform(generator, 0.02, 1.0, count), 0.0)
    return line + season * wave + autoregress(generator.standard_normal((count, length)), kept)


def exponential(generator: np.random.Generator, count: int, length: int, lengths: Sequence[int]) -> Floats:
    """Return growth and decline by a rate that holds, in part with a season of the same share: positive, in units of their own.

    A season grows by 2 to 300 %, a step by at most 20 %; shocks move the level, the value or both.
    """
    column = (count, 1)
    rate = np.minimum(log_uniform(generator, 0.02, 1.5, column) / lengths[0], MOST_GROWTH)
    rate = rate * np.where(chance(generator, GROWING, column), 1.0, -1.0)
    season = log_uniform(generator, 0.02, 0.5, column) * chance(generator, 0.7, column)
    wave = years(generator, count, length, np.full(column, float(lengths[0]))) if lengths[0] > 1 else 0.0
    shocks = log_uniform(generator, 0.002, 0.2, column) * generator.standard_normal((count, length))
    kept = np.where(chance(generator, 0.6, count), 1 - log_uniform(generator, 0.01, 1.0, count), 0.0)
    exponent = rate * np.arange(1 - length, 1)[None, :] + season * wave + autoregress(shocks, kept)
    made: Floats = np.exp(np.clip(exponent, -50.0, 50.0)) * 10 ** generator.uniform(-2.0, 6.0, column)
    return made


def machines(generator: np.random.Generator, count: int, length: int, lengths: Sequence[int]) -> Floats:
    """Return what machines report: levels that hold for a while and jump, spikes that fade, tasks that recur, little noise."""
    column = (count, 1)
    jumps = generator.random((count, length)) < log_uniform(generator, 0.0005, 0.02, column)
    number = np.cumsum(jumps, axis=1) % JUMPS
    few = generator.integers(1, 5, column)
    levels = generator.standard_normal((count, JUMPS)) * log_uniform(generator, 0.5, 30.0, column)
    base = np.take_along_axis(levels, np.where(chance(generator, 0.5, column), number % few, number), axis=1)
    spikes = (generator.random((count, length)) < log_uniform(generator, 0.001, 0.05, column)) * generator.exponential(
        1.0, (count, length)
    )
    fading = np.where(chance(generator, 0.5, count), generator.uniform(0.3, 0.98, count), 0.0)
    period = np.where(chance(generator, 0.6, column), lengths[0], generator.integers(2, 4 * lengths[0] + 2, column))
    task = ((np.arange(length)[None, :] + generator.integers(0, 10**6, column)) % period) < generator.integers(
        1, 4, column
    )
    made = base + log_uniform(generator, 0.5, 30.0, column) * chance(generator, 0.6, column) * autoregress(
        spikes, fading
    )
    made += log_uniform(generator, 0.5, 30.0, column) * chance(generator, 0.3, column) * task
    return made + autoregress(generator.standard_normal((count, length)), generator.uniform(0.0, 0.9, count))
