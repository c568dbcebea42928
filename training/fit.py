"""Fit: one network learned from a training set, calibrated, exported and sealed."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models import artifact
from models.calendar import parse_frequency
from models.errors import DataInvalid, LossNotFinite
from models.networks.build import NetworkOptions, build, serving_network, shaped
from models.networks.export import check_parity, export
from models.networks.loss import layer_of, median_of, scaled_pinball
from models.networks.memory import lag_gradients
from models.profile import Profile, features
from models.spec import ModelSpec
from training import sizing
from training.candidate import Candidate, EpochRecord, TrainingSet
from training.config import FitConfig
from training.dataset import Batch, Dataset, make_dataset
from training.validation import Validation, judge

Floats = NDArray[np.float64]
Watch = Callable[[EpochRecord], None]

VANISHED, EXPLODED = 1e-6, 1e3
"""Mean gradient norm of an epoch below or above which a layer is named."""

WARM_UP, LAST_RATE = 0.05, 0.01
"""Share of the steps in which the rate rises, and the share of the peak that it falls to."""

TRIAL_SHARE, TRIAL_GAIN = 0.2, 0.005
"""Share of the steps that the transform's trial may take; the gain over none that a logarithm must show."""

SETTLE_SHARE, SETTLE_RATE = 0.25, 0.3
"""After the choice, what was held out is learned too: this share of the steps, from this share of the peak rate."""

WATCHED_ORIGINS, DESCRIBED_WINDOWS = 1024, 256
"""Validation windows looked at each epoch; windows that memory and profile are measured on."""


def train_candidate(  # noqa: PLR0913 - the contract of the pipeline, one argument a decision
    training_set: TrainingSet,
    *,
    architecture: str,
    name: str,
    seed: int,
    config: FitConfig,
    directory: Path,
    on_epoch: Watch,
) -> Candidate:
    """Return a network trained on everything in the training set, every choice made on its validation origins.

    In turn: choose the transform, fit with early stopping on the validation origins, calibrate the intervals on them,
    go on for a quarter of the steps with nothing held out, export, check parity, seal.

    Args:
        training_set: Series up to the cutoff.
        architecture: `lstm`, `gru`, `simple_rnn` or `wavenet`.
        name: What the model will be registered as.
        seed: Of weights and windows; the same seed on the same data and machine gives the same weights.
        config: How to fit.
        directory: Where the artifact goes; made if missing.
        on_epoch: Called after every epoch.

    Raises:
        LossNotFinite: If a loss becomes NaN or infinite.
        NetworkError: If the network cannot be built or exported.
        DataInvalid: If there is nothing to learn from.
    """
    started = time.perf_counter()
    _seed(seed)
    options = network_options(training_set, architecture, config)
    dataset = _dataset(training_set, options, config)
    options = replace(
        options, transform=_choose_transform(training_set, options, dataset, config, seed=seed, started=started)
    )
    run = _Run(options, dataset, config, seed, started)
    history = run.learn(on_epoch)
    forecasts = _validate(run.network, dataset, options)
    validation, conformal = judge(forecasts)
    run.settle()
    network = serving_network(run.network, options)
    directory.mkdir(parents=True, exist_ok=True)
    network.save(directory / artifact.WEIGHTS)
    export(network, directory / artifact.NETWORK)
    check_parity(network, directory / artifact.NETWORK, seed)
    spec = _describe(training_set, options, dataset, network=run.network, name=name, seed=seed)
    spec = replace(spec, validation=validation, conformal=conformal.to_dict())
    forecaster = artifact.seal(directory, spec)
    seconds = time.perf_counter() - started
    warnings = (*gradient_warnings(history), *run.time_warnings(history))
    return Candidate(directory, forecaster, tuple(history), validation, seconds, warnings, forecasts)


def network_options(training_set: TrainingSet, architecture: str, config: FitConfig) -> NetworkOptions:
    """Return the options of a network: what the configuration says, the rest from season and data."""
    if not training_set.series:
        raise DataInvalid("The training set holds no series.", hint="Check the file and its filters.")
    season = parse_frequency(training_set.frequency).season_length
    context = sizing.context_length(training_set, config)
    options = NetworkOptions(
        architecture=architecture,
        horizon=training_set.horizon,
        season_length=season,
        context_length=context,
        encoder_length=sizing.encoder_length(training_set, config),
        seasons=sizing.seasons(training_set, context),
        units=config.units,
        layers=config.layers,
        dilations=sizing.dilations(config, season),
        transform="log" if config.transform == "log" else "none",
        past_covariates=len(training_set.covariates.past),
        future_covariates=len(training_set.covariates.future),
    )
    return shaped(options, config.shape)


@dataclass(slots=True)
class _Weights:
    """The best weights so far and where they were met."""

    error: float
    step: int
    values: list[Any]


class _Run:
    """One network on its way: its weights, its optimizer and its windows."""

    def __init__(self, options: NetworkOptions, dataset: Dataset, config: FitConfig, seed: int, started: float) -> None:
        self.options, self.dataset, self.config, self.started = options, dataset, config, started
        self.generator = np.random.default_rng(seed)
        self.network = build(options, supervised_steps=options.supervised_steps)
        if options.context_length == 1:
            seen = dataset.seen.values
            self.network.get_layer("normalize").adapt(seen[np.isfinite(seen)])
        if dataset.seen.covariates is not None:
            self.network.get_layer("normalize_covariates").adapt(dataset.seen.covariates)
        self.optimizer = keras.optimizers.AdamW(config.learning_rate, weight_decay=config.weight_decay)
        self.optimizer.build(self.network.trainable_variables)
        self.layers = sorted({layer_of(one) for one in self.network.trainable_variables})
        self.take_step = _compiled_step(
            self.network, self.optimizer, config.clip_norm, options.quantile_levels, self.layers
        )
        self.best = _Weights(float("inf"), 0, self.network.get_weights())

    def learn(self, on_epoch: Watch | None, max_steps: int | None = None) -> list[EpochRecord]:
        """Fit until the steps or the patience run out, and keep the weights of the best epoch."""
        total = max_steps or self.config.max_steps
        batch, scales = self.dataset.origins(WATCHED_ORIGINS)
        history: list[EpochRecord] = []
        stale, step = 0, 0
        while step < total and stale < self.config.patience and not (history and self._late()):
            count = min(self.config.steps_per_epoch, total - step)
            loss, norms = self._epoch(step, count, total, self.config.learning_rate, self.dataset)
            step += count
            error = mean_scaled_error(self.network, batch, scales)
            stale = 0 if error < self.best.error else stale + 1
            if error < self.best.error:
                self.best = _Weights(error, step, self.network.get_weights())
            record = EpochRecord(len(history) + 1, step, loss, error, norms, time.perf_counter() - self.started)
            history.append(record)
            if on_epoch:
                on_epoch(record)
        self.network.set_weights(self.best.values)
        return history

    def settle(self) -> None:
        """Go on with nothing held out, at a falling rate, so that the newest values are learned too."""
        steps = max(1, int(SETTLE_SHARE * self.best.step))
        peak = SETTLE_RATE * self.config.learning_rate
        self._epoch(0, steps, steps, peak, self.dataset.whole())

    def time_warnings(self, history: list[EpochRecord]) -> list[str]:
        """Return a sentence if the clock ended the training, since then the seed alone no longer fixes the weights."""
        last = history[-1]
        if last.step >= self.config.max_steps or last.seconds <= self.config.max_seconds:
            return []
        ended = f"fit.max_seconds ({self.config.max_seconds:g}) ended the training after {last.step} of "
        return [
            f"{ended}{self.config.max_steps} steps; another run may stop elsewhere. Lower fit.max_steps to repeat it."
        ]

    def _late(self) -> bool:
        """Return whether the wall time is used up."""
        return time.perf_counter() - self.started > self.config.max_seconds

    def _epoch(
        self, first: int, count: int, total: int, peak: float, dataset: Dataset
    ) -> tuple[float, dict[str, float]]:
        """Take `count` steps; return the mean loss and each layer's mean gradient norm."""
        losses, norms = [], []
        for step in range(first, first + count):
            batch = dataset.draw(self.generator, self.config.batch_size)
            rate = tf.constant(learning_rate(step, total, peak), tf.float32)
            loss, norm = self.take_step(batch.contexts.inputs(), batch.targets, rate)
            losses.append(float(loss))
            norms.append(norm.numpy())
            if not (np.isfinite(losses[-1]) and np.isfinite(norms[-1]).all()):
                raise self._not_finite(step + 1, losses[-1], dict(zip(self.layers, norms[-1], strict=True)))
        means = np.stack(norms).mean(axis=0, dtype=np.float64)
        return float(np.mean(losses)), dict(zip(self.layers, means.tolist(), strict=True))

    def _not_finite(self, step: int, loss: float, norms: Mapping[str, float]) -> LossNotFinite:
        """Return the error that ends a run, with its step and the likeliest cause."""
        broken = [layer for layer, norm in norms.items() if not np.isfinite(norm)]
        where = f"the gradient of {', '.join(broken)} is not finite" if broken else "the loss itself is not finite"
        clip = f"clipped at {self.config.clip_norm:g}" if self.config.clip_norm else "not clipped"
        return LossNotFinite(
            f"The loss became {loss} at step {step}: {where}; learning rate {self.config.learning_rate:g}, gradients {clip}.",
            step=step,
            hint="Lower fit.learning_rate, or set fit.clip_norm to 1.",
        )


def learning_rate(step: int, total: int, peak: float) -> float:
    """Return the rate of a step: a short linear rise, then a cosine from the peak to a hundredth of it.

    Source: Loshchilov & Hutter (2017), SGDR: stochastic gradient descent with warm restarts.
    """
    warm = max(1, int(WARM_UP * total))
    if step < warm:
        return peak * (step + 1) / warm
    share = (step - warm) / max(1, total - warm)
    return peak * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + float(np.cos(np.pi * share))))


def gradient_warnings(history: list[EpochRecord]) -> list[str]:
    """Return a sentence for each layer whose gradient vanished or exploded in some epoch."""
    found: dict[tuple[str, str], str] = {}
    for record in history:
        for layer, norm in record.gradient_norms.items():
            kind = "vanished" if norm < VANISHED else "exploded" if norm > EXPLODED else ""
            if kind:
                text = f"The gradient of layer {layer} {kind}: norm {norm:.2g} in epoch {record.epoch}."
                found.setdefault((layer, kind), text)
    return list(found.values())


def mean_scaled_error(network: keras.Model, batch: Batch, scales: Floats) -> float:
    """Return the MASE of the median over validation windows, each divided by its own in-sample scale."""
    median = np.concatenate([median_of(part) for part in _outputs(network, batch)])
    error = np.abs(batch.targets[:, -1] - median) / scales[:, None]
    return float(np.nanmean(np.nanmean(error, axis=1)[np.isfinite(error).any(axis=1)]))


def _seed(seed: int) -> None:
    """Make a training repeatable: weights, windows and the order of sums."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def _dataset(training_set: TrainingSet, options: NetworkOptions, config: FitConfig) -> Dataset:
    """Return the windows of a training set in the shape that a network needs."""
    return make_dataset(
        training_set.series,
        context_length=options.context_length,
        season_length=options.season_length,
        horizon=options.horizon,
        steps=options.supervised_steps,
        origins=config.validation_origins,
        names=training_set.covariates,
    )


def _choose_transform(  # noqa: PLR0913 - what a run is made from
    training_set: TrainingSet,
    options: NetworkOptions,
    dataset: Dataset,
    config: FitConfig,
    *,
    seed: int,
    started: float,
) -> str:
    """Return `none` or `log`: what is asked for, or what a short trial of both says on the validation origins."""
    possible = sizing.could_be_logged(list(training_set.series)) and options.context_length > 1
    if config.transform != "auto" or not possible:
        return options.transform
    steps = max(1, int(TRIAL_SHARE * config.max_steps))
    errors = {}
    for transform in ("none", "log"):
        _seed(seed)
        run = _Run(replace(options, transform=transform), dataset, config, seed, started)
        run.learn(None, steps)
        errors[transform] = run.best.error
    return "log" if errors["log"] < (1 - TRIAL_GAIN) * errors["none"] else "none"


def _validate(network: keras.Model, dataset: Dataset, options: NetworkOptions) -> Validation:
    """Return the network's forecasts on every validation origin."""
    batch, scales = dataset.origins()
    quantiles = np.concatenate([part["quantiles"][:, -1] for part in _outputs(network, batch)])
    return Validation(
        dataset.rows, dataset.cutoffs, batch.targets[:, -1], quantiles, scales, tuple(options.quantile_levels)
    )


def _describe(  # noqa: PLR0913 - the parts of a spec
    training_set: TrainingSet,
    options: NetworkOptions,
    dataset: Dataset,
    *,
    network: keras.Model,
    name: str,
    seed: int,
) -> ModelSpec:
    """Return the spec of a trained network, but for its accuracy."""
    batch, _ = dataset.origins(DESCRIBED_WINDOWS)
    gradients = lag_gradients(network, *batch.contexts.inputs().values())
    dates = [stamp for one in training_set.series if one.timestamps is not None for stamp in one.timestamps[[0, -1]]]
    chosen = {"units": options.units, "layers": options.layers, "seasons": list(options.seasons)}
    if options.architecture == "wavenet":
        chosen = {"units": options.units, "dilations": list(options.used_dilations), "seasons": list(options.seasons)}
    return ModelSpec(
        name=name,
        architecture=options.architecture,
        shape=options.shape,
        frequency=training_set.frequency,
        season_length=options.season_length,
        context_length=options.context_length,
        encoder_length=options.encoder_length,
        horizon=options.horizon,
        quantile_levels=options.quantile_levels,
        transform=options.transform,
        receptive_field=options.receptive_field(),
        options=chosen,
        past_covariates=training_set.covariates.past,
        future_covariates=training_set.covariates.future,
        holidays=training_set.covariates.holidays,
        memory=tuple((gradients / max(gradients.sum(), 1e-300)).round(8).tolist()),
        trained_from=str(min(dates)) if dates else None,
        trained_to=str(max(dates)) if dates else None,
        series_count=len(training_set.series),
        observation_count=sum(one.observed for one in training_set.series),
        profile=Profile.fit(features(batch.contexts.context, options.season_length)).to_dict(),
        seed=seed,
        data_digest=training_set.digest,
        packages={one: version(one) for one in ("keras", "numpy", "onnxruntime", "tensorflow")},
        created=time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
    )


def _outputs(network: keras.Model, batch: Batch) -> list[dict[str, Any]]:
    """Return the network's outputs as numpy, in parts of 256 windows."""
    contexts = batch.contexts
    parts = []
    for at in range(0, len(contexts.context), 256):
        found = network(list(contexts.part(slice(at, at + 256)).inputs().values()), training=False)
        parts.append({key: np.asarray(value) for key, value in found.items()})
    return parts


def _compiled_step(
    network: keras.Model, optimizer: Any, clip_norm: float, levels: tuple[float, ...], layers: list[str]
) -> Callable[..., Any]:
    """Return one optimizer step as a compiled function of a batch and a rate: loss, and gradient norms by layer."""
    variables = network.trainable_variables
    owners = [layers.index(layer_of(one)) for one in variables]

    @tf.function(jit_compile=True, reduce_retracing=True)
    def step(inputs: Mapping[str, Any], targets: Any, rate: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = network([inputs[one.name] for one in network.inputs], training=True)
            loss = scaled_pinball(outputs, targets, levels)
        gradients = tape.gradient(loss, [one.value for one in variables])
        squares = [tf.reduce_sum(tf.square(one)) for one in gradients]
        norms = tf.sqrt(
            tf.stack(
                [tf.add_n([s for s, o in zip(squares, owners, strict=True) if o == k]) for k in range(len(layers))]
            )
        )
        if clip_norm:
            scale = tf.minimum(1.0, clip_norm / tf.maximum(tf.sqrt(tf.add_n(squares)), 1e-12))
            gradients = [one * scale for one in gradients]
        optimizer.learning_rate.assign(rate)
        optimizer.apply(gradients, variables)
        return loss, norms

    return step
