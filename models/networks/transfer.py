"""Transfer: initial weights of a network from a trained network with other seasons.

The weights of an LSTM do not depend on the season length: it reads values, whether they are known, and their differences
from a season before. Only a few weights belong to one season, one seasonal mean or one step ahead. These are matched by
meaning; weights without a match keep their usual initial values.
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
    """Return weights for a network with the options `new` that forecasts like one with `old`, as far as possible.

    Args:
        weights: Weights of a network with `old`.
        old: Options with the same architecture, units and layers as `new`.
        new: Options with other seasons, lengths and horizon.
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
    """Return fresh rows, replaced by the given row of the same name if there is one."""
    place = {name: at for at, name in enumerate(old)}
    found = fresh.copy()
    for at, name in enumerate(new):
        if name in place:
            found[at] = given[place[name]]
    return found


def _channels(options: NetworkOptions) -> list[str]:
    """Return the names of the encoder's channels in order."""
    differences = [f"difference {at}" for at, season in enumerate(options.seasons) if season < options.context_length]
    return ["values", "mask", *differences, *(f"season {at}" for at in range(EMBEDDING))]


def _features(options: NetworkOptions) -> list[str]:
    """Return the names of the decoder's features in order."""
    shared = [f"state {at}" for at in range(options.units // 2)]
    own, season = ([f"{name} {at}" for at in range(EMBEDDING)] for name in ("own", "season"))
    return [*shared, *own, *season, *_anchors(options)]


def _anchors(options: NetworkOptions) -> list[str]:
    """Return the names of the anchors in order; seasons are numbered, the shortest first."""
    drifts = [f"drift {at}" for at in range(len(options.seasons))]
    means = [
        f"mean {at} {reach}"
        for at, season in enumerate(options.seasons)
        for reach in season_reaches(options.context_length, season)
    ]
    return ["last", "level", *drifts, *means]
