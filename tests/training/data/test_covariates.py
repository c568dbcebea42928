import json
from collections.abc import Callable
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest

from models.covariates import CovariateNames
from models.errors import DataInvalid
from tests.training.fakes import make_fit, make_value, write_covariates
from training.cli.forecast_file import Foreseen, Wish, foresee
from training.config.training import Columns, TrainConfig
from training.data.series_set import read_series
from training.evaluation import rolling_backtest
from training.fit.candidate import Candidate, TrainingSet
from training.pipeline.task import Bench
from training.pipeline.train import Outcome, train
from training.progress import Terminal

MakeBench = Callable[[Callable[..., Candidate]], Bench]
HORIZON = 6
NAMES = CovariateNames.make(["traffic"], ["price"], ["DE"])
HOLIDAYS = [1, 0, 0, 2, 2, 1]
"""In Germany, from January to June 2017."""


def learn(bench: Bench, data: Path) -> Outcome:
    """Train one naive that adds its covariates, and register it."""
    config = TrainConfig(
        data,
        HORIZON,
        name="sales",
        architecture=("lstm",),
        baselines=("seasonal_naive",),
        past_covariates=NAMES.past,
        future_covariates=("price",),
        holidays=("DE",),
    )
    return train(config, bench)


def ask(bench: Bench, data: Path, scratch: Path, future: Path | None = None) -> Foreseen:
    """Forecast a file with the registered model."""
    wish = Wish("sales", data, None, None, Columns(), (80.0,), future)
    return foresee(bench.registry, wish, terminal=bench.terminal, scratch=scratch)


def test_a_training_sees_covariates_up_to_the_cutoff_and_ahead(make_bench: MakeBench, tmp_path: Path) -> None:
    """Held-out rows are the future of what is known ahead, and nothing of the rest."""
    seen: list[TrainingSet] = []

    learn(make_bench(make_fit(seen=seen)), write_covariates(tmp_path / "d.csv"))

    compared, refitted = seen
    assert compared.covariates == refitted.covariates == NAMES
    history = compared.series[0]
    assert len(history) == 36 - HORIZON
    assert history.future_covariates["price"].tolist() == list(range(300, 420, 10))
    assert set(history.future_covariates) == {"price"}


def test_a_file_is_forecast_by_what_it_knows_ahead(make_bench: MakeBench, tmp_path: Path) -> None:
    """From rows after the last value or from a second file alike; holidays are counted."""
    bench = make_bench(make_fit())
    learn(bench, write_covariates(tmp_path / "d.csv"))
    bare = write_covariates(tmp_path / "bare.csv", ahead=0)
    later = tmp_path / "later.csv"
    later.write_text("ds,price\n" + "".join(f"2017-0{month},{350 + 10 * month}\n" for month in range(1, 7)))

    inside = ask(bench, tmp_path / "d.csv", tmp_path / "one")
    beside = ask(bench, bare, tmp_path / "two", later)

    expected = [make_value(24 + step) + 360 + 10 * step + HOLIDAYS[step] for step in range(HORIZON)]
    for found in (inside, beside):
        np.testing.assert_allclose(found.forecasts[0].median, expected)
        assert found.forecasts[0].warnings == ()


def test_a_second_file_of_the_past_is_refused_with_both_dates(make_bench: MakeBench, tmp_path: Path) -> None:
    """Which dates were expected, and which were found."""
    bench = make_bench(make_fit())
    learn(bench, write_covariates(tmp_path / "d.csv"))
    earlier = tmp_path / "earlier.csv"
    earlier.write_text("ds,price\n" + "".join(f"2016-0{month}-01,{month}\n" for month in range(1, 7)))

    with pytest.raises(DataInvalid, match=r"after the last value, 2016-12-01; the file has 2016-01-01 to 2016-06-01"):
        ask(bench, write_covariates(tmp_path / "bare.csv", ahead=0), tmp_path / "one", earlier)


def test_a_second_file_that_begins_too_late_is_said(make_bench: MakeBench, terminal: Terminal, tmp_path: Path) -> None:
    """With the step that it should begin with."""
    bench = make_bench(make_fit())
    learn(bench, write_covariates(tmp_path / "d.csv"))
    later = tmp_path / "later.csv"
    later.write_text("ds,price\n2018-01-01,5\n2018-02-01,6\n")

    ask(bench, write_covariates(tmp_path / "bare.csv", ahead=0), tmp_path / "one", later)

    said = " ".join(terminal.console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "is 2017-01-01; its rows begin with 2018-01-01" in said


def test_what_is_not_known_ahead_is_said(make_bench: MakeBench, tmp_path: Path) -> None:
    """Without any future the forecast comes with a warning; without the column it does not come."""
    bench = make_bench(make_fit())
    learn(bench, write_covariates(tmp_path / "d.csv"))
    bare = write_covariates(tmp_path / "bare.csv", ahead=0)

    found = ask(bench, bare, tmp_path / "one")

    assert [one.code for one in found.forecasts[0].warnings] == ["COVARIATE_FUTURE_UNKNOWN"]
    bare.write_text(bare.read_text().replace("price", "cost"))
    with pytest.raises(DataInvalid, match="no column 'price'"):
        ask(bench, bare, tmp_path / "two")


def test_mlflow_has_the_covariates_in_signature_and_example(make_bench: MakeBench, tmp_path: Path) -> None:
    """Any client can load the model and send what its example shows."""
    bench = make_bench(make_fit())
    learn(bench, write_covariates(tmp_path / "d.csv"))

    model = mlflow.pyfunc.load_model("models:/sales@champion")
    example = model.input_example
    answer = model.predict(example)

    assert model.metadata.get_input_schema().input_names() == ["unique_id", "ds", "y", "traffic", "price"]
    assert answer["unique_id"].tolist() == ["a"] * HORIZON + ["b"] * HORIZON
    assert answer["ds"].iloc[0] == pd.Timestamp("2017-01-01")
    np.testing.assert_allclose(answer["median"][0], make_value(24) + 360 + HOLIDAYS[0])


def test_a_champion_without_covariates_is_compared_on_the_same_block(make_bench: MakeBench, tmp_path: Path) -> None:
    """It is given what it reads; the data's covariates are none of its business."""
    data = write_covariates(tmp_path / "d.csv")
    plain = TrainConfig(data, HORIZON, name="sales", architecture=("lstm",), baselines=("seasonal_naive",))
    train(plain, make_bench(make_fit()))

    outcome = learn(make_bench(make_fit()), data)

    assert "not be compared" not in outcome.decision.reason
    assert outcome.decision.to_dict()["reason"]


def test_a_backtest_trains_on_covariates(tmp_path: Path, terminal: Terminal) -> None:
    """The networks of `almanac backtest` see them as those of a training do."""
    seen: list[TrainingSet] = []
    data = read_series(write_covariates(tmp_path / "d.csv"), covariates=NAMES)
    question = rolling_backtest.Question(HORIZON, ("lstm",), baselines=("seasonal_naive",))

    found = rolling_backtest.evaluate(data, question, make_fit(seen=seen), terminal=terminal, scratch=tmp_path)

    assert seen[0].covariates == NAMES
    assert json.loads(json.dumps(rolling_backtest.to_dict(found, data, question)))["models"]["lstm"]["mase"] > 1
