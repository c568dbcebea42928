"""Input drift: the newest inputs of each champion, compared with the inputs of its training."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import numpy as np

from models.errors import ArtifactIncomplete
from models.profile import Profile, features
from models.series import Series
from models.windows import Floats, last_context
from service.selector import LoadedModel

WINDOW = 512
"""Newest inputs of a model that are compared with its training."""
MIN_INPUTS = 100
"""With fewer inputs no drift is returned: with ten bins, chance alone gives an index of (10 - 1) / n."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far one feature of the newest inputs is from the training inputs.

    Attributes:
        index: Population stability index; above 0.25 is usually read as a great change.
        distance: Kolmogorov-Smirnov distance, 0 to 1; NaN if no input has a value.
        inputs: Newest inputs that were compared.
        training_inputs: Training inputs that they were compared with.
    """

    index: float
    distance: float
    inputs: int
    training_inputs: int

    def p_value(self) -> float:
        """Return the p-value of the distance by the two-sample Kolmogorov-Smirnov test.

        The test takes inputs as independent; those of series that are forecast every day are not, so read it with the
        index. SciPy is imported here, which takes a second: call it from a thread.
        """
        from scipy.special import kolmogorov

        effective = self.inputs * self.training_inputs / max(self.inputs + self.training_inputs, 1)
        return float(kolmogorov(math.sqrt(effective) * self.distance))


@dataclass(frozen=True, slots=True, eq=False)
class PublishedInputs:
    """The newest inputs of a version in one server process, without their values.

    Attributes:
        keys: A hash of each.
        times: When each was recorded, seconds since 1970, shape (inputs,).
        features: The features of each, shape (inputs,).
    """

    keys: tuple[bytes, ...]
    times: Floats
    features: Mapping[str, Floats]


Published = Mapping[tuple[str, str], PublishedInputs]
"""The inputs of one server process, by name and version."""


class RecentInputs:
    """The newest inputs of each version; recording copies them, `drifts` compares them."""

    def __init__(self, others: Callable[[], Sequence[Published]] = tuple) -> None:
        """Nothing is recorded yet; `others` returns the inputs of the other server processes."""
        self._newest: dict[tuple[str, str], dict[tuple[str, bytes], tuple[float, Floats]]] = {}
        self._others = others

    def record(self, model: LoadedModel, series: Sequence[Series]) -> None:
        """Store the part of each series that the model reads; one that is sent again counts once."""
        newest, now = self._newest.setdefault((model.name, model.version), {}), time.time()
        for one in islice(series, WINDOW):
            context = last_context(one.values, model.forecaster.spec.context_length)
            newest[one.id, context.tobytes()] = now, context
        for oldest in list(islice(newest, max(0, len(newest) - WINDOW))):
            newest.pop(oldest, None)

    def drifts(self, champions: Sequence[LoadedModel]) -> Iterator[tuple[LoadedModel, dict[str, FeatureDrift]]]:
        """Yield each champion with its drift by feature, and drop the inputs of other versions.

        Champions with fewer than MIN_INPUTS inputs, or without a readable profile, are left out.
        """
        current = {(one.name, one.version) for one in champions}
        for key in self._newest.keys() - current:
            self._newest.pop(key, None)
        others = self._others()
        for one in champions:
            parts = [inputs for part in others if (inputs := part.get((one.name, one.version))) is not None]
            own = self._newest.get((one.name, one.version), {})
            if one.forecaster.spec.profile and len(own) + sum(len(part.keys) for part in parts) >= MIN_INPUTS:
                seen = _merge([_describe(one, own), *parts]) if parts else _features(one, own)
                with suppress(ArtifactIncomplete):
                    yield one, _compare(one, seen)

    def publish(self, champions: Sequence[LoadedModel]) -> Published:
        """Return the inputs of the champions for the other server processes."""
        newest = {(one.name, one.version): self._newest.get((one.name, one.version), {}) for one in champions}
        return {(one.name, one.version): _describe(one, newest[one.name, one.version]) for one in champions}


def _describe(model: LoadedModel, newest: Mapping[tuple[str, bytes], tuple[float, Floats]]) -> PublishedInputs:
    newest = dict(newest)
    keys = tuple(hashlib.blake2b(name.encode() + values, digest_size=16).digest() for name, values in newest)
    times = np.array([at for at, _ in newest.values()], dtype=np.float64)
    return PublishedInputs(keys, times, _features(model, newest) if newest else {})


def _merge(parts: Sequence[PublishedInputs]) -> dict[str, Floats]:
    """Return the features of the newest inputs of all server processes; one that several have counts once."""
    parts = [part for part in parts if part.keys]
    times, keys = np.concatenate([part.times for part in parts]), [key for part in parts for key in part.keys]
    newest = {keys[at]: at for at in np.argsort(times, kind="stable")}
    chosen = sorted(newest.values(), key=lambda at: times[at])[-WINDOW:]
    return {name: np.concatenate([part.features[name] for part in parts])[chosen] for name in parts[0].features}


def _features(model: LoadedModel, newest: Mapping[tuple[str, bytes], tuple[float, Floats]]) -> dict[str, Floats]:
    contexts = [context for _, context in list(newest.values())]
    return features(np.stack(contexts), model.forecaster.spec.season_length)


def _compare(model: LoadedModel, seen: Mapping[str, Floats]) -> dict[str, FeatureDrift]:
    profile = Profile.from_dict(model.forecaster.spec.profile)
    index, distance = profile.drift(seen), profile.distance(seen)
    inputs = len(seen["level"])
    return {name: FeatureDrift(index[name], distance[name], inputs, profile.inputs) for name in index}
