"""Pretrained weights: options and weights of a starter or a champion, to forecast with or to fine-tune."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.artifact import WEIGHTS
from models.errors import ArtifactIncomplete, ArtifactMismatch
from models.networks import wavenet
from models.networks.build import ENCODERS, NetworkOptions, build
from models.networks.decoder import EMBEDDING
from models.networks.ensemble import load_network
from models.networks.learner import Weights
from models.networks.loss import layer_of
from models.spec import ModelSpec

STEP_LAYER = "step_projection"
"""The only layer with weights for each step ahead, whose shapes depend on the horizon."""


def pretrained_options(spec: ModelSpec, horizon: int) -> NetworkOptions:
    """Return the options of a spec's network, for another horizon; raises ArtifactIncomplete."""
    options = spec.options
    if options.units is None or options.seasons is None or options.calendar is None:
        raise ArtifactIncomplete(
            "spec.json has no units, seasons or calendar in its options.", hint="Train the model again."
        )
    return NetworkOptions(
        architecture=encoder_of(spec),
        horizon=horizon,
        season_length=spec.season_length,
        context_length=spec.context_length,
        encoder_length=spec.encoder_length,
        shape=spec.shape,
        seasons=options.seasons,
        units=options.units,
        layers=1 if options.layers is None else options.layers,
        dilations=wavenet.DILATIONS if options.dilations is None else options.dilations,
        transform=spec.transform,
        quantile_levels=spec.quantile_levels,
        past_covariates=len(spec.past_covariates),
        future_covariates=len(spec.future_covariates),
        calendar=options.calendar,
    )


def encoder_of(spec: ModelSpec) -> str:
    """Return the key of `ENCODERS` of a spec's network; starters are LSTMs, and a warm start has it in its options."""
    named = spec.architecture if spec.architecture in ENCODERS else "lstm"
    return spec.options.encoder or named


def pretrained_weights(folder: Path, spec: ModelSpec, horizon: int, weights: Weights | None = None) -> Weights:
    """Return a stored network's weights for a network of `pretrained_options`, with any transform.

    Args:
        folder: Its artifact, with network.keras.
        spec: Its spec.
        horizon: Steps ahead; each gets the weights of a trained step, see `nearest_trained_steps`.
        weights: Other weights of the same network, in place of those of network.keras.

    Raises:
        ArtifactIncomplete: If there is no network.keras.
        ArtifactMismatch: If the shapes of the weights are not those of the spec.
    """
    if weights is None and not (folder / WEIGHTS).is_file():
        raise ArtifactIncomplete(f"{folder / WEIGHTS} is missing.", hint="Install Almanac again.")
    options = pretrained_options(spec, spec.horizon)
    variables, found = build(options).weights, weights or load_network(folder / WEIGHTS).get_weights()
    shapes, there = [tuple(one.shape) for one in variables], [one.shape for one in found]
    if shapes != there:
        raise ArtifactMismatch(
            f"{folder / WEIGHTS} has weights of shapes {there}; its spec.json means {shapes}.",
            hint="The files do not belong together; install Almanac again.",
        )
    taken = nearest_trained_steps(spec.horizon, horizon, spec.season_length)
    return [
        take_steps_of(weight, taken) if layer_of(variable) == STEP_LAYER else weight
        for variable, weight in zip(variables, found, strict=True)
    ]


def nearest_trained_steps(trained: int, asked: int, season_length: int) -> NDArray[np.int64]:
    """Return for each of `asked` steps ahead the most similar trained step, counted from 0.

    It is the step itself; beyond the trained horizon the last trained step of the same season position, or the last one of
    all if less than a season was trained.
    """
    steps = np.arange(asked)
    last = trained - season_length + (steps - trained) % season_length if trained >= season_length else trained - 1
    return np.where(steps < trained, steps, last)


def blend_weights(before: Weights, after: Weights, share: float) -> Weights:
    """Return (1 - share) of the weights before a training and `share` of those after it.

    Source: Wortsman et al. (2022), Robust fine-tuning of zero-shot models, CVPR.
    """
    return [((1.0 - share) * one + share * two).astype(one.dtype) for one, two in zip(before, after, strict=True)]


def take_steps_of(weight: NDArray[Any], taken: NDArray[np.int64]) -> NDArray[Any]:
    """Return the columns of some steps from a kernel (width, steps · embedding) or a bias (steps · embedding)."""
    by_step = weight.reshape(*weight.shape[:-1], -1, EMBEDDING)
    return by_step[..., taken, :].reshape(*weight.shape[:-1], -1)
