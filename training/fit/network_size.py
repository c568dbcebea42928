"""Network size: length of context and encoder, seasons and dilations of a network, from season and data."""

import numpy as np

from models.calendar.zoned_grid import parse_frequency
from models.errors import ConfigInvalid
from models.irregular.history import LONGEST_CONTEXT, SEASONS_KEPT
from models.series import Series
from training.config.fit import FitConfig
from training.fit.candidate import TrainingSet

SEASONS_READ = 5
"""Seasons that the encoder reads: 60 months."""

SHORTEST_ENCODER, LONGEST_ENCODER = 48, 128
"""Steps that an encoder reads at the least and at the most, unless one season needs more."""


def context_length(training_set: TrainingSet, config: FitConfig) -> int:
    """Return the steps that the graph takes: thirty seasons, or as far as nine in ten of the series reach."""
    if config.shape.startswith("one_to"):
        return 1
    if config.context_length is not None:
        return config.context_length
    frequency = parse_frequency(training_set.frequency)
    reach = int(np.quantile([len(one) for one in training_set.series], 0.9))
    longest = max((season for season in frequency.seasons if 2 * season <= reach), default=frequency.season_length)
    return max(frequency.season_length + 1, min(SEASONS_KEPT * longest, reach, LONGEST_CONTEXT), 2)


def encoder_length(training_set: TrainingSet, config: FitConfig) -> int:
    """Return the steps that the encoder reads.

    Raises:
        ConfigInvalid: If the configuration asks for more than the context holds.
    """
    context = context_length(training_set, config)
    asked = config.encoder_length
    if asked is not None and asked > context and not config.shape.startswith("one_to"):
        raise ConfigInvalid(
            f"fit.encoder_length is {asked}, the context has {context} steps.",
            hint="Raise fit.context_length or lower fit.encoder_length.",
        )
    season = parse_frequency(training_set.frequency).season_length
    longest = LONGEST_ENCODER
    if config.shape == "many_to_many_equal":  # what lies before the first supervised step is all that scales a window
        longest = min(longest, context // 2)
    chosen = max(min(max(SEASONS_READ * season, SHORTEST_ENCODER), longest), season + 1)
    return min(asked or chosen, context)


def seasons(training_set: TrainingSet, context: int) -> tuple[int, ...]:
    """Return the seasons whose means and differences a network sees: the first, and each the context holds twice."""
    first, *others = parse_frequency(training_set.frequency).seasons
    return (first, *(season for season in others if 2 * season <= context))


def dilations(config: FitConfig, season: int) -> tuple[int, ...]:
    """Return WaveNet's dilations: those asked for, or the usual ones doubled on until they see one season."""
    found = list(config.dilations)
    if config.dilations == FitConfig().dilations:
        while 1 + sum(found) < season:
            found.append(2 * found[-1])
    return tuple(found)


def could_be_logged(series: list[Series]) -> bool:
    """Return whether a logarithm is worth trying: every value positive, and some series spanning a factor of two."""
    lows = np.array([np.nanmin(one.values) for one in series])
    highs = np.array([np.nanmax(one.values) for one in series])
    return bool((lows > 0).all() and (highs > 2 * lows).any())
