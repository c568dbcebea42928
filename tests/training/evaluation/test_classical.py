import signal
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from models.baselines import seasonal_naive
from models.series import Series
from tests.training.fakes import make_series
from training.evaluation import classical
from training.evaluation.classical import CLASSICAL, Fits, Work

NAMES = tuple(CLASSICAL)


def fit(
    histories: list[Series], *, levels: tuple[float, ...] = (80.0,), deadline: float = classical.DEADLINE_SECONDS
) -> Fits:
    """Return forecasts of all histories a year ahead."""
    indices = range(len(histories))
    return classical.fit_all(
        histories, indices, NAMES, 12, season_length=12, levels=levels, on_done=lambda _done: None, deadline=deadline
    )


def test_each_model_forecasts_each_series(series: list[Series]) -> None:
    """The quantiles are the bounds of the intervals around the median, in ascending order."""
    found = fit(series[:2], levels=(80.0, 95.0))

    assert found.indices == (0, 1)
    for name in NAMES:
        assert found.seconds[name] > 0
        assert [one.id for one in found.forecasts[name]] == ["a", "b"]
        for forecast in found.forecasts[name]:
            narrow, wide = forecast.intervals
            columns = [wide.lower, narrow.lower, forecast.median, narrow.upper, wide.upper]
            assert forecast.quantile_levels == (0.025, 0.1, 0.5, 0.9, 0.975)
            np.testing.assert_array_equal(forecast.quantiles, np.stack(columns, axis=1))
            assert (np.diff(forecast.quantiles, axis=1) > 0).all()


def test_a_clear_season_is_found() -> None:
    """Both models continue a season without noise almost exactly."""
    steps = np.arange(96)
    clean = Series.make(10 + 5 * np.sin(2 * np.pi * steps / 12), start="2000-01-01", frequency="M")
    truth = 10 + 5 * np.sin(2 * np.pi * np.arange(96, 108) / 12)

    found = fit([clean])

    for name in NAMES:
        assert np.abs(found.forecasts[name][0].median - truth).max() < 0.5


def test_a_smaller_sample_is_the_beginning_of_a_larger_one() -> None:
    """The sample depends on seed and ids only, so every origin has the same series."""
    many = [make_series(f"s{number}", length=24) for number in range(40)]

    five, ten = (classical.sample(many, seed=0, series=count) for count in (5, 10))

    assert ten[:5] == five
    assert classical.sample(many, seed=1, series=5) != five
    shorter = [one.before(20) for one in reversed(many)]
    assert {shorter[at].id for at in classical.sample(shorter, seed=0, series=5)} == {many[at].id for at in five}


def test_the_budget_is_counted_in_observations() -> None:
    """A long series counts with the steps that are fitted; at least one series is in the sample."""
    series = [make_series(f"s{number}", length=100) for number in range(10)]
    long = [make_series(f"l{number}", length=3 * classical.LONGEST) for number in range(3)]

    assert len(classical.sample(series, seed=0, budget=450)) == 4
    assert len(classical.sample(series, seed=0, budget=1000)) == 10
    assert len(classical.sample(series, seed=0, budget=5)) == 1
    assert len(classical.sample(long, seed=0, budget=2 * classical.LONGEST)) == 2


def test_gaps_are_interpolated_and_a_leading_gap_is_cut_off() -> None:
    """After the last value the interpolation is constant."""
    values = np.array([np.nan, 1.0, np.nan, 3.0, np.nan])

    np.testing.assert_array_equal(classical.fill(values), [1.0, 2.0, 3.0, 3.0])


def test_gaps_and_long_histories_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap before the first value is not filled, so it does not count."""
    monkeypatch.setattr(classical, "LONGEST", 110)
    values = make_series(length=120).values.copy()
    values[[0, -5]] = np.nan
    long = Series.make(values, id="long", start="1800-01-01", frequency="M")

    found = fit([long, make_series("short")])

    assert found.interpolated == 1
    assert found.shortened == 1
    assert found.observations == 110 + 96


def test_a_series_whose_fit_fails_gets_a_seasonal_naive() -> None:
    """Three values are too few for either model."""
    short = make_series("short", length=3)

    found = fit([short, make_series("long")])

    for name in NAMES:
        assert list(found.failures[name]) == ["short"]
        np.testing.assert_allclose(found.forecasts[name][0].median, seasonal_naive(short, 12, 12))


def test_a_forecast_that_is_not_finite_counts_as_a_failure() -> None:
    """The failure is named like an exception."""

    class Model:
        def forecast(self, _values: object, horizon: int, level: list[float]) -> dict[str, object]:
            sides = {f"{side}-{one}": np.zeros(horizon) for one in level for side in ("lo", "hi")}
            return {"mean": np.full(horizon, np.nan), **sides}

    fitted = classical._fit(Model(), Work(NAMES, np.ones(5), 1, 3, (80.0,)))

    assert fitted.failure == "the forecast is not finite"


def test_after_the_deadline_no_series_is_started() -> None:
    """The fitted ones are the first of the sample."""
    found = fit([make_series(f"s{number}", length=36) for number in range(12)], deadline=0.0)

    assert 0 in found.indices
    assert len(found.indices) < 12


@dataclass
class KilledPool(Executor):
    """A pool whose processes are killed when work is submitted, or later."""

    at_once: bool

    def submit(self, *_work: object, **_more: object) -> Any:  # noqa: ANN401 - a future of anything
        """Return a future that fails, or fail at once."""
        if self.at_once:
            raise BrokenProcessPool("killed")
        future: Future[None] = Future()
        future.set_exception(BrokenProcessPool("killed"))
        return future


@pytest.mark.parametrize("at_once", [True, False])
def test_killed_processes_do_not_end_the_comparison(monkeypatch: pytest.MonkeyPatch, *, at_once: bool) -> None:
    """What is not finished by then is missing."""
    monkeypatch.setattr(classical, "worker_processes", lambda _count: nullcontext(KilledPool(at_once=at_once)))

    assert fit([make_series()]).indices == ()


def test_ready_processes_import_statsforecast_before_there_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them, while the caller does something else."""
    given: list[object] = []

    class Recorder(Executor):
        def submit(self, *work: object, **_more: object) -> Any:  # noqa: ANN401 - a future of anything
            given.extend(work)

    monkeypatch.setattr(classical, "worker_processes", lambda _count: nullcontext(Recorder()))

    with classical.ready_processes(2):
        assert given == [classical._import] * 2


def test_worker_processes_ignore_ctrl_c() -> None:
    """A terminal sends the interrupt to all processes of the group; the parent ends its workers."""
    before = signal.getsignal(signal.SIGINT)
    try:
        classical._ignore_interrupts()

        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
