"""Drift: the newest inputs of each model, and how far they have moved from what it was trained on."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
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
"""RecentInputs below which no score is given: with ten bins, chance alone scores (10 - 1) / n."""


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """How far one feature of the inputs has moved.

    Attributes:
        index: Population stability index; above 0.25 is a great change, by the usual reading.
        distance: Kolmogorov-Smirnov distance, 0 to 1; NaN where no input has a value.
        inputs: Newest inputs that were compared.
        trained: Training inputs that they were compared with.
    """

    index: float
    distance: float
    inputs: int
    trained: int

    def p_value(self) -> float:
        """Return how likely such a distance is where nothing changed, by the two-sample Kolmogorov-Smirnov test.

        The test takes inputs as independent; series that are asked for every day are not, so read it beside the index.
        SciPy is imported here, which takes a second: call it from a thread.
        """
        from scipy.special import kolmogorov

        effective = self.inputs * self.trained / max(self.inputs + self.trained, 1)
        return float(kolmogorov(math.sqrt(effective) * self.distance))


class RecentInputs:
    """The newest inputs of each version, kept short and compared only when asked: recording costs a copy."""

    def __init__(self) -> None:
        """Nothing is recorded yet."""
        self._newest: dict[tuple[str, str], deque[Floats]] = {}

    def record(self, served: LoadedModel, series: Sequence[Series]) -> None:
        """Keep the part of each series that the model has read."""
        newest = self._newest.setdefault((served.name, served.version), deque(maxlen=WINDOW))
        length = served.forecaster.spec.context_length
        newest.extend(last_context(one.values, length) for one in islice(series, WINDOW))

    def drifts(self, champions: Sequence[LoadedModel]) -> Iterator[tuple[LoadedModel, dict[str, FeatureDrift]]]:
        """Yield each champion with its shift by feature, where enough was seen; forget what is champion no more.

        A profile that cannot be read gives none.
        """
        current = {(one.name, one.version) for one in champions}
        for key in self._newest.keys() - current:
            self._newest.pop(key, None)
        for one in champions:
            newest = list(self._newest.get((one.name, one.version), ()))
            if one.forecaster.spec.profile and len(newest) >= MIN_INPUTS:
                with suppress(ArtifactIncomplete):
                    yield one, _compare(one, newest)


def _compare(served: LoadedModel, newest: Sequence[Floats]) -> dict[str, FeatureDrift]:
    spec = served.forecaster.spec
    profile, seen = Profile.from_dict(spec.profile), features(np.stack(newest), spec.season_length)
    index, distance = profile.drift(seen), profile.distance(seen)
    return {name: FeatureDrift(index[name], distance[name], len(newest), profile.inputs) for name in index}
