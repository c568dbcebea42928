"""ServiceHome: an ALMANAC_HOME for tests, with a cache filled as the registry process fills it."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from models import artifact
from service.app import create_app
from service.serving.artifact_cache import ArtifactCache
from service.serving.registry_index import ModelVersion, RegisteredModel, RegistryIndex, RegistryState
from service.settings import Settings
from tests.artifacts import make_artifact

TIMEOUT_SECONDS = 180.0
CHECKED = "2026-01-01T00:00:00+00:00"


def eventually(condition: Callable[[], Any], message: str) -> None:
    """Return once a condition is true; fail with `message` after three, on a machine that is very busy."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.01)


def ready(client: TestClient) -> None:
    """Return once a service is ready."""
    eventually(lambda: client.get("/health/ready").status_code == 200, "the service did not become ready")


class Artifacts:
    """Complete artifacts, each created once."""

    def __init__(self, root: Path) -> None:
        """Store them below `root`."""
        self._root = root

    def get(self, **options: Any) -> Path:  # noqa: ANN401 (the options of make_artifact)
        """Return the artifact that make_artifact creates with these options."""
        path = self._root / "-".join(f"{key}={value}" for key, value in sorted(options.items()) or [("plain", "")])
        return path if path.exists() else make_artifact(path, **options)


class ServiceHome:
    """An ALMANAC_HOME with a cache."""

    def __init__(self, path: Path, artifacts: Artifacts) -> None:
        """Start with an empty cache."""
        self.path = path
        self.cache = ArtifactCache(path / "cache")
        self._artifacts = artifacts

    def publish(self, name: str, version: str, *, alias: str | None = "champion", **options: Any) -> str:  # noqa: ANN401
        """Add a version to the cache, point an alias to it, and return its digest."""
        digest = self.store(name=name, **options)
        model = self.cache.read().models.get(name, RegisteredModel())
        versions = {**model.versions, version: ModelVersion(run_id=f"run-{version}", digest=digest)}
        aliases = {**model.aliases, **({alias: version} if alias else {})}
        self.set_models({name: RegisteredModel(versions, aliases)})
        return digest

    def store(self, **options: Any) -> str:  # noqa: ANN401 (the options of make_artifact)
        """Store an artifact in the cache, and return its digest."""
        with self.cache.download() as folder:
            shutil.copytree(self._artifacts.get(**options), folder / "artifact")
            return self.cache.store(folder)

    def change_spec(self, name: str, version: str, **fields: Any) -> str:  # noqa: ANN401 (fields of the spec)
        """Replace a version by one with another specification, and return its digest."""
        model = self.cache.read().models[name]
        with self.cache.download() as folder:
            copy = Path(shutil.copytree(self.cache.path(str(model.versions[version].digest)), folder / "artifact"))
            artifact.update_spec(copy, **fields)
            digest = self.cache.store(folder)
        changed = replace(model.versions[version], digest=digest)
        self.set_models({name: RegisteredModel({**model.versions, version: changed}, model.aliases)})
        return digest

    def set_models(self, models: Mapping[str, RegisteredModel], state: RegistryState = "ok", detail: str = "") -> None:
        """Write an index with these models added, and this state of the registry."""
        before = self.cache.read()
        self.cache.write(
            replace(before, models={**before.models, **models}, state=state, detail=detail, checked=CHECKED)
        )

    def set_empty(self) -> None:
        """Write the index of an empty registry."""
        self.cache.write(RegistryIndex(checked=CHECKED))


@contextmanager
def serving(home: ServiceHome, *databases: Path, **settings: Any) -> Iterator[TestClient]:  # noqa: ANN401 (of Settings)
    """Yield a client of a ready service without a registry process, whose home begins with copies of databases."""
    for one in databases:
        shutil.copy(one, home.path)
    with TestClient(create_app(Settings(home=home.path, **settings), supervise=False)) as client:
        ready(client)
        yield client
