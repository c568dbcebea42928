"""Every choice is made on the validation origins, and what the clock decided is a warning."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from models.networks.build import NetworkOptions
from models.networks.learner import Recipe, learner_for
from models.series import Series
from training.config.fit import FitConfig
from training.data import augmentation
from training.data.window_sampling import Dataset, make_dataset
from training.fit import selection
from training.fit.candidate import EpochRecord
from training.fit.loop import Clock, Trial
from training.fit.pace import Pace

CONFIG = FitConfig()
OPTIONS = NetworkOptions("gru", 6, 12, 36, 24, units=4, layers=1)


def make_data() -> Dataset:
    """Return one dated series of months."""
    values = 12 + 5 * np.sin(np.arange(60) * np.pi / 6) + np.random.default_rng(0).normal(0.0, 0.5, 60)
    series = Series.make(values, start="1990-01", frequency="M")
    return make_dataset([series], context_length=36, season_length=12, horizon=6)


@dataclass
class Script:
    """Stands for trials: each reaches a written error in each schedule, at so many seconds a step.

    Each goes by its transform, or by `bare` where it knows no calendar, or by `mixed` where it has synthetic windows.
    """

    errors: dict[tuple[str, int], float]
    pace: float = 1.0
    blind_gain: float = 0.0
    compiling: float = 0.0
    tried: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, setting: selection.Variant, steps: int, _desk: object, _told: object) -> Trial:
        """Return the trial that the script says."""
        options, synthetic = setting.options, setting.synthetic
        name = "mixed" if synthetic else options.transform if options.calendar else "bare"
        self.tried.append((name, steps))
        epochs = (epoch(1, 1, self.pace), epoch(2, steps, self.pace * steps))
        error = self.errors[name, steps]
        return Trial(options, steps, error, error - self.blind_gain, [], epochs, 0.0, self.pace * steps, synthetic)


def epoch(number: int, step: int, seconds: float) -> EpochRecord:
    """Return an epoch that ended at a step and a time."""
    return EpochRecord(number, step, 1.0, 1.0, {}, seconds)


def play(monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    """Let a script stand for trials, and its pace for that of the network; synthetic windows are for all lengths."""
    monkeypatch.setattr(selection, "SHORTEST_MIXED", 0)
    monkeypatch.setattr(selection, "_try", script)
    monkeypatch.setattr(selection, "pace_of", lambda *_: Pace(script.compiling, 1 / script.pace))


def choose(
    monkeypatch: pytest.MonkeyPatch,
    script: Script,
    *transforms: str,
    **changes: Any,  # noqa: ANN401 - any field of FitConfig
) -> selection.SelectedFit:
    """Return what is chosen when trials come out as scripted: schedules of 10, 30 and 90 steps."""
    play(monkeypatch, script)
    fixed = {"max_steps": 90, "max_seconds": 1e6, "calendar": True, "synthetic_share": 0.0} | changes
    config = replace(CONFIG, **fixed, jit_compile=fixed["max_seconds"] >= 60)
    clock = Clock(time.perf_counter(), config.max_seconds)
    context = selection.SelectionContext(make_data(), config, 0, print, clock)
    return selection.select_fit([replace(OPTIONS, transform=name) for name in transforms], context)


def test_schedules_grow_while_the_error_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threefold, up to the first that is not better; the best one's steps are kept."""
    overfits = Script({("none", 10): 0.8, ("none", 30): 0.7, ("none", 90): 0.71})

    chosen = choose(monkeypatch, overfits, "none")

    assert (chosen.trial.steps, chosen.cut_short) == (30, False)


def test_no_schedule_is_tried_after_one_that_is_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer would be worse still, and costs most."""
    script = Script({("none", 10): 0.7, ("none", 30): 0.8})

    chosen = choose(monkeypatch, script, "none")

    assert chosen.trial.steps == 10
    assert script.tried == [("none", 10), ("none", 30)]


@pytest.mark.parametrize(("log_error", "transform"), [(0.5, "log"), (0.9999, "none"), (1.5, "none")])
def test_a_logarithm_must_show_its_gain(monkeypatch: pytest.MonkeyPatch, log_error: float, transform: str) -> None:
    """On the validation origins, in schedules of like length."""
    errors = {("none", steps): 1.0 for steps in (10, 30)} | {("log", steps): log_error for steps in (10, 30)}

    assert choose(monkeypatch, Script(errors), "none", "log").trial.options.transform == transform


def test_a_transform_that_falls_behind_is_tried_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest schedules are for what may still win."""
    script = Script({("none", 10): 1.0, ("log", 10): 0.9, ("log", 30): 0.8, ("log", 90): 0.7})

    choose(monkeypatch, script, "none", "log")

    assert script.tried == [("none", 10), ("log", 10), ("log", 30), ("log", 90)]


def test_the_clock_shortens_the_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest is as long as there is time for, a short last training included; that it was is known."""
    script = Script({("none", 10): 0.9, ("none", 30): 0.8, ("none", 49): 0.7}, pace=1.0)

    chosen = choose(monkeypatch, script, "none", max_seconds=79.9)

    assert (chosen.trial.steps, chosen.cut_short) == (49, True)


@pytest.mark.parametrize(
    ("max_seconds", "compiling", "tried"),
    [
        (100.0, 1.0, [("none", 90), ("log", 90)]),  # the clock stands still while a script trains
        (92.0, 80.0, [("none", 51)]),  # 92 - 28 for the export, a fifth of the rest for the last training
        (20.0, 80.0, [("none", 1)]),
        (1.0, 4.0, [("none", 1)]),
    ],
)
def test_compiling_counts_against_the_time(
    monkeypatch: pytest.MonkeyPatch, max_seconds: float, compiling: float, tried: list[tuple[str, int]]
) -> None:
    """The first schedule is as long as there is time for beside compiling and exporting, and at least one step."""
    errors = dict.fromkeys([("none", 90), ("log", 90), ("none", 51), ("none", 1)], 1.0)
    script = Script(errors, pace=0.5 if compiling == 1.0 else 1.0, compiling=compiling)

    chosen = choose(monkeypatch, script, "none", "log", steps=90, max_seconds=max_seconds + 0.5)

    assert script.tried == tried
    assert chosen.cut_short is (len(tried) == 1)
    assert chosen.finish_seconds == pytest.approx((0.35 if max_seconds >= 60 else 0.8) * compiling)


def test_a_trial_leaves_time_for_what_it_may_not_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it gains nothing, the best schedule so far is gone through again on all data, and that takes its own time."""
    script = Script({("none", 10): 0.9, ("none", 30): 0.8}, pace=1.0)

    chosen = choose(monkeypatch, script, "none", max_seconds=70.0)

    assert (chosen.trial.steps, chosen.cut_short) == (30, True)


def test_a_trial_that_the_clock_drops_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is time for one longer schedule, not for two: the best goes on alone, though the other might have won."""
    errors = {(name, steps): error for steps, error in ((30, 0.8), (90, 1.0)) for name in ("none", "log")}
    script = Script({("none", 10): 0.9, ("log", 10): 0.89, **errors})

    hurried = choose(monkeypatch, script, "none", "log", max_seconds=65.0)
    free = choose(monkeypatch, script, "none", "log")

    assert script.tried[:3] == [("none", 10), ("log", 10), ("log", 30)]
    assert (hurried.trial.steps, hurried.cut_short, free.cut_short) == (30, True, False)


@pytest.mark.parametrize(("bare_error", "calendar"), [(0.7, False), (0.8, True)])
def test_a_calendar_that_does_not_help_is_left_out(
    monkeypatch: pytest.MonkeyPatch, bare_error: float, *, calendar: bool
) -> None:
    """A network that does better without dates is tried without them, in the shortest schedule."""
    errors = {("none", 10): 0.9, ("log", 10): 0.8, ("bare", 10): bare_error}
    errors |= {("log", steps): 1.0 for steps in (30, 90)} | {("bare", steps): 1.0 for steps in (30, 90)}
    script = Script(errors, blind_gain=0.05)

    chosen = choose(monkeypatch, script, "none", "log", calendar=None)

    assert chosen.trial.options.calendar == calendar
    assert script.tried[:3] == [("none", 10), ("log", 10), ("bare", 10)]


def test_a_calendar_that_is_used_costs_no_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that is not to be chosen."""
    errors = {("none", steps): 1.0 for steps in (10, 30)}
    useful, fixed = Script(errors, blind_gain=-0.1), Script(errors, blind_gain=0.1)

    choose(monkeypatch, useful, "none", calendar=None)
    choose(monkeypatch, fixed, "none", calendar=True)

    assert useful.tried == fixed.tried == [("none", 10), ("none", 30)]


@pytest.mark.parametrize(("mixed_error", "share"), [(0.6, 0.5), (0.6999, 0.0), (0.9, 0.0)])
def test_synthetic_windows_must_show_their_gain(
    monkeypatch: pytest.MonkeyPatch, mixed_error: float, share: float
) -> None:
    """Where data are few they are tried beside the second schedule, with the network that was best in the first."""
    errors = {("none", 10): 0.9, ("log", 10): 0.8, ("log", 30): 0.7, ("mixed", 30): mixed_error}
    script = Script(errors | {(name, 90): 1.0 for name in ("log", "mixed")})

    chosen = choose(monkeypatch, script, "none", "log", synthetic_share=None)

    assert (chosen.trial.options.transform, chosen.trial.synthetic) == ("log", share)
    assert script.tried[:4] == [("none", 10), ("log", 10), ("log", 30), ("mixed", 30)]


@pytest.mark.parametrize(("mixed_error", "share"), [(0.7, 0.5), (0.7999, 0.0)])
def test_synthetic_windows_are_tried_in_the_only_schedule(
    monkeypatch: pytest.MonkeyPatch, mixed_error: float, share: float
) -> None:
    """Where one length is asked for there is no second."""
    script = Script({("none", 50): 0.8, ("mixed", 50): mixed_error})

    chosen = choose(monkeypatch, script, "none", synthetic_share=None, steps=50)

    assert chosen.trial.synthetic == share
    assert script.tried == [("none", 50), ("mixed", 50)]


def test_the_same_network_without_synthetic_windows_runs_on_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is close: what has the least error after few steps need not have it after many."""
    errors = {("none", 10): 0.8, ("none", 30): 0.6, ("mixed", 30): 0.59, ("none", 90): 0.5, ("mixed", 90): 0.7}
    script = Script(errors)

    chosen = choose(monkeypatch, script, "none", synthetic_share=None)

    assert script.tried == [("none", 10), ("none", 30), ("mixed", 30), ("none", 90), ("mixed", 90)]
    assert (chosen.trial.steps, chosen.trial.synthetic) == (90, 0.0)


def test_synthetic_windows_are_not_tried_in_short_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    """They cannot teach in a hundred steps what the starter learned in thousands."""
    script = Script({("none", 10): 0.9, ("none", 30): 0.95})
    shortest = selection.SHORTEST_MIXED
    config = replace(CONFIG, max_steps=90, calendar=True)
    context = selection.SelectionContext(make_data(), config, 0, print, Clock(time.perf_counter(), 1e6))
    play(monkeypatch, script)
    monkeypatch.setattr(selection, "SHORTEST_MIXED", shortest)

    selection.select_fit([OPTIONS], context)

    assert script.tried == [("none", 10), ("none", 30)]


def test_a_share_of_synthetic_windows_asked_for_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a choice no more."""
    script = Script({("mixed", steps): 1.0 for steps in (10, 30)})

    assert choose(monkeypatch, script, "none", synthetic_share=0.25).trial.synthetic == 0.25
    assert script.tried == [("mixed", 10), ("mixed", 30)]


def test_synthetic_windows_are_not_tried_without_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network alone takes its time first; that the clock decided is a warning."""
    script = Script({("none", 10): 0.9, ("none", 30): 0.8})
    single = Script({("none", 50): 0.9})

    chosen = choose(monkeypatch, script, "none", synthetic_share=None, max_seconds=70.0)
    alone = choose(monkeypatch, single, "none", synthetic_share=None, steps=50, max_seconds=65.0)

    assert script.tried == [("none", 10), ("none", 30)]
    assert single.tried == [("none", 50)]
    assert (chosen.cut_short, alone.cut_short) == (True, True)


@pytest.mark.parametrize(
    "options", [replace(OPTIONS, past_covariates=1), replace(OPTIONS, shape="many_to_many_equal", encoder_length=12)]
)
def test_synthetic_windows_are_not_tried_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch, options: NetworkOptions
) -> None:
    """They have no covariates and one origin."""
    script = Script({("none", steps): 1.0 for steps in (10, 30)})
    play(monkeypatch, script)
    config = replace(CONFIG, max_steps=90, calendar=True)
    context = selection.SelectionContext(make_data(), config, 0, print, Clock(time.perf_counter(), 1e6))

    selection.select_fit([options], context)

    assert script.tried == [("none", 10), ("none", 30)]


def test_synthetic_windows_are_not_tried_where_data_are_many_or_weights_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There the data themselves keep a network from learning by heart, or the weights know more already."""
    many, warm = (Script({("none", steps): 1.0 for steps in (10, 30)}) for _ in range(2))
    config = replace(CONFIG, max_steps=90, calendar=True)
    context = selection.SelectionContext(make_data(), config, 0, print, Clock(time.perf_counter(), 1e6))

    play(monkeypatch, warm)
    selection.select_fit([OPTIONS], replace(context, weights=[]))
    play(monkeypatch, many)
    monkeypatch.setattr(augmentation, "FEW_POINTS", 10)
    selection.select_fit([OPTIONS], context)

    assert many.tried == warm.tried == [("none", 10), ("none", 30)]


def test_a_schedule_asked_for_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a winner is trained again on all data."""
    script = Script({("none", 50): 0.9})

    chosen = choose(monkeypatch, script, "none", steps=50)

    assert (chosen.trial.steps, script.tried) == (50, [("none", 50)])


def test_a_choice_by_the_clock_is_told() -> None:
    """Since then the seed alone no longer fixes the weights; what the configuration says is not the clock's choice."""
    trial = Trial(OPTIONS, 10, 1.0, 1.0, [], (), 0.0, 1.0)
    free, cut = selection.SelectedFit(trial, (), cut_short=False), selection.SelectedFit(trial, (), cut_short=True)

    assert selection.time_warnings(free, CONFIG, went_on=None) == []
    assert selection.time_warnings(free, replace(CONFIG, last_steps=4), went_on=4) == []
    (outcome,) = selection.time_warnings(cut, CONFIG, went_on=None)
    assert "left time for schedules of 10 steps, and not for every trial that was due;" in outcome
    assert "for 4 steps on all data" in selection.time_warnings(free, CONFIG, went_on=4)[0]


@pytest.mark.parametrize(
    ("max_seconds", "last_steps", "went_on"), [(1e6, None, None), (0.0, None, 1), (1e6, 7, 7), (0.0, 7, 7)]
)
def test_a_last_training_without_time_goes_on_from_its_trial(
    monkeypatch: pytest.MonkeyPatch, max_seconds: float, last_steps: int | None, went_on: int | None
) -> None:
    """With time it begins again; for how long it went on is known, so that it can be done again whatever the clock says."""
    seen: list[int] = []
    monkeypatch.setattr(selection, "restart", lambda *_: None)
    monkeypatch.setattr(selection, "train_on_all", lambda *arguments: seen.append(arguments[-1]))
    learner = learner_for(Recipe(OPTIONS, 1.0, 0.0))
    trial = Trial(
        OPTIONS, 10, 1.0, 1.0, learner.network.get_weights(), (epoch(1, 1, 1.0), epoch(2, 10, 10.0)), 0.0, 10.0
    )
    config = replace(CONFIG, last_steps=last_steps)
    context = selection.SelectionContext(make_data(), config, 0, print, Clock(time.perf_counter(), max_seconds))

    _, found = selection.fit_all_data(trial, learner, context, ())

    assert found == went_on
    assert seen == [went_on or 10]
