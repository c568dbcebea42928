from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from models import artifact
from models.covariates import CovariateNames
from models.errors import DataInvalid
from models.series import Series
from tests.training.fakes import make_request
from training.config.fit import FitConfig
from training.fit import network
from training.fit.candidate import ALL_DATA, Candidate, EpochRecord, TrainingSet
from training.fit.network import train_candidate

HORIZON, CONTEXT = 3, 25

ARCHITECTURE_OF = {
    "one_to_one": "simple_rnn",
    "one_to_many": "gru",
    "many_to_many": "lstm",
    "many_to_many_equal": "wavenet",
}
"""Each sequence shape is trained, and each architecture."""

CONFIG = FitConfig(
    max_seconds=86_400,  # never cut by the clock of a busy machine
    units=4,
    layers=1,
    dilations=(1, 2, 4, 8),
    context_length=CONTEXT,
    encoder_length=13,
    transform="none",
    calendar=True,
    synthetic_share=0.0,
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


def make_informed(seed: int, ahead: int = HORIZON) -> Series:
    """Return months beside a covariate known up to the last of them, and one known some months further."""
    steps = np.arange(60 + ahead, dtype=np.float64)
    return replace(
        make_series(seed), past_covariates={"a": steps[:60], "b": steps[:60]}, future_covariates={"b": steps[60:]}
    )


INFORMED = TrainingSet(
    [make_informed(0), make_informed(1)], "M", HORIZON, "digest", CovariateNames(("a",), ("b", "holidays_DE"), ("DE",))
)
"""What the network with a single value of history is trained on."""


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
        training_set = INFORMED if shape == "one_to_many" else make_set(1 if shape == "one_to_one" else HORIZON)
        candidate = train_candidate(
            make_request(
                self.directory / f"{shape}-{attempt}",
                training_set,
                architecture=ARCHITECTURE_OF[shape],
                config=replace(CONFIG, shape=shape),
                on_epoch=watched.append,
            )
        )
        return Trained(candidate, watched)


@pytest.fixture(scope="module")
def trainings(tmp_path_factory: pytest.TempPathFactory) -> Trainings:
    """Return the trainings, each done when it is first asked for."""
    return Trainings(tmp_path_factory.mktemp("trainings"))


def weights_of(candidate: Candidate) -> list[NDArray[Any]]:
    """Return the weights in a candidate's network.keras."""
    weights: list[NDArray[Any]] = keras.models.load_model(candidate.directory / artifact.WEIGHTS).get_weights()
    return weights


@pytest.mark.prove
def test_a_network_for_which_there_is_no_time_is_usable(tmp_path: Path) -> None:
    """It takes one step and one on all data, forecasts about as well as the season before, and a warning says that it was cut."""
    hurried = replace(CONFIG, max_steps=900, steps_per_epoch=50, max_seconds=1e-3)

    candidate = train_candidate(make_request(tmp_path / "lstm", make_set(), config=hurried))

    assert [one.step for one in candidate.history] == [1, 2]
    assert candidate.validation["mase"] < 1.2
    assert "schedules of 1 steps" in candidate.warnings[-1]


@pytest.mark.parametrize("shape", ARCHITECTURE_OF)
def test_every_sequence_shape_is_trained(trainings: Trainings, shape: str) -> None:
    """What is on disk loads, says what it is, and forecasts its horizon and further."""
    candidate = trainings.of(shape).candidate

    forecaster = artifact.load(candidate.directory)
    served = make_informed(7, ahead=8) if shape == "one_to_many" else make_series(7)
    (forecast,) = forecaster.forecast([served], 8, levels=(80, 95))

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

    expected = np.asarray(network(list(contexts.inputs().values())))
    assert_allclose(candidate.forecaster.quantiles(contexts), expected, rtol=1e-4, atol=1e-3)


def test_every_epoch_is_seen_as_it_happens(trainings: Trainings) -> None:
    """Counted from one through all stages, with a loss, an error while something is held out, a norm for each layer."""
    trained = trainings.of("many_to_many")

    stages = [one.stage for one in trained.watched]
    assert list(trained.candidate.history) == trained.watched
    assert [one.epoch for one in trained.watched] == list(range(1, len(stages) + 1))
    assert (np.diff([one.step for one in trained.watched]) > 0).all()
    assert stages[0] == "none, 1 steps"
    assert stages[-1] == ALL_DATA
    for one in trained.watched:
        assert one.loss > 0
        assert (one.validation_mase > 0) == (one.stage != ALL_DATA)
        assert {"input_projection", "recurrent_1", "quantile_head"} <= set(one.gradient_norms)
        assert all(norm >= 0 for norm in one.gradient_norms.values())


def test_a_spec_tells_what_was_trained_on(trainings: Trainings) -> None:
    """Range, counts, digest, seed, packages, and what the network remembers, as shares."""
    spec = trainings.of("many_to_many").candidate.forecaster.spec

    assert (spec.trained_from, spec.trained_to) == ("1990-01-01T00:00:00.000000", "1994-12-01T00:00:00.000000")
    assert (spec.series_count, spec.observation_count) == (3, 129)
    assert (spec.data_digest, spec.seed, spec.name) == ("digest", 3, "sales")
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
    """To the last bit, through choosing and learning, also where the second meets a step that is compiled."""
    first, again = (trainings.of("one_to_one", attempt).candidate for attempt in (0, 1))

    for one, two in zip(weights_of(first), weights_of(again), strict=True):
        assert_array_equal(one, two)
    assert first.validation == again.validation
    golden = [(one.directory / artifact.GOLDEN).read_bytes() for one in (first, again)]
    assert golden[0] == golden[1]


@pytest.mark.prove
def test_a_share_of_synthetic_windows_changes_the_weights_and_is_in_the_spec(
    trainings: Trainings, tmp_path: Path
) -> None:
    """In all schedules, the last one too; the stage of a trial names the share. tests/training/fit/test_selection.py tries both."""
    half = replace(CONFIG, synthetic_share=0.5)

    mixed = train_candidate(make_request(tmp_path, make_set(), config=half))

    plain = trainings.of("many_to_many").candidate
    assert [one.forecaster.spec.options.synthetic_share for one in (plain, mixed)] == [0.0, 0.5]
    assert any((one != two).any() for one, two in zip(weights_of(mixed), weights_of(plain), strict=True))
    assert "none, 50% synthetic, 4 steps" in {one.stage for one in mixed.history}


def transforms(training_set: TrainingSet, asked: str) -> tuple[str, ...]:
    """Return the transforms that a training would try."""
    config = replace(CONFIG, transform=asked)
    found = network.with_transforms(network.network_options(training_set, "gru", config), training_set, config)
    return tuple(one.transform for one in found)


def test_degrees_celsius_are_not_logged() -> None:
    """Where a value is not positive there is nothing to try; and what is asked for is not tried either."""
    frost = replace(make_set(), series=[make_series(0) + -12.0])

    assert transforms(make_set(), "auto") == ("none", "log")
    assert transforms(frost, "auto") == ("none",)
    assert transforms(make_set(), "log") == ("log",)
    assert transforms(make_set(), "none") == ("none",)


def test_the_pace_is_told_from_the_validation_errors(trainings: Trainings) -> None:
    """Seconds to come within 2 % of the chosen error were taken before the training was over."""
    candidate = trainings.of("many_to_many").candidate

    assert set(candidate.pace) <= {"seconds_to_seasonal_naive", "seconds_to_within_2_percent"}
    assert 0 < candidate.pace["seconds_to_within_2_percent"] < candidate.train_seconds


@pytest.mark.parametrize("series", [[], [make_series(0, 5)]], ids=["none", "too short"])
def test_nothing_to_learn_from_is_refused(series: list[Series], tmp_path: Path) -> None:
    """Before anything is built or written."""
    with pytest.raises(DataInvalid):
        train_candidate(
            make_request(
                tmp_path / "model",
                TrainingSet(series, "M", HORIZON, ""),
                config=replace(CONFIG, context_length=None, encoder_length=None),
            )
        )

    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("shape", ["one_to_one", "one_to_many"])
@pytest.mark.parametrize("architecture", ["lstm", "wavenet"])
def test_one_value_is_context_enough_for_its_shapes(architecture: str, shape: str) -> None:
    """Monthly data have a season of twelve, and yet no dilation has to see it."""
    training_set = TrainingSet([make_series(0)], "M", 1 if shape == "one_to_one" else HORIZON, "digest")

    options = network.network_options(training_set, architecture, replace(CONFIG, shape=shape))

    assert (options.shape, options.context_length, options.encoder_length) == (shape, 1, 1)


def test_covariates_go_with_a_single_value_of_history(trainings: Trainings) -> None:
    """Compiled, exported and served; tests/models/networks/test_covariates.py has the other shapes."""
    candidate = trainings.of("one_to_many").candidate

    assert candidate.forecaster.spec.covariates == INFORMED.covariates
    assert "covariate_effects" in candidate.history[0].gradient_norms
    scales = dict(zip(("mean", "deviation"), _covariate_scales(candidate), strict=True))
    assert_allclose(scales["mean"][:2], np.arange(60).mean(), rtol=0.2)


def _covariate_scales(candidate: Candidate) -> list[NDArray[Any]]:
    """Return the mean and deviation of each covariate that a candidate has taken from its training set."""
    network = keras.models.load_model(candidate.directory / artifact.WEIGHTS)
    return [np.ravel(one) for one in network.get_layer("normalize_covariates").get_weights()]
