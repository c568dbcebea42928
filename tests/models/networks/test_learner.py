"""A learner takes clipped steps, averages its weights, begins anew exactly, and is made once for like shapes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from models.networks.build import NetworkOptions, build
from models.networks.learner import Learner, Recipe, forward_batch, learner_for, split_batch
from models.networks.loss import scaled_pinball
from models.windows import Contexts

OPTIONS = NetworkOptions("simple_rnn", 3, 4, 12, 5, units=4, layers=1)
RATE = 0.01


@pytest.fixture(autouse=True)
def eager() -> Iterator[None]:
    """Run optimizer steps without compiling them, which for a handful takes longer than they do."""
    tf.config.run_functions_eagerly(run_eagerly=True)
    yield
    tf.config.run_functions_eagerly(run_eagerly=False)


def make_learner(clip_norm: float = 1.0, weight_decay: float = 0.0) -> Learner:
    """Return a learner that begins with the weights of seed 0."""
    learner = Learner(Recipe(OPTIONS, clip_norm, weight_decay))
    learner.restart(0)
    return learner


def make_windows(count: int = 6) -> tuple[Contexts, NDArray[np.float64]]:
    """Return contexts and what came after them, from one supervised step."""
    generator = np.random.default_rng(0)
    contexts = Contexts(generator.normal(20.0, 3.0, (count, 12)), np.full(count, -1, np.int32))
    return contexts, generator.normal(20.0, 3.0, (count, 1, 3))


def take(learner: Learner, steps: int, total: int = 100) -> list[list[NDArray[Any]]]:
    """Take some steps and return the weights after each."""
    seen = []
    for _ in range(steps):
        learner.step(*make_windows(), rate=RATE, total=total)
        seen.append(learner.network.get_weights())
    return seen


def update_of(clip_norm: float) -> tuple[float, float]:
    """Return how far one step of plain gradient descent moves the weights, and the norm of its gradient."""
    learner = make_learner(clip_norm)
    learner.optimizer = keras.optimizers.SGD(1.0)
    learner.optimizer.build(learner.network.trainable_variables)
    learner._gradient, learner._update = learner._compile()
    before = learner.network.get_weights()
    _, norms = learner.step(*make_windows(), rate=1.0, total=1)
    moved = [one - old for one, old in zip(learner.network.get_weights(), before, strict=True)]
    return float(np.sqrt(sum(np.square(one).sum() for one in moved))), float(np.linalg.norm(norms))


def test_clipping_bounds_the_update() -> None:
    """The weights move by the clipped norm and no further; the norms that are watched are those before clipping."""
    moved, norm = update_of(1e-3)

    assert norm > 1e-2
    assert_allclose(moved, 1e-3, rtol=1e-3)


@pytest.mark.parametrize("clip_norm", [0.0, 1e6])
def test_without_clipping_the_whole_gradient_moves(clip_norm: float) -> None:
    """A norm of 0 turns clipping off, and one that is not reached changes nothing."""
    moved, norm = update_of(clip_norm)

    assert_allclose(moved, norm, rtol=1e-3)


def test_a_learner_that_begins_anew_forgets_everything() -> None:
    """Weights, the optimizer's moments and the averages are those of a learner just made."""
    fresh, used = make_learner(), make_learner()
    take(used, 3)

    used.restart(0)

    for one, other in zip(take(used, 2)[-1], take(fresh, 2)[-1], strict=True):
        assert_array_equal(one, other)
    for one, other in zip(used.averaged_weights(), fresh.averaged_weights(), strict=True):
        assert_array_equal(one, other)


def test_the_average_looks_back_on_a_tenth_of_the_schedule() -> None:
    """Of 20 steps it weighs the newest half, the ones before less and less."""
    learner = make_learner()

    seen = take(learner, 3, total=20)

    expected = [0.5 * (0.5 * (one + two) + three) for one, two, three in zip(*seen, strict=True)]
    for found, mean in zip(learner.averaged_weights(), expected, strict=True):
        assert_allclose(found, mean, rtol=1e-5, atol=1e-7)


def test_averaged_weights_are_only_lent() -> None:
    """Within the block the network has them, afterwards its own."""
    learner = make_learner()
    own = take(learner, 3, total=100)[-1]

    with learner.averaged() as network:
        lent = network.get_weights()

    assert any(not np.array_equal(one, other) for one, other in zip(lent, own, strict=True))
    for one, other in zip(learner.network.get_weights(), own, strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("count", [1, 5, 300])
def test_forecasts_are_those_of_the_network(count: int) -> None:
    """From the newest step, in the series' units, however many windows there are."""
    learner = make_learner()
    contexts, _ = make_windows(count)

    found = learner.predict(contexts)

    expected = np.asarray(learner.network([contexts.context, contexts.phase])["quantiles"])[:, -1]
    assert_allclose(found, expected, rtol=1e-6)


def test_few_windows_are_not_forecast_as_many() -> None:
    """A pass is hardly larger than what is asked."""
    assert [forward_batch(count) for count in (1, 2, 24, 64, 65, 256, 257, 5000)] == [1, 2, 32, 64, 128, 256, 256, 256]


def test_an_lstm_is_written_out_for_xla_alone() -> None:
    """Without XLA it is one operation, which XLA could not compile."""
    options = replace(OPTIONS, architecture="lstm")
    layers = [Learner(Recipe(options, 1.0, 0.0, one)).network.get_layer("recurrent_1").for_xla for one in (True, False)]

    assert layers == [True, False]


def test_a_recipe_is_made_once() -> None:
    """A set of like shape meets the step that is compiled already; another shape does not."""
    network = learner_for(Recipe(OPTIONS, 1.0, 0.0)).network

    assert learner_for(Recipe(OPTIONS, 1.0, 0.0)).network is network
    assert learner_for(Recipe(OPTIONS, 2.0, 0.0)).network is not network


@pytest.mark.parametrize("changes", [{"transform": "log"}, {"calendar": False}])
def test_networks_that_differ_in_transform_or_calendar_share_their_steps(changes: dict[str, Any]) -> None:
    """Each forecasts as one that is built for it, however often the other is used in between."""
    contexts = make_windows(5)[0]
    contexts = replace(contexts, context=np.abs(contexts.context) + 1.0)
    recipes = [Recipe(OPTIONS, 1.0, 0.0), Recipe(replace(OPTIONS, **changes), 1.0, 0.0)]
    shared, alone = [learner_for(one) for one in recipes], [Learner(one) for one in recipes]
    for one in (*shared, *alone):
        one.restart(0)

    assert shared[0].network is shared[1].network
    for own, other in zip(shared, alone, strict=True):
        assert_allclose(own.predict(contexts), other.predict(contexts), rtol=1e-5)


def test_a_step_is_traced_once_for_sets_of_like_shape() -> None:
    """Other values, another seed and another number of series call for no second trace."""
    tf.config.run_functions_eagerly(run_eagerly=False)
    learner = Learner(Recipe(OPTIONS, 1.0, 0.0))

    for seed in range(2):
        learner.restart(seed)
        contexts, targets = make_windows()
        learner.step(
            Contexts(contexts.context + seed, contexts.phase), targets, rate=RATE / (seed + 1), total=10 + seed
        )

    assert learner._gradient.experimental_get_tracing_count() == 1
    assert learner._update.experimental_get_tracing_count() == 1


def test_a_batch_in_parts_is_one_batch() -> None:
    """The loss and the gradient's norms of a large batch are those of the whole, unknown targets here and there."""
    learner = make_learner()
    contexts, targets = make_windows(128)
    targets[:40, 0, 1:] = np.nan
    with tf.GradientTape() as tape:
        whole = scaled_pinball(learner.network(contexts.inputs(), training=True), targets, OPTIONS.quantile_levels)
    gradients = tape.gradient(whole, [one.value for one in learner.network.trainable_variables])

    loss, norms = learner.step(contexts, targets, rate=RATE, total=100)

    assert len(split_batch(128)) > 1
    assert_allclose(loss, float(whole), rtol=1e-5)
    assert_allclose(np.linalg.norm(norms), tf.linalg.global_norm(gradients), rtol=1e-4)


def test_a_batch_is_cut_into_equal_parts() -> None:
    """Two where each is large enough, else one; every window is in one of them."""
    assert [len(split_batch(size)) for size in (256, 100, 64, 65, 62, 6)] == [2, 2, 2, 1, 1, 1]
    for size in (256, 100, 6):
        cut = [np.arange(size)[part] for part in split_batch(size)]
        assert_array_equal(np.concatenate(cut), np.arange(size))
        assert len({len(one) for one in cut}) == 1


def test_the_served_weights_are_those_of_a_network_built_alike() -> None:
    """Supervised at every step or at the last, a network has the same weights in the same order."""
    equal = NetworkOptions("lstm", 2, 4, 12, 6, shape="many_to_many_equal", units=4, layers=1)
    learner = Learner(Recipe(equal, 1.0, 0.0))
    learner.restart(5)
    keras.utils.set_random_seed(5)

    plain = build(equal)

    for one, other in zip(learner.network.get_weights(), plain.get_weights(), strict=True):
        assert_array_equal(one, other)


def test_a_training_may_begin_from_given_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the running average, too, knows nothing of the seed's weights, for which no network is built."""
    learner = Learner(Recipe(OPTIONS, 1.0, 0.0))
    given = [one + 0.5 for one in learner.network.get_weights()]
    monkeypatch.setattr("models.networks.learner.build", None)

    learner.restart(0, given)

    for found, averaged, wanted in zip(learner.network.get_weights(), learner.averaged_weights(), given, strict=True):
        assert_array_equal(found, wanted)
        assert_array_equal(averaged, wanted)
