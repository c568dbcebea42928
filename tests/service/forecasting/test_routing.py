import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

import almanac
from models.errors import AlmanacError
from service.serving.registry_index import ModelVersion, RegisteredModel, RegistryIndex
from service.serving.segments import SegmentRouter
from tests.almanac.conftest import transport_to
from tests.service.home import ServiceHome, eventually

VALUES = [float(number % 12) for number in range(48)]


def publish(home: ServiceHome, segment: str, version: str = "1", **options: Any) -> None:  # noqa: ANN401 (of the artifact)
    """Publish a version of the model of a segment of the family `shops`."""
    name = f"shops-{segment}"
    home.publish(name, version, **options)
    model = home.cache.read().models[name]
    home.set_models({name: replace(model, family="shops", segment=segment)})


@pytest.fixture
def shops(home: ServiceHome, start: Callable[..., TestClient]) -> TestClient:
    """Return a service with a model for each of two segments."""
    for segment in ("North", "South"):
        publish(home, segment)
    return start()


def ask(client: TestClient, *series: dict[str, Any], **options: Any) -> dict[str, Any]:  # noqa: ANN401 (of the request)
    """Return the response to series of equal values."""
    body = {"horizon": 3, "series": [{"values": VALUES, **one} for one in series], **options}
    found: dict[str, Any] = client.post("/forecast", json=body).json()
    return found


@pytest.mark.parametrize("options", [{}, {"model": "shops"}])
def test_each_series_is_forecast_by_the_model_of_its_segment(shops: TestClient, options: dict[str, Any]) -> None:
    """It is named by the series or a part of its id; a series that fits none has an error, and the order stays."""
    found = ask(
        shops,
        {"id": "a", "segment": "South"},
        {"id": "North/7"},
        {"id": "b", "segment": "West"},
        {"id": "c"},
        {"id": "South/North"},
        {"id": "d", "segment": " South "},
        **options,
    )

    assert found["model"] == {"name": "shops", "version": "", "alias": "champion", "run_id": None}
    assert [(one["id"], one["model"]["name"]) for one in found["forecasts"]] == [
        ("a", "shops-South"),
        ("North/7", "shops-North"),
        ("d", "shops-South"),
    ]
    assert [(one["code"], one["pointer"]) for one in found["errors"]] == [
        ("SEGMENT_UNKNOWN", "/series/2/segment"),
        ("SEGMENT_UNKNOWN", "/series/3"),
        ("SEGMENT_UNKNOWN", "/series/4"),
    ]
    assert "North, South" in found["errors"][0]["hint"]


def test_a_new_champion_of_a_segment_answers(shops: TestClient, home: ServiceHome) -> None:
    """Its first request after the swap; a new segment is found as well, and the forecasts are stored with their own models."""
    publish(home, "South", "2", horizon=6)
    publish(home, "West")

    def versions() -> list[tuple[str, str]]:
        found = ask(shops, {"id": "South/1"}, {"id": "West/1"})
        return [(one["model"]["name"], one["model"]["version"]) for one in found["forecasts"]]

    eventually(lambda: versions() == [("shops-South", "2"), ("shops-West", "1")], "the new models do not answer")


def test_a_segment_of_no_family_is_an_error(client: TestClient) -> None:
    """A single model answers its own requests alone."""
    assert ask(client, {"segment": "North"})["code"] == "MODEL_UNKNOWN"
    assert ask(client, {"id": "North/1"}, model="temperatures")["forecasts"]


@pytest.mark.parametrize(
    ("index", "code"),
    [
        (RegistryIndex(), "MODEL_LOADING"),
        (RegistryIndex(state="unreachable", checked="now"), "MODEL_LOADING"),
        (RegistryIndex(state="stale", checked="now"), "MODEL_LOADING"),
        (RegistryIndex(checked="now"), "MODEL_UNKNOWN"),
    ],
    ids=["first poll", "unreachable", "stale", "empty"],
)
def test_a_segment_of_no_known_family_is_unknown_only_if_the_registry_is_known(index: RegistryIndex, code: str) -> None:
    """Otherwise the client tries again."""
    with pytest.raises(AlmanacError) as raised:
        SegmentRouter(lambda: index).family(None, ["North"])

    assert raised.value.code == code


def test_an_index_is_read_once() -> None:
    """The families of a new one are those of the next request."""

    def index(segment: str) -> RegistryIndex:
        versions, aliases = {"1": ModelVersion("run")}, {"champion": "1"}
        model = RegisteredModel(versions, aliases, family="shops", segment=segment)
        return RegistryIndex({f"shops-{segment}": model})

    found = [index("North")]
    router = SegmentRouter(lambda: found[-1])
    before, again = router.family("shops", []), router.family("shops", [])
    found.append(index("South"))
    after = router.family("shops", [])

    assert before is again
    assert [one and dict(one.models) for one in (before, after)] == [{"North": "shops-North"}, {"South": "shops-South"}]


def test_a_family_whose_models_are_being_loaded_is_tried_again(
    home: ServiceHome, start: Callable[..., TestClient]
) -> None:
    """With 503, as a single model; a series with a forecast has 200, and the others' errors are in the body."""
    publish(home, "North")
    publish(home, "South")
    model = home.cache.read().models["shops-South"]
    home.set_models({"shops-South": replace(model, versions={"1": ModelVersion("run-1")})})
    client = start()
    eventually(lambda: client.app.state.service.catalog.champions, "no champion")  # type: ignore[attr-defined]
    body = {"horizon": 3, "series": [{"values": VALUES, "segment": "South"}]}

    loading = client.post("/forecast", json=body)
    some = ask(client, {"segment": "North"}, {"segment": "South"})

    assert (loading.status_code, loading.json()["code"], loading.headers["retry-after"]) == (503, "MODEL_LOADING", "2")
    assert [len(some["forecasts"]), some["errors"][0]["code"]] == [1, "MODEL_LOADING"]


def test_the_index_keeps_families() -> None:
    """It is written to the cache, which every worker reads."""
    index = RegistryIndex({"shops-a": RegisteredModel(family="shops", segment="a")})

    assert RegistryIndex.from_dict(index.to_dict()) == index


def rows(*ids: str) -> list[dict[str, Any]]:
    """Return monthly series of equal values as rows of a long frame."""
    return [
        {"unique_id": name, "ds": f"{2020 + at // 12}-{at % 12 + 1:02d}-01", "y": value}
        for name in ids
        for at, value in enumerate(VALUES)
    ]


def parquet(*ids: str) -> bytes:
    """Return `rows` as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows(*ids)), sink)
    return sink.getvalue()


@pytest.mark.parametrize("sent", ["application/x-ndjson", "application/vnd.apache.parquet"])
@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"])
def test_every_format_is_routed(shops: TestClient, sent: str, accept: str) -> None:
    """Lines by `segment` or id, frames by a part of the id; the response has the model of each forecast."""
    lines = b"".join(
        json.dumps({"id": f"{one}/1", "values": VALUES}).encode() + b"\n" for one in ("South", "West", "North")
    )
    body = lines if sent.endswith("ndjson") else parquet("South/1", "West/1", "North/1")

    found = shops.post(
        "/forecast?horizon=3&model=shops", content=body, headers={"content-type": sent, "accept": accept}
    )

    assert found.status_code == 200, found.text
    if accept.endswith("stream"):
        metadata = json.loads(pa.ipc.open_stream(found.content).schema.metadata[b"almanac"])
        forecasts, errors = metadata["forecasts"], metadata["errors"]
    elif accept.endswith("ndjson"):
        parts = [json.loads(line) for line in found.text.splitlines()]
        assert parts[0]["model"]["name"] == "shops"
        forecasts, errors = ([one[kind] for one in parts if kind in one] for kind in ("forecast", "error"))
    else:
        forecasts, errors = found.json()["forecasts"], found.json()["errors"]
    assert [(one["id"], one["model"]["name"]) for one in forecasts] == [
        ("South/1", "shops-South"),
        ("North/1", "shops-North"),
    ]
    assert [(one["id"], one["code"]) for one in errors] == [("West/1", "SEGMENT_UNKNOWN")]


def nixtla(*ids: str) -> dict[str, Any]:
    """Return a request of NixtlaClient, which sends no ids."""
    sizes = [len(VALUES)] * len(ids)
    return {"model": "shops", "freq": "MS", "h": 3, "series": {"y": VALUES * len(ids), "sizes": sizes}}


DIALECTS: dict[str, Callable[..., dict[str, Any]]] = {
    "/endpoints/shops/invocations": lambda *ids: {"dataframe_records": rows(*ids), "params": {"horizon": 3}},
    "/v1/models/shops:predict": lambda *ids: {
        "instances": [{"id": one, "values": VALUES} for one in ids],
        "horizon": 3,
    },
    "/v1/timeseries/forecast": lambda *ids: {
        "model": "shops",
        "inputs": [
            {"name": one, "series": VALUES, "frequency": "month", "start_timestamp": "2020-01-01"} for one in ids
        ],
        "options": {"horizon": 3},
    },
    "/v2/models/shops/infer": lambda *ids: {
        "inputs": [
            {"name": "values", "datatype": "FP64", "shape": [len(ids), 48], "data": VALUES * len(ids)},
            {"name": "ids", "datatype": "BYTES", "shape": [len(ids)], "data": ids},
        ],
        "parameters": {"horizon": 3},
    },
}


@pytest.mark.parametrize("path", DIALECTS)
def test_other_clients_are_routed_by_the_id(shops: TestClient, path: str) -> None:
    """As many forecasts as series; one that fits no model refuses the request, with what to do."""
    ask_with = DIALECTS[path]

    found = shops.post(path, json=ask_with("South/1", "North/1"))
    refused = shops.post(path, json=ask_with("South/1", "West/1"))

    assert found.status_code == 200, found.text
    assert (refused.status_code, refused.json()["code"]) == (422, "SEGMENT_UNKNOWN")
    assert "make it a part of the id, such as North/17" in refused.json()["hint"]


def test_a_client_that_sends_no_ids_is_told_what_to_do(shops: TestClient) -> None:
    """Nixtla's: its series are known by their place alone."""
    refused = shops.post("/v2/forecast", json=nixtla("a"))

    assert (refused.status_code, refused.json()["code"]) == (422, "SEGMENT_UNKNOWN")
    assert shops.post("/v2/forecast", json={**nixtla("a"), "model": "shops-North"}).status_code == 200


def test_the_python_client_is_routed_by_its_columns(shops: TestClient) -> None:
    """The segment and the id together are the id of a series."""
    frame = pd.DataFrame(rows("7", "8")).assign(region=["North"] * len(VALUES) + ["South"] * len(VALUES))
    client = almanac.connect("http://testserver", transport=transport_to(shops))

    found = client.forecast(frame, horizon=3, model="shops", id_col=["region", "unique_id"])

    assert sorted(set(found.frame.iloc[:, 0])) == ["North/7", "South/8"]
    with pytest.raises(almanac.errors.ModelUnknown):
        client.forecast(frame, horizon=3, model="fields", id_col=["region", "unique_id"])


def test_a_family_is_a_model_to_clients_that_look_first(shops: TestClient) -> None:
    """KServe's and Triton's ask whether it is ready."""
    assert [shops.get(path).status_code for path in ("/v1/models/shops", "/v2/models/shops/ready")] == [200, 200]
    assert shops.get("/v2/models/fields/ready").status_code == 404
