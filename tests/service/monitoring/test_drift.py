"""Drift: the newest inputs beside the training's, with SciPy as oracle."""

import math
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scipy.stats import ks_2samp

from models.profile import Profile, features
from models.series import Series
from service.monitoring.drift import MIN_INPUTS, WINDOW, FeatureDrift, RecentInputs
from service.selector import LoadedModel


def make_contexts(seed: int, batch: int, level: float = 10.0) -> Any:  # noqa: ANN401 (an array of floats)
    """Return contexts of five years of months around a level, shape (batch, 60)."""
    return np.random.default_rng(seed).normal(level, 2.0, (batch, 60))


def make_served(version: str = "1", profile: Any = None) -> LoadedModel:  # noqa: ANN401 (a profile as data)
    """Return a version whose spec says what drift reads of it."""
    trained = Profile.fit(features(make_contexts(0, 256), 12)).to_dict()
    spec = SimpleNamespace(context_length=60, season_length=12, profile=trained if profile is None else profile)
    forecaster = cast("Any", SimpleNamespace(spec=spec))
    return LoadedModel("temperatures", version, None, forecaster, datetime(2026, 1, 1, tzinfo=UTC))


def see(inputs: RecentInputs, served: LoadedModel, contexts: Any) -> None:  # noqa: ANN401 (an array of floats)
    """Let a version be asked about these."""
    inputs.record(served, [Series.make(values) for values in contexts])


def test_a_shift_says_how_far_and_how_likely() -> None:
    """RecentInputs like the training's stay likely, others do not, and both statistics tell them apart."""
    same, other = make_served("1"), make_served("2")
    inputs = RecentInputs()
    see(inputs, same, make_contexts(1, 300))
    see(inputs, other, make_contexts(1, 300, level=11.0))

    shifts = {served.version: found["level"] for served, found in inputs.drifts([same, other])}

    assert shifts["1"].index < 0.25 < shifts["2"].index
    assert shifts["1"].distance < 0.15
    assert shifts["2"].distance > 0.5
    assert shifts["1"].p_value() > 0.01
    assert shifts["2"].p_value() < 1e-6
    assert (shifts["1"].inputs, shifts["1"].trained) == (300, 256)


def test_the_p_value_is_scipys() -> None:
    """The asymptotic one of the two-sample test, of the same distance."""
    trained, seen = np.random.default_rng(0).normal(size=256), np.random.default_rng(1).normal(0.1, 1, 300)
    exact = ks_2samp(trained, seen, method="asymp")

    found = FeatureDrift(0.0, float(exact.statistic), 300, 256).p_value()

    assert found == pytest.approx(exact.pvalue, rel=0.1)
    assert math.isnan(FeatureDrift(0.0, math.nan, 300, 256).p_value())
    assert FeatureDrift(0.0, 0.0, 300, 256).p_value() == 1


def test_no_shift_without_enough_inputs_or_a_profile() -> None:
    """Nor with a profile that cannot be read: drift never breaks the page of metrics."""
    few, bare, broken = make_served("1"), make_served("2", {}), make_served("3", {"level": {"edges": [1.0]}})
    inputs = RecentInputs()
    see(inputs, few, make_contexts(1, MIN_INPUTS - 1))
    see(inputs, bare, make_contexts(1, MIN_INPUTS))
    see(inputs, broken, make_contexts(1, MIN_INPUTS))

    assert list(inputs.drifts([few, bare, broken])) == []


def test_inputs_are_bounded_and_forgotten_with_their_version() -> None:
    """A window of the newest; a version that is champion no more starts from nothing when it comes back."""
    served = make_served()
    inputs = RecentInputs()
    see(inputs, served, make_contexts(1, WINDOW + 50))

    kept = [found["level"].inputs for _, found in inputs.drifts([served])]
    list(inputs.drifts([]))

    assert kept == [WINDOW]
    assert list(inputs.drifts([served])) == []


def test_scipy_stays_off_the_servers_start_path() -> None:
    """It takes a second to import, and only a p-value needs it."""
    code = "import sys, service.app; sys.exit(any(name.split('.')[0] == 'scipy' for name in sys.modules))"

    result = subprocess.run([sys.executable, "-c", code], check=False)  # noqa: S603 (our own line)

    assert result.returncode == 0
