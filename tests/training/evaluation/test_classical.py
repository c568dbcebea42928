import os
import signal
import subprocess
import sys
from concurrent.futures import Executor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.baselines import seasonal_naive
from models.series import Series
from tests.training.fakes import make_series
from training.evaluation import classical
from training.evaluation.classical import CLASSICAL, Fits, Work

NAMES = tuple(CLASSICAL)

SPAWNED = """
import os
from tests.training.fakes import make_series
from training import classical

def main():
    parts = {"season_length": 12, "levels": (80.0,), "on_done": print}
    found = classical.fit_all([make_series(length=48)], [0], ("auto_theta",), 12, **parts)
    print(found.forecasts["auto_theta"][0].median.tolist())

if __name__ == "__main__":
    main()
"""


def fit(histories: list[Series], places: list[int] | None = None, **changes: Any) -> Fits:  # noqa: ANN401 - any of the question
    """Return the fits of histories a year ahead."""
    question: dict[str, Any] = {"season_length": 12, "levels": (80.0,), "on_done": lambda _done: None, **changes}
    return classical.fit_all(histories, range(len(histories)) if places is None else places, NAMES, 12, **question)


def test_each_model_has_a_forecast_with_its_interval(series: list[Series]) -> None:
    """Three series, two models, a year ahead: finite, the interval around the point forecast."""
    found = fit(series)

    assert found.places == (0, 1, 2)
    for name in NAMES:
        assert found.seconds[name] > 0
        for forecast, one in zip(found.forecasts[name], series, strict=True):
            (interval,) = forecast.intervals
            assert forecast.id == one.id
            assert (interval.lower < forecast.median).all()
            assert (forecast.median < interval.upper).all()
            sides = [interval.lower, forecast.median, interval.upper]
            np.testing.assert_array_equal(forecast.quantiles, np.stack(sides, axis=1))


def test_a_clear_season_is_found() -> None:
    """Both models continue a season without noise far better than its last value would."""
    steps = np.arange(96)
    clean = Series.make(10 + 5 * np.sin(2 * np.pi * steps / 12), start="2000-01-01", frequency="M")
    truth = 10 + 5 * np.sin(2 * np.pi * np.arange(96, 108) / 12)

    found = fit([clean])

    for name in NAMES:
        assert np.abs(found.forecasts[name][0].median - truth).max() < 0.5


def test_levels_are_nested(series: list[Series]) -> None:
    """95 % lies around 80 %, and the quantiles are their sides from low to high."""
    found = fit(series[:1], levels=(80.0, 95.0))

    for name in NAMES:
        forecast = found.forecasts[name][0]
        assert forecast.quantile_levels == (0.025, 0.1, 0.5, 0.9, 0.975)
        assert (np.diff(forecast.quantiles, axis=1) > 0).all()


def test_a_smaller_sample_is_the_beginning_of_a_larger_one() -> None:
    """The draw depends on seed and id alone, so the same series come at every origin."""
    many = [make_series(f"s{number}", length=24) for number in range(40)]

    five, ten = (classical.sample(many, seed=0, series=count) for count in (5, 10))

    assert ten[:5] == five
    assert classical.sample(many, seed=1, series=5) != five
    shorter = [one.before(20) for one in reversed(many)]
    assert {shorter[at].id for at in classical.sample(shorter, seed=0, series=5)} == {many[at].id for at in five}


def test_the_budget_is_counted_in_observations() -> None:
    """As many series as it holds, the longest counted by what is fitted of them, and one at the least."""
    series = [make_series(f"s{number}", length=100) for number in range(10)]
    long = [make_series(f"l{number}", length=3 * classical.LONGEST) for number in range(3)]

    assert len(classical.sample(series, seed=0, budget=450)) == 4
    assert len(classical.sample(series, seed=0, budget=1000)) == 10
    assert len(classical.sample(series, seed=0, budget=5)) == 1
    assert len(classical.sample(long, seed=0, budget=2 * classical.LONGEST)) == 2


def test_gaps_are_interpolated_and_what_came_before_the_first_value_is_left_out() -> None:
    """The models refuse NaN: between two values lies a line, after the last one it is level."""
    values = np.array([np.nan, 1.0, np.nan, 3.0, np.nan])

    np.testing.assert_array_equal(classical.fill(values), [1.0, 2.0, 3.0, 3.0])


def test_gaps_and_long_histories_are_counted() -> None:
    """What was done to the data for these two models can be said."""
    values = make_series(length=classical.LONGEST + 10).values.copy()
    values[[0, -5]] = np.nan
    long = Series.make(values, id="long", start="1800-01-01", frequency="M")

    found = fit([long, make_series("short")])

    assert found.interpolated == 1
    assert found.shortened == 1
    assert found.observations == classical.LONGEST + 96


def test_a_fit_that_fails_is_a_seasonal_naive_and_named() -> None:
    """Four values are too few for either model."""
    short = make_series("short", length=3)

    found = fit([short, make_series("long")])

    for name in NAMES:
        assert list(found.failures[name]) == ["short"]
        np.testing.assert_allclose(found.forecasts[name][0].median, seasonal_naive(short, 12, 12))


def test_a_forecast_that_is_not_finite_counts_as_a_failure() -> None:
    """NaN is no forecast."""

    class Model:
        def forecast(self, _values: object, horizon: int, level: list[float]) -> dict[str, object]:
            sides = {f"{side}-{one}": np.zeros(horizon) for one in level for side in ("lo", "hi")}
            return {"mean": np.full(horizon, np.nan), **sides}

    fitted = classical._fit(Model(), Work(NAMES, np.ones(5), 1, 3, (80.0,)))

    assert fitted.failure == "the forecast is not finite"


def test_after_the_deadline_no_series_is_begun() -> None:
    """What is fitted then is the beginning of the draw."""
    many = [make_series(f"s{number}", length=36) for number in range(12)]

    found = fit(many, [7, 3, *range(3), *range(4, 7), *range(8, 12)], deadline=0.0)

    assert 7 in found.places
    assert len(found.places) < 12


@pytest.mark.parametrize("at_once", [True, False])
def test_killed_processes_cost_the_rows_and_not_the_comparison(
    monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    """Where the machine ends the processes, while work is handed out or later, what they had finished is kept."""

    @contextmanager
    def dying(_count: int) -> Any:  # noqa: ANN401 - a generator
        from concurrent.futures import Future

        class Pool(Executor):
            def submit(self, *_work: object, **_more: object) -> Any:  # noqa: ANN401 - a future
                if at_once:
                    raise BrokenProcessPool("killed")
                future: Future[None] = Future()
                future.set_exception(BrokenProcessPool("killed"))
                return future

        yield Pool()

    monkeypatch.setattr(classical, "_processes", dying)

    assert fit([make_series()]).places == ()


def test_models_are_fitted_in_spawned_processes(tmp_path: Path) -> None:
    """The parent never imports statsforecast, and a program that asks for a forecast gets it."""
    program = tmp_path / "program.py"
    program.write_text(SPAWNED + "    import sys; print('statsforecast' in sys.modules)\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    found = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(program)], env=environment, capture_output=True, text=True, check=False, timeout=120
    )

    assert found.returncode == 0, found.stderr
    done, forecast, imported = found.stdout.split("\n", 2)
    assert done == "1"
    assert len(forecast.split(",")) == 12
    assert imported.strip() == "False"


def test_ctrl_c_reaches_the_parent_alone() -> None:
    """A process that fits ignores the interrupt that a terminal sends to the whole group."""
    before = signal.getsignal(signal.SIGINT)
    try:
        classical._leave_interrupts_to_parent()

        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
