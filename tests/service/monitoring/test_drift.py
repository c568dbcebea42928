"""Drift of the newest inputs; SciPy is the reference of the p-value."""

import math
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scipy.stats import ks_2samp

from models.profile import Profile, features
from models.series import Series
from service.monitoring.drift import MIN_INPUTS, FeatureDrift, RecentInputs
from service.monitoring.recent_input import WINDOW
from service.selector import LoadedModel


def make_contexts(seed: int, batch: int, level: float = 10.0) -> Any:  # noqa: ANN401 (an array of floats)
    """Return contexts of five years of months around a level, shape (batch, 60)."""
    return np.random.default_rng(seed).normal(level, 2.0, (batch, 60))


def make_served(version: str = "1", profile: Any = None) -> LoadedModel:  # noqa: ANN401 (a profile as data)
    """Return a version with what drift reads of its spec."""
    trained = Profile.fit(features(make_contexts(0, 256), 12)).to_dict()
    spec = SimpleNamespace(
        context_length=60, season_length=12, horizon=12, profile=trained if profile is None else profile
    )
    forecaster = cast("Any", SimpleNamespace(spec=spec))
    return LoadedModel("temperatures", version, None, forecaster, datetime(2026, 1, 1, tzinfo=UTC))


def record(inputs: RecentInputs, served: LoadedModel, contexts: Any) -> None:  # noqa: ANN401 (an array of floats)
    """Record contexts as inputs of a version."""
    inputs.record(served, [Series.make(values) for values in contexts])


def test_both_statistics_tell_drifted_inputs_from_others() -> None:
    """Inputs like those of the training have a large p-value, others a small one."""
    same, other = make_served("1"), make_served("2")
    inputs = RecentInputs()
    record(inputs, same, make_contexts(1, 300))
    record(inputs, other, make_contexts(1, 300, level=11.0))

    drifts = {served.version: found["level"] for served, found in inputs.drifts([same, other])}

    assert drifts["1"].index < 0.25 < drifts["2"].index
    assert drifts["1"].distance < 0.15
    assert drifts["2"].distance > 0.5
    assert drifts["1"].p_value() > 0.01
    assert drifts["2"].p_value() < 1e-6
    assert (drifts["1"].inputs, drifts["1"].training_inputs) == (300, 256)


def test_the_p_value_is_that_of_scipy() -> None:
    """The asymptotic p-value of the two-sample test with the same distance."""
    trained, seen = np.random.default_rng(0).normal(size=256), np.random.default_rng(1).normal(0.1, 1, 300)
    exact = ks_2samp(trained, seen, method="asymp")

    found = FeatureDrift(0.0, float(exact.statistic), 300, 256).p_value()

    assert found == pytest.approx(exact.pvalue, rel=0.1)
    assert math.isnan(FeatureDrift(0.0, math.nan, 300, 256).p_value())
    assert FeatureDrift(0.0, 0.0, 300, 256).p_value() == 1


def test_no_drift_without_enough_inputs_or_a_readable_profile() -> None:
    """A broken profile does not break /metrics."""
    few, bare, broken = make_served("1"), make_served("2", {}), make_served("3", {"level": {"edges": [1.0]}})
    inputs = RecentInputs()
    record(inputs, few, make_contexts(1, MIN_INPUTS - 1))
    record(inputs, bare, make_contexts(1, MIN_INPUTS))
    record(inputs, broken, make_contexts(1, MIN_INPUTS))

    assert list(inputs.drifts([few, bare, broken])) == []


def test_an_input_that_is_sent_again_counts_once() -> None:
    """Polling does not replace the inputs of other series."""
    served = make_served()
    inputs = RecentInputs()
    record(inputs, served, make_contexts(1, MIN_INPUTS))
    polled = make_contexts(2, 1)
    for _ in range(120):
        record(inputs, served, polled)

    ((_, found),) = inputs.drifts([served])

    assert found["level"].inputs == MIN_INPUTS + 1


def test_several_processes_find_the_drift_of_all_inputs() -> None:
    """As one process that received all of them; an input that several received counts once."""
    served, contexts = make_served(), make_contexts(1, 300)
    alone, other = RecentInputs(), RecentInputs()
    record(alone, served, contexts)
    record(other, served, contexts[50:])
    own = RecentInputs(lambda: [other.publish([served]), RecentInputs().publish([served])])
    record(own, served, contexts[:60])

    ((_, expected),) = alone.drifts([served])
    ((_, found),) = own.drifts([served])

    assert found == expected
    assert found["level"].inputs == 300


def test_the_newest_inputs_of_the_champions_are_stored() -> None:
    """At most WINDOW of them; those of a version that is no longer champion are dropped."""
    served = make_served()
    inputs = RecentInputs()
    record(inputs, served, make_contexts(1, WINDOW + 50))

    kept = [found["level"].inputs for _, found in inputs.drifts([served])]
    list(inputs.drifts([]))

    assert kept == [WINDOW]
    assert list(inputs.drifts([served])) == []
