"""A champion tuned on the data at hand: it goes on from what it knew, and keeps it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from models import artifact
from models.errors import TrainingError
from models.networks.ensemble import load_network
from models.networks.pretrained_weights import encoder_of, pretrained_weights
from tests.training.fakes import make_request, make_series
from training.config.fit import FitConfig, with_choices
from training.fit.candidate import Candidate, TrainingSet
from training.fit.candidate_files import ARTIFACT, save_candidate
from training.fit.network import train_candidate
from training.fit.warm_start import FLATTERED, tune_champion

CONFIG = FitConfig(
    max_seconds=86_400,
    units=4,
    layers=1,
    context_length=25,
    encoder_length=14,
    batch_size=8,
    max_steps=9,
    steps_per_epoch=2,
    transform="none",
    calendar=True,
    synthetic_share=0.0,
)


def make_set(horizon: int = 3, **changes: Any) -> TrainingSet:  # noqa: ANN401 - any field
    """Return two positive series."""
    series = [make_series("a", length=60), make_series("b", length=60, seed=1)]
    return replace(TrainingSet(series, "M", horizon, "digest"), **changes)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a GRU of four units at rest."""
    made = train_candidate(
        make_request(
            tmp_path_factory.mktemp("champion"), make_set(), architecture="gru", config=replace(CONFIG, steps=2)
        )
    )
    return save_candidate(made, tmp_path_factory.mktemp("rest"))


def warmed(training_set: TrainingSet, directory: Path, **config: Any) -> Candidate:  # noqa: ANN401 - any setting
    """Return a warm start."""
    return warmed_with(replace(CONFIG, **config), training_set, directory)


def warmed_with(config: FitConfig, training_set: TrainingSet, directory: Path) -> Candidate:
    """Return a warm start by a configuration."""
    return tune_champion(make_request(directory, training_set, architecture="warm_start", config=config))


def test_left_as_it_is_it_forecasts_as_before_it_saw_its_validation_origins(champion: Path, tmp_path: Path) -> None:
    """Without tuning nothing is lost or gained: the weights are those that its run kept, for any horizon."""
    made = warmed(make_set(5, start=champion), tmp_path / "made", tuned_share=0.0)

    spec = artifact.load(champion / ARTIFACT).spec
    with np.load(champion / "before.npz") as kept:
        before = [kept[f"weight_{at}"] for at in range(len(kept.files))]
    found = load_network(made.directory / artifact.WEIGHTS).get_weights()
    for one, two in zip(pretrained_weights(champion / ARTIFACT, spec, 5, before), found, strict=True):
        assert_array_equal(one, two)
    assert (made.forecaster.spec.horizon, made.forecaster.spec.architecture) == (5, "warm_start")
    assert encoder_of(made.forecaster.spec) == "gru"
    assert made.warnings == ()


@pytest.mark.prove
def test_tuned_it_moves_and_its_choices_train_it_again(champion: Path, tmp_path: Path) -> None:
    """A half or the whole of the tuned weights; never the champion unchanged, which would be no challenger."""
    training_set = make_set(start=champion)
    first = warmed(training_set, tmp_path / "first")
    chosen = with_choices(CONFIG, first.forecaster.spec)

    again = warmed_with(chosen, training_set, tmp_path / "again")

    weights = [load_network(one.directory / artifact.WEIGHTS).get_weights() for one in (first, again)]
    assert first.forecaster.spec.options.tuned_share in {0.5, 1.0}
    assert first.before is not None
    for one, two in zip(*weights, strict=True):
        assert_allclose(one, two, atol=1e-6)


@pytest.mark.prove
def test_a_warm_start_of_a_warm_start_knows_its_encoder(champion: Path, tmp_path: Path) -> None:
    """Generation after generation it is the same network; without kept weights its validation is said to be flattered."""
    first = warmed(make_set(start=champion), tmp_path / "first", steps=1)
    rest = save_candidate(first, tmp_path / "rest")
    (rest / "before.npz").unlink()

    second = warmed(make_set(start=rest), tmp_path / "second", steps=1)

    assert encoder_of(second.forecaster.spec) == "gru"
    assert FLATTERED in second.warnings


def test_without_a_champion_there_is_nothing_to_warm(tmp_path: Path) -> None:
    """The cause says what to do."""
    with pytest.raises(TrainingError, match="Train the name once without warm_start"):
        warmed(make_set(), tmp_path)
