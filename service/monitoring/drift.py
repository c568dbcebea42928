"""Input drift: the newest inputs of each champion, compared with the inputs of its training.

A confirmed input is one that was made from the stored observations, or that agrees with them. Only these are a reason to
retrain: whatever else is posted is somebody's claim.
"""

import hashlib
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.errors import ArtifactIncomplete
from models.profile import Profile, features
from models.series import Series
from models.windows import Floats
from service.monitoring.recent_input import WINDOW, ModelKey, NewestInputs, Posted, Unconfirmed
from service.selector import LoadedModel

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
        confirmed_index: The index of the confirmed inputs alone; None if there are fewer than MIN_INPUTS.
        confirmed_inputs: Newest confirmed inputs.
    """

    index: float
    distance: float
    inputs: int
    training_inputs: int
    confirmed_index: float | None = None
    confirmed_inputs: int = 0

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
        confirmed: Whether each is confirmed, shape (inputs,).
        features: The features of each, shape (inputs,).
    """

    keys: tuple[bytes, ...]
    times: Floats
    confirmed: NDArray[np.bool_]
    features: Mapping[str, Floats]


Published = Mapping[ModelKey, PublishedInputs]
"""The inputs of one server process, by name and version."""


class RecentInputs:
    """The newest inputs of each version; recording copies them, `drifts` compares them."""

    def __init__(self, others: Callable[[], Sequence[Published]] = tuple) -> None:
        """Nothing is recorded yet; `others` returns the inputs of the other server processes."""
        self._inputs: dict[ModelKey, NewestInputs] = {}
        self._others = others

    def record(
        self,
        model: LoadedModel,
        series: Sequence[Series],
        unnamed: AbstractSet[int] = frozenset(),
        *,
        from_store: bool = False,
    ) -> None:
        """Store the part of each series that the model reads; one that is sent again counts once.

        Args:
            model: The version that read them.
            series: The histories.
            unnamed: Places of those without an id: no observation can confirm them.
            from_store: Whether they are stored observations, and confirmed by that.
        """
        kept = self._inputs.setdefault((model.name, model.version), NewestInputs(model.forecaster.spec.context_length))
        kept.post(Posted(time.time(), series, unnamed, from_store))

    def unconfirmed(self, champions: Collection[LoadedModel], now: float) -> list[Unconfirmed]:
        """Return the inputs that are to be checked now, the oldest check first."""
        found = []
        for one in champions:
            name, horizon = (one.name, one.version), one.forecaster.spec.horizon
            for key, recent in list(self._kept(one).newest.items()):
                if recent.dates is not None and recent.check_at <= now:
                    found.append(Unconfirmed(name, key, recent, horizon))
        return sorted(found, key=lambda each: each.input.check_at)

    def judge(self, one: Unconfirmed, stored: Floats | None, now: float) -> None:
        """Count an input as confirmed by these stored values, shape (context_length,); without them check it later."""
        if (kept := self._inputs.get(one.model)) is not None:
            kept.postpone(one.key, now) if stored is None else kept.confirm(one.key, stored)

    def drifts(self, champions: Sequence[LoadedModel]) -> Iterator[tuple[LoadedModel, dict[str, FeatureDrift]]]:
        """Yield each champion with its drift by feature, and drop the inputs of other versions.

        Champions with fewer than MIN_INPUTS inputs, or without a readable profile, are left out.
        """
        current = {(one.name, one.version) for one in champions}
        for key in self._inputs.keys() - current:
            self._inputs.pop(key, None)
        others = self._others()
        for one in champions:
            if one.forecaster.spec.profile:
                parts = [inputs for part in others if (inputs := part.get((one.name, one.version))) is not None]
                seen = _merge([self._describe(one), *parts])
                if len(seen.keys) >= MIN_INPUTS:
                    with suppress(ArtifactIncomplete):
                        yield one, _compare(one, seen)

    def publish(self, champions: Sequence[LoadedModel]) -> Published:
        """Return the inputs of the champions for the other server processes."""
        return {(one.name, one.version): self._describe(one) for one in champions}

    def _kept(self, model: LoadedModel) -> NewestInputs:
        """Return the inputs of a version, all that were posted among them."""
        kept = self._inputs.get((model.name, model.version), NewestInputs(0))
        kept.settle()
        return kept

    def _describe(self, model: LoadedModel) -> PublishedInputs:
        kept = self._kept(model)
        confirmed, inputs = set(kept.confirmed), kept.all()
        keys = tuple(hashlib.blake2b(name.encode() + values, digest_size=16).digest() for name, values in inputs)
        times = np.array([one.at for one in inputs.values()], dtype=np.float64)
        is_confirmed = np.array([key in confirmed for key in inputs], dtype=bool)
        seen = {}
        if inputs:
            contexts = np.stack([one.context for one in inputs.values()])
            seen = features(contexts, model.forecaster.spec.season_length)
        return PublishedInputs(keys, times, is_confirmed, seen)


def _merge(parts: Sequence[PublishedInputs]) -> PublishedInputs:
    """Return the inputs of all server processes; one that several have counts once, and is confirmed if it is in one."""
    parts = [part for part in parts if part.keys] or list(parts[:1])
    times, keys = np.concatenate([part.times for part in parts]), [key for part in parts for key in part.keys]
    is_confirmed = np.concatenate([part.confirmed for part in parts])
    confirmed = {keys[at] for at in np.flatnonzero(is_confirmed)}
    newest = {keys[at]: at for at in np.argsort(times, kind="stable")}
    chosen = sorted(newest.values(), key=lambda at: times[at])
    return PublishedInputs(
        tuple(keys[at] for at in chosen),
        times[chosen],
        np.array([keys[at] in confirmed for at in chosen], dtype=bool),
        {name: np.concatenate([part.features[name] for part in parts])[chosen] for name in parts[0].features},
    )


def _compare(model: LoadedModel, seen: PublishedInputs) -> dict[str, FeatureDrift]:
    profile = Profile.from_dict(model.forecaster.spec.profile)
    newest = {name: values[-WINDOW:] for name, values in seen.features.items()}
    confirmed = {name: values[seen.confirmed][-WINDOW:] for name, values in seen.features.items()}
    index, distance = profile.drift(newest), profile.distance(newest)
    inputs, known = len(newest["level"]), len(confirmed["level"])
    known_index = profile.drift(confirmed) if known >= MIN_INPUTS else {}
    return {
        name: FeatureDrift(index[name], distance[name], inputs, profile.inputs, known_index.get(name), known)
        for name in index
    }
