"""The starter is a candidate like any other, and tuning it must not make it forget."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from models import artifact, starters
from models.covariates import CovariateNames
from models.errors import DataInvalid
from models.networks.build import NetworkOptions
from models.networks.ensemble import load_network
from tests.training.fakes import make_request, make_series
from tests.training.starters import CONTEXT, HORIZON, make_starter
from training.config.fit import FitConfig, with_choices
from training.data.window_sampling import make_dataset
from training.fit import fine_tuning
from training.fit.candidate import Candidate, EpochRecord, TrainingSet
from training.fit.fine_tuning import Blend, choose_blend
from training.fit.loop import Clock, Trial
from training.fit.pace import Pace
from training.fit.selection import SelectionContext
from training.fit.starter import train_starter, tune_starter

CONFIG = FitConfig(max_seconds=86_400, batch_size=8, max_steps=9, steps_per_epoch=2)
"""Three steps of tuning at the most."""

OPTIONS = NetworkOptions("lstm", HORIZON, 12, CONTEXT, 12)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a monthly starter and a seasonless one."""
    root = tmp_path_factory.mktemp("starters")
    for kind in ("M", "Y"):
        make_starter(root, kind)
    return root


@pytest.fixture(scope="module", autouse=True)
def here(shipped: Path) -> Iterator[None]:
    """Take the starters of these tests for the shipped ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starters, "FOLDER", shipped)
        yield


def make_set(horizon: int = HORIZON, frequency: str = "M", **changes: Any) -> TrainingSet:  # noqa: ANN401 - any field
    """Return two positive series."""
    series = [make_series("a", length=60), make_series("b", length=60, seed=1)]
    return replace(TrainingSet(series, frequency, horizon, "digest"), **changes)


def tuned(directory: Path, config: FitConfig = CONFIG, *, seed: int = 3) -> Candidate:
    """Return a tuned starter."""
    request = make_request(directory, make_set(), architecture="starter_tuned", seed=seed, config=config)
    return tune_starter(request)


def take(directory: Path, training_set: TrainingSet) -> Candidate:
    """Return the starter as it is."""
    return train_starter(make_request(directory, training_set, architecture="starter", config=CONFIG))


def weights_of(folder: Path) -> list[NDArray[Any]]:
    """Return the weights in a folder's network.keras."""
    weights: list[NDArray[Any]] = load_network(folder / artifact.WEIGHTS).get_weights()
    return weights


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    """Return the monthly starter for a longer horizon than its own, of data with a covariate."""
    return take(tmp_path_factory.mktemp("taken"), make_set(14, covariates=CovariateNames(("traffic",))))


def assert_as_shipped(candidate: Candidate, shipped: Path) -> None:
    """Check that the steps that a starter was trained for are those of its own file."""
    contexts, shared = (
        artifact.golden_contexts(candidate.forecaster.spec),
        min(candidate.forecaster.spec.horizon, HORIZON),
    )
    assert_allclose(
        candidate.forecaster.quantiles(contexts)[:, :shared],
        artifact.load(shipped).quantiles(contexts)[:, :shared],
        rtol=1e-5,
        atol=1e-4,
    )


def test_the_starter_of_a_season_forecasts_as_shipped(taken: Candidate, shipped: Path) -> None:
    """Whatever the horizon; the season is the data's."""
    spec = artifact.load(taken.directory).spec
    assert (spec.name, spec.architecture, spec.horizon, spec.transform) == ("sales", "starter", 14, "none")
    assert (spec.frequency, spec.season_length, spec.options.seasons) == ("M", 12, (12,))
    assert_as_shipped(taken, shipped / "M")


def test_the_seasonless_starter_serves_a_frequency_without_its_own(shipped: Path, tmp_path: Path) -> None:
    """Quarters that end in December have the yearly one."""
    candidate = take(tmp_path, make_set(3, "Q-DEC"))

    spec = candidate.forecaster.spec
    assert (spec.horizon, spec.frequency, spec.season_length, spec.options.seasons) == (3, "Q-DEC", 4, (1,))
    assert_as_shipped(candidate, shipped / "Y")


def test_the_starter_is_judged_and_calibrated_on_the_data(taken: Candidate) -> None:
    """On the validation origins of every other network, without epochs, and without the covariates, which it never saw."""
    spec, forecasts = taken.forecaster.spec, taken.forecasts
    others = make_dataset(make_set().series, context_length=40, season_length=12, horizon=14)
    assert forecasts is not None
    assert_array_equal(forecasts.rows, others.rows)
    assert_array_equal(forecasts.cutoffs, others.cutoffs)
    assert taken.validation == spec.validation
    assert len(spec.conformal["offsets"]) == 14
    assert spec.options.nonnegative
    assert list(taken.history) == []
    assert not spec.covariates


@pytest.mark.prove
def test_half_the_tuned_weights_lie_between(shipped: Path, tmp_path: Path) -> None:
    """Of the same tuning a share of a half is the mean of the starter's weights and the tuned ones."""
    fixed = replace(CONFIG, steps=2, transform="none")

    whole = tuned(tmp_path / "whole", replace(fixed, tuned_share=1.0))
    half = tuned(tmp_path / "half", replace(fixed, tuned_share=0.5))

    before, after, between = (weights_of(one) for one in (shipped / "M", whole.directory, half.directory))
    assert [one.forecaster.spec.options.tuned_share for one in (whole, half)] == [1.0, 0.5]
    assert any((one != two).any() for one, two in zip(before, after, strict=True))
    for one, two, mean in zip(before, after, between, strict=True):
        assert_allclose(mean, (one + two) / 2, atol=1e-6)


def test_a_tuned_starter_is_one_of_its_ways(tmp_path: Path) -> None:
    """The starter, the tuned one or their mean, logged or not; what was chosen trains the same weights again."""
    first = tuned(tmp_path / "first")
    chosen = with_choices(CONFIG, first.forecaster.spec)

    again = tuned(tmp_path / "again", chosen)

    spec = first.forecaster.spec
    assert spec.architecture == "starter_tuned"
    assert spec.options.tuned_share in {0.0, 0.5, 1.0}
    assert spec.context_length == CONTEXT
    assert {one.stage.partition(",")[0] for one in first.history} >= {"none", "log"}
    for one, two in zip(weights_of(first.directory), weights_of(again.directory), strict=True):
        assert_array_equal(one, two)
    assert first.validation == again.validation


def test_a_starter_that_is_not_to_be_tuned_takes_no_step(shipped: Path, tmp_path: Path) -> None:
    """A share of 0 is the starter itself, and costs no epoch."""
    candidate = tuned(tmp_path, replace(CONFIG, tuned_share=0.0, transform="none"))

    assert list(candidate.history) == []
    assert candidate.forecaster.spec.options.steps is None
    for one, two in zip(weights_of(shipped / "M"), weights_of(tmp_path), strict=True):
        assert_array_equal(one, two)


def test_tuning_that_does_harm_is_not_taken(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate that ruins the weights leaves the starter as it was."""
    monkeypatch.setattr(fine_tuning, "TUNING_RATE", 1e3)

    candidate = tuned(tmp_path, replace(CONFIG, transform="none", steps=3))

    assert candidate.forecaster.spec.options.tuned_share == 0.0
    for one, two in zip(weights_of(shipped / "M"), weights_of(tmp_path), strict=True):
        assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("errors", "taken"),
    [((1.0, 0.999, 0.998), 0), ((1.0, 0.98, 0.979), 1), ((1.0, 0.98, 0.96), 2), ((1.0, 1.2, 0.99), 2)],
)
def test_a_bolder_way_must_gain_half_a_per_cent(errors: tuple[float, ...], taken: int) -> None:
    """On the one that was kept before it."""
    options = NetworkOptions("lstm", 1, 1, 2, 2)
    ways = [
        Blend(options, [], share, error, np.full(40, error), np.arange(40))
        for share, error in zip((0.0, 0.5, 1.0), errors, strict=True)
    ]

    assert choose_blend(ways) is ways[taken]


def test_a_gain_on_one_stretch_of_time_is_not_clear() -> None:
    """The original stays, unless it may not."""
    options, one = NetworkOptions("lstm", 1, 1, 2, 2), np.zeros(40, int)
    kept, tuned, bolder = (
        Blend(options, [], share, error, np.full(40, error), one) for share, error in ((0, 1.0), (0.5, 0.9), (1, 0.88))
    )

    assert choose_blend([kept, tuned]) is kept
    assert choose_blend([tuned, bolder]) is bolder


def test_tuning_is_slow() -> None:
    """From a third of the rate that a network begins with."""
    found = fine_tuning.tuning_config(FitConfig())

    assert_allclose(found.learning_rate, 9e-4)


@dataclass
class Script:
    """Stands for rungs: each transform reaches a written error in each schedule, at so many seconds a step."""

    errors: dict[tuple[str, int], float]
    pace: float = 1.0
    tried: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, options: NetworkOptions, steps: int, _desk: object, _told: object) -> fine_tuning.TunedTrial:
        """Return the rung that the script says."""
        self.tried.append((options.transform, steps))
        epochs = [EpochRecord(1, 1, 1.0, 1.0, {}, 0.0), EpochRecord(2, steps, 1.0, 1.0, {}, self.pace * (steps - 1))]
        trial = Trial(options, steps, 1.0, 1.0, [], tuple(epochs), 0.0, self.pace * steps)
        return fine_tuning.TunedTrial(trial, self.errors[options.transform, steps])


def play(monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    """Let a script stand for trials, and its pace for that of the network."""
    monkeypatch.setattr(fine_tuning, "_try", script)
    monkeypatch.setattr(fine_tuning, "pace_of", lambda *_: Pace(0.0, 1 / script.pace))


@pytest.mark.parametrize(
    ("errors", "seconds", "steps", "cut_short"),
    [
        ({100: 1.0, 300: 0.9}, 6000.0, 300, False),
        ({100: 1.0, 300: 1.004}, 6000.0, 300, False),
        ({100: 1.0, 300: 1.006}, 6000.0, 100, False),
        ({100: 1.0, 200: 0.9}, 401.5, 200, True),
        ({100: 1.0}, 200.0, 100, True),
    ],
    ids=["better", "no worse", "worse", "shortened", "no time"],
)
def test_tuning_goes_on_as_long_as_it_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, errors: dict[int, float], seconds: float, steps: int, *, cut_short: bool
) -> None:
    """The longest schedule that errs about as little as the best one, and that there is time to go through again."""
    script = Script({("none", one): error for one, error in errors.items()})
    play(monkeypatch, script)
    clock = Clock(time.perf_counter(), seconds)
    dataset = make_dataset(make_set().series, context_length=CONTEXT, season_length=12, horizon=HORIZON)

    found = fine_tuning.select_schedule([OPTIONS], SelectionContext(dataset, FitConfig(), 0, print, clock, []))

    assert found.trial.steps == steps
    assert found.cut_short is cut_short


@pytest.mark.parametrize(("logged", "transform"), [(0.9, "log"), (0.998, "none")])
def test_a_logarithm_must_gain_in_the_first_schedule(
    monkeypatch: pytest.MonkeyPatch, logged: float, transform: str
) -> None:
    """The longer one is tried with the better transform alone."""
    script = Script({("none", 100): 1.0, ("log", 100): logged, (transform, 300): 0.8})
    play(monkeypatch, script)
    dataset = make_dataset(make_set().series, context_length=CONTEXT, season_length=12, horizon=HORIZON)
    context = SelectionContext(dataset, FitConfig(), 0, print, Clock(time.perf_counter(), 6000.0), [])

    found = fine_tuning.select_schedule([OPTIONS, replace(OPTIONS, transform="log")], context)

    assert found.trial.options.transform == transform
    assert script.tried == [("none", 100), ("log", 100), (transform, 300)]


def test_without_time_no_logarithm_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first schedule is gone through in any case; all else asks the clock."""
    script = Script({("none", 100): 1.0})
    play(monkeypatch, script)
    dataset = make_dataset(make_set().series, context_length=CONTEXT, season_length=12, horizon=HORIZON)
    context = SelectionContext(dataset, FitConfig(), 0, print, Clock(time.perf_counter(), 150.0), [])

    found = fine_tuning.select_schedule([OPTIONS, replace(OPTIONS, transform="log")], context)

    assert (script.tried, found.cut_short) == ([("none", 100)], True)


def test_series_too_short_to_validate_on_are_forecast_all_the_same(shipped: Path, tmp_path: Path) -> None:
    """As shipped, with the intervals that it came with and a warning; tuning it is refused."""
    short = replace(make_set(), series=[make_series("a", length=9)])

    candidate = take(tmp_path / "made", short)

    (forecast,) = artifact.load(tmp_path / "made").forecast(short.series, HORIZON)
    (expected,) = artifact.load(shipped / "M").forecast(short.series, HORIZON)
    assert_allclose(forecast.median, expected.median, rtol=1e-5)
    assert candidate.forecasts is None
    assert math.isnan(candidate.validation["mase"])
    assert "None of 1 series" in candidate.warnings[0]
    with pytest.raises(DataInvalid, match="None of 1 series"):
        tune_starter(make_request(tmp_path / "t", short, config=CONFIG))


def test_no_series_are_refused(tmp_path: Path) -> None:
    """There is nothing to describe."""
    with pytest.raises(DataInvalid, match="no series"):
        take(tmp_path, make_set(series=[]))
