"""Auto: networks trained on the data, the starter tuned on them and the starter as it is, as what validation makes of them.

Members are fitted one after the other, each as it would be alone, but all within the time of about two candidates. Then
`training.fit.averages` says which of them are averaged. What comes out is one candidate: an ensemble's artifact, or the one
member's own.
"""

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from models.errors import AlmanacError, TrainingError
from training.config.fit import FitConfig
from training.config.training import STARTER, STARTER_TUNED
from training.fit.candidate import Candidate, EpochRecord
from training.fit.ensemble import Combine, make_ensemble
from training.fit.ensemble_weights import EQUAL, MARGIN, Mixture, Weigh, align, cross_fitted_loss, loss, thinned
from training.fit.request import Fit, FitRequest, OnEpoch
from training.fit.validation import Floats, Validation

MEMBERS = ("lstm", "wavenet", STARTER_TUNED, STARTER)
"""What is made, in this order: two networks that err differently, and the starter, which has seen other series."""

SHARES = {"lstm": 2.0, "wavenet": 2.0, STARTER_TUNED: 1.5, STARTER: 0.2}
"""How members share the time that is left when each begins."""

WHOLE = 2.1
"""Times `fit.max_seconds` that all members together may take: 504 s by default, so that joining them fits into 600 s."""


@dataclass(slots=True)
class _Progress:
    """Epochs of all members as those of one candidate: counted on, each with its member's name before its stage."""

    watch: OnEpoch
    started: float
    told: list[EpochRecord] = field(default_factory=list)

    def of(self, member: str) -> OnEpoch:
        """Return what a member is to call after every epoch."""
        before = self.told[-1].step if self.told else 0

        def on_epoch(epoch: EpochRecord) -> None:
            seconds = time.perf_counter() - self.started
            stage = f"{member}: {epoch.stage}"
            counted = replace(epoch, epoch=len(self.told) + 1, step=before + epoch.step, stage=stage, seconds=seconds)
            self.told.append(counted)
            self.watch(counted)

        return on_epoch


def make_auto(request: FitRequest, *, fit: Fit, combine: Combine, mixture: Mixture | None = None) -> Candidate:
    """Return what validation makes of all members; one that fails is left out, with a warning.

    Args:
        request: What is asked; its seed is every member's, its time is shared, and members lie beside its directory.
        fit: Makes a member: `training.fit.factory.make_candidate`.
        combine: Writes the network of an average.
        mixture: What was chosen before, where that is to be done again: only these members are made.

    Raises:
        TrainingError: If no member could be made.
        AlmanacError: If the average cannot be made.
    """
    progress = _Progress(request.on_epoch, time.perf_counter())
    config, directory = request.config, request.directory
    made: dict[str, Candidate] = {}
    warnings: list[str] = []
    wanted = list(mixture.weights) if mixture else _members(config)
    for place, member in enumerate(wanted):
        left = WHOLE * config.max_seconds - (time.perf_counter() - progress.started)
        seconds = max(1.0, min(config.max_seconds, left * SHARES[member] / sum(SHARES[one] for one in wanted[place:])))
        folder = directory.with_name(f"{directory.name}-{member}")
        try:
            made[member] = fit(
                replace(
                    request,
                    architecture=member,
                    config=replace(config, max_seconds=seconds),
                    directory=folder,
                    on_epoch=progress.of(member),
                )
            )
        except AlmanacError as error:
            if mixture:
                raise
            warnings.append(f"{member} is left out: {error}")
    chosen = mixture or _choose(made, warnings)
    whole = _join(made, chosen, directory, combine)
    warnings += [f"{member}: {text}" for member, one in whole.members.items() for text in one.warnings]
    seconds = time.perf_counter() - progress.started
    return replace(whole, history=tuple(progress.told), train_seconds=seconds, warnings=tuple(warnings))


def _members(config: FitConfig) -> list[str]:
    """Return the members to make: starters have the default shape only."""
    return [one for one in MEMBERS if config.shape == "many_to_many" or one not in {STARTER, STARTER_TUNED}]


def _choose(made: Mapping[str, Candidate], causes: list[str]) -> Mixture:
    """Return which members are averaged, the first one where none could be validated; raises TrainingError without any."""
    if not made:
        raise TrainingError(f"No member could be made. {' '.join(causes)}")
    told = {name: one.forecasts for name, one in made.items() if one.forecasts is not None}
    return choose_average(_distinct(told, made)) if told else Mixture(EQUAL, {next(iter(made)): 1.0}, {})


def _distinct(told: Mapping[str, Validation], made: Mapping[str, Candidate]) -> dict[str, Validation]:
    """Return the members without a tuned starter that stayed the starter as it is, which would count twice."""
    tuned = made.get(STARTER_TUNED)
    spec = tuned.forecaster.spec if tuned else None
    twice = STARTER in told and spec is not None and spec.options.tuned_share == 0 and spec.transform == "none"
    return {name: one for name, one in told.items() if not (twice and name == STARTER_TUNED)}


def _join(made: Mapping[str, Candidate], mixture: Mixture, directory: Path, combine: Combine) -> Candidate:
    """Return the chosen members as one candidate; a single one with its own artifact."""
    members = {name: made[name] for name in mixture.weights}
    if len(members) > 1:
        return make_ensemble(members, directory, combine, mixture)
    (only,) = members.values()
    return replace(only, members=members, mixture=mixture)


FALLEN_BEHIND = 0.05
"""A candidate whose loss is by more than this share above the best one's is no good member."""


def choose_average(validations: Mapping[str, Validation]) -> Mixture:
    """Return the equal weights of the candidates that are averaged, one of them alone where that is clearly better.

    Args:
        validations: By candidate's name, all of the same horizon and levels.

    Raises:
        DataInvalid: If no origin was forecast by all.
    """
    names, aligned = list(validations), [thinned(one) for one in align(list(validations.values()))]
    ways = {way: cross_fitted_loss(weigh, aligned) for way, weigh in WAYS.items()}
    weigh = best if ways["best"] < (1 - MARGIN) * ways["good"] else good
    weights = {name: float(one) for name, one in zip(names, weigh(aligned), strict=True) if one > 0}
    averages = {"+".join(names[place] for place in places): found for places, found in _losses(aligned).items()}
    return Mixture(EQUAL, weights, {**ways, **averages})


def good(validations: Sequence[Validation]) -> Floats:
    """Return equal weights of all whose loss is at most 5 % above the least, 0 for the others."""
    losses = np.array([loss(one) for one in validations])
    return _equal(np.flatnonzero(losses <= (1 + FALLEN_BEHIND) * losses.min()).tolist(), len(validations))


def best(validations: Sequence[Validation]) -> Floats:
    """Return equal weights of the average of least loss; a smaller one must gain half a per cent on the larger ones."""
    losses = _losses(validations)
    kept, *others = sorted(losses, key=lambda places: (-len(places), losses[places]))
    for places in others:
        if losses[places] < (1 - MARGIN) * losses[kept]:
            kept = places
    return _equal(kept, len(validations))


def _losses(validations: Sequence[Validation]) -> dict[tuple[int, ...], float]:
    """Return the loss of every average with equal weights, by its members' places."""
    places = range(len(validations))
    subsets = itertools.chain.from_iterable(itertools.combinations(places, size) for size in range(1, len(places) + 1))
    quantiles = [one.quantiles for one in validations]
    return {
        subset: loss(replace(validations[0], quantiles=np.mean([quantiles[place] for place in subset], axis=0)))
        for subset in subsets
    }


def _equal(places: Sequence[int], count: int) -> Floats:
    """Return the weights of the members at some places, 0 elsewhere."""
    weights = np.zeros(count)
    weights[list(places)] = 1 / len(places)
    return weights


WAYS: Mapping[str, Weigh] = {"good": good, "best": best}
