"""The Ray engine where Ray does not answer or start; tests/prove/test_ray.py has the rest."""

import socket
import sys
from types import SimpleNamespace

import pytest

from models.errors import ConfigInvalid
from training.engines.ray_engine import ADDRESS, RayEngine


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Put a Ray that never starts in place of Ray, and return the addresses that it was asked for."""
    asked: list[str | None] = []

    def init(*, address: str | None, **_: object) -> None:
        asked.append(address)
        raise TimeoutError("no answer")

    fake = SimpleNamespace(is_initialized=lambda: False, init=init, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.delenv(ADDRESS, raising=False)
    return asked


def test_a_cluster_that_does_not_answer_is_refused_before_ray_waits_for_it(
    started: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the address, and as Ray's client too; one that answers is handed to Ray, and so is `auto`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = f"127.0.0.1:{server.getsockname()[1]}"
        for address in (place, f"ray://{place}", "auto"):
            monkeypatch.setenv(ADDRESS, address)
            with pytest.raises(ConfigInvalid, match=r"cannot be used: no answer\. "):
                RayEngine()
    assert started == [place, f"ray://{place}", "auto"]

    for address in (place, f"ray://{place}", "127.0.0.1:99999"):
        monkeypatch.setenv(ADDRESS, address)
        with pytest.raises(ConfigInvalid, match=f"Ray at {address} does not answer") as refused:
            RayEngine()
        assert ADDRESS in refused.value.hint
    assert len(started) == 3


def test_where_ray_does_not_start_on_this_machine_no_address_is_to_be_checked(started: list[str | None]) -> None:
    """After three tries."""
    with pytest.raises(ConfigInvalid, match=r"on this machine: no answer\. ") as refused:
        RayEngine()

    assert started == [None] * 3
    assert ADDRESS not in refused.value.hint
