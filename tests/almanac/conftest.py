"""A service in this process, and frames."""

from collections.abc import Callable
from itertools import count

import httpx
import pandas as pd
import pytest
from starlette.testclient import TestClient

import almanac
from tests.service.conftest import (  # noqa: F401 - fixtures
    _environment,
    _starters,
    artifacts,
    migrated,
    postgresql,
    shared_client,
    small_starters,
)
from tests.training.conftest import empty_store  # noqa: F401 - a fixture

Handler = Callable[[httpx.Request], httpx.Response]


def transport_to(service: TestClient) -> httpx.MockTransport:
    """Return a transport that sends the requests of httpx to an application in this process."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = service.request(
            request.method, str(request.url), content=request.content, headers=dict(request.headers)
        )
        kept = {
            name: value for name, value in found.headers.items() if name not in {"content-encoding", "content-length"}
        }
        return httpx.Response(found.status_code, headers=kept, content=found.content)

    return httpx.MockTransport(answer)


@pytest.fixture
def client(shared_client: TestClient) -> almanac.Client:  # noqa: F811 - the fixture
    """Return a client of a service whose only model is `temperatures`."""
    return almanac.connect("http://testserver", transport=transport_to(shared_client))


def months(*ids: str, periods: int = 48) -> pd.DataFrame:
    """Return a long frame of monthly series with a season."""
    dates = pd.date_range("2020-01-01", periods=periods, freq="MS")
    steps = count(1)
    return pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": dates, "y": dates.month * 1.0 + next(steps)}) for name in ids],
        ignore_index=True,
    )
