"""Handing on: what a network of one season has learned, given to a network of other seasons to begin with.

An LSTM's own weights know nothing of the length of a season: what it reads are values, whether they are known, and how
they differ from a season before. Only a few weights belong to one season, one seasonal mean or one step ahead, and
these are matched by what they stand for; what has no match starts as a new network does.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.networks.build import NetworkOptions, build
from models.networks.decoder import EMBEDDING, season_reaches
from models.networks.learner import Weights
from models.networks.loss import layer_of
from models.networks.pretrained_weights import STEP_LAYER, nearest_trained_steps, take_steps_of

Array = NDArray[Any]


def transfer_weights(weights: Weights, old: NetworkOptions, new: NetworkOptions) -> Weights:
    """Return weights for a network of `new` options that forecasts as one of `old` options would, as far as it can.

    Args:
        weights: Of a network of `old` options.
        old: Of the same architecture, units and layers as `new`.
        new: Other seasons, lengths and horizon.
    """
    given = {one.path: weight for one, weight in zip(build(old).weights, weights, strict=True)}
    return [_matched(one, given[one.path], old, new) for one in build(new).weights]


def _matched(variable: Any, given: Array, old: NetworkOptions, new: NetworkOptions) -> Array:
    """Return one weight of the new network."""
    path, layer, fresh = variable.path, layer_of(variable), np.asarray(variable)
    if layer == STEP_LAYER:
        return take_steps_of(given, nearest_trained_steps(old.horizon, new.horizon, old.season_length))
    if layer == "input_projection" and path.endswith("kernel"):
        return _rows(given, fresh, _channels(old), _channels(new))
    if layer == "decoder" and path.endswith("kernel"):
        return _rows(given, fresh, _features(old), _features(new))
    if "/mix/" in path:
        return _rows(given.T, fresh.T, _anchors(old), _anchors(new)).T
    return given if given.shape == fresh.shape else fresh


def _rows(given: Array, fresh: Array, old: Sequence[str], new: Sequence[str]) -> Array:
    """Return fresh rows, those with a name that a given row has replaced by it."""
    place = {name: at for at, name in enumerate(old)}
    found = fresh.copy()
    for at, name in enumerate(new):
        if name in place:
            found[at] = given[place[name]]
    return found


def _channels(options: NetworkOptions) -> list[str]:
    """Return what the encoder reads, by name, in order."""
    differences = [f"difference {at}" for at, season in enumerate(options.seasons) if season < options.context_length]
    return ["values", "mask", *differences, *(f"season {at}" for at in range(EMBEDDING))]


def _features(options: NetworkOptions) -> list[str]:
    """Return what the decoder reads, by name, in order."""
    shared = [f"state {at}" for at in range(options.units // 2)]
    own, season = ([f"{name} {at}" for at in range(EMBEDDING)] for name in ("own", "season"))
    return [*shared, *own, *season, *_anchors(options)]


def _anchors(options: NetworkOptions) -> list[str]:
    """Return the anchors by name, in order; seasons are counted, the shortest first."""
    drifts = [f"drift {at}" for at in range(len(options.seasons))]
    means = [
        f"mean {at} {reach}"
        for at, season in enumerate(options.seasons)
        for reach in season_reaches(options.context_length, season)
    ]
    return ["last", "level", *drifts, *means]
