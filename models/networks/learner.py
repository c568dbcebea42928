"""Learner: a network with its optimizer and its compiled training step."""

import copy
import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from models.machine.allocator import keep_freed_memory
from models.networks.build import NetworkOptions, build
from models.networks.loss import layer_of, scaled_pinball
from models.networks.lstm import LSTM
from models.windows import Contexts

Weights = list[NDArray[Any]]
Floats = NDArray[np.float64]

FORWARD_BATCH = 256
"""Windows in one compiled forward pass at the most; the last pass is padded, so that it is not compiled again."""

PARTS, FEWEST_IN_PART = 2, 32
"""Parts of a batch, and fewest windows in each. Threads with a part each synchronize once a step; threads that share every
matrix product synchronize thousands of times. Four parts were 10 % slower."""

AVERAGED_SHARE = 0.1
"""Window of the running average of the weights, as a share of a schedule's steps."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a compiled training step; other data or seeds do not compile again.

    Attributes:
        options: How the network is built.
        clip_norm: Global gradient norm above which gradients are scaled down; 0 for no clipping.
        weight_decay: Weight decay of AdamW.
        jit_compile: Whether XLA compiles the step: steps take a third of the time, the first one three times as long.
    """

    options: NetworkOptions
    clip_norm: float
    weight_decay: float
    jit_compile: bool = True


class Learner:
    """A network in training, with the running average of its weights, whose forecasts are more accurate.

    Source: Polyak & Juditsky (1992), Acceleration of stochastic approximation by averaging.
    """

    def __init__(self, recipe: Recipe) -> None:
        """Build the network and its optimizer; the step is compiled at the first call."""
        keep_freed_memory()
        self.recipe = recipe
        self.network = build(recipe.options, supervised_steps=recipe.options.supervised_steps)
        for layer in self.network.layers:
            if isinstance(layer, LSTM):
                layer.for_xla = recipe.jit_compile
        self.optimizer = keras.optimizers.AdamW(1e-3, weight_decay=recipe.weight_decay)
        self.optimizer.build(self.network.trainable_variables)
        self.layers = sorted({layer_of(one) for one in self.network.trainable_variables})
        self.averages = [tf.Variable(one.value, trainable=False) for one in self.network.trainable_variables]
        self.steps = 0
        self._initial: dict[int, Weights] = {}  # of one seed; learners that share the network share it
        self._switch: Any = None
        self._gradient, self._update = self._compile()
        self._forward = tf.function(
            lambda inputs: self.network(inputs, training=False)["quantiles"][:, -1], autograph=False
        )
        self._threads = ThreadPoolExecutor(PARTS)

    def switchable(self) -> "Learner":
        """Return this learner, built for a logarithm and not used yet, as one that `sharing` can be called on."""
        self._switch = tf.Variable(initial_value=True, trainable=False, dtype=tf.bool)
        self.network.get_layer("normalize").switch = self._switch
        return self

    def sharing(self, recipe: Recipe) -> "Learner":
        """Return a learner of a recipe with another transform or calendar, with this one's network and compiled steps."""
        other = copy.copy(self)
        other.recipe = recipe
        return other

    def select(self) -> None:
        """Turn the logarithm on or off as the recipe says; a shared network may have been used with another recipe."""
        if self._switch is not None:
            self._switch.assign(self.recipe.options.transform == "log")

    def restart(self, seed: int, weights: Weights | None = None) -> None:
        """Reset averages and optimizer, and the weights to given ones or those of the seed."""
        self.select()
        tf.config.experimental.enable_op_determinism()
        self.network.set_weights(self._weights_of(seed) if weights is None else weights)
        for one in self.optimizer.variables:
            one.assign(np.zeros(one.shape))
        for mean, one in zip(self.averages, self.network.trainable_variables, strict=True):
            mean.assign(one.value)
        self.steps = 0

    def _weights_of(self, seed: int) -> Weights:
        """Return the initial weights of a seed, kept since a schedule begins many times, and building takes a second."""
        if seed not in self._initial:
            random.seed(seed)  # of Keras's initializers; TensorFlow prepares its functions anew for a seed of its own
            self._initial.clear()
            self._initial[seed] = build(self.recipe.options).get_weights()
        return self._initial[seed]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return weights, averages and the optimizer's variables by name."""
        return {f"variable_{at}": np.asarray(one) for at, one in enumerate(self._state_variables())}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Set the state that `state` returned; raise KeyError or ValueError for that of another network."""
        for at, one in enumerate(self._state_variables()):
            one.assign(state[f"variable_{at}"])

    def _state_variables(self) -> list[Any]:
        """Return all variables that a step changes."""
        return [*self.network.variables, *self.averages, *self.optimizer.variables]

    def step(
        self, contexts: Contexts, targets: Floats, *, rate: float, total: int
    ) -> tuple[float, NDArray[np.float32]]:
        """Take one optimizer step; return the loss and the gradient's norm by layer, before clipping.

        Args:
            contexts: Windows of one batch.
            targets: (batch, steps, horizon) float64, NaN where unknown.
            rate: Learning rate.
            total: Steps of the whole schedule.
        """
        self.select()
        contexts = self.seen(contexts)
        self.steps += 1
        keep = 1.0 - 1.0 / min(max(AVERAGED_SHARE * total, 1.0), self.steps)
        parts = split_batch(len(targets))
        known = np.array([np.isfinite(targets[part]).sum() for part in parts])
        shares = (known / max(known.sum(), 1)).astype(np.float32)

        def gradient(part: slice, share: np.float32) -> Any:
            return self._gradient(contexts.part(part).inputs(), targets[part], tf.constant(share))

        losses, gradients = zip(*self._threads.map(gradient, parts, shares), strict=True)
        loss, norms = self._update(losses, gradients, tf.constant(rate, tf.float32), tf.constant(keep, tf.float32))
        return float(loss), norms.numpy()

    def predict(self, contexts: Contexts) -> Floats:
        """Return the forecast from the newest step of each window, (windows, horizon, levels), in the series' units."""
        self.select()
        contexts = self.seen(contexts)
        count = len(contexts.context)
        parts, size = [], forward_batch(count)
        for at in range(0, count, size):
            rows = np.minimum(np.arange(at, at + size), count - 1)
            parts.append(self._forward({name: value[rows] for name, value in contexts.inputs().items()}).numpy())
        return np.concatenate(parts)[:count]

    def seen(self, contexts: Contexts) -> Contexts:
        """Return the windows as the recipe's network reads them: without dates if it has no calendar."""
        if self.recipe.options.calendar:
            return contexts
        return replace(contexts, phase=np.full_like(contexts.phase, -1))

    def averaged_weights(self) -> Weights:
        """Return the network's weights, the trainable ones averaged."""
        means = {one.path: mean for one, mean in zip(self.network.trainable_variables, self.averages, strict=True)}
        return [np.asarray(means.get(one.path, one.value)) for one in self.network.weights]

    @contextmanager
    def averaged(self) -> Iterator[keras.Model]:
        """Yield the network with its averaged weights; its own are restored afterwards."""
        own = self.network.get_weights()
        self.network.set_weights(self.averaged_weights())
        try:
            yield self.network
        finally:
            self.network.set_weights(own)

    def _compile(self) -> tuple[Any, Any]:
        """Return two compiled functions: the gradient of a part of a batch, and the step with the gradients of all parts."""
        variables, averages, optimizer = self.network.trainable_variables, self.averages, self.optimizer
        owners = [self.layers.index(layer_of(one)) for one in variables]
        levels, clip_norm, count = self.recipe.options.quantile_levels, self.recipe.clip_norm, len(self.layers)

        @tf.function(jit_compile=self.recipe.jit_compile, reduce_retracing=True, autograph=False)
        def gradient(inputs: Any, targets: Any, share: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = share * scaled_pinball(self.network(inputs, training=True), targets, levels)
            return loss, tape.gradient(loss, [one.value for one in variables])

        @tf.function(jit_compile=self.recipe.jit_compile, reduce_retracing=True, autograph=False)
        def update(losses: Any, parts: Any, rate: Any, keep: Any) -> Any:
            gradients = [tf.add_n(one) for one in zip(*parts, strict=True)]
            squares = [tf.reduce_sum(tf.square(one)) for one in gradients]
            sums = [tf.add_n([s for s, o in zip(squares, owners, strict=True) if o == k]) for k in range(count)]
            if clip_norm:
                scale = tf.minimum(1.0, clip_norm / tf.maximum(tf.sqrt(tf.add_n(squares)), 1e-12))
                gradients = [one * scale for one in gradients]
            optimizer.learning_rate.assign(rate)
            optimizer.apply(gradients, variables)
            for mean, one in zip(averages, variables, strict=True):
                mean.assign(keep * mean + (1.0 - keep) * one.value)
            return tf.add_n(losses), tf.sqrt(tf.stack(sums))

        return gradient, update


def forward_batch(count: int) -> int:
    """Return the windows in one forward pass over so many: a power of two, so that few passes are compiled."""
    return min(FORWARD_BATCH, 1 << max(count - 1, 0).bit_length())


def split_batch(size: int) -> list[slice]:
    """Return equal parts of a batch; a batch that is small or cannot be split equally is one part."""
    count = PARTS if size % PARTS == 0 and size // PARTS >= FEWEST_IN_PART else 1
    return [slice(at, at + size // count) for at in range(0, size, size // count)]


CACHED = 6
"""Networks whose compiled steps are kept: of three architectures, for two lengths of history."""


def learner_for(recipe: Recipe) -> Learner:
    """Return a learner of a recipe; call `restart` before using it.

    Recipes that differ in transform or calendar alone share a network and its compiled steps, so only one is used at a time.
    """
    options = recipe.options
    if options.context_length == 1:
        return _compiled(recipe)
    shared = replace(recipe, options=replace(options, transform="log", calendar=True))
    return _compiled(shared).sharing(recipe)


@lru_cache(maxsize=CACHED)
def _compiled(recipe: Recipe) -> Learner:
    """Return the learner of a recipe, from the cache if possible."""
    learner = Learner(recipe)
    return learner if recipe.options.context_length == 1 else learner.switchable()
