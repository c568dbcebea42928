"""Calendar series: synthetic hours, days and weeks as people's weeks and the weather make them.

A cycle of days within a week, or of weeks within a year, interacts with the one above it: a Sunday has another profile than a
Tuesday, some days are holidays, the amplitude goes with the weather, a year lies under the weeks. Shapes are
(count, length), one series a row; every part is of about unit size.
"""

from collections.abc import Sequence

import numpy as np

from training.data.synthetic_components import (
    Floats,
    autoregress,
    chance,
    draw_kinds,
    log_uniform,
    profiles,
    trends,
    unit,
)

SHIFTED = 0.2
"""Share of series whose level changes at once."""

LONGEST_NESTED = 14
"""Inner seasons in an outer one, up to which the outer one is made of days of several types."""

DAY_SHAPES = {"profile": 0.4, "bumps": 0.35, "half": 0.15, "flat": 0.1}
"""Kinds of one day: any profile, a few smooth peaks, nothing at night, no season."""

WEEKENDS = {"none": 0.2, "two": 0.5, "one": 0.15, "all": 0.15}
"""Days of a week that differ from the others; `all` differ from each other."""

DOWN = 0.15
"""Share of a day's peaks that are dips."""

YEAR_SHAPES = {"wave": 0.5, "harmonics": 0.2, "events": 0.3}
"""Kinds of a year: one wave, several, a wave with events of some days."""


def calendar_series(generator: np.random.Generator, count: int, length: int, lengths: Sequence[int]) -> Floats:
    """Return series whose seasons interact, with noise of size 1 and everything else so many times as strong.

    Args:
        generator: Of all that is random.
        count: Series.
        length: Steps of each.
        lengths: Season lengths, shortest first; a second one that is a few times the first is a week of days, a longer one
            a year, whose length is not a whole number of steps.
    """
    inner, outer = lengths[0], lengths[-1]
    column = (count, 1)
    nested = len(lengths) > 1 and outer % inner == 0 and outer // inner <= LONGEST_NESTED
    if nested:
        season = _weeks_of_days(generator, count, length, inner, outer // inner)
    elif len(lengths) > 1:
        season = _weeks_in_years(generator, count, length, inner, outer)
    else:
        season = years(generator, count, length, inner * log_uniform(generator, 1.0, 1.01, column))
    strength = log_uniform(generator, 0.5, 150.0, column)
    trend = log_uniform(generator, 0.1, 10.0, column) * chance(generator, 0.7, column)
    made = strength * season + trend * trends(generator, count, length)
    made += (
        log_uniform(generator, 1.0, 50.0, column)
        * chance(generator, SHIFTED, column)
        * late_shifts(generator, count, length)
    )
    louder = np.exp(np.clip(generator.uniform(0.0, 0.6, column) * chance(generator, 0.4, column) * season, -2.0, 2.0))
    return made + louder * _slow_noise(generator, count, length, inner)


def late_shifts(generator: np.random.Generator, count: int, length: int) -> Floats:
    """Return one or two steps from one level to another, most of them near the end, where it matters which of them counts."""
    when = (length * (1.0 - log_uniform(generator, 0.005, 1.0, (count, 2, 1)))).astype(np.int64)
    size = generator.standard_normal((count, 2, 1)) * np.array([1.0, 0.5])[None, :, None]
    made: Floats = (size * (np.arange(length)[None, None, :] >= when)).sum(axis=1)
    return made


def _weeks_of_days(generator: np.random.Generator, count: int, length: int, inner: int, days: int) -> Floats:
    """Return days of several types in a week, some of them holidays, whose amplitude and level wander from day to day."""
    week, free = _week_templates(generator, count, inner, days)
    begun = generator.integers(inner * days, size=(count, 1))
    place = begun + np.arange(length)[None, :]
    number, within = (place - begun // inner * inner) // inner, place % inner
    weekday = (place // inner) % days
    holiday = generator.random((count, length // inner + 2)) < generator.uniform(0.0, 0.04, (count, 1)) * chance(
        generator, 0.4, (count, 1)
    )
    weekday = np.where(np.take_along_axis(holiday, number, axis=1), free, weekday)
    made = np.take_along_axis(week.reshape(count, -1), weekday * inner + within, axis=1)
    return made * np.exp(_by_day(generator, (count, length), inner, (0.03, 0.4))) + _by_day(
        generator, (count, length), inner, (0.03, 1.0)
    )


def _week_templates(generator: np.random.Generator, count: int, inner: int, days: int) -> tuple[Floats, Floats]:
    """Return a week of each series, (count, days, inner), and which day its holidays are like, (count, 1)."""
    common = _day_shapes(generator, count, inner)[:, None, :]
    other = _day_shapes(generator, count, inner)[:, None, :]
    kinds = draw_kinds(generator, WEEKENDS, count)[:, None]
    weekend = (np.arange(days)[None, :] >= days - np.select([kinds == "two", kinds == "one"], [2, 1], 0)).astype(
        np.float64
    )
    every = (kinds == "all") * generator.random((count, days))
    share = (weekend * generator.uniform(0.0, 1.0, (count, 1)) + every)[:, :, None]
    fewer = np.exp(
        -weekend * generator.exponential(0.5, (count, 1)) * np.where(chance(generator, 0.8, (count, 1)), 1, -0.5)
    )
    own = generator.standard_normal((2, count, days)) * log_uniform(generator, 0.01, 0.3, (count, 1))
    amplitude, level = (
        (fewer * np.exp(own[0]))[:, :, None],
        (own[1] + np.log(fewer) * generator.random((count, 1)))[:, :, None],
    )
    week = amplitude * ((1 - share) * common + share * other) + level
    spread = week.reshape(count, -1).std(axis=1)[:, None, None]
    return week / np.maximum(spread, 0.1), np.full((count, 1), days - 1)


def _day_shapes(generator: np.random.Generator, count: int, inner: int) -> Floats:
    """Return one day each, (count, inner), of mean 0 and standard deviation 1, or 0 throughout."""
    kinds = draw_kinds(generator, DAY_SHAPES, count)[:, None]
    hours = np.arange(inner)[None, None, :] / inner
    centres, widths = generator.random((count, 3, 1)), log_uniform(generator, 0.03, 0.25, (count, 3, 1))
    heights = (
        generator.exponential(1.0, (count, 3, 1)) * np.where(chance(generator, DOWN, (count, 3)), -1.0, 1.0)[..., None]
    )
    peaks = (heights * np.exp((np.cos(2 * np.pi * (hours - centres)) - 1) / (2 * np.pi * widths) ** 2)).sum(axis=1)
    dusk = np.cos(np.pi * generator.uniform(0.3, 0.7, (count, 1)))
    half = np.maximum(np.cos(2 * np.pi * (hours[:, 0] - centres[:, 0])) - dusk, 0.0)
    any_kind = profiles(generator, count, inner)
    made = np.select([kinds == one for one in DAY_SHAPES], [any_kind, peaks, half, np.zeros((count, inner))])
    return unit(made)


def _weeks_in_years(generator: np.random.Generator, count: int, length: int, week: int, year: int) -> Floats:
    """Return weeks whose amplitude and level follow a year, of a length that is no whole number of weeks."""
    column = (count, 1)
    days = profiles(generator, count, week)
    weekend = (np.arange(week)[None, :] >= week - generator.integers(0, 3, column)) * generator.normal(0.0, 2.0, column)
    template = unit(days * log_uniform(generator, 0.1, 1.0, column) + weekend)
    place = (np.arange(length)[None, :] + generator.integers(week, size=column)) % week
    weeks = np.take_along_axis(template, place, axis=1) * np.exp(_by_day(generator, (count, length), week, (0.02, 0.3)))
    yearly = years(generator, count, length, np.full(column, year * 1.0006))
    share = generator.choice([0.0, 0.2, 0.5, 0.8, 1.0], size=column, p=[0.2, 0.25, 0.25, 0.2, 0.1])
    swing = np.exp(generator.uniform(-0.5, 0.5, column) * yearly)
    return (1 - share) * weeks * swing + share * yearly


def years(generator: np.random.Generator, count: int, length: int, period: Floats) -> Floats:
    """Return years of any period, (count, 1): waves, in part with events of some days each year; not the same every year."""
    kinds = draw_kinds(generator, YEAR_SHAPES, count)[:, None]
    angle = 2 * np.pi * (np.arange(length)[None, :] / period + generator.random((count, 1)))
    orders = np.arange(1, 7)
    falling = np.where(kinds == "harmonics", 0.7, 3.0)
    weights = generator.standard_normal((count, 6)) * orders**-falling
    weights[:, :1] += np.sign(weights[:, :1]) * 0.5
    phases = generator.uniform(0, 2 * np.pi, (count, 6))
    made = sum(weights[:, [k]] * np.cos(orders[k] * angle + phases[:, [k]]) for k in range(len(orders)))
    for _ in range(2):
        centre, width = generator.uniform(0, 2 * np.pi, (count, 1)), log_uniform(generator, 0.02, 0.3, (count, 1))
        height = generator.normal(0.0, 2.5, (count, 1)) * (kinds == "events")
        made = made + height * np.exp((np.cos(angle - centre) - 1) / width**2)
    return unit(made) * np.exp(_by_day(generator, (count, length), max(1, round(float(period.min()))), (0.02, 0.4)))


def _by_day(generator: np.random.Generator, shape: tuple[int, int], step: int, sizes: tuple[float, float]) -> Floats:
    """Return what wanders from one day or year of so many steps to the next, smooth between them, of a size between two."""
    count, length = shape
    knots = length // step + 3
    kept = 1 - log_uniform(generator, 0.02, 1.0, count)
    shocks = generator.standard_normal((count, knots + 8)) * np.sqrt(1 - kept**2)[:, None]
    walked = (
        autoregress(shocks, kept)[:, 8:]
        * log_uniform(generator, *sizes, (count, 1))
        * chance(generator, 0.7, (count, 1))
    )
    place = np.arange(length) / step
    whole = place.astype(np.int64)
    left = place - whole
    found: Floats = walked[:, whole] * (1 - left) + walked[:, whole + 1] * left
    return found


def _slow_noise(generator: np.random.Generator, count: int, length: int, season: int) -> Floats:
    """Return noise of unit size with a memory of a step to many seasons, in part with bursts that fade."""
    column = (count, 1)
    kept = np.where(chance(generator, 0.75, count), 1 - log_uniform(generator, 0.3 / season, 1.0, count), 0.0)
    tail = log_uniform(generator, 3.0, 50.0, column)
    shocks = generator.standard_t(tail, (count, length)) * np.sqrt((tail - 2) / tail)
    made = autoregress(shocks * np.sqrt(1 - kept**2)[:, None], kept)
    mixed = made + generator.uniform(0.0, 0.5, column) * generator.standard_normal((count, length))
    rare = chance(generator, 0.15, column) & (
        generator.random((count, length)) < log_uniform(generator, 0.001, 0.02, column)
    )
    bursts = np.where(rare, generator.exponential(6.0, (count, length)), 0.0)
    return mixed + autoregress(bursts, 1 - log_uniform(generator, 0.5 / season, 1.0, count))
