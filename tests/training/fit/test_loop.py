"""A network goes through a schedule of steps, is looked at after every epoch, and stops where a loss is not finite."""

import time
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.errors import LossNotFinite
from models.networks.build import NetworkOptions
from models.networks.learner import Learner, Recipe
from models.series import Series
from training.config.fit import FitConfig
from training.data.window_sampling import Dataset, make_dataset
from training.fit import loop
from training.fit.candidate import EpochRecord
from training.fit.loop import (
    Clock,
    TrainingSchedule,
    Trial,
    gradient_warnings,
    learning_rate,
    mean_scaled_error,
    run_trial,
    train_on_all,
)

CONFIG = FitConfig(batch_size=8, steps_per_epoch=2)
OPTIONS = NetworkOptions("simple_rnn", 6, 12, 25, 5, units=4, layers=1)


def make_learner(clip_norm: float = 1.0) -> Learner:
    """Return a small network that has not learned."""
    learner = Learner(Recipe(OPTIONS, clip_norm, 1e-4))
    learner.restart(0)
    return learner


def make_data() -> Dataset:
    """Return two series of months."""
    generator = np.random.default_rng(0)
    series = [
        Series.make(12 + 5 * np.sin(np.arange(60) * np.pi / 6) + generator.normal(0.0, 0.5, 60), id=name)
        for name in "ab"
    ]
    return make_dataset(series, context_length=25, season_length=12, horizon=6)


def make_schedule(taken: tuple[int, int] = (0, 0), **changes: Any) -> TrainingSchedule:  # noqa: ANN401 - any field of FitConfig
    """Return a schedule without a callback."""
    config = replace(CONFIG, **changes)
    return TrainingSchedule(config, np.random.default_rng(0), None, Clock(time.perf_counter(), 60.0), taken)


@pytest.mark.usefixtures("eager")
def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    """With the step, the rate and that nothing was clipped, and what to do about it."""
    learner, schedule = make_learner(clip_norm=0.0), make_schedule(learning_rate=10.0, clip_norm=0.0)
    learner.network.set_weights([1e30 * one for one in learner.network.get_weights()])

    with pytest.raises(LossNotFinite, match=r"at step [1-4]: .*learning rate 10, gradients not clipped") as caught:
        run_trial(learner, make_data(), schedule, steps=4)

    assert "learning_rate" in caught.value.hint
    assert "clip_norm" in caught.value.hint


@pytest.mark.usefixtures("eager")
def test_a_trial_is_judged_by_its_averaged_weights() -> None:
    """Its error is that of the weights that it keeps, and it takes a last epoch that is shorter than the others."""
    learner, data = make_learner(), make_data()

    trial = run_trial(learner, data, make_schedule(taken=(10, 4)), steps=3)

    learner.network.set_weights(trial.weights)
    assert [(one.epoch, one.step, one.stage) for one in trial.history] == [
        (5, 12, "none, 3 steps"),
        (6, 13, "none, 3 steps"),
    ]
    batch, scales = data.origins()
    undated = replace(batch.contexts, phase=np.full_like(batch.contexts.phase, -1))
    assert_allclose(trial.error, mean_scaled_error(learner, batch, scales))
    assert_allclose(trial.undated_error, mean_scaled_error(learner, replace(batch, contexts=undated), scales))


@pytest.mark.parametrize(
    ("seconds", "steps"),
    [
        ((10, 12, 14, 16, 18), 10),  # the first epoch compiles
        ((10, 12, 20, 28, 36), 8),  # the machine becomes slower: 8 s an epoch, and 30 in all
        ((40, 42, 44, 46, 48), 2),  # there is no time left after the first
        ((10, 12, 60, 62, 64), 6),
    ],
)
def test_a_schedule_ends_with_its_time_on_a_machine_that_becomes_slower(
    monkeypatch: pytest.MonkeyPatch, seconds: Sequence[float], steps: int
) -> None:
    """It takes as many steps as there is time for; without a share it takes all."""
    monkeypatch.setattr(loop, "take_steps", lambda *_, total, **_others: (total, {}))
    monkeypatch.setattr(loop, "mixed", lambda *_: None)
    learner: Any = SimpleNamespace(
        recipe=Recipe(OPTIONS, 1.0, 1e-4), network=SimpleNamespace(set_weights=print), averaged_weights=list
    )

    def history(share: float | None) -> list[EpochRecord]:
        clock: Any = SimpleNamespace(spent=iter([0, *seconds]).__next__, left=lambda: 30.0)
        return train_on_all(learner, make_data(), replace(make_schedule(), clock=clock, share=share), 10)

    assert history(1.0)[-1].stage_step == steps
    assert history(None)[-1].stage_step == 10


@pytest.mark.usefixtures("eager")
def test_the_last_training_holds_nothing_out() -> None:
    """There is no validation error, and the network ends with its averaged weights."""
    learner = make_learner()

    history = train_on_all(learner, make_data().whole(), make_schedule(), 3)

    assert [one.step for one in history] == [2, 3]
    assert all(np.isnan(one.validation_mase) for one in history)
    for one, mean in zip(learner.network.trainable_variables, learner.averages, strict=True):
        assert_allclose(one.numpy(), mean.numpy())


def test_the_pace_of_a_trial_leaves_compiling_out() -> None:
    """The first epoch, in which a step is compiled, counts only where there is no other."""
    slow_start = (epoch(1, seconds=30.0), epoch(2, seconds=32.0), epoch(3, seconds=34.0))

    assert Trial(OPTIONS, 3, 1.0, 1.0, [], slow_start, 0.0, 34.0).steps_per_second == pytest.approx(0.5)
    assert Trial(OPTIONS, 1, 1.0, 1.0, [], slow_start[:1], 0.0, 30.0).steps_per_second == pytest.approx(1 / 30)


@pytest.mark.usefixtures("eager")
def test_the_validation_error_is_the_mase_of_the_median() -> None:
    """Absolute errors over each origin's own seasonal scale, unknown targets left out."""
    learner = make_learner()
    batch, scales = make_data().origins(5)
    batch.targets[0, 0, :2] = np.nan

    found = mean_scaled_error(learner, batch, scales)

    median = np.asarray(learner.network([batch.contexts.context, batch.contexts.phase])["quantiles"])[:, -1, :, 4]
    each = np.abs(batch.targets[:, -1] - median) / scales[:, None]
    assert_allclose(found, np.mean([row[np.isfinite(row)].mean() for row in each]))


def test_the_rate_rises_then_falls() -> None:
    """From next to nothing to the peak in the first steps, and to a hundredth of it at the last."""
    rates = [learning_rate(step, 1000, 3e-3) for step in range(1000)]

    top = int(np.argmax(rates))
    assert_allclose(max(rates), 3e-3)
    assert top < 200
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top + 1 :]) < 0).all()
    assert rates[0] < 3e-4
    assert_allclose(rates[-1], 3e-5, rtol=0.01)
    assert learning_rate(0, 1, 3e-3) == 3e-3


def epoch(number: int, seconds: float = 0.0, **norms: float) -> EpochRecord:
    """Return an epoch with these gradient norms."""
    return EpochRecord(number, number, 1.0, 1.0, norms, seconds)


def test_a_layer_whose_gradient_vanishes_or_explodes_is_named() -> None:
    """Once for each kind, with the epoch it was first met in."""
    history = [
        epoch(1, recurrent_1=0.1, decoder=0.2),
        epoch(2, recurrent_1=1e-8, decoder=0.2),
        epoch(3, recurrent_1=1e-9, decoder=5e4),
    ]

    vanished, exploded = gradient_warnings(history)

    assert "recurrent_1 vanished" in vanished
    assert "epoch 2" in vanished
    assert "decoder exploded" in exploded
    assert "epoch 3" in exploded


def test_the_first_step_of_a_schedule_alone_tells_nothing() -> None:
    """A decoder that begins at zero lets no gradient through to what lies before it, once."""
    first = [replace(epoch(step, recurrent_1=0.0), stage=f"none, {step} steps") for step in (1, 2)]

    assert gradient_warnings(first) == []
    assert gradient_warnings([*first, replace(first[-1], step=3)])


def test_gradients_of_ordinary_size_are_not_spoken_of() -> None:
    """A sound training has no warnings."""
    assert gradient_warnings([epoch(1, recurrent_1=1e-4, decoder=10.0)]) == []
    assert gradient_warnings([]) == []
