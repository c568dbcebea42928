import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose
from starlette.testclient import TestClient

from almanac.command_line import almanac
from service.app import create_app
from service.settings import Settings
from tests.service.home import eventually, ready
from tests.training.fakes import make_fit, make_series, write_csv
from training.config.training import TrainConfig
from training.evaluation import figures
from training.pipeline.task import Runtime
from training.pipeline.train import train
from training.progress import Progress
from training.registry import runs
from training.registry.client import Registry
from training.registry.location import RegistryLocation

ROOT = Path(__file__).parents[2]
HORIZON = 12

LONELY = """
import json, sys
root, request = sys.argv[1:3]
sys.path[:] = [path for path in sys.path if path not in ("", root)]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(finder)]
import mlflow.pyfunc, pandas as pd
question = json.loads(request)
frame = pd.DataFrame({"unique_id": "a", "ds": pd.to_datetime(question["ds"]), "y": question["y"]})
model = mlflow.pyfunc.load_model("models:/weather@champion")
answer = model.predict(frame, params={"horizon": question["horizon"]})
own = sorted({name.split(".")[0] for name in sys.modules if name.startswith(("almanac", "models"))})
print(json.dumps({"columns": answer.drop(columns=["ds"]).to_dict("list"), "own": own}))
"""
"""A client of MLflow that has the packages but not this project."""


@dataclass(frozen=True, slots=True)
class Circle:
    """A home in which `almanac train` has run, its output, and the data."""

    home: Path
    data: Path
    outcome: dict[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that a person would set."""
        return {**os.environ, "ALMANAC_HOME": str(self.home), "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def circle(tmp_path_factory: pytest.TempPathFactory, empty_mlflow: Path) -> Circle:
    """Return the first half of the circle, as a person goes it: data, and one command that trains a tiny network.

    At one origin, since for each of them the classical model starts processes of its own.
    """
    folder = tmp_path_factory.mktemp("circle")
    (folder / "home").mkdir()
    shutil.copy(empty_mlflow, folder / "home" / "mlflow.db")
    data = write_csv(folder / "weather.csv", [make_series(name, seed=seed) for seed, name in enumerate("abc")])
    half = Circle(folder / "home", data, {})
    small = (
        "fit.units=4",
        "fit.steps=4",
        "fit.steps_per_epoch=2",
        "fit.layers=1",
        "fit.synthetic_share=0",
        "fit.transform=none",
        "fit.calendar=true",
        "fit.context_length=25",
        "fit.encoder_length=13",
        "retrain.origins=1",
    )
    command = [sys.executable, "-m", "almanac", "train", "--data", str(data), "--horizon", str(HORIZON), "--json"]
    command += [
        "--architecture",
        "lstm",
        "--baselines",
        "auto_theta",
        "--no-refit",
        *(part for one in small for part in ("--set", one)),
    ]
    quick = {**half.environment, "XLA_FLAGS": "--xla_backend_optimization_level=0"}
    found = subprocess.run(command, env=quick, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
    assert found.returncode == 0, found.stderr
    return Circle(half.home, data, json.loads(found.stdout))


@pytest.fixture(scope="module")
def service(circle: Circle) -> Iterator[TestClient]:
    """Return a client of the real service over that home, its registry child watching the real MLflow."""
    settings = Settings(home=circle.home)
    with TestClient(create_app(settings)) as client:
        ready(client)
        yield client


def ask(service: TestClient, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a request
    """Post series `a` and return the answer."""
    series = make_series("a")
    body = {"id": "a", "start": "2000-01", "frequency": "M", "values": series.values.tolist()}
    answer = service.post("/forecast", json={"series": [body], "horizon": HORIZON, **changes})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_training_tells_what_it_decided(circle: Circle) -> None:
    """The outcome names the winner, its figures beside the baselines, and that the first model is champion."""
    assert circle.outcome["winner"] == "lstm"
    assert circle.outcome["decision"]["promote"]
    assert {"lstm", "seasonal_naive", "auto_theta"} == set(circle.outcome["models"])
    assert np.isfinite(circle.outcome["models"]["lstm"]["backtest.mase"])


def test_the_service_answers_with_the_champion(circle: Circle, service: TestClient) -> None:
    """What was trained is what answers, with the run that made it."""
    answer = ask(service)

    assert answer["model"]["name"] == "weather"
    assert answer["model"]["version"] == "1"
    card = service.get("/models/weather").json()
    assert circle.outcome["winner"] in json.dumps(card)
    assert answer["forecasts"][0]["timestamps"][0] == "2008-01"


def test_any_mlflow_client_answers_the_same_without_this_project(circle: Circle, service: TestClient) -> None:
    """A pyfunc loaded by MLflow alone agrees with the service to 1e-5, running the code that lies beside the model."""
    series = make_series("a")
    assert series.timestamps is not None
    question = {"ds": [str(stamp) for stamp in series.timestamps], "y": series.values.tolist(), "horizon": HORIZON}
    location = RegistryLocation.from_environment(circle.environment)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    found = subprocess.run(  # noqa: S603 - fixed code
        [sys.executable, "-c", LONELY, str(ROOT), json.dumps(question)],
        env={**environment, "MLFLOW_TRACKING_URI": location.uri, "MLFLOW_DISABLE_TELEMETRY": "true"},
        cwd=circle.home,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stderr
    lonely = json.loads(found.stdout.splitlines()[-1])
    served = ask(service)["forecasts"][0]
    assert_allclose(lonely["columns"]["median"], served["median"], rtol=1e-5)
    for level, values in served["quantiles"].items():
        assert_allclose(lonely["columns"][f"q{level}"], values, rtol=1e-5)
    assert len(lonely["own"]) == 1
    assert lonely["own"][0].startswith("almanac_model_")


def test_the_command_line_forecasts_the_same(circle: Circle, service: TestClient) -> None:
    """`almanac forecast` and the service are one forecaster."""
    arguments = ["forecast", "--model", "weather", "--data", str(circle.data), "--json"]

    found = CliRunner().invoke(almanac, arguments, env={**circle.environment, "MLFLOW_TRACKING_URI": None})

    assert found.exit_code == 0, found.stderr
    assert_allclose(
        json.loads(found.stdout)["forecasts"][0]["median"], ask(service)["forecasts"][0]["median"], rtol=1e-5
    )


def test_a_newly_promoted_version_answers_without_a_restart(
    circle: Circle, service: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training and promoting again while the service runs changes the version in its answers, and none fails."""
    registry = Registry(RegistryLocation.from_environment(circle.environment))
    runtime = Runtime(Progress(), make_fit(), tmp_path)
    monkeypatch.setattr(figures, "save_figures", lambda _figures, folder: (folder / "figures.txt").write_text("none"))
    monkeypatch.setattr(runs, "_draw", lambda *_: {})
    plain = ("seasonal_naive",)
    config = TrainConfig(circle.data, HORIZON, architecture=("gru",), baselines=plain, refit=False, promote=True)

    outcome = train(config, registry, runtime)

    assert outcome.version == "2"
    eventually(lambda: ask(service)["model"]["version"] == "2", "the old champion still answers")
    assert ask(service, model="weather@previous")["model"]["version"] == "1"
