"""Compression: bodies unpacked within limits, and responses packed."""

import gzip
import json
import zlib
from collections.abc import Callable

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from service.api.compression import choose_encoding, unpack
from service.errors import BodyTooLarge, FileInvalid

REQUEST = json.dumps({"series": [{"values": [1, 2, 3, 4] * 10}], "horizon": 2}).encode()


def zstd(content: bytes) -> bytes:
    """Return content as a frame of zstd."""
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd}


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("parts", [1, 3])
def test_unpacking_gives_the_content(encoding: str, parts: int) -> None:
    """Of all members or frames."""
    content = bytes(range(256)) * 1_000

    assert unpack(PACKERS[encoding](content) * parts, encoding, 10**6, "") == content * parts


@pytest.mark.parametrize("encoding", PACKERS)
def test_a_bomb_is_refused(encoding: str) -> None:
    """Long before all of it is unpacked."""
    bomb = PACKERS[encoding](bytes(2**26))

    with pytest.raises(BodyTooLarge, match="1000"):
        unpack(bomb, encoding, 1000, "")


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("damage", [lambda packed: packed[:-3], lambda _: b"x" * 40, lambda _: b""])
def test_damaged_bodies_are_refused(encoding: str, damage: Callable[[bytes], bytes]) -> None:
    """Cut off, something else, or empty."""
    with pytest.raises(FileInvalid, match=encoding):
        unpack(damage(PACKERS[encoding](REQUEST)), encoding, 10**6, "")


def test_very_many_members_are_refused() -> None:
    """Each of them costs time."""
    with pytest.raises(FileInvalid, match="members"):
        unpack(gzip.compress(b"") * 20_000, "gzip", 10**6, "")


@pytest.mark.parametrize("encoding", PACKERS)
def test_every_route_reads_packed_bodies(shared_client: TestClient, encoding: str) -> None:
    """Forecasts and observations; the limit is that of unpacked bytes."""
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    bomb = PACKERS[encoding](b" " * 2**24 + REQUEST)

    assert shared_client.post("/forecast", content=PACKERS[encoding](REQUEST), headers=headers).status_code == 200
    for path in ("/forecast", "/observations"):
        refused = shared_client.post(path, content=bomb, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("encoding", ["deflate", "br", "gzip, gzip"])
def test_other_encodings_are_refused(shared_client: TestClient, encoding: str) -> None:
    """By name."""
    headers = {"content-encoding": encoding, "content-type": "application/json"}

    response = shared_client.post("/forecast", content=zlib.compress(REQUEST), headers=headers)

    assert response.status_code == 415
    assert encoding in response.json()["detail"]


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip, deflate", "gzip"),
        ("gzip, zstd", "zstd"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("*", "zstd"),
        ("br", None),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
    ],
)
def test_the_client_chooses(accepted: str, chosen: str | None) -> None:
    """By weight."""
    assert choose_encoding(accepted) == chosen


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson", "application/vnd.apache.parquet"])
def test_large_responses_are_packed(shared_client: TestClient, encoding: str, accept: str) -> None:
    """Streams with gzip only; Parquet never."""
    request = {"series": [{"values": [1, 2, 3, 4] * 10}] * 90, "horizon": 12}
    headers = {"accept-encoding": encoding, "accept": accept}

    with shared_client.stream("POST", "/forecast", json=request, headers=headers) as response:
        raw = b"".join(response.iter_raw())

    assert response.status_code == 200
    is_packed = accept == "application/json" or (accept == "application/x-ndjson" and encoding == "gzip")
    assert response.headers.get("content-encoding") == (encoding if is_packed else None)
    assert ("vary" in response.headers) == (accept != "application/vnd.apache.parquet")
    if is_packed:
        assert unpack(raw, encoding, 10**8, "").startswith(b'{"model"')


def test_small_responses_are_not_packed(shared_client: TestClient) -> None:
    """They fit into few packets."""
    response = shared_client.post("/forecast", content=REQUEST, headers={"content-type": "application/json"})

    assert "content-encoding" not in response.headers
