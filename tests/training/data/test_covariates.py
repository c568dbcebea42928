import json
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from models.covariates import CovariateNames
from models.errors import DataInvalid
from tests.training.conftest import MakeRuntime, copy_registry
from tests.training.fakes import make_fit, make_value, write_covariates
from training.cli.forecast_file import FileForecastRequest, FileForecasts, forecast_file
from training.config.training import Columns, TrainConfig
from training.data.series_set import read_series
from training.fit.candidate import TrainingSet
from training.pipeline.backtest import BacktestRequest, run_backtest, to_dict
from training.pipeline.task import Runtime
from training.pipeline.train import Outcome, train
from training.progress import Progress
from training.registry.client import Registry
from training.registry.location import RegistryLocation

pytestmark = pytest.mark.usefixtures("no_figures")

HORIZON = 6
NAMES = CovariateNames.make(["traffic"], ["price"], ["DE"])
HOLIDAYS = [1, 0, 0, 2, 2, 1]
"""In Germany, from January to June 2017."""


def learn(registry: Registry, runtime: Runtime, data: Path) -> Outcome:
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
    return train(config, registry, runtime)


def ask(registry: Registry, runtime: Runtime, data: Path, scratch: Path, future: Path | None = None) -> FileForecasts:
    """Forecast a file with the registered model."""
    request = FileForecastRequest("sales", data, None, None, Columns(), (80.0,), future)
    return forecast_file(registry, request, progress=runtime.progress, scratch=scratch)


@dataclass(frozen=True, slots=True)
class Learned:
    """A home with version 1, what it was trained on, and its data."""

    home: Path
    data: Path
    seen: list[TrainingSet]

    def registry(self) -> Registry:
        """Return the registry, opened anew: MLflow then means this one."""
        return Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(self.home)}))


@pytest.fixture(scope="module")
def learned(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    """Return a training of all kinds of covariates, for all tests that only read."""
    folder = tmp_path_factory.mktemp("learned")
    seen: list[TrainingSet] = []
    data = write_covariates(folder / "d.csv")
    runtime = Runtime(Progress(Console(file=StringIO())), make_fit(seen=seen), folder / "scratch")
    learn(copy_registry(empty_store, folder / "home"), runtime, data)
    return Learned(folder / "home", data, seen)


def test_a_training_sees_covariates_up_to_the_cutoff_and_ahead(learned: Learned) -> None:
    """Held-out rows are the future of what is known ahead, and nothing of the rest."""
    compared, refitted = learned.seen
    assert compared.covariates == refitted.covariates == NAMES
    history = compared.series[0]
    assert len(history) == 36 - 2 * HORIZON
    assert history.future_covariates["price"].tolist() == list(range(240, 420, 10))
    assert set(history.future_covariates) == {"price"}


def test_a_file_is_forecast_by_what_it_knows_ahead(learned: Learned, make_runtime: MakeRuntime, tmp_path: Path) -> None:
    """From rows after the last value or from a second file alike; holidays are counted."""
    runtime = make_runtime(make_fit())
    bare = write_covariates(tmp_path / "bare.csv", ahead=0)
    later = tmp_path / "later.csv"
    later.write_text("ds,price\n" + "".join(f"2017-0{month},{350 + 10 * month}\n" for month in range(1, 7)))

    inside = ask(learned.registry(), runtime, learned.data, tmp_path / "one")
    beside = ask(learned.registry(), runtime, bare, tmp_path / "two", later)

    expected = [make_value(24 + step) + 360 + 10 * step + HOLIDAYS[step] for step in range(HORIZON)]
    for found in (inside, beside):
        np.testing.assert_allclose(found.forecasts[0].median, expected)
        assert found.forecasts[0].warnings == ()


def test_a_second_file_of_the_past_is_refused_with_both_dates(
    learned: Learned, make_runtime: MakeRuntime, tmp_path: Path
) -> None:
    """Which dates were expected, and which were found."""
    runtime = make_runtime(make_fit())
    earlier = tmp_path / "earlier.csv"
    earlier.write_text("ds,price\n" + "".join(f"2016-0{month}-01,{month}\n" for month in range(1, 7)))

    with pytest.raises(DataInvalid, match=r"after the last value, 2016-12-01; the file has 2016-01-01 to 2016-06-01"):
        ask(learned.registry(), runtime, write_covariates(tmp_path / "bare.csv", ahead=0), tmp_path / "one", earlier)


def test_a_second_file_that_begins_too_late_is_said(
    learned: Learned, make_runtime: MakeRuntime, progress: Progress, tmp_path: Path
) -> None:
    """With the step that it should begin with."""
    runtime = make_runtime(make_fit())
    later = tmp_path / "later.csv"
    later.write_text("ds,price\n2018-01-01,5\n2018-02-01,6\n")

    ask(learned.registry(), runtime, write_covariates(tmp_path / "bare.csv", ahead=0), tmp_path / "one", later)

    said = " ".join(progress.console.file.getvalue().split())  # type: ignore[attr-defined]
    assert "is 2017-01-01; its rows begin with 2018-01-01" in said


def test_what_is_not_known_ahead_is_said(learned: Learned, make_runtime: MakeRuntime, tmp_path: Path) -> None:
    """Without any future the forecast comes with a warning; without the column it does not come."""
    runtime = make_runtime(make_fit())
    bare = write_covariates(tmp_path / "bare.csv", ahead=0)

    found = ask(learned.registry(), runtime, bare, tmp_path / "one")

    assert [one.code for one in found.forecasts[0].warnings] == ["COVARIATE_FUTURE_UNKNOWN"]
    bare.write_text(bare.read_text().replace("price", "cost"))
    with pytest.raises(DataInvalid, match="no column 'price'"):
        ask(learned.registry(), runtime, bare, tmp_path / "two")


def test_mlflow_has_the_covariates_in_signature_and_example(learned: Learned) -> None:
    """Any client can load the model and send what its example shows."""
    learned.registry()

    model = mlflow.pyfunc.load_model("models:/sales@champion")
    example = model.input_example
    answer = model.predict(example)

    assert model.metadata.get_input_schema().input_names() == ["unique_id", "ds", "y", "traffic", "price"]
    assert answer["unique_id"].tolist() == ["a"] * HORIZON + ["b"] * HORIZON
    assert answer["ds"].iloc[0] == pd.Timestamp("2017-01-01")
    np.testing.assert_allclose(answer["median"][0], make_value(24) + 360 + HOLIDAYS[0])


def test_a_champion_without_covariates_is_compared_on_the_same_block(
    registry: Registry, make_runtime: MakeRuntime, tmp_path: Path
) -> None:
    """It is given what it reads; the data's covariates are none of its business."""
    data = write_covariates(tmp_path / "d.csv")
    plain = TrainConfig(data, HORIZON, name="sales", architecture=("lstm",), baselines=("seasonal_naive",))
    train(plain, registry, make_runtime(make_fit()))

    outcome = learn(registry, make_runtime(make_fit()), data)

    assert "not be compared" not in outcome.decision.reason
    assert outcome.decision.to_dict()["reason"]


def test_a_backtest_trains_on_covariates(tmp_path: Path, make_runtime: MakeRuntime) -> None:
    """The networks of `almanac backtest` see them as those of a training do."""
    seen: list[TrainingSet] = []
    data = read_series(write_covariates(tmp_path / "d.csv"), covariates=NAMES)
    config = TrainConfig(tmp_path / "d.csv", HORIZON, architecture=("lstm",), baselines=("seasonal_naive",))
    request = BacktestRequest(config)

    found = run_backtest(data, request, make_runtime(make_fit(seen=seen)))

    assert seen[0].covariates == NAMES
    assert json.loads(json.dumps(to_dict(found, data, request)))["models"]["lstm"]["mase"] > 1
