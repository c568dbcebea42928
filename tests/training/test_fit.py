import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from models import artifact
from models.errors import DataInvalid, LossNotFinite
from models.series import Series
from training import fit
from training.candidate import Candidate, EpochRecord, TrainingSet
from training.config import FitConfig
from training.fit import gradient_warnings, learning_rate, train_candidate

HORIZON, CONTEXT = 6, 36

ARCHITECTURE_OF = {
    "one_to_one": "simple_rnn",
    "one_to_many": "gru",
    "many_to_many": "lstm",
    "many_to_many_equal": "wavenet",
}
"""Each sequence shape is trained, and each architecture."""

CONFIG = FitConfig(
    units=8,
    layers=1,
    dilations=(1, 2, 4, 8),
    context_length=CONTEXT,
    encoder_length=24,
    transform="none",
    batch_size=16,
    max_steps=4,
    steps_per_epoch=2,
)


def make_series(seed: int, length: int = 60) -> Series:
    """Return months of a mild climate."""
    season = 5 * np.sin(np.arange(length) * np.pi / 6)
    noise = np.random.default_rng(seed).normal(0.0, 0.5, length)
    return Series.make(12 + season + noise, id=str(seed), start="1990-01", frequency="M")


def make_set(horizon: int = HORIZON) -> TrainingSet:
    """Return three series to train on, one of them short."""
    return TrainingSet([make_series(0), make_series(1), make_series(2, 9)], "M", horizon, "digest")


@dataclass(frozen=True, slots=True)
class Trained:
    """A candidate and the epochs that were seen while it was trained."""

    candidate: Candidate
    watched: list[EpochRecord]


class Trainings:
    """Candidates trained once for all tests."""

    def __init__(self, directory: Path) -> None:
        """Keep their artifacts in a directory."""
        self.directory = directory
        self.of = cache(self._train)

    def _train(self, shape: str, attempt: int = 0) -> Trained:
        watched: list[EpochRecord] = []
        candidate = train_candidate(
            make_set(1 if shape == "one_to_one" else HORIZON),
            architecture=ARCHITECTURE_OF[shape],
            name="temperatures",
            seed=3,
            config=replace(CONFIG, shape=shape),
            directory=self.directory / f"{shape}-{attempt}",
            on_epoch=watched.append,
        )
        return Trained(candidate, watched)


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    """Return the trainings, each done when it is first asked for."""
    return Trainings(tmp_path_factory.mktemp("trainings"))


@pytest.fixture
def eager() -> Iterator[None]:
    """Run optimizer steps without compiling them, which for a handful takes longer than they do."""
    tf.config.run_functions_eagerly(run_eagerly=True)
    yield
    tf.config.run_functions_eagerly(run_eagerly=False)


def make_run(seed: int = 0, architecture: str = "wavenet", **changes: Any) -> fit._Run:  # noqa: ANN401 - any field of FitConfig
    """Return a training that has not begun."""
    config = replace(CONFIG, **changes)
    options = fit.network_options(make_set(), architecture, config)
    fit._seed(seed)
    return fit._Run(options, fit._dataset(make_set(), options, config), config, seed, time.perf_counter())


def weights_of(candidate: Candidate) -> list[NDArray[Any]]:
    """Return the weights in a candidate's network.keras."""
    weights: list[NDArray[Any]] = keras.models.load_model(candidate.directory / artifact.WEIGHTS).get_weights()
    return weights


@pytest.mark.parametrize("shape", ARCHITECTURE_OF)
def test_every_sequence_shape_is_trained(trainings: Trainings, shape: str) -> None:
    """What is on disk loads, says what it is, and forecasts its horizon and further."""
    candidate = trainings.of(shape).candidate

    forecaster = artifact.load(candidate.directory)
    (forecast,) = forecaster.forecast([make_series(7)], 8, levels=(80, 95))

    one_in, horizon = shape.startswith("one_to"), 1 if shape == "one_to_one" else HORIZON
    spec = forecaster.spec
    assert (spec.architecture, spec.shape) == (ARCHITECTURE_OF[shape], shape)
    assert (spec.context_length, spec.horizon) == (1 if one_in else CONTEXT, horizon)
    assert forecast.median.shape == (8,)
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=1) >= 0).all()
    assert np.abs(forecast.median - 12).max() < 20


@pytest.mark.parametrize("shape", ARCHITECTURE_OF)
def test_the_served_network_is_the_trained_one(trainings: Trainings, shape: str) -> None:
    """network.onnx and network.keras in the same folder answer alike."""
    candidate = trainings.of(shape).candidate
    contexts = artifact.golden_contexts(candidate.forecaster.spec)

    network = keras.models.load_model(candidate.directory / artifact.WEIGHTS)

    expected = np.asarray(network([contexts.context, contexts.phase]))
    assert_allclose(candidate.forecaster.quantiles(contexts), expected, rtol=1e-4, atol=1e-3)


def test_every_epoch_is_seen_as_it_happens(trainings: Trainings) -> None:
    """Counted from one, with a loss, an error on the validation origins and a norm for each layer."""
    trained = trainings.of("many_to_many")

    assert list(trained.candidate.history) == trained.watched
    assert [(one.epoch, one.step) for one in trained.watched] == [(1, 2), (2, 4)]
    for one in trained.watched:
        assert one.loss > 0
        assert one.validation_mase > 0
        assert {"input_projection", "recurrent_1", "quantile_head"} <= set(one.gradient_norms)
        assert all(norm >= 0 for norm in one.gradient_norms.values())


def test_a_spec_tells_what_was_trained_on(trainings: Trainings) -> None:
    """Range, counts, digest, seed, packages, and what the network remembers, as shares."""
    spec = trainings.of("many_to_many").candidate.forecaster.spec

    assert (spec.trained_from, spec.trained_to) == ("1990-01-01T00:00:00.000000", "1994-12-01T00:00:00.000000")
    assert (spec.series_count, spec.observation_count) == (3, 129)
    assert (spec.data_digest, spec.seed, spec.name) == ("digest", 3, "temperatures")
    assert {"keras", "tensorflow", "onnxruntime"} <= set(spec.packages)
    assert len(spec.memory) == CONTEXT
    assert_allclose(sum(spec.memory), 1.0, atol=1e-4)
    assert spec.profile


def test_a_candidate_is_judged_on_its_validation_origins(trainings: Trainings) -> None:
    """The figures stand in the spec too, and its intervals are calibrated on the same origins."""
    candidate = trainings.of("many_to_many").candidate

    assert {"mase", "smape", "coverage_80"} <= set(candidate.validation)
    assert candidate.forecaster.spec.validation == candidate.validation
    assert candidate.validation["mase"] > 0
    assert len(candidate.forecaster.spec.conformal["offsets"]) == HORIZON
    assert candidate.train_seconds > 0


def test_a_candidate_keeps_what_it_forecast_on_the_validation_origins(trainings: Trainings) -> None:
    """The raw forecasts that its figures and offsets come from, of the same origins whatever the network."""
    recurrent, convolutional = (trainings.of(shape).candidate for shape in ("many_to_many", "many_to_many_equal"))
    first, second = recurrent.forecasts, convolutional.forecasts

    assert first is not None
    assert second is not None
    assert first.quantiles.shape == (*first.targets.shape, len(first.levels))
    assert_allclose(
        np.nanmean(np.abs(first.targets - first.median) / first.scales[:, None]), recurrent.validation["mase"]
    )
    assert_array_equal(first.rows, second.rows)
    assert_array_equal(first.cutoffs, second.cutoffs)
    assert_array_equal(first.targets, second.targets)
    assert (first.quantiles != second.quantiles).any()


def test_the_same_seed_and_data_train_the_same_weights(trainings: Trainings) -> None:
    """To the last bit, through choosing, fitting and settling."""
    first, again = (trainings.of("many_to_many", attempt).candidate for attempt in (0, 1))

    for one, two in zip(weights_of(first), weights_of(again), strict=True):
        assert_array_equal(one, two)
    assert first.validation == again.validation
    golden = [(one.directory / artifact.GOLDEN).read_bytes() for one in (first, again)]
    assert golden[0] == golden[1]


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("architecture", ["simple_rnn", "wavenet"])
def test_a_loss_that_is_not_finite_ends_the_training(architecture: str) -> None:
    """With the step, the rate and that nothing was clipped, and what to do about it."""
    run = make_run(architecture=architecture, learning_rate=1e30, clip_norm=0.0)

    with pytest.raises(LossNotFinite, match=r"at step [1-4]: .*learning rate 1e\+30, gradients not clipped") as caught:
        run.learn(None)

    assert "learning_rate" in caught.value.hint
    assert "clip_norm" in caught.value.hint


def update_of(clip_norm: float) -> tuple[float, float]:
    """Return how far one step of plain gradient descent moves the weights, and the norm of its gradient."""
    run = make_run()
    layers = run.layers
    descent = keras.optimizers.SGD(1.0)
    step = fit._compiled_step(run.network, descent, clip_norm, run.options.quantile_levels, layers)
    before = [one.numpy() for one in run.network.trainable_variables]
    batch = run.dataset.draw(np.random.default_rng(0), 16)
    _, norms = step(batch.contexts.inputs(), batch.targets, tf.constant(1.0))
    moved = [one.numpy() - old for one, old in zip(run.network.trainable_variables, before, strict=True)]
    return float(np.sqrt(sum(np.square(one).sum() for one in moved))), float(np.linalg.norm(norms.numpy()))


@pytest.mark.usefixtures("eager")
def test_clipping_bounds_the_update() -> None:
    """The weights move by the clipped norm and no further; the norms that are watched are those before clipping."""
    moved, norm = update_of(1e-3)

    assert norm > 1e-2
    assert_allclose(moved, 1e-3, rtol=1e-3)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("clip_norm", [0.0, 1e6])
def test_without_clipping_the_whole_gradient_moves(clip_norm: float) -> None:
    """A norm of 0 turns clipping off, and one that is not reached changes nothing."""
    moved, norm = update_of(clip_norm)

    assert_allclose(moved, norm, rtol=1e-3)


def scripted(monkeypatch: pytest.MonkeyPatch, errors: list[float]) -> None:
    """Let the validation errors of a training be these, in turn."""
    script = iter(errors)
    monkeypatch.setattr(fit, "mean_scaled_error", lambda *_: next(script))


@pytest.mark.usefixtures("eager")
def test_early_stopping_keeps_the_best_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many epochs without a better one it stops, and the weights are those of the best."""
    scripted(monkeypatch, [0.9, 0.5, 0.7, 0.6, 0.1])
    run = make_run(max_steps=10, steps_per_epoch=2, patience=2)
    seen: list[list[NDArray[Any]]] = []

    history = run.learn(lambda _: seen.append(run.network.get_weights()))

    assert [one.validation_mase for one in history] == [0.9, 0.5, 0.7, 0.6]
    for kept, best, last in zip(run.network.get_weights(), seen[1], seen[3], strict=True):
        assert_array_equal(kept, best)
        assert kept.size == 0 or not np.array_equal(best, last)


@pytest.mark.usefixtures("eager")
def test_a_training_ends_when_its_steps_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A last epoch that is shorter than the others is taken as well."""
    scripted(monkeypatch, [0.9, 0.8, 0.7])

    history = make_run(max_steps=3, steps_per_epoch=2).learn(None)

    assert [one.step for one in history] == [2, 3]


@pytest.mark.usefixtures("eager")
def test_a_training_ends_when_its_time_does() -> None:
    """Having begun long ago, it takes one epoch, no more, and says that the clock ended it."""
    run = make_run(max_seconds=1e-9, max_steps=4, steps_per_epoch=2)

    history = run.learn(None)

    assert [one.step for one in history] == [2]
    assert "max_seconds" in run.time_warnings(history)[0]


def test_the_validation_error_is_the_mase_of_the_median() -> None:
    """Absolute errors over each origin's own seasonal scale, unknown targets left out."""
    run = make_run()
    batch, scales = run.dataset.origins(5)
    batch.targets[0, 0, :2] = np.nan

    found = fit.mean_scaled_error(run.network, batch, scales)

    outputs = run.network([batch.contexts.context, batch.contexts.phase])
    median = np.asarray(outputs["quantiles"])[:, -1, :, 4]
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


def epoch(number: int, **norms: float) -> EpochRecord:
    """Return an epoch with these gradient norms."""
    return EpochRecord(number, number, 1.0, 1.0, norms, 0.0)


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


def test_gradients_of_ordinary_size_are_not_spoken_of() -> None:
    """A sound training has no warnings."""
    assert gradient_warnings([epoch(1, recurrent_1=1e-4, decoder=10.0)]) == []
    assert gradient_warnings([]) == []


@dataclass
class TrialRun:
    """A training whose best error depends on the transform alone."""

    options: Any
    dataset: Any
    config: Any
    seed: int
    started: float
    log_error = 0.5

    @property
    def best(self) -> Any:  # noqa: ANN401 - stands for the weights met
        """Return the error that the transform leads to."""
        return fit._Weights(self.log_error if self.options.transform == "log" else 1.0, 1, [])

    def learn(self, *_: object) -> None:
        """Take no time."""


@pytest.mark.parametrize(("log_error", "chosen"), [(0.5, "log"), (0.9999, "none"), (1.5, "none")])
def test_a_logarithm_must_show_its_gain(monkeypatch: pytest.MonkeyPatch, log_error: float, chosen: str) -> None:
    """On the validation origins, in a short trial of both."""
    monkeypatch.setattr(fit, "_Run", TrialRun)
    monkeypatch.setattr(TrialRun, "log_error", log_error)

    assert choice(make_set(), transform="auto") == chosen


def choice(training_set: TrainingSet, **changes: Any) -> str:  # noqa: ANN401 - any field of FitConfig
    """Return the transform that a training would choose."""
    config = replace(CONFIG, **changes)
    options = fit.network_options(training_set, "gru", config)
    return fit._choose_transform(
        training_set, options, fit._dataset(training_set, options, config), config, seed=0, started=time.perf_counter()
    )


def test_degrees_celsius_are_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a value is not positive there is nothing to try; and what is asked for is not tried either."""
    monkeypatch.setattr(fit, "_Run", None)
    frost = replace(make_set(), series=[make_series(0) + -12.0])

    assert choice(frost, transform="auto") == "none"
    assert choice(make_set(), transform="log") == "log"
    assert choice(make_set(), transform="none") == "none"


@pytest.mark.parametrize("series", [[], [make_series(0, 5)]], ids=["none", "too short"])
def test_nothing_to_learn_from_is_refused(series: list[Series], tmp_path: Path) -> None:
    """Before anything is built or written."""
    with pytest.raises(DataInvalid):
        train_candidate(
            TrainingSet(series, "M", HORIZON, ""),
            architecture="lstm",
            name="n",
            seed=0,
            config=replace(CONFIG, context_length=None, encoder_length=None),
            directory=tmp_path / "model",
            on_epoch=lambda _: None,
        )

    assert not (tmp_path / "model").exists()
