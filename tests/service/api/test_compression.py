"""Compression: bodies unpacked within limits, and responses packed."""

import gzip
import json
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from service.admission import Lane
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
    bomb = PACKERS[encoding](bytes(2**22))
    before = pa.total_allocated_bytes()

    with pytest.raises(BodyTooLarge, match="1000"):
        unpack(bomb, encoding, 1000, "")

    assert pa.total_allocated_bytes() - before < 2**20


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("damage", [lambda packed: packed[:-3], lambda _: b"x" * 40, lambda _: b""])
def test_damaged_bodies_are_refused(encoding: str, damage: Callable[[bytes], bytes]) -> None:
    """Cut off, something else, or empty."""
    with pytest.raises(FileInvalid, match=encoding):
        unpack(damage(PACKERS[encoding](REQUEST)), encoding, 10**6, "")


def frame(window: int, blocks: int = 1) -> bytes:
    """Return a frame of zstd with empty blocks, with a window of so many powers of two."""
    parts = [b"\x00\x00\x00"] * (blocks - 1)
    return b"\x28\xb5\x2f\xfd\x00" + bytes([window - 10 << 3]) + b"".join(parts) + b"\x01\x00\x00"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (frame(24), "16,777,216"),
        (frame(27), "134,217,728"),
        (zstd(b"a") + frame(27), "134,217,728"),
        (b"\x28\xb5\x2f\xfd\xa0" + (2**31).to_bytes(4, "little") + b"\x01\x00\x00", "2,147,483,648"),
        (frame(20, blocks=50_001), "50000 parts"),
        (frame(20) * 25_001, "50000 parts"),
    ],
    ids=["16 MiB", "128 MiB", "second frame", "single segment", "blocks", "frames"],
)
def test_frames_that_need_much_are_refused(body: bytes, words: str) -> None:
    """Before any of them is unpacked; up to 8 MiB are read."""
    assert unpack(frame(23), "zstd", 100, "") == b""
    with pytest.raises(FileInvalid, match=words):
        unpack(body, "zstd", 10**6, "")


@pytest.mark.parametrize("level", [1, 3, 19])
def test_usual_levels_of_zstd_are_read(level: int) -> None:
    """With blocks of every kind: raw, runs and compressed."""
    content = os.urandom(300_000) + bytes(300_000) + bytes(range(256)) * 1_000

    packed = pa.Codec("zstd", compression_level=level).compress(content, asbytes=True)

    assert unpack(b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" + packed, "zstd", 10**6, "") == content


def test_large_bodies_are_unpacked_in_the_lane_of_large_requests(
    shared_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which refuses them if it is full; small ones never wait."""
    state: Any = shared_client.app.state  # type: ignore[attr-defined] # Starlette's application
    lane = state.service.forecasting.large
    full = replace(state.service.forecasting, large=Lane(lane.threads, 0, 1.0))

    def send(spaces: int) -> int:
        headers = {"content-encoding": "zstd", "content-type": "application/json"}
        body = zstd(b" " * spaces + REQUEST)
        return shared_client.post("/forecast", content=body, headers=headers).status_code

    monkeypatch.setitem(state._state, "service", replace(state.service, forecasting=full))

    assert (send(0), send(100_000)) == (200, 429)


def test_very_many_members_are_refused() -> None:
    """Each of them costs time."""
    with pytest.raises(FileInvalid, match="members"):
        unpack(gzip.compress(b"") * 20_000, "gzip", 10**6, "")


@pytest.mark.parametrize("encoding", PACKERS)
def test_every_route_reads_packed_bodies(
    shared_client: TestClient, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forecasts and observations; the limit is that of unpacked bytes."""
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    bomb = PACKERS[encoding](b" " * 2**18 + REQUEST)
    state: Any = shared_client.app.state  # type: ignore[attr-defined] # Starlette's application
    settings = state.service.settings.model_copy(update={"max_body_bytes": 2**18})
    monkeypatch.setitem(state._state, "service", replace(state.service, settings=settings))

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
