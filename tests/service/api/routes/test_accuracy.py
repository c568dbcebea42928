"""Live accuracy: GET /accuracy and the gauges, compared with the tables and with models/accuracy.py."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from models import accuracy
from models.baselines import seasonal_naive
from models.intervals import interval_sides
from models.profile import Profile, features
from models.series import Series
from service.monitoring.score_figures import bucket_of
from service.monitoring.scorer import Scorer
from service.store.database import Database
from service.store.tables import scores
from tests.service.forecast_log import actuals_of, last_week, log, make_forecast, make_history
from tests.service.home import ServiceHome, eventually
from tests.service.live_accuracy import fill, get, post_actuals, scored, service_of
from tests.service.monitoring.test_metrics import samples, value
from tests.service.openapi_cases import validate
from tests.service.score_scans import Sums, rebuild_sums, recount

BACKTEST = {"model": {"mase_by_step": [0.5] * 12}, "seasonal_naive": {"mase_by_step": [1.0] * 12}}


@pytest.fixture
def filled(stored_client: TestClient) -> TestClient:
    """Return a client of a service that has scored twelve forecasts."""
    fill(stored_client)
    scored(stored_client)
    return stored_client


def recounted(client: TestClient) -> Sums:
    """Return the sums by model, version and bucket."""
    database = service_of(client).database.sync_database
    return recount(database, lambda row: (row.model, row.version, bucket_of(row.step)))


def test_the_gauges_are_those_of_a_recount(filled: TestClient) -> None:
    """MASE, skill, coverage and their count, by version and bucket and not by series; only of the last days."""
    expected, seen = recounted(filled), samples(filled)

    def gauge(name: str, key: tuple[Any, ...], **more: str) -> float:
        labels = {"model": key[0], "version": key[1], "steps": key[2], **more}
        return seen[f"almanac_live_{name}", frozenset(labels.items())]

    assert len(expected) > 8
    for key, sums in expected.items():
        assert gauge("scores", key) == sums.scores
        assert gauge("mase", key) == pytest.approx(sums.error / sums.scores, rel=1e-12)
        assert gauge("skill", key) == pytest.approx(1 - sums.error / sums.naive_error, rel=1e-12)
        assert gauge("coverage", key, level="80") == pytest.approx(sums.covered_80 / sums.scores, rel=1e-12)
        assert gauge("coverage", key, level="95") == pytest.approx(sums.covered_95 / sums.scores, rel=1e-12)
    live = [labels for name, labels in seen if name.startswith("almanac_live_")]
    assert len([name for name, _ in seen if name == "almanac_live_scores"]) == len(expected)
    assert all({key for key, _ in labels} <= {"model", "version", "steps", "level"} for labels in live)
    assert value(filled, "almanac_forecasts_due") == 0

    with service_of(filled).database.sync_database.writing() as connection:
        connection.execute(update(scores).values(scored_at=0))
        rebuild_sums(connection)
    scored(filled)
    assert not any(name == "almanac_live_scores" for name, _ in samples(filled))
    assert get(filled)["rows"] != []


def total(rows: list[dict[str, Any]]) -> int:
    """Return the scores of all rows."""
    return sum(row["scores"] for row in rows)


def test_rows_are_grouped_filtered_and_limited(filled: TestClient) -> None:
    """By any keys, whose rows have all scores together; by model, version, series, steps and time."""
    count = sum(one.scores for one in recounted(filled).values())
    figures = {"scores", "mase", "naive_mase", "skill", "pinball", "coverage", "backtest"}
    for by, keys in {
        "version": {"model", "version"},
        "": {"model"},
        "step": {"model", "step"},
        "series,version": {"model", "version", "series"},
        "period, step": {"model", "step", "period"},
    }.items():
        response = get(filled, by=by)
        assert (total(response["rows"]), response["due"]) == (count, 0)
        assert set(response["rows"][0]) - figures == keys

    whole = get(filled, by="version,series,step,period", limit=10_000)["rows"]
    filters: list[tuple[dict[str, str], Callable[[dict[str, Any]], bool]]] = [
        ({"model": "starter"}, lambda row: row["model"] == "starter"),
        ({"model": "temperatures/1"}, lambda row: (row["model"], row["version"]) == ("temperatures", "1")),
        ({"version": "2"}, lambda row: row["version"] == "2"),
        ({"series": "s5"}, lambda row: row["series"] == "s5"),
        ({"step": "2"}, lambda row: row["step"] == 2),
        ({"step": "2-5"}, lambda row: 2 <= row["step"] <= 5),
        ({"since": "2023-06", "until": "2024-01"}, lambda row: "2023-06" <= row["period"] < "2024-01"),
    ]
    for parameters, holds in filters:
        expected = total([row for row in whole if holds(row)])
        assert 0 < expected < count
        assert total(get(filled, **parameters)["rows"]) == expected

    limited = [get(filled, by="series", limit=limit) for limit in (5, 12)]
    assert [(len(one["rows"]), one["truncated"]) for one in limited] == [(5, True), (12, False)]


def test_any_text_is_a_name(stored_client: TestClient) -> None:
    """Also one that no database can store: a model, a version or a series is unknown."""
    for text in (
        "",
        "nobody",
        "\x00",
        "%",
        "'; --",
        "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    ):
        for name in ("model", "version", "series"):
            assert stored_client.get("/accuracy", params={name: text}).status_code == 404


def test_scored_forecasts_are_shown_with_their_actual_values(filled: TestClient) -> None:
    """Those with the most scored steps, with timestamps as their requests wrote them; and the response fits the schema."""
    response = get(filled, by="version,step,series,period", forecasts=2)
    document = filled.get("/openapi.json").json()

    first, second = response["forecasts"]
    assert (first["forecast_id"], second["forecast_id"]) == ("f11", "f10")
    assert first["timestamps"][0] == "2023-01"
    assert len(first["median"]) == len(first["lower"]) == len(first["timestamps"]) == 36
    assert all(low <= high for low, high in zip(first["lower"], first["upper"], strict=True))
    assert first["observed"]["timestamps"] == first["timestamps"]
    schema = {"$ref": "#/components/schemas/AccuracyResponse", "components": document["components"]}
    validate(schema, response)


@pytest.mark.parametrize("model", ["temperatures", "starter"])
def test_a_served_forecast_is_scored(stored_client: TestClient, model: str) -> None:
    """The figures after POST /forecast and POST /observations are those of models/accuracy.py on the same numbers.

    Once the history has been observed: until then nothing says that its values are those of the series.
    """
    history, actuals = (np.random.default_rng(seed).normal(10.0, 3.0, size) for seed, size in ((0, 40), (1, 12)))
    series = {"id": "a", "start": "2020-01", "frequency": "M", "values": history.tolist()}
    asked = {"series": [series], "horizon": 12, "levels": [80, 95], "model": model}
    answer = stored_client.post("/forecast", json=asked).json()
    forecast = answer["forecasts"][0]
    known = f"/forecasts/{forecast['forecast_id']}"
    eventually(lambda: stored_client.get(known).status_code == 200, "the forecast is not written")

    rows = [{"id": "a", "timestamp": t, "value": v} for t, v in zip(forecast["timestamps"], actuals, strict=True)]
    stored_client.post("/observations", json={"observations": rows})
    eventually(lambda: get(stored_client)["disputed"] == 1, "the forecast is not scored")
    assert get(stored_client, model=model)["rows"] == []
    last = {"id": "a", "timestamp": "2023-04", "value": history[-1]}
    stored_client.post("/observations", json={"observations": [last]})
    eventually(lambda: get(stored_client, model=model)["rows"] != [], "the history is not confirmed")

    row = get(stored_client, model=model)["rows"][0]
    naive = seasonal_naive(Series.make(history), 12, 12)
    quantiles = {float(level): column for level, column in forecast["quantiles"].items()}
    for level in ("80", "95"):
        lower, upper = interval_sides(float(level))
        quantiles[lower], quantiles[upper] = (forecast["intervals"][level][side] for side in ("lower", "upper"))
        sides = np.array(quantiles[lower]), np.array(quantiles[upper])
        assert row["coverage"][level] == pytest.approx(accuracy.coverage(actuals, *sides), abs=1e-9)
    levels = sorted(quantiles)
    table = np.array([quantiles[level] for level in levels]).T
    pinball = accuracy.pinball(actuals, table, levels) / accuracy.seasonal_scale(history, 12)
    assert (row["model"], row["version"], row["scores"]) == (model, answer["model"]["version"], 12)
    assert row["mase"] == pytest.approx(accuracy.mase(actuals, np.array(forecast["median"]), history, 12), abs=1e-9)
    assert row["naive_mase"] == pytest.approx(accuracy.mase(actuals, naive, history, 12), abs=1e-9)
    assert row["pinball"] == pytest.approx(pinball, abs=1e-9)


def test_a_request_can_keep_its_forecasts_out_of_the_record(stored_client: TestClient) -> None:
    """They are answered, and neither stored nor scored; another value than true or false is refused."""
    series = {"id": "a", "start": "2020-01", "frequency": "M", "values": list(range(30))}
    asked = {"series": [series], "horizon": 2}

    hidden = stored_client.post("/forecast", json={**asked, "record": False})
    shown = stored_client.post("/forecast", json={**asked, "record": True})
    wrong = stored_client.post("/forecast", json={**asked, "record": "no"})

    ids = [one.json()["forecasts"][0]["forecast_id"] for one in (hidden, shown)]
    assert [stored_client.get(f"/forecasts/{one}").status_code for one in ids] == [404, 200]
    assert (wrong.status_code, wrong.json()["pointer"]) == (422, "/record")


def test_a_revised_observation_changes_the_figures(stored_client: TestClient) -> None:
    """The step is scored again when it is posted: that wakes the scorer."""
    forecast = make_forecast(make_history())
    log(service_of(stored_client).database.sync_database, "f", forecast, due=False, version="1", made_at=last_week())
    post_actuals(stored_client, "s0", actuals_of(forecast))
    scored(stored_client)
    before = get(stored_client, step="1")["rows"][0]["mase"]

    post_actuals(stored_client, "s0", {forecast.timestamps[0]: float(forecast.median[0])})
    scored(stored_client)

    assert before > 0
    assert get(stored_client, step="1")["rows"][0]["mase"] == 0
    assert get(stored_client)["rows"][0]["scores"] == 12


def test_live_errors_are_compared_with_the_backtest(stored_client: TestClient, home: ServiceHome) -> None:
    """Step by step, and over all steps that have both: in the response and as a gauge."""
    digest = home.change_spec("temperatures", "1", backtest=BACKTEST)
    catalog = service_of(stored_client).catalog
    eventually(lambda: catalog.index.models["temperatures"].versions["1"].digest == digest, "the index is old")
    fill(stored_client)
    scored(stored_client)

    rows = get(stored_client, model="temperatures/1", by="version,step")["rows"]
    errors = get(stored_client, model="temperatures/1")["drift"]["errors"]

    assert rows[0]["backtest"] == {"mase": 0.5, "naive_mase": 1.0}
    assert rows[-1]["step"] > 12
    assert rows[-1]["backtest"] == {"mase": None, "naive_mase": None}
    known = [row for row in rows if row["step"] <= 12]
    count = sum(row["scores"] for row in known)
    mase = sum(row["mase"] * row["scores"] for row in known) / count
    naive = sum(row["naive_mase"] * row["scores"] for row in known) / count
    assert errors == [
        {
            "model": "temperatures",
            "version": "1",
            "scores": count,
            "mase": pytest.approx(mase),
            "backtest_mase": pytest.approx(0.5),
            "ratio": pytest.approx(mase / 0.5),
            "naive_ratio": pytest.approx(naive),
        }
    ]
    ratio = value(stored_client, "almanac_live_error_ratio", model="temperatures", version="1")
    assert ratio == pytest.approx(mase / 0.5)
    assert not any(dict(labels).get("model") == "starter" for name, labels in samples(stored_client) if "ratio" in name)


def test_input_drift_is_returned_by_feature(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Index, distance and p-value."""
    random = np.random.default_rng(0)
    home.publish("temperatures", "1")
    profile = Profile.fit(features(random.normal(10.0, 2.0, (256, 60)), 12)).to_dict()
    home.change_spec("temperatures", "1", profile=profile)
    client = start()
    series = [{"values": values} for values in random.normal(30.0, 2.0, (200, 60)).tolist()]
    client.post("/forecast", json={"series": series, "horizon": 1})

    rows = {row["feature"]: row for row in get(client)["drift"]["inputs"]}

    assert set(rows) == {"level", "scale", "gap_share", "season_strength"}
    assert rows["level"]["index"] > 0.25
    assert rows["level"]["distance"] == pytest.approx(0.9, abs=0.01)
    assert rows["level"]["p_value"] < 1e-6 < rows["scale"]["p_value"]
    assert rows["level"]["inputs"] == 200
    assert value(client, "almanac_input_drift_distance", model="temperatures", feature="level") > 0.89


def test_a_wrong_parameter_is_refused(client: TestClient) -> None:
    """Also an unknown one; the pointer names it."""
    for name, text, code in (
        ("by", "version,month", "FIELD_INVALID"),
        ("step", "", "FIELD_INVALID"),
        ("step", "0", "FIELD_INVALID"),
        ("step", "5-2", "FIELD_INVALID"),
        ("step", "first", "FIELD_INVALID"),
        ("since", "yesterday", "TIMESTAMP_INVALID"),
        ("period", "hour", "FIELD_INVALID"),
        ("limit", "0", "FIELD_INVALID"),
        ("forecasts", "many", "FIELD_INVALID"),
        ("versions", "1", "FIELD_INVALID"),
    ):
        response = client.get("/accuracy", params={name: text})
        assert response.status_code == 422
        assert (response.json()["code"], response.json()["pointer"]) == (code, f"/{name}")
    inverted = client.get("/accuracy", params={"since": "2024-05", "until": "2024-05-01T00:00Z"})
    assert (inverted.json()["code"], inverted.json()["pointer"]) == ("FIELD_INVALID", "/until")


def test_without_scores_there_are_no_figures(client: TestClient) -> None:
    """Neither in the response nor as gauges."""
    scored(client)

    answer = get(client)

    assert (answer["rows"], answer["drift"]["errors"], answer["forecasts"]) == ([], [], [])
    assert not any(name.startswith("almanac_live_") for name, _ in samples(client))


def test_scoring_continues_after_the_database_was_down(stored_client: TestClient) -> None:
    """Meanwhile forecasts are served."""
    service = service_of(stored_client)
    failing = Scorer(service.database, 30)
    database, service.database.sync_database = service.database.sync_database, Database("sqlite:////nowhere/almanac.db")
    try:
        run = asyncio.wait_for(failing.run(), 0.2)
        with pytest.raises(TimeoutError):
            asyncio.run(run)
        assert stored_client.get("/accuracy").json()["code"] == "DATABASE_UNREACHABLE"
        assert stored_client.post("/forecast", json={"series": [{"values": [1, 2]}], "horizon": 1}).status_code == 200
    finally:
        service.database.sync_database = database

    fill(stored_client, 2)
    scored(stored_client)
    assert sum(row["scores"] for row in get(stored_client)["rows"]) == 3 + 6
