"""Nixtla's API: medians and intervals as flat lists, of the future and of the past."""

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

SEASON = [float(month % 12) for month in range(48)]


def sent(*, count: int = 1, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    """Return a request for series of four clean years."""
    series = {"y": SEASON * count, "sizes": [48] * count, "start_datetime": ["2020-01-01"] * count}
    return {"series": series | fields.pop("series", {}), "freq": "MS", "h": 3, "model": "timegpt-1"} | fields


def ask(client: TestClient, path: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 (any JSON)
    """Return the body of a response."""
    response = client.post(f"/v2/{path}", json=sent(**fields))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_series_come_back_one_after_the_other(dialects: TestClient) -> None:
    """With the sides of each level; level 0 is the median."""
    found = ask(dialects, "forecast", count=2, level=[80, 0])

    assert found["mean"] == [0.0, 1.0, 2.0] * 2
    assert found["intervals"]["lo-0"] == found["intervals"]["hi-0"] == found["mean"]
    assert all(low < high for low, high in zip(found["intervals"]["lo-80"], found["intervals"]["hi-80"], strict=True))
    assert found["weights_x"] is None


def test_cross_validation_says_where_its_windows_are(dialects: TestClient) -> None:
    """Each window's forecast is that from the values before it."""
    found = ask(dialects, "cross_validation", count=2, h=2, n_windows=2, step_size=1)

    assert found["idxs"] == [45, 46, 46, 47, 93, 94, 94, 95]
    assert found["sizes"] == [4, 4]
    assert found["mean"] == [9.0, 10.0, 10.0, 11.0] * 2


@pytest.mark.parametrize(("path", "rows"), [("anomaly_detection", 36), ("online_anomaly_detection", 6)])
def test_an_anomaly_lies_outside_the_interval_of_its_rolling_forecast(
    dialects: TestClient, path: str, rows: int
) -> None:
    """The rows end with the series; a gap is none."""
    values = [*SEASON[:-3], 99.0, None, SEASON[-1]]

    found = ask(dialects, path, series={"y": values}, detection_size=6, level=99)

    assert len(found["anomaly"]) == rows == found["sizes"][0]
    assert [place for place, wrong in enumerate(found["anomaly"]) if wrong] == [rows - 3]
    assert found["anomaly_score"][rows - 3] > 10
    assert found["anomaly_score"][rows - 2] == 0


def test_a_model_reads_the_columns_that_come_without_names(dialects: TestClient) -> None:
    """Those known ahead, in the model's order."""
    daily = {"freq": "D", "model": "sales", "series": {"X": [[1.0] * 48], "X_future": [[1.0, 0.0, 2.0]]}}
    plain = ask(dialects, "forecast", freq="D", model="visitors")["mean"]

    assert ask(dialects, "forecast", **daily)["mean"] == [plain[0] + 1, plain[1], plain[2] + 2]
    past = {"freq": "D", "model": "sales", "series": {"X": [[float(day) for day in range(48)]]}}
    assert ask(dialects, "cross_validation", **past, hist_exog=[])["mean"] == [
        SEASON[38] + 45,
        SEASON[39] + 46,
        SEASON[40] + 47,
    ]


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({"finetune_steps": 5}, "NOT_SUPPORTED", "finetune_steps"),
        ({"finetuned_model_id": "a"}, "NOT_SUPPORTED", "finetuned_model_id"),
        ({"multivariate": True}, "NOT_SUPPORTED", "multivariate"),
        ({"model_parameters": {"a": 1}}, "NOT_SUPPORTED", "model_parameters"),
        ({"horizon_weights": [1]}, "FIELD_UNKNOWN", "horizon_weights"),
        ({"h": 0}, "HORIZON_INVALID", "1 to"),
        ({"h": None}, "FIELD_MISSING", "`h`"),
        ({"level": [101]}, "LEVEL_INVALID", "101"),
        ({"level": True}, "LEVEL_INVALID", "true"),
        ({"freq": "XX"}, "FREQUENCY_UNKNOWN", "XX"),
        ({"model": 3}, "FIELD_INVALID", "`model`"),
        ({"model": "unknown"}, "MODEL_UNKNOWN", "unknown"),
        ({"model": "visitors"}, "FREQUENCY_MISMATCH", "Series '0'"),
        ({"series": {"y": [None] * 48}}, "SERIES_ALL_MISSING", "Series '0'"),
        ({"series": {"sizes": [47]}}, "FIELD_INVALID", "`y` has 48 elements"),
        ({"series": {"X": [[1.0] * 48]}}, "FIELD_INVALID", "exogenous columns"),
        ({"series": {"categorical_exog": [0]}}, "NOT_SUPPORTED", "categorical_exog"),
        ({"series": {"X": [["a"] * 48], "categorical_exog": [0]}}, "NOT_SUPPORTED", "`categorical_exog`: .* has 'a'"),
    ],
)
def test_what_cannot_be_done_is_named(dialects: TestClient, fields: dict[str, Any], code: str, text: str) -> None:
    """With a 422, and a text for the error of the SDK."""
    response = dialects.post("/v2/forecast", json=sent(**fields))

    assert response.status_code == 422, response.text
    assert response.json()["code"] == code
    assert re.search(text, response.json()["error"])


def test_a_history_must_have_room_for_the_windows(dialects: TestClient) -> None:
    """The error names the series, and what it needs."""
    response = dialects.post("/v2/cross_validation", json=sent(h=30, n_windows=2))

    assert "Series 0 has 48 values; 2 windows of 30 steps need 61." in response.json()["error"]


def test_minutes_of_polars_are_minutes(dialects: TestClient) -> None:
    """`15m` is no step of 15 months."""
    quarter = {"series": {"start_datetime": ["2020-01-01T00:00:00"]}}

    assert ask(dialects, "forecast", freq="15m", **quarter) == ask(dialects, "forecast", freq="15min", **quarter)
