"""What the proofs share: one registered model, and a service of its own for each proof."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.programs import almanac_service
from tests.system.registration import register, registry_at
from training.processes import ChildProcess


@dataclass(frozen=True, slots=True)
class House:
    """A home with a champion in a SQLite registry."""

    home: Path
    uri: str

    def serve(self) -> AbstractContextManager[ChildProcess]:
        """Run a service on it."""
        return almanac_service(self.home, self.uri)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Return a home whose champion is a seasonal naive."""
    home = tmp_path_factory.mktemp("house")
    uri = f"sqlite:///{home / 'mlflow.db'}"
    with registry_at(uri, home) as registry:
        registry.models.promote("temperatures", register(registry, home))
    return House(home, uri)


@pytest.fixture
def service(house: House) -> Iterator[ChildProcess]:
    """Run a service of the test's own, with a model in memory."""
    with house.serve() as child:
        yield child
