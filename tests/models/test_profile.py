import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import ks_2samp

from models.errors import ArtifactIncomplete
from models.profile import Array, Profile, features


def make_contexts(seed: int, batch: int = 400, noise: float = 1.0) -> Array:
    """Return contexts of five years of months, shape (batch, 60), with a season and levels of their own."""
    random = np.random.default_rng(seed)
    season = 10 * np.sin(np.arange(60) * np.pi / 6)
    return np.asarray(random.normal(20, 5, (batch, 1)) + season + random.normal(0, noise, (batch, 60)))


def test_features_say_level_scale_gaps_and_season() -> None:
    """Known numbers on known contexts."""
    contexts = np.array([[np.nan, 1, 3, 1, 3, 1, 3], [2, np.nan, 2, np.nan, 2, 2, 2], [0, 1, 2, 3, 4, 5, 6]])

    got = features(contexts, 2)

    assert_allclose(got["level"], [2, 2, 3])
    assert_allclose(got["scale"], [0, 0, 2])
    assert_allclose(got["gap_share"], [0, 2 / 7, 0])
    assert_allclose(got["season_strength"][:2], [1, 0])


def test_padding_on_the_left_is_no_gap() -> None:
    """A short series has no gaps for being short."""
    contexts = np.array([[np.nan, np.nan, 1.0, np.nan, 2.0]])

    assert_allclose(features(contexts, 12)["gap_share"], [1 / 3])


def test_season_strength_tells_season_from_noise() -> None:
    """Near one where the season is all, near zero where noise is."""
    assert features(make_contexts(0, noise=0.1), 12)["season_strength"].min() > 0.99
    assert features(make_contexts(0, noise=1000), 12)["season_strength"].mean() < 0.3


def test_a_season_seen_once_has_no_strength() -> None:
    """Nor has a frequency without seasons."""
    assert np.isnan(features(make_contexts(0), 48)["season_strength"]).all()
    assert np.isnan(features(make_contexts(0), 1)["season_strength"]).all()


@given(
    arrays(float, array_shapes(min_dims=2, max_dims=2, max_side=30), elements=st.floats(width=64)), st.integers(1, 24)
)
def test_any_context_has_features(contexts: Array, season_length: int) -> None:
    """Nothing but NaN, one value, or the largest float64: four numbers a context and no warning."""
    got = features(np.where(np.isinf(contexts), np.nan, contexts), season_length)

    assert {values.shape for values in got.values()} == {(len(contexts),)}
    assert Profile.fit(got).drift(got).keys() == got.keys()


def test_features_do_not_depend_on_batch_mates() -> None:
    """A context has the same features alone as in a batch."""
    contexts = make_contexts(1, batch=5)

    for name, values in features(contexts, 12).items():
        assert_array_equal(values[2:3], features(contexts[2:3], 12)[name])


def test_nothing_drifts_from_itself() -> None:
    """The training inputs against their own profile: zero."""
    training = features(make_contexts(0), 12)

    assert all(abs(index) < 1e-12 for index in Profile.fit(training).drift(training).values())


def test_more_of_the_same_hardly_drifts() -> None:
    """Other draws of the same process stay far below what another process does."""
    profile = Profile.fit(features(make_contexts(0), 12))

    same = profile.drift(features(make_contexts(1), 12))

    assert max(same.values()) < 0.1


def test_a_change_of_units_drifts() -> None:
    """Fahrenheit sent to a model of Celsius shows in level and scale, not in gaps or season."""
    profile = Profile.fit(features(make_contexts(0), 12))

    drift = profile.drift(features(make_contexts(1) * 1.8 + 32, 12))

    assert min(drift["level"], drift["scale"]) > 1
    assert max(drift["gap_share"], drift["season_strength"]) < 0.1


def test_gaps_drift() -> None:
    """A sensor that fails shows where training knew no gaps."""
    contexts = make_contexts(1)
    contexts[:, 20:40] = np.nan

    drift = Profile.fit(features(make_contexts(0), 12)).drift(features(contexts, 12))

    assert drift["gap_share"] > 1


def test_one_input_raises_no_alarm() -> None:
    """A single forecast is not a distribution, even if training was narrow."""
    profile = Profile.fit(features(make_contexts(0), 12))

    drift = profile.drift(features(make_contexts(1, batch=1), 12))

    assert drift["level"] < 0.25


def test_a_profile_survives_spec_json() -> None:
    """To JSON and back, edge for edge."""
    profile = Profile.fit(features(make_contexts(0), 12))

    read = Profile.from_dict(json.loads(json.dumps(profile.to_dict(), allow_nan=False)))

    assert read == profile


def test_an_empty_profile_knows_no_drift() -> None:
    """A model without a profile answers nothing rather than something wrong."""
    assert Profile.from_dict({}).drift(features(make_contexts(0), 12)) == {}


@pytest.mark.parametrize(
    "data",
    [{"level": {}}, {"level": {"edges": [1], "shares": [1.0]}}, {"level": 5}, {"level": {"edges": "x", "shares": []}}],
)
def test_a_broken_profile_is_refused(data: dict[str, object]) -> None:
    """A damaged artifact is ARTIFACT_INCOMPLETE, not a crash."""
    with pytest.raises(ArtifactIncomplete):
        Profile.from_dict(data)


def test_the_distance_is_that_of_kolmogorov_and_smirnov() -> None:
    """Never more than SciPy's, which sees between the edges too, and nearly as much where all of a feature moved."""
    training, live = features(make_contexts(0), 12), features(make_contexts(1) + 15, 12)

    got = Profile.fit(training).distance(live)

    exact = {name: ks_2samp(training[name], live[name]).statistic for name in got}
    assert all(got[name] <= exact[name] + 1e-12 for name in got)
    assert exact["level"] > 0.8
    assert_allclose(got["level"], exact["level"], atol=0.1)


def test_nothing_is_at_a_distance_from_itself() -> None:
    """The training inputs against their own profile, and what has no value against anything."""
    training = features(make_contexts(0), 12)
    profile = Profile.fit(training)

    assert all(distance < 1e-12 for distance in profile.distance(training).values())
    assert np.isnan(profile.distance({"level": np.full(5, np.nan)})["level"])
    assert profile.distance({"strange": np.ones(5)}) == {}


def test_a_profile_counts_its_inputs() -> None:
    """What a test needs to know of the training's side; one written before says 256."""
    data = Profile.fit(features(make_contexts(0, batch=70), 12)).to_dict()

    assert Profile.from_dict(data).inputs == 70
    assert (
        Profile.from_dict({name: {"edges": one["edges"], "shares": one["shares"]} for name, one in data.items()}).inputs
        == 256
    )
