import itertools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from models.errors import DataInvalid, TrainingError
from models.series import Series
from tests.training.conftest import MakeRuntime
from tests.training.fakes import make_fit
from training.config.training import BASELINES, TrainConfig
from training.data.holdout import Cutoff
from training.data.series_set import SeriesSet, read_series
from training.engines.local import LocalEngine
from training.fit.candidate import Candidate
from training.fit.request import FitRequest
from training.pipeline.backtest import BacktestRequest, run_backtest, to_dict
from training.progress import Progress

if TYPE_CHECKING:
    from training.fit.candidate import TrainingSet


def make_request(
    architecture: tuple[str, ...],
    *,
    origins: int = 1,
    cutoff: str | None = None,
    **config: Any,  # noqa: ANN401 - any field
) -> BacktestRequest:
    """Return a request for a year ahead."""
    settings = TrainConfig(
        Path("weather.csv"), 12, architecture=architecture, **{"baselines": ("seasonal_naive",), **config}
    )
    return BacktestRequest(settings, origins, Cutoff.parse(cutoff) if cutoff else None)


FIGURES = {
    "mase",
    "mase_median",
    "smape",
    "mae",
    "coverage_80",
    "coverage_95",
    "crossings",
    "train_seconds",
    "forecast_ms",
    "skill",
    "series_scored",
}


@pytest.fixture
def data(data_file: Path) -> SeriesSet:
    """Return three monthly series."""
    return read_series(data_file)


def test_each_architecture_and_baseline_has_its_row(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """One object with a row for each, all with the same figures."""
    question = make_request(("lstm", "gru"), baselines=BASELINES)

    found = run_backtest(data, question, make_runtime(make_fit()))

    models = to_dict(found, data, question)["models"]
    assert set(models) == {"lstm", "gru", "ensemble", *BASELINES}
    assert all(set(row) >= FIGURES for row in models.values())
    assert models["lstm"]["mase"] == pytest.approx(models["seasonal_naive"]["mase"])
    assert models["lstm"]["train_seconds"] == 1.5


def test_an_engine_finds_the_same_numbers(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """Each network of each origin is a task of its own; one that fails is named all the same."""
    question = make_request(("lstm", "gru"), origins=2, seeds=2)
    fit = make_fit(failing=("gru",))

    here = run_backtest(data, question, make_runtime(fit))
    found = run_backtest(data, question, make_runtime(fit), LocalEngine(1))

    timed = {"forecast_ms", "train_seconds"}
    rows, others = (
        {n: {k: v for k, v in r.items() if k not in timed} for n, r in one.rows.items()} for one in (here, found)
    )
    assert others == rows
    assert found.ensembles == here.ensembles
    assert found.failures == here.failures


def test_several_origins_have_their_figures_alone_too(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """One block may be calm and another wild; the rows are over both, and one origin has nothing more to tell."""
    question = make_request(("lstm",), origins=2, seeds=2)

    found = run_backtest(data, question, make_runtime(make_fit()))
    one = run_backtest(data, replace(question, origins=1), make_runtime(make_fit()))

    blocks = to_dict(found, data, question)["blocks"]
    assert list(blocks) == ["lstm", "lstm/0", "lstm/1", "ensemble", "seasonal_naive"] == list(found.rows)
    assert [row["series_scored"] for row in blocks["lstm"]] == [3, 3]
    assert blocks["lstm"][0]["mase"] != blocks["lstm"][1]["mase"]
    assert blocks["lstm"][0]["mase"] == pytest.approx(one.rows["lstm"]["mase"])
    assert np.mean([row["mase"] for row in blocks["lstm"]]) == pytest.approx(found.rows["lstm"]["mase"])
    assert to_dict(one, data, replace(question, origins=1))["blocks"] == {}


def test_each_origin_says_what_its_validation_is_on(
    data: SeriesSet, make_runtime: MakeRuntime, progress: Progress
) -> None:
    """A series that ended 18 months before the newest origin is one of those that go on at an origin a year earlier."""
    first, second, third = data.series
    some_ended = replace(data, series=(first, second.before(66), third.before(50)))
    question = make_request(("lstm",), origins=2, cutoff="2006-12-31")

    run_backtest(some_ended, question, make_runtime(make_fit()))

    said = str(progress.console.file.getvalue())  # type: ignore[attr-defined]
    newest, earlier = said.split("Origin 2 of 2")
    assert "SERIES_ENDED: 1 of 3 series" in newest
    assert "VALIDATION_CURRENT: Validation is on 2 of 3 series" in earlier


def test_an_origin_too_many_is_refused_before_anything_is_trained(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """Not after the training at all others."""
    seen: list[TrainingSet] = []

    with pytest.raises(DataInvalid, match="No series can be scored"):
        run_backtest(data, make_request(("lstm",), origins=20), make_runtime(make_fit(seen=seen)))

    assert not seen


def test_a_network_that_fails_at_one_origin_has_no_row(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """Where it is the only one, the backtest failed."""
    fit, count = make_fit(), itertools.count()

    def fail_second(request: FitRequest) -> Candidate:
        if next(count) == 1:
            raise TrainingError("The second origin is bad.")
        return fit(request)

    with pytest.raises(TrainingError, match=r"Every network failed\. .*The second origin is bad"):
        run_backtest(data, make_request(("lstm",), origins=2), make_runtime(fail_second))


def test_no_network_sees_the_points_it_is_scored_on(
    data: SeriesSet, series: list[Series], make_runtime: MakeRuntime
) -> None:
    """At each origin a network is trained anew on what lies before it."""
    seen: list[TrainingSet] = []

    run_backtest(data, make_request(("lstm",), origins=2), make_runtime(make_fit(seen=seen)))

    assert [len(one.series[0]) for one in seen] == [96 - 12, 96 - 24]
    np.testing.assert_allclose(seen[1].series[0].values, series[0].values[:72])


def test_nothing_after_a_cutoff_reaches_a_training(
    data: SeriesSet, series: list[Series], make_runtime: MakeRuntime
) -> None:
    """What comes after the date may be anything: the trainings see the same, and nothing stamped after it."""
    spoiled = [
        Series(np.concatenate([one.values[:60], one.values[60:] + 1e6]), one.id, one.start, one.frequency)
        for one in series
    ]
    question = make_request(("lstm",), origins=2, cutoff="2004-12-31")
    seen: list[TrainingSet] = []

    for one in (data, replace(data, series=tuple(spoiled))):
        run_backtest(one, question, make_runtime(make_fit(seen=seen)))

    ends = [str(max(one.timestamps[-1] for one in each.series if one.timestamps is not None))[:7] for each in seen]
    assert ends == ["2004-12", "2003-12"] * 2
    for before, after in zip(seen[:2], seen[2:], strict=True):
        for kept, again in zip(before.series, after.series, strict=True):
            np.testing.assert_array_equal(kept.values, again.values)


def test_several_seeds_add_their_rows_and_an_ensemble(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """A row for each seed, their mean under the architecture's name, and one model of all."""
    question = make_request(("lstm", "gru"), seeds=2, seed=5)
    fit = make_fit(shifts={"lstm": 1.0, "gru": -1.0})

    found = run_backtest(data, question, make_runtime(fit))

    printed = to_dict(found, data, question)
    assert {"lstm", "lstm/5", "lstm/6", "gru", "gru/5", "gru/6", "ensemble"} <= set(printed["models"])
    assert printed["models"]["ensemble"]["mase"] == pytest.approx(printed["models"]["seasonal_naive"]["mase"])
    assert printed["models"]["ensemble"]["train_seconds"] >= 4 * 1.5
    assert printed["models"]["ensemble"]["network_mb"] > printed["models"]["lstm"]["network_mb"]
    assert printed["ensemble"] == printed["models"]["ensemble"]


def test_the_ensemble_of_each_origin_says_how_it_was_weighed(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """Weights are chosen anew at each origin; the network that validation finds far worse is left out."""
    question = make_request(("lstm", "gru"), origins=2)
    fit = make_fit(validation={"lstm": 0.1, "gru": 9.0})

    found = run_backtest(data, question, make_runtime(fit))

    printed = to_dict(found, data, question)
    assert [one["combination"] for one in printed["mixtures"]] == ["greedy", "greedy"]
    assert [one["weights"] for one in printed["mixtures"]] == [{"lstm": 1.0}] * 2
    assert printed["models"]["ensemble"]["mase"] == pytest.approx(printed["models"]["lstm"]["mase"])


def test_one_network_is_no_ensemble(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """Nor are two of which one failed."""
    question = make_request(("lstm", "gru"))

    found = run_backtest(data, question, make_runtime(make_fit(failing=("gru",))))

    assert "ensemble" not in found.rows
    assert to_dict(found, data, question)["mixtures"] == []


def test_a_network_that_fails_is_named_and_the_others_stay(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """A failure takes away one row and says why."""
    question = make_request(("lstm", "gru"))

    found = run_backtest(data, question, make_runtime(make_fit(failing=("gru",))))

    printed = to_dict(found, data, question)
    assert "gru" not in printed["models"]
    assert "NaN" in printed["failed"]["gru"]


def test_an_evaluation_in_which_all_fail_is_an_error(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """Baselines alone do not answer a question about networks."""
    with pytest.raises(TrainingError, match="Every network failed"):
        run_backtest(data, make_request(("lstm",)), make_runtime(make_fit(failing=("lstm",))))


def test_a_sampled_baseline_says_on_which_series_it_stands(data: SeriesSet, make_runtime: MakeRuntime) -> None:
    """Its sample has each network's error on the same series, and its skill is against the naive there."""
    question = make_request(("lstm",), origins=2, baselines=("seasonal_naive", "auto_theta"), baseline_series=2)

    found = run_backtest(data, question, make_runtime(make_fit()))

    printed = to_dict(found, data, question)
    row, sample = printed["models"]["auto_theta"], printed["sample"]["auto_theta"]
    assert (sample["series"], sample["of"], sample["observations"]) == (2, 3, 2 * (84 + 72))
    assert row["series_scored"] == 2
    assert row["skill"] == pytest.approx(1 - row["mase"] / sample["mase"]["lstm"])
