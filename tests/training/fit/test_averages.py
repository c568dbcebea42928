"""Good members are averaged; fewer, only where origins that were not looked at say so too."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.training.fakes import make_validation
from training.fit import auto
from training.fit.auto import choose_average
from training.fit.validation import Validation


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
    losses = {auto.good: 1.0, auto.best: 0.996}
    monkeypatch.setattr(auto, "cross_fitted_loss", lambda weigh, _validations: losses[weigh])

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
