"""Ensemble: several candidates as one model, with its own graph, specification and calibrated intervals."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from models import artifact
from models.errors import TrainingError
from models.spec import EnsembleMember, ModelOptions, ModelSpec
from training.config.training import ENSEMBLE
from training.fit.candidate import Candidate
from training.fit.ensemble_weights import EnsembleWeights, choose_weights, spread_of_members, weighted_mean
from training.fit.validation import Validation, evaluate

MIXED = "mixed"
"""Transform of an ensemble whose members do not have the same one."""

Combine = Callable[[Sequence[Path], Sequence[float], Path], None]
"""`combine_with_keras`, or anything that writes network.onnx and network.keras as it does."""


def combine_with_keras(members: Sequence[Path], weights: Sequence[float], directory: Path) -> None:
    """Write the weighted mean of members' networks; TensorFlow is imported only now."""
    from models.networks.ensemble import write_ensemble

    write_ensemble(members, weights, directory)


def make_ensemble(
    candidates: Mapping[str, Candidate], directory: Path, combine: Combine, weights: EnsembleWeights | None = None
) -> Candidate:
    """Return candidates as one: weights chosen on validation, or before, and intervals calibrated there.

    If the weights leave one member, that member is returned with its own artifact.

    Raises:
        TrainingError: If a candidate kept no validation forecasts.
        NetworkError: If the networks do not fit each other, or Keras and ONNX do not answer alike.
    """
    started = time.perf_counter()
    chosen = weights or choose_weights({name: _validation_of(name, one) for name, one in candidates.items()})
    members, shares = {name: candidates[name] for name in chosen.weights}, list(chosen.weights.values())
    if len(members) == 1:
        (only,) = members.values()
        return replace(only, members=members, ensemble_weights=chosen, train_seconds=_seconds(candidates, started))
    validations = {name: _validation_of(name, one) for name, one in members.items()}
    forecasts = weighted_mean(list(validations.values()), shares)
    figures, conformal = evaluate(forecasts)
    figures["spread"] = spread_of_members(list(validations.values()))
    combine([one.directory for one in members.values()], shares, directory)
    spec = describe_ensemble({name: one.forecaster.spec for name, one in members.items()}, chosen)
    forecaster = artifact.save(directory, replace(spec, validation=figures, conformal=conformal.to_dict()))
    seconds = _seconds(candidates, started)
    return Candidate(
        directory, forecaster, (), figures, seconds, forecasts=forecasts, members=members, ensemble_weights=chosen
    )


def _seconds(candidates: Mapping[str, Candidate], started: float) -> float:
    """Return the time of all candidates, and of joining them since `started`."""
    return sum(one.train_seconds for one in candidates.values()) + time.perf_counter() - started


def describe_ensemble(specs: Mapping[str, ModelSpec], weights: EnsembleWeights) -> ModelSpec:
    """Return the spec of the whole, but for its accuracy: what members share, the longest context, who they are."""
    longest = max(specs.values(), key=lambda spec: spec.context_length)
    informed = max(specs.values(), key=lambda spec: len(spec.covariates.all))
    transforms = {spec.transform for spec in specs.values()}
    members = tuple(_describe_member(name, spec, weights.weights[name]) for name, spec in specs.items())
    return replace(
        longest,
        architecture=ENSEMBLE,
        encoder_length=max(spec.encoder_length for spec in specs.values()),
        receptive_field=max(spec.receptive_field for spec in specs.values()),
        past_covariates=informed.past_covariates,
        future_covariates=informed.future_covariates,
        holidays=informed.holidays,
        transform=transforms.pop() if len(transforms) == 1 else MIXED,
        options=ModelOptions(
            combination=weights.combination,
            members=members,
            nonnegative=all(bool(spec.options.nonnegative) for spec in specs.values()),
        ),
        memory=_mean_memory(list(specs.values()), list(weights.weights.values())),
        seed=min(spec.seed for spec in specs.values()),
        created=max(spec.created for spec in specs.values()),
    )


def _validation_of(name: str, candidate: Candidate) -> Validation:
    """Return a candidate's validation forecasts; raises TrainingError where it kept none."""
    if candidate.forecasts is None:
        raise TrainingError(f"Candidate {name} kept no validation forecasts, so nothing says what it would add.")
    return candidate.forecasts


def _describe_member(name: str, spec: ModelSpec, weight: float) -> EnsembleMember:
    """Return one member as the spec of the ensemble describes it."""
    return EnsembleMember(
        name=name,
        weight=round(weight, 6),
        architecture=spec.architecture,
        seed=spec.seed,
        transform=spec.transform,
        context_length=spec.context_length,
        encoder_length=spec.encoder_length,
        receptive_field=spec.receptive_field,
        validation_mase=spec.validation.get("mase"),
        options=spec.options,
        others={"validation_mase": None},
    )


def _mean_memory(specs: Sequence[ModelSpec], weights: Sequence[float]) -> tuple[float, ...]:
    """Return the weighted mean of the members' memories by lag; beyond its context a member remembers nothing."""
    lags = max(len(spec.memory) for spec in specs)
    padded = [[*spec.memory, *[0.0] * (lags - len(spec.memory))] for spec in specs]
    columns = zip(*padded, strict=True)
    return tuple(round(sum(w * one for w, one in zip(weights, column, strict=True)), 8) for column in columns)
