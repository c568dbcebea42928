"""House: a home for a service under test, whose cache is filled as the registry's child would fill it."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from models import artifact
from service.serving.artifact_cache import ArtifactCache
from service.serving.registry_index import ModelVersion, RegisteredModel, RegistryIndex, RegistryState
from tests.artifacts import make_artifact

PATIENCE_SECONDS = 60.0
CHECKED = "2026-01-01T00:00:00+00:00"


def eventually(truth: Callable[[], Any], what: str) -> None:
    """Return once `truth` holds; fail with `what` if it does not in good time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not truth():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def ready(client: TestClient) -> None:
    """Return once a service is ready."""
    eventually(lambda: client.get("/health/ready").status_code == 200, "the service did not become ready")


class Artifacts:
    """Complete artifacts, each made once."""

    def __init__(self, root: Path) -> None:
        """Keep them under `root`."""
        self._root = root

    def get(self, **options: Any) -> Path:  # noqa: ANN401 (the options of make_artifact)
        """Return the artifact that these options of make_artifact make."""
        path = self._root / "-".join(f"{key}={value}" for key, value in sorted(options.items()) or [("plain", "")])
        return path if path.exists() else make_artifact(path, **options)


class House:
    """An ALMANAC_HOME with a cache."""

    def __init__(self, home: Path, artifacts: Artifacts) -> None:
        """Nothing is cached yet."""
        self.home = home
        self.cache = ArtifactCache(home / "cache")
        self._artifacts = artifacts

    def publish(self, name: str, version: str, *, alias: str | None = "champion", **options: Any) -> str:  # noqa: ANN401
        """Put a version into the cache, point an alias to it, and return its digest."""
        digest = self.keep(name=name, **options)
        model = self.cache.read().models.get(name, RegisteredModel())
        versions = {**model.versions, version: ModelVersion(run_id=f"run-{version}", digest=digest)}
        aliases = {**model.aliases, **({alias: version} if alias else {})}
        self.say({name: RegisteredModel(versions, aliases)})
        return digest

    def keep(self, **options: Any) -> str:  # noqa: ANN401 (the options of make_artifact)
        """Put an artifact into the cache, and return its digest."""
        with self.cache.download() as folder:
            shutil.copytree(self._artifacts.get(**options), folder / "artifact")
            return self.cache.store(folder)

    def amend(self, name: str, version: str, **fields: Any) -> str:  # noqa: ANN401 (fields of the spec)
        """Put a version anew into the cache, its specification changed, and return its new digest."""
        model = self.cache.read().models[name]
        with self.cache.download() as folder:
            copy = Path(shutil.copytree(self.cache.path(str(model.versions[version].digest)), folder / "artifact"))
            artifact.update_spec(copy, **fields)
            digest = self.cache.store(folder)
        amended = replace(model.versions[version], digest=digest)
        self.say({name: RegisteredModel({**model.versions, version: amended}, model.aliases)})
        return digest

    def say(self, models: Mapping[str, RegisteredModel], state: RegistryState = "ok", detail: str = "") -> None:
        """Let the registry have said this, beside what it said before."""
        before = self.cache.read()
        self.cache.write(
            replace(before, models={**before.models, **models}, state=state, detail=detail, checked=CHECKED)
        )

    def silence(self) -> None:
        """Let the registry have said that there is nothing."""
        self.cache.write(RegistryIndex(checked=CHECKED))
