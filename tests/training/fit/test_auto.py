"""Auto makes its members, each within its share of the time, and joins those that validation chooses."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models import artifact
from models.errors import TrainingError
from models.spec import ModelOptions
from tests.training.fakes import combine_graphs, make_fit, make_request, make_validation, recording
from training.config.fit import FitConfig
from training.fit import ensemble_weights
from training.fit.auto import MEMBERS, TIME_FACTOR, beside_starter, best_average, choose_average, make_auto, near_best
from training.fit.candidate import Candidate, EpochRecord
from training.fit.ensemble_weights import EnsembleWeights
from training.fit.request import Fit, FitRequest
from training.fit.validation import Validation

APART = {"lstm": 1.0, "wavenet": -1.0, "starter_tuned": 9.0, "starter": 9.0}
"""What members err by: two balance each other, the starters are far off."""


def auto(
    directory: Path,
    fit: Fit,
    chosen: EnsembleWeights | None = None,
    **changes: Any,  # noqa: ANN401 - any field of the request
) -> Candidate:
    """Return what comes of a monthly series."""
    request = make_request(directory / "auto", architecture="auto", **changes)
    return make_auto(request, fit=fit, combine=combine_graphs, chosen=chosen)


def test_members_become_one_candidate(tmp_path: Path) -> None:
    """An ensemble's artifact with the members that validation chose, and every epoch of all."""
    found = auto(tmp_path, make_fit(shifts=APART, validation=APART))

    spec = artifact.load(found.directory).spec
    assert spec.architecture == "ensemble"
    assert [one.name for one in spec.options.members] == list(found.members) == ["lstm", "wavenet"]
    assert found.ensemble_weights is not None
    assert found.ensemble_weights.weights == {"lstm": 0.5, "wavenet": 0.5}
    assert found.forecasts is not None


def test_epochs_count_on_from_member_to_member(tmp_path: Path) -> None:
    """Each says whose it is, so that a person sees what is being trained."""
    seen: list[EpochRecord] = []

    found = auto(tmp_path, make_fit(validation=APART), on_epoch=seen.append)

    assert [one.epoch for one in seen] == list(range(1, 2 * len(MEMBERS) + 1))
    assert [one.step for one in seen] == [10, 20, 30, 40, 50, 60, 70, 80]
    assert [one.stage.partition(":")[0] for one in seen[::2]] == list(MEMBERS)
    assert list(found.history) == seen


def test_members_share_the_time(tmp_path: Path) -> None:
    """Each gets no more than it would alone, and all together no more than about two; the seed is everyone's."""
    asked: list[FitRequest] = []

    found = auto(tmp_path, recording(make_fit(validation=APART), asked))

    seconds = [one.config.max_seconds for one in asked]
    assert [one.architecture for one in asked] == list(MEMBERS)
    assert {one.seed for one in asked} == {3}
    assert max(seconds) <= 240.0
    assert 0.3 * TIME_FACTOR * 240 < seconds[0] < 0.4 * TIME_FACTOR * 240
    assert 0 < found.train_seconds < 60


def test_members_for_which_no_time_is_left_are_left_out(tmp_path: Path) -> None:
    """But for the starter, which is not fitted: it is good however slow the machine is."""
    found = auto(tmp_path, make_fit(validation=APART), config=FitConfig(max_seconds=1e-6))

    assert {*found.members} <= {"lstm", "starter"}
    assert [text.partition(" is left out")[0] for text in found.warnings[:2]] == ["wavenet", "starter_tuned"]


def test_a_single_member_keeps_its_own_artifact(tmp_path: Path) -> None:
    """Nothing is joined, and how it was chosen is known all the same."""
    alone = {"lstm": 0.1, "wavenet": 5.0, "starter_tuned": 5.0, "starter": 5.0}

    found = auto(tmp_path, make_fit(validation=alone))

    assert found.forecaster.spec.architecture == "lstm"
    assert (list(found.members), found.directory) == (["lstm"], found.members["lstm"].directory)
    assert found.ensemble_weights is not None
    assert found.ensemble_weights.weights == {"lstm": 1.0}


def test_a_member_that_fails_is_left_out(tmp_path: Path) -> None:
    """With a warning that says why."""
    found = auto(tmp_path, make_fit(validation=APART, failing=("starter_tuned",)))

    assert list(found.members) == ["lstm", "wavenet"]
    assert any(one.startswith("starter_tuned is left out: The loss became NaN") for one in found.warnings)


def test_without_a_member_there_is_nothing(tmp_path: Path) -> None:
    """The error has the causes of all."""
    with pytest.raises(TrainingError, match=r"No member could be made.*lstm is left out.*starter is left out"):
        auto(tmp_path, make_fit(failing=MEMBERS))


def test_where_nothing_can_be_validated_what_there_is_is_taken(tmp_path: Path) -> None:
    """The starter alone needs no data to learn from."""
    fit = make_fit(failing=("lstm", "wavenet", "starter_tuned"))

    def unvalidated(request: FitRequest) -> Candidate:
        return replace(fit(request), forecasts=None)

    assert list(auto(tmp_path, unvalidated).members) == ["starter"]


def test_a_tuned_starter_that_stayed_as_it_was_does_not_count_twice(tmp_path: Path) -> None:
    """Its weights would be the starter's, which is a member itself."""
    fit = make_fit(validation={"lstm": 1.0, "wavenet": 1.0, "starter_tuned": 1.01, "starter": 1.01})

    def untuned(request: FitRequest) -> Candidate:
        made = fit(request)
        if request.architecture != "starter_tuned":
            return made
        return replace(made, forecaster=artifact.update_spec(made.directory, options=ModelOptions(tuned_share=0.0)))

    assert list(auto(tmp_path, untuned).members) == ["lstm", "wavenet", "starter"]


def test_a_gain_that_is_not_clear_leaves_the_starter(tmp_path: Path) -> None:
    """It was not chosen on the validation origins; the others were."""
    found = auto(tmp_path, make_fit(validation={**dict.fromkeys(MEMBERS, 1.0), "starter": 1.004}))

    assert list(found.members) == ["starter"]


def make_noisy(lstm: float, wavenet: float, starter: float) -> dict[str, Validation]:
    """Return members that are off by noise of their own, all of them at the same time."""
    noise = {"lstm": lstm, "wavenet": wavenet, "starter": starter}
    found = {name: make_member(0.0, noise=one, seed=seed) for seed, (name, one) in enumerate(noise.items())}
    return {name: replace(one, times=one.cutoffs) for name, one in found.items()}


@pytest.mark.parametrize(
    ("noise", "weights"),
    [
        ((0.5, 0.5, 0.75), {"lstm": 1 / 3, "wavenet": 1 / 3, "starter": 1 / 3}),
        ((0.3, 0.3, 2.0), {"lstm": 1 / 2, "wavenet": 1 / 2}),
        ((0.3, 5.0, 0.3), {"lstm": 1 / 4, "starter": 3 / 4}),
        ((5.0, 5.0, 0.3), {"starter": 1.0}),
    ],
)
def test_the_starter_is_among_the_members(noise: tuple[float, ...], weights: Mapping[str, float]) -> None:
    """Also if it errs more than 5 % more, unless it does harm; a gain that one time alone shows is worth a small share."""
    members = make_noisy(*noise)

    assert beside_starter(choose_average(members), members).weights == pytest.approx(weights)


def test_another_shape_has_no_starters(tmp_path: Path) -> None:
    """They have the default shape alone."""
    asked: list[FitRequest] = []

    auto(tmp_path, recording(make_fit(), asked), config=FitConfig(shape="many_to_many_equal"))

    assert [one.architecture for one in asked] == ["lstm", "wavenet"]


def test_what_was_chosen_before_is_made_again(tmp_path: Path) -> None:
    """Only the members that count, with their weights, whatever validation says now."""
    asked: list[FitRequest] = []
    weights = EnsembleWeights("equal", {"starter": 0.5, "wavenet": 0.5}, {"best": 1.0})

    found = auto(tmp_path, recording(make_fit(validation=APART), asked), chosen=weights)

    assert [one.architecture for one in asked] == ["starter", "wavenet"]
    assert found.ensemble_weights == weights


def make_member(shift: float, *, noise: float = 0.0, seed: int = 0) -> Validation:
    """Return forecasts that are off by a shift, and by noise of their own."""
    plain = make_validation()
    own = noise * np.random.default_rng(100 + seed).normal(size=plain.targets.shape)
    return replace(plain, quantiles=plain.quantiles + shift + own[..., None])


def test_candidates_about_as_good_as_the_best_all_count_the_same() -> None:
    """Their errors are their own, so that the mean of all is best."""
    members = {name: make_member(0.0, noise=0.5, seed=seed) for seed, name in enumerate(("lstm", "wavenet", "starter"))}

    found = choose_average(members)

    assert found.combination == "equal"
    assert_allclose(list(found.weights.values()), 1 / 3)
    assert list(found.weights) == ["lstm", "wavenet", "starter"]


def test_one_that_falls_behind_is_left_out() -> None:
    """More than 5 % above the best one's loss."""
    members = {
        "lstm": make_member(0.0, noise=0.3),
        "wavenet": make_member(0.0, noise=0.3, seed=1),
        "starter": make_member(2.0),
    }

    found = choose_average(members)

    assert found.weights == {"lstm": 0.5, "wavenet": 0.5}


def test_bad_members_that_balance_each_other_are_taken_where_all_origins_agree() -> None:
    """One too low and one too high by as much: alone each is bad, and their mean is right."""
    members = {"lstm": make_member(0.9), "wavenet": make_member(-1.1), "starter": make_member(0.85)}

    found = choose_average(members)

    assert found.weights in ({"lstm": 0.5, "wavenet": 0.5}, {"wavenet": 0.5, "starter": 0.5})
    assert found.losses["best"] < found.losses["good"]


def test_a_gain_by_luck_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks better on all origins, but was not on those it had not been chosen on, stays out."""
    members = {"lstm": make_member(0.0, noise=0.5), "wavenet": make_member(0.0, noise=0.52, seed=1)}
    losses = {near_best: 1.0, best_average: 0.996}
    monkeypatch.setattr(ensemble_weights, "cross_fitted_loss", lambda rule, _validations: losses[rule])

    assert len(choose_average(members).weights) == 2


def test_a_single_candidate_may_be_the_whole() -> None:
    """Where the others only do harm."""
    members = {"lstm": make_member(0.0), "starter": make_member(2.0)}

    assert choose_average(members).weights == {"lstm": 1.0}


def test_the_loss_of_every_average_is_told() -> None:
    """Eleven averages and four alone, by their members' names, and what choosing either way came to."""
    names = ("lstm", "wavenet", "starter_tuned", "starter")
    members = {name: make_member(0.0, noise=0.5, seed=seed) for seed, name in enumerate(names)}

    losses = choose_average(members).losses

    assert len(losses) == 15 + 2
    assert {"good", "best", "lstm", "lstm+starter", "+".join(names)} <= set(losses)
    assert losses["+".join(names)] < losses["lstm"]
