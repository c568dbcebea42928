"""Covariates from a file to an answer: a network learns from one that carries the answer, and serves it."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from rich.console import Console
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.service.home import ready
from training.cli.forecast_file import FileForecastRequest, FileForecasts, forecast_file
from training.config.fit import FitConfig
from training.config.training import Columns, TrainConfig
from training.pipeline.candidates import fit_with_keras
from training.pipeline.task import Runtime
from training.pipeline.train import Outcome, train
from training.progress import Progress
from training.registry.client import Registry
from training.registry.location import RegistryLocation

LENGTH, HORIZON, SERIES = 100, 6, 6
FIT = FitConfig(
    units=8,
    layers=1,
    context_length=36,
    encoder_length=24,
    transform="none",
    batch_size=32,
    max_steps=120,
    steps_per_epoch=40,
)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shop:
    """Months of sales with a season, and promotions that raise or lower them, by shop."""

    values: Floats
    promotions: Floats

    @classmethod
    def make(cls, number: int) -> "Shop":
        """Return a shop; promotions help every other one and harm the rest."""
        generator = np.random.default_rng(number)
        steps = np.arange(LENGTH + HORIZON)
        promotions = (generator.random(len(steps)) < 0.4) * generator.choice([1.0, 3.0], len(steps))
        season = 20 + 5 * np.sin(steps * np.pi / 6)
        return cls(season + (4 - 8 * (number % 2)) * promotions + generator.normal(0.0, 0.3, len(steps)), promotions)


SHOPS = [Shop.make(number) for number in range(SERIES)]


@dataclass(frozen=True, slots=True)
class Street:
    """What was trained on the shops, with their promotions and without."""

    home: Path
    data: Path
    registry: Registry
    informed: Outcome
    plain: Outcome


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Street:
    """Return two models of the same file, one of which reads the promotions; the held-out months are not in it."""
    folder = tmp_path_factory.mktemp("street")
    data, home = write(folder / "shops.csv"), folder / "home"
    registry = Registry(RegistryLocation.from_environment({"ALMANAC_HOME": str(home)}))
    made = []
    for name, ahead in (("informed", ("promotion",)), ("plain", ())):
        runtime = Runtime(Progress(Console(file=StringIO())), fit_with_keras, folder / name)
        config = TrainConfig(
            data,
            HORIZON,
            name=name,
            architecture=("lstm",),
            baselines=("seasonal_naive",),
            future_covariates=ahead,
            fit=FIT,
            refit=False,
        )
        made.append(train(config, registry, runtime))
    return Street(home, data, registry, made[0], made[1])


def write(path: Path) -> Path:
    """Write the shops as a long file whose last months have a promotion and no sales yet."""
    months = np.arange("2015-01", "2100-01", dtype="M8[M]")
    rows = ["unique_id,ds,y,promotion"]
    for number, shop in enumerate(SHOPS):
        for step in range(LENGTH + HORIZON):
            value = shop.values[step] if step < LENGTH else ""
            rows.append(f"shop {number},{months[step]},{value},{shop.promotions[step]}")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def service(street: Street) -> Iterator[TestClient]:
    """Return a client of the real service over that home."""
    settings = Settings(home=street.home, model="informed")
    with TestClient(create_app(settings)) as client:
        ready(client)
        yield client


def ask(service: TestClient, promotions: list[Floats]) -> Floats:
    """Return the medians that the service answers, (series, horizon), for promotions to come."""
    series: list[dict[str, Any]] = [
        {
            "start": "2015-01",
            "frequency": "M",
            "values": shop.values[:LENGTH].tolist(),
            "past_covariates": {"promotion": shop.promotions[:LENGTH].tolist()},
            "future_covariates": {"promotion": ahead.tolist()},
        }
        for shop, ahead in zip(SHOPS, promotions, strict=True)
    ]
    answer = service.post("/forecast", json={"series": series, "horizon": HORIZON})
    assert answer.status_code == 200, answer.text
    return np.array([forecast["median"] for forecast in answer.json()["forecasts"]])


def foretell(street: Street, model: str, scratch: Path) -> FileForecasts:
    """Return what `almanac forecast` says of the file."""
    request = FileForecastRequest(model, street.data, None, None, Columns(), (80.0,))
    return forecast_file(street.registry, request, progress=Progress(Console(file=StringIO())), scratch=scratch)


def error_of(medians: Floats) -> float:
    """Return the mean absolute error on the months that no training has seen."""
    return float(np.abs(medians - np.array([shop.values[LENGTH:] for shop in SHOPS])).mean())


@pytest.mark.prove
def test_a_covariate_that_carries_the_answer_is_read(street: Street, service: TestClient, tmp_path: Path) -> None:
    """With the promotions to come the error is far below that without; service and command line say the same."""
    informed = np.array([one.median for one in foretell(street, "informed", tmp_path / "informed").forecasts])
    plain = np.array([one.median for one in foretell(street, "plain", tmp_path / "plain").forecasts])
    served = ask(service, [shop.promotions[LENGTH:] for shop in SHOPS])

    assert_allclose(served, informed, rtol=1e-6)
    assert error_of(informed) < 0.4 * error_of(plain)


@pytest.mark.prove
def test_the_backtest_knows_the_covariates_of_the_held_out_months(street: Street) -> None:
    """They were known ahead, and are not held out."""
    figures = [outcome.to_dict()["models"]["lstm"]["backtest.mase"] for outcome in (street.informed, street.plain)]

    assert figures[0] < 0.4 * figures[1]


@pytest.mark.prove
def test_each_series_has_its_own_effect(street: Street, service: TestClient) -> None:
    """The same promotion raises the sales of one shop and lowers those of the next, as their own histories tell."""
    none, one = (ask(service, [np.full(HORIZON, height)] * SERIES) for height in (0.0, 1.0))

    moved = (one - none).mean(axis=1)

    assert (moved[0::2] > 1).all()
    assert (moved[1::2] < -1).all()
    assert street.informed.comparison.winner.candidate.forecaster.spec.future_covariates == ("promotion",)
