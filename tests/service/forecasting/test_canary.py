"""A challenger's part of the requests: canary and shadow."""

import itertools
import json
import random
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from service.forecasting.canary_check import FEWEST, Outcomes, find_fault
from service.monitoring.canary_errors import FEWEST_SERIES, compare_errors
from tests.service.home import ServiceHome, eventually
from tests.stand_in import stand_in

SERIES = {"id": "a", "start": "2020-01", "frequency": "M", "values": [*range(24)]}
REQUEST = {"series": [SERIES], "horizon": 2}


def outcomes(seconds: float, count: int = 200, failures: int = 0) -> Outcomes:
    """Return requests that take so long, more or less."""
    made = Outcomes(failures=failures)
    for at in range(count):
        made.add(seconds * (0.5 + at % 7 / 6))
    return made


@pytest.mark.parametrize(
    ("challenger", "champion", "fault"),
    [
        (outcomes(0.01), outcomes(0.01), ""),
        (outcomes(0.012), outcomes(0.01), ""),
        (outcomes(0.02), outcomes(0.01), "2.00 times as long"),
        (outcomes(0.02, count=FEWEST - 1), outcomes(0.01), ""),
        (outcomes(0.005), outcomes(0.01), ""),
        (outcomes(0.01, failures=40), outcomes(0.01), "40 of 240 requests failed"),
        (outcomes(0.01, count=0, failures=200), outcomes(0.01), "200 of 200 requests failed"),
        (outcomes(0.01, failures=2), outcomes(0.01), ""),
        (outcomes(0.01, failures=40), outcomes(0.01, failures=40), ""),
    ],
)
def test_a_challenger_is_worse_if_that_is_no_chance(challenger: Outcomes, champion: Outcomes, fault: str) -> None:
    """Much slower, or with more failures, over enough requests."""
    found = find_fault(challenger, champion)

    assert fault in found
    assert bool(found) == bool(fault)


@pytest.fixture
def serve(
    home: ServiceHome, start: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., TestClient]:
    """Return a function that starts a service with a challenger which adds 100; every draw falls into its share."""
    monkeypatch.setattr("service.forecasting.canary.random", stand_in(random, random=lambda: 0.0))
    home.publish("temperatures", "1")
    home.publish("temperatures", "2", alias="challenger", shift=100.0)

    def run(**settings: float) -> TestClient:
        client = start(**settings)
        canary = client.app.state.service.forecasting.canary  # type: ignore[attr-defined]
        canary._names.add("temperatures")
        eventually(lambda: canary._challengers.challenger("temperatures"), "the challenger was not loaded")
        return client

    return run


def version_of(client: TestClient, **options: object) -> str:
    """Return the version that answers."""
    response = client.post("/forecast", json=REQUEST | options)
    assert response.status_code == 200
    return str(response.json()["model"]["version"])


def metric(client: TestClient, kind: str, outcome: str) -> float:
    """Return a counter."""
    start = f'almanac_challenger_requests_total{{kind="{kind}",outcome="{outcome}"}}'
    lines = client.get("/metrics").text.splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(start)), 0.0)


def test_a_canary_answers_requests_that_name_no_model(serve: Callable[..., TestClient]) -> None:
    """Others get what they name."""
    client = serve(canary_share=0.5)

    assert version_of(client) == "2"
    assert version_of(client, model="temperatures") == "1"
    assert metric(client, "canary", "answered") == 1


@pytest.mark.parametrize("accept", ["application/x-ndjson", "application/json"])
def test_a_request_in_another_format_takes_part(serve: Callable[..., TestClient], accept: str) -> None:
    """Of a body of NDJSON, whatever the format of the response."""
    client = serve(canary_share=0.5)

    response = client.post(
        "/forecast?horizon=2",
        content=json.dumps(SERIES),
        headers={"content-type": "application/x-ndjson", "accept": accept},
    )

    assert response.status_code == 200
    assert json.loads(response.text.splitlines()[0])["model"]["version"] == "2"
    assert metric(client, "canary", "answered") == 1


ROWS = [{"unique_id": "a", "ds": f"{2020 + at // 12}-{at % 12 + 1:02d}-01", "y": at} for at in range(24)]
DIALECTS: dict[str, dict[str, object]] = {
    "/invocations": {"dataframe_records": ROWS, "params": {"horizon": 2}},
    "/v1/models/default:predict": {"instances": [SERIES], "horizon": 2},
    "/v2/models/default/infer": {
        "inputs": [{"name": "values", "datatype": "FP64", "shape": [24], "data": [*range(24)]}],
        "parameters": {"horizon": 2},
    },
    "/v2/forecast": {"model": "timegpt-1", "freq": "MS", "h": 2, "series": {"y": [*range(24)], "sizes": [24]}},
}


@pytest.mark.parametrize("path", DIALECTS)
def test_requests_of_other_clients_take_part(serve: Callable[..., TestClient], path: str) -> None:
    """As a canary, and in the shadow of the champion."""
    client = serve(canary_share=0.5)
    champion = client.post(path, json=DIALECTS[path])
    assert champion.status_code == 200, champion.text
    assert metric(client, "canary", "answered") == 1


def test_a_request_of_another_client_is_forecast_in_the_shadow(serve: Callable[..., TestClient]) -> None:
    """Unless nothing of it is recorded, as of a cross-validation: it could not be scored."""
    client = serve(shadow_share=1.0)

    for path, body in DIALECTS.items():
        client.post(path, json=body).raise_for_status()
    client.post("/v2/cross_validation", json=DIALECTS["/v2/forecast"] | {"n_windows": 2}).raise_for_status()
    client.post("/forecast", json=REQUEST | {"record": False}).raise_for_status()

    eventually(lambda: metric(client, "shadow", "scored") == len(DIALECTS), "nothing was forecast in the shadow")
    assert not client.app.state.service.forecasting.canary._tasks  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/forecast", "/v1/models/default:predict"])
def test_a_request_that_is_too_large_is_no_fault_of_a_challenger(serve: Callable[..., TestClient], path: str) -> None:
    """The champion refuses it, too: it counts for both."""
    client = serve(canary_share=0.5, max_numbers=20)
    canary = client.app.state.service.forecasting.canary  # type: ignore[attr-defined]
    body = {"series" if path == "/forecast" else "instances": [SERIES], "horizon": 12}

    found = {client.post(path, json=body).json()["code"] for _ in range(FEWEST + 5)}

    contest = canary._contests["temperatures"]
    assert found == {"BATCH_TOO_LARGE"}
    assert contest.theirs.failures == contest.ours.failures == FEWEST + 5
    assert not canary.taken_back


def test_a_canary_that_fails_is_replaced_and_taken_back(
    serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The champion answers; after enough requests the challenger is not asked any more."""
    client = serve(canary_share=0.5)
    canary = client.app.state.service.forecasting.canary  # type: ignore[attr-defined]
    challenger = canary._challengers.challenger("temperatures").model

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(challenger.forecaster, "forecast_many", fail)

    found = {version_of(client) for _ in range(FEWEST + 5)}

    assert found == {"1"}
    assert metric(client, "canary", "failed") == FEWEST + 1
    assert "canary: temperatures/2 answers no more requests: 101 of 101 requests failed" in caplog.text


def errors(mean: float, series: int = 40) -> dict[tuple[str, int], float]:
    """Return the errors of some series, around a mean, at two steps."""
    return {(f"s{one}", step): mean * (0.5 + (one * 7 + step) % 11 / 10) for one in range(series) for step in (1, 2)}


@pytest.mark.parametrize(
    ("challenger", "fault"),
    [
        (errors(1.3), "is 1.29 MASE, the champion's 0.99, on 40 series"),
        (errors(1.0), ""),
        (errors(0.7), ""),
        (errors(3.0, series=FEWEST_SERIES - 1), ""),
        ({at: one * (1.5 if at[0] == "s1" else 1.0) for at, one in errors(1.0).items()}, ""),
    ],
)
def test_forecasts_with_larger_errors_are_a_fault(challenger: dict[tuple[str, int], float], fault: str) -> None:
    """On enough series, by more than chance."""
    found = compare_errors(challenger, errors(1.0))

    assert fault in found
    assert bool(found) == bool(fault)


def test_a_canary_with_larger_errors_is_taken_back(
    serve: Callable[..., TestClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the scores of its forecasts and the champion's, which answers alone from then on."""
    client = serve(canary_share=0.5)
    app = client.app.state.service  # type: ignore[attr-defined]
    draws = itertools.cycle([0.0, 1.0, 1.0])  # canary; no canary, no shadow
    monkeypatch.setattr("service.forecasting.canary.random", stand_in(random, random=lambda: next(draws)))
    names = [f"s{one}" for one in range(FEWEST_SERIES)]
    for name in names:
        found = {version_of(client, series=[{**SERIES, "id": name}]) for _ in range(2)}
        assert found == {"1", "2"}
    rows = [
        {"id": name, "timestamp": f"{2020 + at // 12}-{at % 12 + 1:02d}", "value": at}
        for name in names
        for at in range(26)
    ]
    client.post("/observations", json={"observations": rows, "frequency": "M"}).raise_for_status()
    eventually(lambda: "almanac_ledger_written_total 40.0" in client.get("/metrics").text, "they were not written")

    assert client.portal is not None
    eventually(lambda: client.portal.call(app.scorer.work) or app.scorer.scored >= 40, "they were not scored")  # type: ignore[union-attr]
    client.portal.call(app.forecasting.canary.compare_errors)

    assert list(app.forecasting.canary.taken_back) == [("temperatures", "2")]
    assert "the error of its forecasts" in app.forecasting.canary.taken_back["temperatures", "2"]
    assert {version_of(client) for _ in range(4)} == {"1"}


def test_a_version_is_promoted_by_its_scores_in_the_shadow(serve: Callable[..., TestClient]) -> None:
    """Too few scores, or a larger error, refuse it; what was compared is in the answer, and the champion need not be asked."""
    client = serve(shadow_share=1.0)
    app = client.app.state.service  # type: ignore[attr-defined]
    for name in "abcd":
        assert version_of(client, series=[{**SERIES, "id": name}]) == "1"
        eventually(lambda: not app.forecasting.canary._tasks, "nothing was forecast in the shadow")
    rows = [
        {"id": name, "timestamp": f"{2020 + at // 12}-{at % 12 + 1:02d}", "value": at}
        for name in "abcd"
        for at in range(26)
    ]
    client.post("/observations", json={"observations": rows, "frequency": "M"}).raise_for_status()
    eventually(lambda: "almanac_ledger_written_total 8.0" in client.get("/metrics").text, "they were not written")
    assert client.portal is not None
    eventually(lambda: client.portal.call(app.scorer.work) or app.scorer.scored >= 8, "they were not scored")  # type: ignore[union-attr]
    path, body = "/models/temperatures/champion", {"version": "2", "reason": "Live."}

    few = client.post(path, json={**body, "live_scores": 9})
    worse = client.post(path, json={**body, "live_scores": 8})
    same = client.post(path, json={**body, "version": "1", "live_scores": 9})

    assert [one.status_code for one in (few, worse, same)] == [409, 409, 503]  # no registry process moves anything
    assert few.json()["code"] == worse.json()["code"] == "PROMOTION_REFUSED"
    assert few.json()["detail"].startswith("Too few live scores: 8 scored forecasts of both on 4 series and 2 days; 9")
    assert "that of version 1 1: larger by at least 6.333" in worse.json()["detail"]


def test_the_shadow_is_stored_and_never_returned(serve: Callable[..., TestClient]) -> None:
    """The forecast log has the challenger's forecast beside the champion's."""
    client = serve(shadow_share=1.0)

    assert version_of(client) == "1"

    eventually(lambda: metric(client, "shadow", "scored") == 1, "nothing was forecast in the shadow")
    written = "almanac_ledger_written_total 2.0"
    eventually(lambda: written in client.get("/metrics").text, "the shadow was not written")


def test_without_a_share_there_is_no_canary(home: ServiceHome, start: Callable[..., TestClient]) -> None:
    """It is off by default."""
    home.publish("temperatures", "1")

    assert start().app.state.service.forecasting.canary is None  # type: ignore[attr-defined]
