"""Marker and fixtures of the proofs: a running service with a registered model."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.programs import almanac_service
from tests.system.registration import register, registry_at
from training.processes import ChildProcess


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave every test of this folder to `make prove`."""
    item.add_marker(pytest.mark.prove)


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a home whose champion is a seasonal naive, and the URI of its registry."""
    home = tmp_path_factory.mktemp("home")
    uri = f"sqlite:///{home / 'mlflow.db'}"
    with registry_at(uri, home) as registry:
        registry.models.promote("temperatures", register(registry, home))
    return home, uri


@pytest.fixture
def service(registered: tuple[Path, str]) -> Iterator[ChildProcess]:
    """Run a service with that model in memory."""
    with almanac_service(*registered) as child:
        yield child
