"""Ensemble: several candidates as one model, with its own graph, specification and calibrated intervals.

Members that are blended with a starter without a season, see `training.fit.seasonless`, all are with the same one. With the
weight w of a series, members' networks n and weights a, of sum A over the blended ones, and the starter y the forecast is

    Σ a n + w Σ_blended a (y - n)  =  (1 - w) Σ a n + w (Σ_others a n + A y)

so the ensemble is blended, by the same w, with the ensemble of the other members, which in turn is with y by the weight A.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from models import artifact
from models.errors import TrainingError
from models.forecasting.season_blend import Blend
from models.spec import EnsembleMember, ModelOptions, ModelSpec
from training.config.training import ENSEMBLE
from training.fit.candidate import Candidate
from training.fit.ensemble_weights import EnsembleWeights, choose_weights, spread_of_members, weighted_mean
from training.fit.seasonless import copy_seasonless
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
        TrainingError: If a candidate kept no validation forecasts, or members are blended differently.
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
    spec = replace(spec, validation=figures, conformal=conformal.to_dict())
    forecaster = artifact.save(directory, _write_seasonless(members, chosen, directory, combine, spec))
    seconds = _seconds(candidates, started)
    return Candidate(
        directory, forecaster, (), figures, seconds, forecasts=forecasts, members=members, ensemble_weights=chosen
    )


def _write_seasonless(
    members: Mapping[str, Candidate], chosen: EnsembleWeights, directory: Path, combine: Combine, spec: ModelSpec
) -> ModelSpec:
    """Write what an ensemble is blended with into its artifact, and return its spec with how; as it was if no member is blended.

    Raises:
        TrainingError: If members are blended differently.
    """
    blended = {name: one for name, one in members.items() if one.forecaster.spec.options.blend is not None}
    if not blended:
        return spec
    blend = _shared_blend(blended)
    source = next(iter(blended.values())).directory / artifact.SEASONLESS
    share = sum(chosen.weights[name] for name in blended)
    weights = {name: one / (1 - share) for name, one in chosen.weights.items() if name not in blended}
    around = directory / artifact.SEASONLESS if weights else directory
    nonnegative, conformal = spec.options.nonnegative, spec.conformal
    copy_seasonless(source, around, nonnegative=nonnegative, conformal=conformal)
    if weights:
        combine([members[name].directory for name in weights], list(weights.values()), around)
        specs = {name: members[name].forecaster.spec for name in weights}
        inner = describe_ensemble(specs, replace(chosen, weights=weights))
        options = replace(inner.options, nonnegative=nonnegative, blend=Blend.constant(share).to_dict())
        artifact.save(around, replace(inner, options=options, conformal=conformal))
    return replace(spec, options=replace(spec.options, blend=blend))


def _shared_blend(blended: Mapping[str, Candidate]) -> Mapping[str, Any]:
    """Return how members are blended; raises TrainingError if it is not the same way with the same network."""
    first, *others = blended.values()
    blend = first.forecaster.spec.options.blend or {}
    network = (first.directory / artifact.SEASONLESS / artifact.NETWORK).read_bytes()
    for one in others:
        same = (one.directory / artifact.SEASONLESS / artifact.NETWORK).read_bytes() == network
        if not same or one.forecaster.spec.options.blend != blend:
            raise TrainingError(f"The members {', '.join(blended)} are blended with different starters.")
    return blend


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
