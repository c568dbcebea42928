import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models import artifact
from models.covariates import CovariateNames
from models.errors import TrainingError
from models.spec import ModelOptions
from tests.artifacts import make_artifact, make_blended
from tests.training.fakes import combine_graphs, make_series, make_validation
from training.fit.candidate import Candidate
from training.fit.ensemble import make_ensemble
from training.fit.ensemble_weights import EnsembleWeights
from training.fit.validation import evaluate


def make_candidate(folder: Path, *, shift: float = 0.0, context_length: int = 60, **changes: object) -> Candidate:
    """Return a trained seasonal naive that is `shift` off the truth."""
    make_artifact(folder, shift=shift, context_length=context_length)
    forecaster = artifact.update_spec(folder, **changes)
    forecasts = make_validation(shift=shift)
    figures, _ = evaluate(forecasts)
    return Candidate(folder, forecaster, (), figures, 1.5, (), forecasts)


@pytest.fixture
def candidates(tmp_path: Path) -> dict[str, Candidate]:
    """Return one too low and one too high by as much, of different contexts and transforms."""
    return {
        "lstm/3": make_candidate(tmp_path / "a", shift=-1.0, seed=3, options=ModelOptions(units=64)),
        "wavenet/4": make_candidate(
            tmp_path / "b", shift=1.0, context_length=36, seed=4, architecture="wavenet", transform="log"
        ),
    }


def test_what_is_at_rest_is_one_model(candidates: dict[str, Candidate], tmp_path: Path) -> None:
    """One graph, one specification, one forecast: the mean of its members', here the seasonal naive itself."""
    whole = make_ensemble(candidates, tmp_path / "whole", combine_graphs)

    (found,) = artifact.load(tmp_path / "whole").forecast([make_series(length=80)], 12)
    (truth,) = artifact.load(make_artifact(tmp_path / "naive")).forecast([make_series(length=80)], 12)
    assert_allclose(found.median, truth.median)
    assert {path.name for path in whole.directory.iterdir()} == {
        "network.onnx",
        "network.keras",
        "spec.json",
        "golden.json",
    }


def test_the_specification_tells_its_members(candidates: dict[str, Candidate], tmp_path: Path) -> None:
    """Who they are, what each weighs, and the lengths of the longest."""
    spec = make_ensemble(candidates, tmp_path / "whole", combine_graphs).forecaster.spec

    assert (spec.architecture, spec.transform, spec.context_length) == ("ensemble", "mixed", 60)
    assert (spec.receptive_field, spec.seed) == (60, 3)
    assert spec.options.combination == "equal"
    first, second = spec.options.members
    assert first.options == ModelOptions(units=64)
    assert (first.name, first.architecture, first.seed, first.weight) == ("lstm/3", "lstm", 3, 0.5)
    assert (second.transform, second.context_length) == ("log", 36)
    assert second.validation_mase == 1.0
    assert len(spec.memory) == 60
    assert_allclose(sum(spec.memory), 1.0, atol=1e-6)
    assert_allclose(spec.memory[0], 0.5 / 60 + 0.5 / 36, rtol=1e-6)


def test_its_intervals_are_calibrated_on_its_own_forecasts(candidates: dict[str, Candidate], tmp_path: Path) -> None:
    """Neither member's offsets, but those of the mean, which is off by nothing."""
    whole = make_ensemble(candidates, tmp_path / "whole", combine_graphs)

    figures, conformal = evaluate(make_validation(shift=0.0))
    assert whole.forecaster.spec.conformal == conformal.to_dict()
    assert whole.validation["mase"] == pytest.approx(figures["mase"])
    assert whole.validation["mase"] < min(one.validation["mase"] for one in candidates.values())
    assert whole.validation["spread"] == pytest.approx(1.0)


def test_its_time_is_that_of_all_candidates(candidates: dict[str, Candidate], tmp_path: Path) -> None:
    """The time of an ensemble is that of every network that was trained for it."""
    whole = make_ensemble(candidates, tmp_path / "whole", combine_graphs)

    assert 3.0 < whole.train_seconds < 60.0


def test_weights_once_chosen_are_kept(candidates: dict[str, Candidate], tmp_path: Path) -> None:
    """Trained again on all data, the members count as they did."""
    mixture = EnsembleWeights("greedy", {"lstm/3": 0.25, "wavenet/4": 0.75}, {})

    whole = make_ensemble(candidates, tmp_path / "whole", combine_graphs, mixture)

    assert whole.ensemble_weights == mixture
    assert [one.weight for one in whole.forecaster.spec.options.members] == [0.25, 0.75]


@pytest.mark.parametrize("mixture", [EnsembleWeights("greedy", {"wavenet/4": 1.0}, {}), None], ids=["kept", "chosen"])
def test_weights_that_leave_one_member_are_that_member(
    candidates: dict[str, Candidate], tmp_path: Path, mixture: EnsembleWeights | None
) -> None:
    """It can be trained again by its own architecture; no architecture is called ensemble."""
    candidates["lstm/3"] = replace(candidates["lstm/3"], forecasts=make_validation(shift=50.0))

    whole = make_ensemble(candidates, tmp_path / "whole", combine_graphs, mixture)

    assert list(whole.members) == ["wavenet/4"]
    assert whole.forecaster.spec.architecture == "wavenet"
    assert whole.directory == candidates["wavenet/4"].directory


def test_a_candidate_without_validation_forecasts_is_refused(tmp_path: Path) -> None:
    """Nothing says what it would add."""
    candidate = make_candidate(tmp_path / "a")
    mute = Candidate(candidate.directory, candidate.forecaster, (), {}, 1.0)

    with pytest.raises(TrainingError, match="lstm/1"):
        make_ensemble({"lstm/0": candidate, "lstm/1": mute}, tmp_path / "whole", combine_graphs)


def test_covariates_are_those_of_the_members_that_read_any(tmp_path: Path) -> None:
    """Also where the member of the longest context, a starter, reads none: the whole forecasts with them."""
    names = CovariateNames(("traffic",))
    starter = make_candidate(tmp_path / "starter", context_length=60)
    make_artifact(tmp_path / "lstm", context_length=36, names=names)
    lstm = replace(starter, directory=tmp_path / "lstm", forecaster=artifact.load(tmp_path / "lstm"))

    whole = make_ensemble({"starter": starter, "lstm": lstm}, tmp_path / "whole", combine_graphs)

    history = replace(make_series(length=80), past_covariates={"traffic": np.full(80, 4.0)})
    (found,) = whole.forecaster.forecast([history], 12)
    (plain,) = starter.forecaster.forecast([make_series(length=80)], 12)
    assert (whole.forecaster.spec.covariates, whole.forecaster.spec.context_length) == (names, 60)
    assert_allclose(found.median, plain.median + 2.0)


@pytest.fixture
def blended(tmp_path: Path) -> dict[str, Candidate]:
    """Return two starters that are blended, one tuned, and a network with a covariate."""
    shifts = {"starter": 0.0, "starter_tuned": 2.0, "lstm": -1.0}
    made = {name: make_candidate(tmp_path / name, shift=shift) for name, shift in shifts.items()}
    for name, one in made.items():
        if name == "lstm":
            make_artifact(one.directory, shift=-1.0, context_length=36, names=CovariateNames(("traffic",)))
        else:
            make_blended(one.directory, shift=10.0)
            make_artifact(one.directory / "tuned", shift=shifts[name])
            for file in (artifact.NETWORK, artifact.GOLDEN):
                shutil.copyfile(one.directory / "tuned" / file, one.directory / file)
        made[name] = replace(one, forecaster=artifact.load(one.directory))
    return made


@pytest.mark.parametrize(
    "weights", [{"starter": 0.2, "starter_tuned": 0.3, "lstm": 0.5}, {"starter": 0.6, "starter_tuned": 0.4}]
)
def test_blended_members_stay_blended(blended: dict[str, Candidate], tmp_path: Path, weights: dict[str, float]) -> None:
    """The forecast is the mean of theirs, each with its part; covariates count for those that read them."""
    whole = make_ensemble(blended, tmp_path / "whole", combine_graphs, EnsembleWeights("equal", weights, {}))

    history = replace(make_series(length=80), past_covariates={"traffic": np.full(80, 4.0)})
    found = artifact.load(whole.directory).forecast([history.reading(whole.forecaster.names)], 12)[0]
    members = [blended[name].forecaster for name in weights]
    each = [one.forecast([history.reading(one.names)], 12)[0].median for one in members]
    assert_allclose(found.median, np.average(each, axis=0, weights=list(weights.values())))
    assert whole.forecaster.spec.conformal == whole.forecaster.parts[0].spec.conformal != {}


def test_members_of_different_blends_are_refused(blended: dict[str, Candidate], tmp_path: Path) -> None:
    """No one model forecasts as both."""
    make_blended(tmp_path / "other", weight=0.9)
    blended["starter"] = replace(
        blended["starter"], directory=tmp_path / "other", forecaster=artifact.load(tmp_path / "other")
    )

    weights = EnsembleWeights("equal", {"starter": 0.5, "starter_tuned": 0.5}, {})
    with pytest.raises(TrainingError, match="different starters"):
        make_ensemble(blended, tmp_path / "whole", combine_graphs, weights)
