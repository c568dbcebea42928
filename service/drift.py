"""Drift: the newest inputs of each model, and how far they have moved from what it was trained on."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

import numpy as np

from models.errors import ArtifactIncomplete
from models.profile import Profile, features
from models.series import Series
from models.windows import Floats, last_context
from service.choice import Served

WINDOW = 512
"""Newest inputs of a model that are compared with its training."""
ENOUGH = 100
"""Inputs below which no score is given: with ten bins, chance alone scores (10 - 1) / n."""


class Inputs:
    """The newest inputs of each version, kept short and compared only when asked: recording costs a copy."""

    def __init__(self) -> None:
        """Nothing is recorded yet."""
        self._newest: dict[tuple[str, str], deque[Floats]] = {}

    def record(self, served: Served, series: Sequence[Series]) -> None:
        """Keep the part of each series that the model has read."""
        newest = self._newest.setdefault((served.name, served.version), deque(maxlen=WINDOW))
        length = served.forecaster.spec.context_length
        newest.extend(last_context(one.values, length) for one in islice(series, WINDOW))

    def scores(self, champions: Sequence[Served]) -> Iterator[tuple[Served, dict[str, float]]]:
        """Yield each champion with its drift by feature, where enough was seen; forget what is champion no more.

        The score is the population stability index of `models.profile`; a profile that cannot be read gives none.
        """
        current = {(one.name, one.version) for one in champions}
        for key in self._newest.keys() - current:
            self._newest.pop(key, None)
        for one in champions:
            newest = list(self._newest.get((one.name, one.version), ()))
            spec = one.forecaster.spec
            if spec.profile and len(newest) >= ENOUGH:
                seen = features(np.stack(newest), spec.season_length)
                with suppress(ArtifactIncomplete):
                    yield one, Profile.from_dict(spec.profile).drift(seen)
