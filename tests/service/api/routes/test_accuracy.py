"""LiveScores accuracy: forecasts meet their truth, and GET /accuracy and the gauges say how they came out."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from models import accuracy
from models.baselines import seasonal_naive
from models.intervals import interval_sides
from models.profile import Profile, features
from models.series import Series
from service.api.examples.accuracy import ACCURACY_RESPONSES, ANSWER
from service.api.state import Service
from service.monitoring.accuracy import bucket_of
from service.monitoring.scorer import Scorer
from service.store.database import Database
from service.store.score_sums import ScoreSums, count_due
from service.store.tables import forecasts, scores
from tests.service.api.test_openapi import check
from tests.service.forecast_log import actuals_of, last_week, log, make_forecast, make_history
from tests.service.home import ServiceHome, eventually
from tests.service.monitoring.test_metrics import samples, value

if TYPE_CHECKING:
    from fastapi import FastAPI

BACKTEST = {
    "model": {"mase_by_step": [0.5] * 12},
    "seasonal_naive": {"mase_by_step": [1.0] * 12},
}


def service_of(client: TestClient) -> Service:
    """Return what the application holds."""
    held: Service = cast("FastAPI", client.app).state.service
    return held


def post_truth(client: TestClient, series_id: str, truth: dict[np.datetime64, float]) -> None:
    """Let the truth of a series be observed, over the wire."""
    rows = [{"id": series_id, "timestamp": str(stamp.astype("M8[D]")), "value": v} for stamp, v in truth.items()]
    answer = client.post("/observations", json={"observations": rows, "frequency": "M"})
    assert answer.status_code == 200, answer.text


def fill(client: TestClient, number: int = 12) -> None:
    """Keep forecasts of several series, models and versions, and post all their truths."""
    database = service_of(client).database.sync_database
    for seed in range(number):
        forecast = make_forecast(make_history(seed), horizon=3 + 3 * seed, seed=seed)
        model, version = ("starter", "abc") if seed % 3 == 0 else ("temperatures", str(1 + seed % 2))
        log(
            database,
            f"f{seed}",
            forecast,
            series_id=f"s{seed}",
            made_at=last_week() + seed,
            due=False,
            model=model,
            version=version,
        )
        post_truth(client, f"s{seed}", actuals_of(forecast, 100 + seed))


def scored(client: TestClient) -> None:
    """Return once nothing waits to be scored, and the accuracy_figures have been counted since."""
    service = service_of(client)
    eventually(lambda: count_due(service.database.sync_database) == 0, "forecasts stay due")
    assert client.portal is not None
    client.portal.call(service.scorer.count)


def get(client: TestClient, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 (any parameter)
    """Return what GET /accuracy says."""
    response = client.get("/accuracy", params=parameters)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


@pytest.fixture
def filled(keeping: TestClient) -> TestClient:
    """Return a client of a service that has scored twelve forecasts."""
    fill(keeping)
    scored(keeping)
    return keeping


def recount(client: TestClient) -> dict[tuple[str, str, str], ScoreSums]:
    """Return the tallies by model, version and bucket, counted from the tables one by one."""
    found: dict[tuple[str, str, str], ScoreSums] = {}
    with service_of(client).database.sync_database.reading() as connection:
        for row in connection.execute(select(scores, forecasts.c.model, forecasts.c.version).join(forecasts)):
            one = ScoreSums(
                scores=1,
                scaled=1,
                error=row.absolute_scaled_error,
                naive_error=row.naive_scaled_error,
                pinball=row.scaled_pinball,
                covered_80=int(row.covered_80),
                intervals_80=1,
                covered_95=int(row.covered_95),
                intervals_95=1,
            )
            key = (row.model, row.version, bucket_of(row.step))
            found[key] = found.get(key, ScoreSums()) + one
    return found


def test_the_gauges_are_what_the_tables_add_up_to(filled: TestClient) -> None:
    """MASE, skill, coverage and their count, by version and bucket; no series is a label."""
    expected, seen = recount(filled), samples(filled)

    def gauge(name: str, key: tuple[str, str, str], **more: str) -> float:
        labels = {"model": key[0], "version": key[1], "steps": key[2], **more}
        return seen[f"almanac_live_{name}", frozenset(labels.items())]

    assert len(expected) > 8
    for key, sum_scores in expected.items():
        assert gauge("scores", key) == sum_scores.scores
        assert gauge("mase", key) == pytest.approx(sum_scores.error / sum_scores.scores, rel=1e-12)
        assert gauge("skill", key) == pytest.approx(1 - sum_scores.error / sum_scores.naive_error, rel=1e-12)
        assert gauge("coverage", key, level="80") == pytest.approx(sum_scores.covered_80 / sum_scores.scores, rel=1e-12)
        assert gauge("coverage", key, level="95") == pytest.approx(sum_scores.covered_95 / sum_scores.scores, rel=1e-12)
    live = [labels for name, labels in seen if name.startswith("almanac_live_")]
    assert len([name for name, _ in seen if name == "almanac_live_scores"]) == len(expected)
    assert all({key for key, _ in labels} <= {"model", "version", "steps", "level"} for labels in live)
    assert value(filled, "almanac_forecasts_due") == 0


def test_rows_are_told_apart_by_what_is_asked(filled: TestClient) -> None:
    """Each by itself and together; the scores of all rows are all scores."""
    total = sum(one.scores for one in recount(filled).values())
    for by, keys in {
        "version": {"model", "version"},
        "": {"model"},
        "step": {"model", "step"},
        "series,version": {"model", "version", "series"},
        "period, step": {"model", "step", "period"},
    }.items():
        answer = get(filled, by=by)

        assert sum(row["scores"] for row in answer["rows"]) == total
        told = set(answer["rows"][0]) - {"scores", "mase", "naive_mase", "skill", "pinball", "coverage", "backtest"}
        assert told == keys
        assert answer["due"] == 0


@pytest.mark.parametrize("name", ["model", "version", "series"])
def test_nobody_is_called_so(keeping: TestClient, name: str) -> None:
    """Any text is a name, one that no database can hold too."""
    for text in (
        "nobody",
        "\x00",
        "%",
        "'; --",
        "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
    ):
        assert get(keeping, **{name: text})["rows"] == []


def test_only_what_is_meant_is_shown(filled: TestClient) -> None:
    """By model, version, series, steps and the time of the truth."""
    whole = get(filled, by="version,series,step,period", limit=10_000)["rows"]

    def total(rows: list[dict[str, Any]]) -> int:
        return sum(row["scores"] for row in rows)

    for parameters, holds in (
        ({"model": "starter"}, lambda row: row["model"] == "starter"),
        ({"model": "temperatures/1"}, lambda row: (row["model"], row["version"]) == ("temperatures", "1")),
        ({"version": "2"}, lambda row: row["version"] == "2"),
        ({"series": "s5"}, lambda row: row["series"] == "s5"),
        ({"step": "2"}, lambda row: row["step"] == 2),
        ({"step": "2-5"}, lambda row: 2 <= row["step"] <= 5),
        ({"since": "2023-06", "until": "2024-01"}, lambda row: "2023-06" <= row["period"] < "2024-01"),
    ):
        expected = total([row for row in whole if holds(row)])

        assert 0 < expected < total(whole)
        assert total(get(filled, **parameters)["rows"]) == expected


def test_rows_are_limited_and_say_so(filled: TestClient) -> None:
    """A million series are not one answer."""
    assert len(get(filled, by="series", limit=5)["rows"]) == 5
    assert get(filled, by="series", limit=5)["truncated"] is True
    assert get(filled, by="series", limit=12)["truncated"] is False


def test_forecasts_are_shown_beside_their_truth(filled: TestClient) -> None:
    """Those that are scored furthest, in the style of their requests."""
    shown = get(filled, forecasts=2)["forecasts"]

    assert [one["forecast_id"] for one in shown] == ["f11", "f10"]
    assert shown[0]["timestamps"][0] == "2023-01"
    assert len(shown[0]["median"]) == len(shown[0]["lower"]) == len(shown[0]["timestamps"]) == 36
    assert all(low <= high for low, high in zip(shown[0]["lower"], shown[0]["upper"], strict=True))
    assert shown[0]["observed"]["timestamps"] == shown[0]["timestamps"]


@pytest.mark.parametrize("model", ["temperatures", "starter"])
def test_a_served_forecast_meets_its_truth(keeping: TestClient, model: str) -> None:
    """From POST /forecast and POST /observations to the accuracy_figures: those of models/accuracy.py on the same numbers."""
    history, truth = (np.random.default_rng(seed).normal(10.0, 3.0, size) for seed, size in ((0, 40), (1, 12)))
    series = {"id": "a", "start": "2020-01", "frequency": "M", "values": history.tolist()}
    asked = {"series": [series], "horizon": 12, "levels": [80, 95], "model": model}
    answer = keeping.post("/forecast", json=asked).json()
    forecast = answer["forecasts"][0]
    known = f"/forecasts/{forecast['forecast_id']}"
    eventually(lambda: keeping.get(known).status_code == 200, "the ledger is not written")

    rows = [{"id": "a", "timestamp": t, "value": v} for t, v in zip(forecast["timestamps"], truth, strict=True)]
    keeping.post("/observations", json={"observations": rows})
    eventually(lambda: get(keeping, model=model)["rows"] != [], "the forecast is not scored")

    row = get(keeping, model=model)["rows"][0]
    naive = seasonal_naive(Series.make(history), 12, 12)
    quantiles = {float(level): column for level, column in forecast["quantiles"].items()}
    for level in ("80", "95"):
        lower, upper = interval_sides(float(level))
        quantiles[lower], quantiles[upper] = (forecast["intervals"][level][side] for side in ("lower", "upper"))
        sides = np.array(quantiles[lower]), np.array(quantiles[upper])
        assert row["coverage"][level] == pytest.approx(accuracy.coverage(truth, *sides), abs=1e-9)
    levels = sorted(quantiles)
    table = np.array([quantiles[level] for level in levels]).T
    pinball = accuracy.pinball(truth, table, levels) / accuracy.seasonal_scale(history, 12)
    assert (row["model"], row["version"], row["scores"]) == (model, answer["model"]["version"], 12)
    assert row["mase"] == pytest.approx(accuracy.mase(truth, np.array(forecast["median"]), history, 12), abs=1e-9)
    assert row["naive_mase"] == pytest.approx(accuracy.mase(truth, naive, history, 12), abs=1e-9)
    assert row["pinball"] == pytest.approx(pinball, abs=1e-9)


def test_a_revised_observation_changes_the_figures(keeping: TestClient) -> None:
    """The step is scored anew as soon as it is posted; the scorer is woken, not waited for."""
    forecast = make_forecast(make_history())
    log(service_of(keeping).database.sync_database, "f", forecast, due=False, version="1", made_at=last_week())
    post_truth(keeping, "s0", actuals_of(forecast))
    scored(keeping)
    before = get(keeping, step="1")["rows"][0]["mase"]

    post_truth(keeping, "s0", {forecast.timestamps[0]: float(forecast.median[0])})
    scored(keeping)

    assert before > 0
    assert get(keeping, step="1")["rows"][0]["mase"] == 0
    assert get(keeping)["rows"][0]["scores"] == 12


def test_live_errors_stand_beside_the_backtests(keeping: TestClient, home: ServiceHome) -> None:
    """Step by step, and over all steps that both know: in the answer and as a gauge."""
    digest = home.change_spec("temperatures", "1", backtest=BACKTEST)
    catalog = service_of(keeping).catalog
    eventually(lambda: catalog.index.models["temperatures"].versions["1"].digest == digest, "the index is old")
    fill(keeping)
    scored(keeping)

    rows = get(keeping, model="temperatures/1", by="version,step")["rows"]
    errors = get(keeping, model="temperatures/1")["drift"]["errors"]

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
    ratio = value(keeping, "almanac_live_error_ratio", model="temperatures", version="1")
    assert ratio == pytest.approx(mase / 0.5)
    assert not any(dict(labels).get("model") == "starter" for name, labels in samples(keeping) if "ratio" in name)


def test_drifted_inputs_are_rows_too(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """Index, distance and how likely that is, of each feature."""
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
    assert get(client, model="rain")["drift"]["inputs"] == []


@pytest.mark.parametrize(
    ("parameters", "code", "pointer"),
    [
        ({"by": "version,month"}, "FIELD_INVALID", "/by"),
        ({"step": "0"}, "FIELD_INVALID", "/step"),
        ({"step": "5-2"}, "FIELD_INVALID", "/step"),
        ({"step": "first"}, "FIELD_INVALID", "/step"),
        ({"since": "yesterday"}, "TIMESTAMP_INVALID", "/since"),
        ({"period": "hour"}, "FIELD_INVALID", "/period"),
        ({"limit": "0"}, "FIELD_INVALID", "/limit"),
        ({"forecasts": "many"}, "FIELD_INVALID", "/forecasts"),
        ({"versions": "1"}, "FIELD_INVALID", "/versions"),
    ],
)
def test_a_slip_is_told(client: TestClient, parameters: dict[str, str], code: str, pointer: str) -> None:
    """With the parameter that is wrong; one that nobody reads is an error too."""
    response = client.get("/accuracy", params=parameters)

    assert response.status_code == 422
    assert (response.json()["code"], response.json()["pointer"]) == (code, pointer)


def test_answers_fit_the_schema(filled: TestClient) -> None:
    """The real ones, the example and the examples of failures."""
    document = filled.get("/openapi.json").json()

    check(document, "AccuracyAnswer", get(filled, by="version,step,series,period", forecasts=3))
    check(document, "AccuracyAnswer", ANSWER)
    for status, response in ACCURACY_RESPONSES.items():
        for example in response["content"].get("application/problem+json", {}).get("examples", {}).values():
            check(document, "Problem", example["value"])
            assert example["value"]["status"] == status


def test_without_scores_there_is_nothing_to_show(client: TestClient) -> None:
    """And no gauge of it, but that of what waits."""
    scored(client)

    answer = get(client)

    assert (answer["rows"], answer["drift"]["errors"], answer["forecasts"]) == ([], [], [])
    assert not any(name.startswith("almanac_live_") for name, _ in samples(client))


def test_only_the_last_days_count_for_the_gauges(filled: TestClient) -> None:
    """What was scored long ago stays in the answer and leaves the gauges."""
    database = service_of(filled).database.sync_database
    with database.writing() as connection:
        connection.execute(update(scores).values(scored_at=0))

    scored(filled)

    assert not any(name == "almanac_live_scores" for name, _ in samples(filled))
    assert get(filled)["rows"] != []


def test_a_database_that_is_gone_is_asked_again(keeping: TestClient) -> None:
    """Scoring goes on where it was, and forecasts never noticed."""
    service = service_of(keeping)
    failing = Scorer(service.database, 30)
    database, service.database.sync_database = service.database.sync_database, Database("sqlite:////nowhere/almanac.db")
    try:
        run = asyncio.wait_for(failing.run(), 0.2)
        with pytest.raises(TimeoutError):
            asyncio.run(run)
        assert keeping.get("/accuracy").json()["code"] == "DATABASE_UNREACHABLE"
        assert keeping.post("/forecast", json={"series": [{"values": [1, 2]}], "horizon": 1}).status_code == 200
    finally:
        service.database.sync_database = database

    fill(keeping, 2)
    scored(keeping)
    assert sum(row["scores"] for row in get(keeping)["rows"]) == 3 + 6
