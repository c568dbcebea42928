"""All ways to the same forecast: POST /forecast, each dialect and the pyfunc."""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from starlette.testclient import TestClient

from models import artifact
from models.pyfunc import PyfuncForecaster
from tests.service.home import Artifacts

LEVELS = (50, 90)
SIDES = (0.25, 0.75, 0.05, 0.95)
NUMBERS = st.floats(-1e6, 1e6, width=32) | st.none()
SERIES = st.lists(NUMBERS, min_size=1, max_size=40).filter(lambda one: one[-1] is not None)
Batch = list[list[float | None]]
Way = Callable[[TestClient, Batch, int], Any]


def post(client: TestClient, path: str, body: dict[str, Any]) -> Any:  # noqa: ANN401 (any JSON)
    """Return the JSON of a response."""
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def forecast(client: TestClient, batch: Batch, horizon: int) -> Any:  # noqa: ANN401
    """Return medians and sides of POST /forecast: (series, horizon, 5)."""
    series = [{"id": f"s{at}", "values": one, "start": "2020-01", "frequency": "M"} for at, one in enumerate(batch)]
    found = post(
        client, "/forecast", {"series": series, "horizon": horizon, "levels": [*LEVELS], "model": "temperatures"}
    )
    return tables_of(found["forecasts"])


def tables_of(forecasts: list[dict[str, Any]]) -> Any:  # noqa: ANN401
    """Return medians and sides of entries of a response: (series, horizon, 5)."""
    return [
        np.stack(
            [one["median"], *(one["intervals"][str(level)][side] for level in LEVELS for side in ("lower", "upper"))],
            -1,
        )
        for one in forecasts
    ]


def nixtla(client: TestClient, batch: Batch, horizon: int) -> Any:  # noqa: ANN401
    """Return the same of Nixtla's API."""
    series = {
        "y": [*chain.from_iterable(batch)],
        "sizes": [len(one) for one in batch],
        "start_datetime": ["2020-01-01"] * len(batch),
    }
    body = {"series": series, "h": horizon, "freq": "MS", "level": [*LEVELS], "model": "temperatures"}
    found = post(client, "/v2/forecast", body)
    columns = [found["mean"], *(found["intervals"][f"{side}-{level}"] for level in LEVELS for side in ("lo", "hi"))]
    return np.array(columns).T.reshape(len(batch), horizon, 5)


def timeseries(client: TestClient, batch: Batch, horizon: int) -> Any:  # noqa: ANN401
    """Return the same of KServe's time series API."""
    inputs = [
        {"name": f"s{at}", "series": one, "frequency": "month", "start_timestamp": "2020-01-01"}
        for at, one in enumerate(batch)
    ]
    body = {"model": "temperatures", "inputs": inputs, "options": {"horizon": horizon, "quantiles": [*SIDES]}}
    content = post(client, "/v1/timeseries/forecast", body)["outputs"][0]["content"]
    return [np.stack([one["median_forecast"], *(one["quantiles"][str(side)] for side in SIDES)], -1) for one in content]


def predict(client: TestClient, batch: Batch, horizon: int) -> Any:  # noqa: ANN401
    """Return the same of KServe's older protocol."""
    instances = [{"values": one, "start": "2020-01", "frequency": "M"} for one in batch]
    body = {"instances": instances, "horizon": horizon, "levels": [*LEVELS]}
    return tables_of(post(client, "/v1/models/temperatures:predict", body)["predictions"])


def tensors(client: TestClient, batch: Batch, horizon: int) -> Any:  # noqa: ANN401
    """Return the same of the Open Inference Protocol, one request for each series."""
    tables = []
    for one in batch:
        values = {"name": "values", "datatype": "FP64", "shape": [len(one)], "data": one}
        body = {
            "inputs": [values, {"name": "levels", "datatype": "FP64", "shape": [2], "data": [*LEVELS]}],
            "parameters": {"horizon": horizon, "frequency": "MS", "start": "2020-01"},
        }
        found = {one["name"]: one for one in post(client, "/v2/models/temperatures/infer", body)["outputs"]}
        lower, upper = (np.array(found[side]["data"]).reshape(horizon, 2) for side in ("lower", "upper"))
        tables.append(np.stack([found["median"]["data"], lower[:, 0], upper[:, 0], lower[:, 1], upper[:, 1]], -1))
    return tables


def frame_of(batch: Batch) -> pd.DataFrame:
    """Return the series as a long frame."""
    frames = [
        pd.DataFrame({"unique_id": f"s{at}", "ds": pd.date_range("2020-01-01", periods=len(one), freq="MS"), "y": one})
        for at, one in enumerate(batch)
    ]
    return pd.concat(frames, ignore_index=True).astype({"y": float})


def mlflow(client: TestClient, batch: Batch, horizon: int) -> Any:  # noqa: ANN401
    """Return the same of MLflow's API."""
    split = frame_of(batch).assign(ds=lambda one: one["ds"].dt.strftime("%Y-%m-%d")).to_dict(orient="split")
    split["data"] = [[None if cell != cell else cell for cell in row] for row in split["data"]]  # noqa: PLR0124 (NaN)
    body = {"dataframe_split": split, "params": {"horizon": horizon, "levels": [*LEVELS]}}
    return columns_of(pd.DataFrame(post(client, "/endpoints/temperatures/invocations", body)["predictions"]), horizon)


def columns_of(found: pd.DataFrame, horizon: int) -> Any:  # noqa: ANN401
    """Return medians and sides of a frame: (series, horizon, 5)."""
    return found[["median", *(f"q{side:g}" for side in SIDES)]].to_numpy().reshape(-1, horizon, 5)


WAYS: Mapping[str, Way] = {
    "nixtla": nixtla,
    "timeseries": timeseries,
    "predict": predict,
    "tensors": tensors,
    "mlflow": mlflow,
}


@pytest.fixture(scope="module")
def pyfunc(artifacts: Artifacts) -> PyfuncForecaster:
    """Return the pyfunc of the same model."""
    return PyfuncForecaster(artifact.load(artifacts.get(name="temperatures")))


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(SERIES, min_size=1, max_size=3), horizon=st.integers(1, 15))
@pytest.mark.parametrize("way", [*WAYS, "pyfunc"])
def test_every_way_leads_to_the_same_forecast(
    dialects: TestClient, pyfunc: PyfuncForecaster, way: str, batch: Batch, horizon: int
) -> None:
    """Of any series, with gaps and of a single value, within and beyond the trained horizon."""
    expected = forecast(dialects, batch, horizon)

    if way == "pyfunc":
        found = columns_of(pyfunc.predict(frame_of(batch), {"horizon": horizon, "levels": [*LEVELS]}), horizon)
    else:
        found = WAYS[way](dialects, batch, horizon)

    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        scale = float(np.abs(other).max()) or 1.0
        assert_allclose(one / scale, other / scale, atol=1e-6)
