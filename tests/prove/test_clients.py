"""Other people's clients from PyPI, unmodified, against a running Almanac; and the bytes that they send."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from models.covariates import CovariateNames
from tests.clients.recording import RECORDED, Recorder, keep_few
from tests.service.home import Artifacts, ServiceHome, eventually
from tests.service.server_process import NO_REGISTRY, PROGRAM, ServerProcess

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-clients" / "bin" / "python"

pytestmark = pytest.mark.prove


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the results of all calls, and what was sent for them."""
    folder = tmp_path_factory.mktemp("clients")
    home = ServiceHome(folder / "home", Artifacts(folder))
    with ServerProcess(home.path, program=NO_REGISTRY + PROGRAM, ALMANAC_MODEL="starter") as server:
        home.cache = server.cache
        home.publish("sales", "1", frequency="D", season_length=7, names=CovariateNames((), ("price",)))
        home.publish("visitors", "1", frequency="D", season_length=7)
        eventually(lambda: server.client.get("/models/visitors").status_code == 200, server.log())
        with Recorder(str(server.client.base_url)) as recorder:
            command = [str(PYTHON), str(ROOT / "tests" / "clients" / "calls.py"), recorder.url]
            done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)  # noqa: S603 (ours)
    return json.loads(done.stdout.splitlines()[-1]), recorder.requests


def test_every_client_gets_its_forecasts(called: tuple[dict[str, Any], Any]) -> None:
    """Of a clean season, of 1,000 series, with gaps, of two values, with a price, of the past."""
    found, _ = called

    assert found["key"] is True
    assert found["usage"]["month"]["consumed"] == 0
    assert found["models"] == ["sales", "starter", "visitors"]
    assert found["season"]["error"] < 0.1, found["season"]
    assert found["season"]["ordered"], found["season"]
    assert found["quantiles"][2:] == ["TimeGPT", "TimeGPT-q-10", "TimeGPT-q-50", "TimeGPT-q-90"]
    assert found["many"] == {"rows": 12_000, "difference": 0.0}
    assert found["gaps"] == pytest.approx([100.0, 105.0], abs=1.0)
    assert len(found["short"]) == 2
    assert found["price"] == [4.0, 5.0 + 1.0, 6.0]
    assert found["anomalies"]["whole"][0], found["anomalies"]
    assert found["anomalies"]["online"] == [True, 24]
    assert found["rolling"]["rows"] == 36
    assert found["rolling"]["cutoffs"] == 3
    assert found["rolling"]["error"] < 0.1
    assert found["rolling"]["history"] > 100


def test_mlflows_clients_get_the_frame_of_the_pyfunc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scoring client and the deployment client, whose errors have our text."""
    import mlflow.deployments
    import mlflow.pyfunc.scoring_server.client
    import pandas as pd
    from requests import HTTPError

    from models import artifact
    from models.pyfunc import PyfuncForecaster

    deployments: Any = mlflow.deployments  # it has no types
    scoring: Any = mlflow.pyfunc.scoring_server.client
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "alm_test")
    artifacts = Artifacts(tmp_path)
    home = ServiceHome(tmp_path / "home", artifacts)
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2020-01-01", periods=48, freq="MS"), "y": range(48)})
    with ServerProcess(home.path, program=NO_REGISTRY + PROGRAM, ALMANAC_MODEL="temperatures") as server:
        home.cache = server.cache
        home.publish("temperatures", "1")
        server.ready()
        client = scoring.ScoringServerClient("127.0.0.1", server.client.base_url.port)
        client.wait_server_ready()
        found = client.invoke(frame, {"horizon": 3}).get_predictions()
        deployment = deployments.get_deploy_client(str(server.client.base_url))
        rows = frame.assign(ds=frame["ds"].dt.strftime("%Y-%m-%d")).to_dict(orient="records")
        other = deployment.predict(endpoint="default", inputs={"dataframe_records": rows, "params": {"horizon": 3}})
        with pytest.raises(HTTPError, match="There is no field"):
            deployment.predict(endpoint="default", inputs={"rows": rows})
        assert client.get_version()[0].isdigit()
        assert [one.name for one in deployment.list_endpoints()] == ["starter", "temperatures"]

    expected = PyfuncForecaster(artifact.load(artifacts.get(name="temperatures"))).predict(frame, {"horizon": 3})
    assert found["median"].tolist() == pytest.approx(expected["median"].tolist(), rel=1e-6)
    assert [one["median"] for one in other["predictions"]] == found["median"].tolist()


def test_every_client_reads_tensors(called: tuple[dict[str, Any], Any]) -> None:
    """As binary data and as JSON, with the same numbers."""
    found, _ = called
    triton, kserve = found["triton"], found["kserve"]

    assert triton["ready"] == [True, True, False]
    assert kserve["ready"] == [True, False]
    assert (kserve["ready_v1"], kserve["live_v1"]) == (True, True)
    assert kserve["predicted"]["predictions"][0]["median"] == pytest.approx(kserve["medians"][0], abs=1e-6)
    assert triton["median"] == triton["plain"] == kserve["medians"][0] == kserve["medians"][1] == kserve["series"]
    assert triton["timestamps"] == ["2023-01-01", "2023-02-01", "2023-03-01"]
    assert triton["shape"] == [1, 3, 1]
    assert kserve["start"].startswith("2023-01-01")


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        ("too_short", "ApiError", "has 5 values; 2 windows of 4 steps need 9"),
        ("wrong_frequency", "ApiError", "FREQUENCY_MISMATCH"),
        ("exogenous", "ApiError", "exogenous columns"),
        ("finetune", "ApiError", "finetune_steps"),
        ("simulate", "ApiError", "sample paths"),
        ("unknown", "ApiError", "unknown"),
        ("categories", "ApiError", "categorical_exog"),
        ("explain", "ApiError", "/v2/explain"),
        ("triton_statistics", "InferenceServerException", "/v2/models/stats.*GET /metrics"),
        ("triton_classes", "InferenceServerException", "class_count"),
        ("triton_error", "InferenceServerException", "missing"),
        ("triton_unknown", "InferenceServerException", "unknown"),
        ("kserve_error", "HTTPStatusError", "inputs"),
        ("kserve_v2_error", "HTTPStatusError", "the field .model."),
    ],
)
def test_an_error_is_the_clients_own_with_our_text(
    called: tuple[dict[str, Any], Any], call: str, kind: str, text: str
) -> None:
    """Each client raises its typed error."""
    found, _ = called

    assert found[call]["type"] == kind, found[call]
    assert re.search(text, found[call]["text"]), found[call]


def test_the_recorded_bytes_are_those_of_today(called: tuple[Any, list[dict[str, Any]]]) -> None:
    """The gate replays them; after a change of a client, copy what this test has written to the folder."""
    _, requests = called
    few = keep_few(requests)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / RECORDED.name).write_text(json.dumps(few, indent=1) + "\n")

    assert few == json.loads(RECORDED.read_text()), f"compare build/{RECORDED.name} with {RECORDED}"
