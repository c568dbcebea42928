"""The starter behind the wire: it answers while nothing is registered, and whoever names it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from models import starters
from models.calendar.on_calendar import Frequency, parse_frequency
from models.forecaster import Forecaster
from service.errors import ModelLoading, ModelRefused, ModelRequired, NoModel
from service.serving.catalog import Catalog
from service.serving.registry_index import ModelVersion, RegisteredModel
from tests.service.home import ServiceHome, eventually
from tests.starters import make_starters

MONTHS = [float(month) for month in range(1, 61)]
IDENTITY = {"name": "starter", "alias": None, "run_id": None}


@pytest.fixture
def empty(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a client of a service that has never seen a model."""
    home.set_empty()
    return start()


def ask(client: TestClient, *series: dict[str, Any], horizon: int = 2, **members: Any) -> dict[str, Any]:  # noqa: ANN401
    """Post series and return the answer."""
    answer = client.post("/forecast", json={"series": series, "horizon": horizon, **members})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def chosen(home: ServiceHome, text: str | None = None, **options: Any) -> str:  # noqa: ANN401 (of Catalog)
    """Return the name and alias that a request for `text` is answered by."""
    catalog = Catalog(home.cache, **options)

    async def choose() -> str:
        await catalog.refresh()
        choice = await catalog.select(text)
        return f"{choice.model.name}@{choice.alias}"

    return asyncio.run(choose())


def test_an_empty_registry_answers_with_intervals(empty: TestClient) -> None:
    """And says who answered, in which version."""
    answer = ask(empty, {"start": "2020-01", "frequency": "M", "values": MONTHS}, horizon=3, levels=[80, 95])

    forecast = answer["forecasts"][0]
    assert answer["model"] == {**IDENTITY, "version": starters.version()}
    assert forecast["timestamps"] == ["2025-01", "2025-02", "2025-03"]
    assert forecast["median"] == [49.0, 50.0, 51.0]
    assert set(forecast["intervals"]) == {"80", "95"}
    assert forecast["warnings"] == []


def test_series_of_different_frequencies_are_answered_each_by_its_own(empty: TestClient) -> None:
    """In the order of the request, errors among them; no frequency mismatches."""
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


def test_a_frequency_is_inferred_from_timestamps(empty: TestClient) -> None:
    """Days, then, and the starter of days."""
    days = [f"2024-01-{day:02}" for day in range(1, 32)]

    forecast = ask(empty, {"timestamps": days, "values": list(range(31))})["forecasts"][0]

    assert forecast["timestamps"] == ["2024-02-01", "2024-02-02"]
    assert forecast["median"] == [24.0, 25.0]


def test_bare_values_are_taken_for_months_and_the_answer_says_so(empty: TestClient) -> None:
    """Neither frequency nor place in the season is known."""
    forecast = ask(empty, {"values": MONTHS})["forecasts"][0]

    assert forecast["median"] == [49.0, 50.0]
    assert forecast["timestamps"] is None
    assert [one["code"] for one in forecast["warnings"]] == ["FREQUENCY_ASSUMED", "PHASE_UNKNOWN"]
    assert {one["pointer"] for one in forecast["warnings"]} == {"/series/0"}


def test_a_frequency_without_dates_assumes_nothing_but_the_season(empty: TestClient) -> None:
    """Its starter answers."""
    forecast = ask(empty, {"frequency": "Q", "values": MONTHS})["forecasts"][0]

    assert forecast["median"] == [57.0, 58.0]
    assert [one["code"] for one in forecast["warnings"]] == ["PHASE_UNKNOWN"]


def test_beyond_the_trained_horizon_it_rolls_on_and_says_so(empty: TestClient) -> None:
    """Each series beyond that of its own starter."""
    quarters, months = ask(
        empty,
        {"start": "2000-01-01", "frequency": "Q", "values": MONTHS},
        {"start": "2000-01", "frequency": "M", "values": MONTHS},
        horizon=20,
    )["forecasts"]

    assert len(quarters["median"]) == len(months["median"]) == 20
    assert [one["code"] for one in quarters["warnings"]] == ["HORIZON_EXTENDED"]
    assert months["warnings"] == []


def test_the_starter_knows_no_covariates(empty: TestClient) -> None:
    """As any model without them says."""
    series = {"start": "2024-01", "frequency": "M", "values": [1, 2, 3], "past_covariates": {"price": [1, 2, 3]}}

    answer = empty.post("/forecast", json={"series": [series], "horizon": 1})

    assert (answer.status_code, answer.json()["code"]) == (422, "COVARIATE_UNKNOWN")


@pytest.mark.parametrize("words", ["starter", "starter/{version}"])
def test_the_starter_is_always_answered_by_its_name(client: TestClient, words: str) -> None:
    """Beside registered models, which go on answering requests that name none."""
    series = {"start": "2024-01-01", "frequency": "D", "values": MONTHS}
    version = starters.version()

    named = ask(client, series, model=words.format(version=version))
    bare = ask(client, {"values": MONTHS})

    assert named["model"] == {**IDENTITY, "version": version}
    assert bare["model"]["name"] == "temperatures"


@pytest.mark.parametrize("words", ["starter@champion", "starter/7"])
def test_the_starter_has_one_version_and_no_alias(client: TestClient, words: str) -> None:
    """Another is unknown."""
    answer = client.post("/forecast", json={"series": [{"values": MONTHS}], "horizon": 1, "model": words})

    assert (answer.status_code, answer.json()["code"]) == (422, "MODEL_UNKNOWN")
    assert "starter" in answer.json()["hint"]


def test_before_the_registry_has_answered_only_the_starters_name_is(home: ServiceHome) -> None:
    """What the registry may hold must not be answered by another model."""
    assert chosen(home, "starter") == "starter@None"
    with pytest.raises(ModelLoading, match="starter"):
        chosen(home)


def test_the_starter_can_be_the_default(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Whatever is registered, and before the registry has answered."""
    client = start(model="starter")

    home.publish("temperatures", "1")
    eventually(lambda: len(client.get("/models").json()["models"]) == 2, "the model goes unnoticed")

    assert ask(client, {"values": MONTHS})["model"]["name"] == "starter"
    assert client.get("/health/ready").json()["models"][-1]["name"] == "starter"
    assert client.get("/models").json()["default"] == "starter"


def test_the_first_registered_model_takes_over(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Requests that name none are then its own."""
    home.set_empty()
    client = start()
    ready = client.get("/health/ready").json()

    home.publish("temperatures", "1")

    def answering() -> str:
        return str(ask(client, {"values": MONTHS})["model"]["name"])

    assert [one["name"] for one in ready["models"]] == ["starter"]
    eventually(lambda: answering() == "temperatures", "the promotion went unnoticed")
    assert [one["name"] for one in client.get("/health/ready").json()["models"]] == ["temperatures"]


def test_several_registered_names_are_listed_with_the_starter(home: ServiceHome) -> None:
    """None of them is meant by a request that names none."""
    home.publish("temperatures", "1")
    home.publish("rain", "1", shift=1.0)

    with pytest.raises(ModelRequired, match=r'temperatures, rain.*"starter"'):
        chosen(home)


def test_a_champion_that_is_refused_is_not_replaced_by_the_starter(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """Its error is the answer, and the service is not ready."""
    other = home.store(shift=5.0)
    with home.cache.download() as folder:
        broken = make_starters(folder, only=("M",)) / "M"
        (broken / "network.onnx").write_bytes((home.cache.path(other) / "network.onnx").read_bytes())
        digest = home.cache.store(folder)
    home.set_models({"temperatures": RegisteredModel({"1": ModelVersion("run", digest)}, {"champion": "1"})})
    client = start(wait=False)

    eventually(lambda: client.get("/health/ready").json()["code"] == "MODEL_REFUSED", "the champion is not refused")
    answer = client.post("/forecast", json={"series": [{"values": MONTHS}], "horizon": 1})

    assert (answer.status_code, answer.json()["code"]) == (503, "MODEL_REFUSED")
    assert ask(client, {"values": MONTHS}, model="starter")["model"]["name"] == "starter"


def test_a_champion_that_is_still_to_be_fetched_is_waited_for(home: ServiceHome) -> None:
    """The starter does not stand in for it."""
    home.set_models({"temperatures": RegisteredModel({"1": ModelVersion("run")}, {"champion": "1"})})

    with pytest.raises(ModelLoading):
        chosen(home)


def test_a_name_without_a_champion_keeps_the_starter_from_answering(home: ServiceHome) -> None:
    """Somebody has taken the alias away: the error says how to set it, and that the starter can be named."""
    home.set_models({"temperatures": RegisteredModel({"1": ModelVersion("run")}, {})})

    with pytest.raises(NoModel, match=r"temperatures.*almanac promote.*starter"):
        chosen(home)


def test_models_of_others_do_not_keep_the_starter_from_answering(home: ServiceHome) -> None:
    """A registry may be shared with programs whose models are none of Almanac's."""
    home.set_models(
        {"foreign": RegisteredModel({"1": ModelVersion("run", None, "no model of Almanac's")}, {"champion": "1"})}
    )

    assert chosen(home) == "starter@None"


def test_a_registered_model_of_that_name_answers_by_alias_and_number(home: ServiceHome) -> None:
    """It was registered before the name was reserved: `starter` alone is the package's."""
    home.publish("starter", "1", shift=1.0)

    found = {text: chosen(home, text) for text in (None, "starter@champion", "starter/1", "starter")}

    assert found == {
        None: "starter@champion",
        "starter@champion": "starter@champion",
        "starter/1": "starter@None",
        "starter": "starter@None",
    }


def test_each_starter_is_loaded_once_however_many_ask(home: ServiceHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only when a series of its frequency comes, in a thread."""
    loads: list[str] = []
    real = starters.load_starter
    home.set_empty()
    catalog = Catalog(home.cache)
    step = parse_frequency("W-WED")

    def load(step: Frequency) -> Forecaster:
        loads.append(step.name)
        return real(step)

    monkeypatch.setattr(starters, "load_starter", load)

    async def choose() -> None:
        await catalog.refresh()
        await asyncio.gather(*(catalog.select(None, lambda: [step]) for _ in range(20)))

    asyncio.run(choose())

    assert loads == ["M", "W-WED"]


def test_a_broken_installation_is_said_and_logged_once(
    home: ServiceHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The service is not ready, requests are 503, the list still answers."""
    monkeypatch.setattr(starters, "FOLDER", tmp_path)
    home.set_empty()
    catalog = Catalog(home.cache)

    async def ask_twice() -> None:
        await catalog.refresh()
        for _ in range(2):
            with pytest.raises(ModelRefused, match=r"There is no starter in .* Install almanac-forecast again"):
                await catalog.select(None)
        await catalog.refresh()

    asyncio.run(ask_twice())

    assert isinstance(catalog.readiness_error(), ModelRefused)
    assert len([one for one in caplog.records if "starter" in one.message]) == 1


def test_what_the_starter_gives_out_is_counted(empty: TestClient) -> None:
    """Under its name; it is no champion, and its inputs have no training to drift from."""
    ask(empty, {"values": MONTHS}, {"frequency": "D", "values": MONTHS}, horizon=3)

    lines = empty.get("/metrics").text.splitlines()

    assert 'almanac_series_total{model="starter"} 2.0' in lines
    assert 'almanac_points_total{model="starter"} 6.0' in lines
    assert 'almanac_model_reloads_total{model="starter",outcome="ok"} 2.0' in lines
    assert not [line for line in lines if line.startswith(("almanac_model_info{", "almanac_input_drift_score{"))]
