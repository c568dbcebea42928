"""Auto: networks fitted on the data, the starter tuned on them and the starter as it is, averaged as validation says.

Members are fitted one after the other, each as it would be alone, all within the time of about two candidates. Then
equal weights are given to the members near the best one, or to the best average of some, if that is clearly better on
validation origins it was not chosen on. The starter is one of them unless leaving it out gains half a per cent.

The others were chosen on the validation origins and the starter was not, so that they must err clearly less, and that at
one time as at another; if they do not, they get a quarter of the weight; if that does not gain clearly, the starter is alone.
What is new in the time to come does less harm to an average with a network that has seen many other series: a network that
erred 18 % more than the starter in the test (60 monthly series) did so by 4.8 % at half the weight and 1.0 % at a quarter.

The result is one candidate: an ensemble's artifact, or the single member's own.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from models.errors import AlmanacError, TrainingError
from training.config.fit import FitConfig
from training.config.training import STARTER, STARTER_TUNED
from training.fit.candidate import Candidate, EpochRecord
from training.fit.clear_gain import gains_clearly, gains_steadily
from training.fit.ensemble import Combine, make_ensemble
from training.fit.ensemble_weights import (
    EQUAL,
    MARGIN,
    EnsembleWeights,
    WeightRule,
    align_sample,
    choose_weights,
    equal_weights,
    loss,
    loss_of_mean,
    weighted_mean,
)
from training.fit.request import Fit, FitRequest, OnEpoch
from training.fit.validation import Floats, Validation

MEMBERS = ("lstm", "wavenet", STARTER_TUNED, STARTER)
"""Members in the order they are made: two networks that err differently, and the starter, which has seen other series."""

TIME_SHARES = {"lstm": 2.0, "wavenet": 2.0, STARTER_TUNED: 1.5, STARTER: 0.2}
"""How members share the time that is left when each begins."""

TIME_FACTOR = 2.1
"""Times `fit.max_seconds` that all members together may take: 504 s by default, so that joining them fits into 600 s."""

CAUTIOUS, STARTER_SHARE = "cautious", 0.75
"""Combination of a clear gain that is not steady, and the starter's share in it; the others have the rest in equal parts."""

MAX_EXCESS_LOSS = 0.05
"""A member whose loss is by more than this share above the best one's is not near it."""


@dataclass(slots=True)
class _MemberEpochs:
    """Epochs of all members, counted as those of one candidate; each stage begins with its member's name."""

    on_epoch: OnEpoch
    started: float
    history: list[EpochRecord] = field(default_factory=list)

    def of(self, member: str) -> OnEpoch:
        """Return what a member calls after every epoch."""
        before = self.history[-1].step if self.history else 0

        def on_epoch(epoch: EpochRecord) -> None:
            seconds = time.perf_counter() - self.started
            stage = f"{member}: {epoch.stage}"
            number = len(self.history) + 1
            self.history.append(replace(epoch, epoch=number, step=before + epoch.step, stage=stage, seconds=seconds))
            self.on_epoch(self.history[-1])

        return on_epoch


def make_auto(request: FitRequest, *, fit: Fit, combine: Combine, chosen: EnsembleWeights | None = None) -> Candidate:
    """Return the average of members that validation chooses; a member that fails is left out, with a warning.

    Args:
        request: What is asked; its seed is every member's, its time is shared, and members lie beside its directory.
        fit: Makes a member: `training.fit.factory.make_candidate`.
        combine: Writes the network of an average.
        chosen: Weights chosen before, to make the same average again: only its members are made.

    Raises:
        TrainingError: If no member could be made.
        AlmanacError: If the average cannot be made.
    """
    epochs = _MemberEpochs(request.on_epoch, time.perf_counter())
    made: dict[str, Candidate] = {}
    warnings: list[str] = []
    names = list(chosen.weights) if chosen else _members(request.config)
    for place, name in enumerate(names):
        elapsed = time.perf_counter() - epochs.started
        if made and name != STARTER and not chosen and elapsed > TIME_FACTOR * request.config.max_seconds:
            warnings.append(f"{name} is left out: fit.max_seconds ({request.config.max_seconds:g}) left it no time.")
            continue
        try:
            made[name] = fit(_member_request(request, name, names[place:], elapsed, epochs))
        except AlmanacError as error:
            if chosen:
                raise
            warnings.append(f"{name} is left out: {error}")
    weights = chosen or _choose(made, warnings)
    auto = make_ensemble({name: made[name] for name in weights.weights}, request.directory, combine, weights)
    warnings += [f"{name}: {text}" for name, one in auto.members.items() for text in one.warnings]
    seconds = time.perf_counter() - epochs.started
    return replace(auto, history=tuple(epochs.history), train_seconds=seconds, warnings=tuple(warnings))


def _members(config: FitConfig) -> list[str]:
    """Return the members to make: starters have the default shape only."""
    return [one for one in MEMBERS if config.shape == "many_to_many" or one not in {STARTER, STARTER_TUNED}]


def _member_request(
    request: FitRequest, name: str, remaining: Sequence[str], elapsed: float, epochs: _MemberEpochs
) -> FitRequest:
    """Return the request of one member, with its share of the time that is left."""
    most = request.config.max_seconds
    left = TIME_FACTOR * most - elapsed
    share = TIME_SHARES[name] / sum(TIME_SHARES[one] for one in remaining)
    return replace(
        request,
        architecture=name,
        config=replace(request.config, max_seconds=max(1.0, min(most, left * share))),
        directory=request.directory.with_name(f"{request.directory.name}-{name}"),
        on_epoch=epochs.of(name),
    )


def _choose(made: Mapping[str, Candidate], causes: list[str]) -> EnsembleWeights:
    """Return the weights of the members that validation chooses, the first member alone if none could be validated.

    Raises:
        TrainingError: If there is no member.
    """
    if not made:
        raise TrainingError(f"No member could be made. {' '.join(causes)}")
    validations = {name: one.forecasts for name, one in made.items() if one.forecasts is not None}
    if not validations:
        return EnsembleWeights(EQUAL, {next(iter(made)): 1.0}, {})
    if STARTER in validations and _is_untuned(made.get(STARTER_TUNED)):
        validations.pop(STARTER_TUNED, None)
    return beside_starter(choose_average(validations), validations)


def beside_starter(chosen: EnsembleWeights, validations: Mapping[str, Validation]) -> EnsembleWeights:
    """Return the chosen members beside the starter: as equals, with a small share, or the starter alone."""
    if STARTER not in validations or [*chosen.weights] == [STARTER]:
        return chosen
    safe = validations[STARTER]
    equals = _starter_unless_worse(chosen, list(validations))
    average = _average(validations, equals)
    if gains_clearly(average, safe) and gains_steadily(average, safe):
        return replace(chosen, weights=equals)
    others = [name for name in equals if name != STARTER]
    cautious = dict.fromkeys(others, (1 - STARTER_SHARE) / len(others)) | {STARTER: STARTER_SHARE}
    average = _average(validations, cautious)
    if gains_clearly(average, safe):
        losses = {**chosen.losses, CAUTIOUS: loss(average)}
        return replace(chosen, combination=CAUTIOUS, weights=cautious, losses=losses)
    return replace(chosen, weights={STARTER: 1.0})


def _starter_unless_worse(chosen: EnsembleWeights, names: Sequence[str]) -> dict[str, float]:
    """Return equal weights of the chosen members and the starter, without it if that gains half a per cent."""
    kept = [name for name in names if name in chosen.weights]
    wider = [name for name in names if name in {*kept, STARTER}]
    gains = chosen.losses["+".join(kept)] < (1 - MARGIN) * chosen.losses["+".join(wider)]
    members = kept if gains else wider
    return dict.fromkeys(members, 1 / len(members))


def _average(validations: Mapping[str, Validation], weights: Mapping[str, float]) -> Validation:
    return weighted_mean([validations[name] for name in weights], list(weights.values()))


def _is_untuned(tuned: Candidate | None) -> bool:
    """Return whether a tuned starter is the starter as it is, which would count twice."""
    spec = tuned.forecaster.spec if tuned else None
    return spec is not None and spec.options.tuned_share == 0 and spec.transform == "none"


def choose_average(validations: Mapping[str, Validation]) -> EnsembleWeights:
    """Return equal weights of the members near the best one, or of the best average if that is clearly better.

    Args:
        validations: By member's name, all of the same horizon and levels.

    Raises:
        DataInvalid: If no origin was forecast by all.
    """
    names, chosen = list(validations), choose_weights(validations, AUTO_RULES, default="good")
    losses = {"+".join(names[at] for at in places): one for places, one in _losses(align_sample(validations)).items()}
    return replace(chosen, combination=EQUAL, losses={**chosen.losses, **losses})


def near_best(validations: Sequence[Validation]) -> Floats:
    """Return equal weights of all whose loss is at most 5 % above the least, 0 for the others."""
    losses = np.array([loss(one) for one in validations])
    near = np.flatnonzero(losses <= (1 + MAX_EXCESS_LOSS) * losses.min())
    return equal_weights(near.tolist(), len(validations))


def best_average(validations: Sequence[Validation]) -> Floats:
    """Return equal weights of the average of least loss; a smaller one must gain half a per cent on the larger ones."""
    losses = _losses(validations)
    kept, *others = sorted(losses, key=lambda places: (-len(places), losses[places]))
    for places in others:
        if losses[places] < (1 - MARGIN) * losses[kept]:
            kept = places
    return equal_weights(kept, len(validations))


def _losses(validations: Sequence[Validation]) -> dict[tuple[int, ...], float]:
    """Return the loss of every average with equal weights, by its members' places."""
    count = len(validations)
    subsets = [places for size in range(1, count + 1) for places in itertools.combinations(range(count), size)]
    return {places: loss_of_mean(validations, equal_weights(places, count)) for places in subsets}


AUTO_RULES: Mapping[str, WeightRule] = {"good": near_best, "best": best_average}
"""By the name under which a run keeps the rule's loss."""
