"""Input drift: the newest inputs of each champion, compared with the inputs of its training."""

import math
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


class RecentInputs:
    """The newest inputs of each version; recording copies them, `drifts` compares them."""

    def __init__(self) -> None:
        """Nothing is recorded yet."""
        self._newest: dict[tuple[str, str], dict[tuple[str, bytes], Floats]] = {}

    def record(self, model: LoadedModel, series: Sequence[Series]) -> None:
        """Store the part of each series that the model reads; one that is sent again counts once."""
        newest = self._newest.setdefault((model.name, model.version), {})
        for one in islice(series, WINDOW):
            context = last_context(one.values, model.forecaster.spec.context_length)
            newest[one.id, context.tobytes()] = context
        for oldest in list(islice(newest, max(0, len(newest) - WINDOW))):
            newest.pop(oldest, None)

    def drifts(self, champions: Sequence[LoadedModel]) -> Iterator[tuple[LoadedModel, dict[str, FeatureDrift]]]:
        """Yield each champion with its drift by feature, and drop the inputs of other versions.

        Champions with fewer than MIN_INPUTS inputs, or without a readable profile, are left out.
        """
        current = {(one.name, one.version) for one in champions}
        for key in self._newest.keys() - current:
            self._newest.pop(key, None)
        for one in champions:
            newest = list(self._newest.get((one.name, one.version), {}).values())
            if one.forecaster.spec.profile and len(newest) >= MIN_INPUTS:
                with suppress(ArtifactIncomplete):
                    yield one, _compare(one, newest)


def _compare(model: LoadedModel, newest: Sequence[Floats]) -> dict[str, FeatureDrift]:
    spec = model.forecaster.spec
    profile, seen = Profile.from_dict(spec.profile), features(np.stack(newest), spec.season_length)
    index, distance = profile.drift(seen), profile.distance(seen)
    return {name: FeatureDrift(index[name], distance[name], len(newest), profile.inputs) for name in index}
