"""The starter over REST: it answers while nothing is registered, and requests that name it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models import starters
from models.calendar.zoned_grid import Frequency, parse_frequency
from models.forecaster import Forecaster
from service.errors import ModelRefused
from service.serving.catalog import Catalog
from tests.service.home import Artifacts, ServiceHome, serving

MONTHS = [float(month) for month in range(1, 61)]
IDENTITY = {"name": "starter", "alias": None, "run_id": None}


@pytest.fixture(scope="module")
def empty(
    tmp_path_factory: pytest.TempPathFactory, artifacts: Artifacts, migrated: Path, small_starters: Path
) -> Iterator[TestClient]:
    """Return a client of a service with an empty registry, for all tests of this module."""
    home = ServiceHome(tmp_path_factory.mktemp("empty"), artifacts)
    home.set_empty()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starters, "FOLDER", small_starters)
        patch.setattr(starters, "BLENDS", {})
        with serving(home, migrated) as client:
            yield client


def ask(client: TestClient, *series: dict[str, Any], horizon: int = 2, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    """Post series and return the response."""
    answer = client.post("/forecast", json={"series": series, "horizon": horizon, **members})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_starter_answers_for_an_empty_registry(empty: TestClient) -> None:
    """With intervals, and its name and version."""
    answer = ask(empty, {"start": "2020-01", "frequency": "M", "values": MONTHS}, horizon=3, levels=[80, 95])

    forecast = answer["forecasts"][0]
    assert answer["model"] == {**IDENTITY, "version": starters.version()}
    assert forecast["timestamps"] == ["2025-01", "2025-02", "2025-03"]
    assert forecast["median"] == [49.0, 50.0, 51.0]
    assert set(forecast["intervals"]) == {"80", "95"}
    assert forecast["warnings"] == []


def test_each_series_is_forecast_by_the_starter_of_its_frequency(empty: TestClient) -> None:
    """In the order of the request, in one batch with a wrong series."""
    steps = [float(step) for step in range(1, 200)]
    answer = ask(
        empty,
        {"id": "hours", "start": "2024-01-01T00:00", "frequency": "h", "values": steps},
        {"id": "months", "start": "2000-01", "frequency": "MS", "values": steps},
        {"id": "broken", "values": []},
        {"id": "more hours", "start": "2024-01-01T00:00", "frequency": "h", "values": steps[:100]},
        {"id": "wednesdays", "start": "2020-01-01", "frequency": "W-WED", "values": steps},
        {"id": "quarters", "start": "1980-01-01", "frequency": "QS", "values": steps},
        {"id": "odd", "start": "2024-01-01T00:00", "frequency": "7min", "values": steps},
    )

    ends = {one["id"]: one["median"] for one in answer["forecasts"]}
    assert list(ends) == ["hours", "months", "more hours", "wednesdays", "quarters", "odd"]
    assert ends == {
        "hours": [176.0, 177.0],
        "months": [188.0, 189.0],
        "more hours": [77.0, 78.0],
        "wednesdays": [148.0, 149.0],
        "quarters": [196.0, 197.0],
        "odd": [199.0, 199.0],
    }
    assert [(one["id"], one["code"]) for one in answer["errors"]] == [("broken", "SERIES_EMPTY")]
    warnings = {one["id"]: [warning["code"] for warning in one["warnings"]] for one in answer["forecasts"]}
    assert [name for name, codes in warnings.items() if "SEASON_UNKNOWN" in codes] == ["odd"]


def test_the_frequency_is_inferred_from_timestamps(empty: TestClient) -> None:
    """Here of days."""
    days = [f"2024-01-{day:02}" for day in range(1, 32)]

    forecast = ask(empty, {"timestamps": days, "values": list(range(31))})["forecasts"][0]

    assert forecast["timestamps"] == ["2024-02-01", "2024-02-02"]
    assert forecast["median"] == [24.0, 25.0]


def test_values_without_a_frequency_are_months_with_a_warning(empty: TestClient) -> None:
    """And with one about the unknown season."""
    forecast = ask(empty, {"values": MONTHS})["forecasts"][0]

    assert forecast["median"] == [49.0, 50.0]
    assert forecast["timestamps"] is None
    assert [one["code"] for one in forecast["warnings"]] == ["FREQUENCY_ASSUMED", "PHASE_UNKNOWN"]
    assert {one["pointer"] for one in forecast["warnings"]} == {"/series/0"}


def test_a_frequency_without_dates_has_one_warning(empty: TestClient) -> None:
    """About the unknown season."""
    forecast = ask(empty, {"frequency": "Q", "values": MONTHS})["forecasts"][0]

    assert forecast["median"] == [57.0, 58.0]
    assert [one["code"] for one in forecast["warnings"]] == ["PHASE_UNKNOWN"]


def test_a_horizon_beyond_the_trained_one_has_a_warning(empty: TestClient) -> None:
    """Each starter has its own horizon."""
    quarters, months = ask(
        empty,
        {"start": "2000-01-01", "frequency": "Q", "values": MONTHS},
        {"start": "2000-01", "frequency": "M", "values": MONTHS},
        horizon=20,
    )["forecasts"]

    assert len(quarters["median"]) == len(months["median"]) == 20
    assert [one["code"] for one in quarters["warnings"]] == ["HORIZON_EXTENDED"]
    assert months["warnings"] == []


def test_the_starter_has_no_covariates(empty: TestClient) -> None:
    """They are an error."""
    series = {"start": "2024-01", "frequency": "M", "values": [1, 2, 3], "past_covariates": {"price": [1, 2, 3]}}

    answer = empty.post("/forecast", json={"series": [series], "horizon": 1})

    assert (answer.status_code, answer.json()["code"]) == (422, "COVARIATE_UNKNOWN")


@pytest.mark.parametrize("selector", ["starter", "starter/{version}"])
def test_the_starter_can_be_requested_by_name(shared_client: TestClient, selector: str) -> None:
    """While a registered model answers requests without a name."""
    series = {"start": "2024-01-01", "frequency": "D", "values": MONTHS}
    version = starters.version()

    named = ask(shared_client, series, model=selector.format(version=version))
    bare = ask(shared_client, {"values": MONTHS})

    assert named["model"] == {**IDENTITY, "version": version}
    assert bare["model"]["name"] == "temperatures"


@pytest.mark.parametrize("selector", ["starter@champion", "starter/7"])
def test_the_starter_has_one_version_and_no_alias(shared_client: TestClient, selector: str) -> None:
    """Another is unknown."""
    answer = shared_client.post("/forecast", json={"series": [{"values": MONTHS}], "horizon": 1, "model": selector})

    assert (answer.status_code, answer.json()["code"]) == (422, "MODEL_UNKNOWN")
    assert "starter" in answer.json()["hint"]


def test_each_starter_is_loaded_once_for_many_requests(home: ServiceHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its frequency is first requested."""
    loads: list[str] = []
    real = starters.load_starter
    home.set_empty()
    catalog = Catalog(home.cache)
    step = parse_frequency("W-WED")

    def load(step: Frequency) -> Forecaster:
        loads.append(step.name)
        return real(step)

    monkeypatch.setattr(starters, "load_starter", load)

    async def select() -> None:
        await catalog.refresh()
        await asyncio.gather(*(catalog.select(None, lambda: [step]) for _ in range(20)))

    asyncio.run(select())

    assert loads == ["M", "W-WED"]


def test_a_broken_installation_is_logged_once(
    home: ServiceHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Requests fail, and the service is not ready."""
    monkeypatch.setattr(starters, "FOLDER", tmp_path)
    home.set_empty()
    catalog = Catalog(home.cache)

    async def ask_twice() -> None:
        await catalog.refresh()
        for _ in range(2):
            with pytest.raises(ModelRefused, match="starter"):
                await catalog.select(None)
        await catalog.refresh()

    asyncio.run(ask_twice())

    assert isinstance(catalog.readiness_error(), ModelRefused)
    assert len([one for one in caplog.records if "starter" in one.message]) == 1


def test_forecasts_of_the_starter_are_counted(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """But it is not a champion, and its inputs have no drift."""
    home.set_empty()
    client = start()

    ask(client, {"values": MONTHS}, {"frequency": "D", "values": MONTHS}, horizon=3)

    lines = client.get("/metrics").text.splitlines()

    assert 'almanac_series_total{model="starter"} 2.0' in lines
    assert 'almanac_points_total{model="starter"} 6.0' in lines
    assert 'almanac_model_reloads_total{model="starter",outcome="ok"} 2.0' in lines
    assert not [line for line in lines if line.startswith(("almanac_model_info{", "almanac_input_drift_score{"))]
