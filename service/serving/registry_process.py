"""Registry: the child process that asks MLflow for models and fills the cache; the service's only use of mlflow.

Run as `python -m service.registry CACHE INDEX POLL_SECONDS` with MLFLOW_TRACKING_URI set. It reads `{"name", "version"}` lines
(versions that the server wants fetched) from standard input, and ends when that closes: when its server is gone, however
it went. It ends with os.EX_TEMPFAIL, to be started again at once, when the registry's SQLite file is another than the one
it has open. mlflow may hang, fail or be absent: the server only ever reads what stands in the cache.
"""

import fcntl
import hashlib
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import orjson

from models.errors import ArtifactIncomplete
from service.logs import configure_logging
from service.serving.artifact_cache import ArtifactCache
from service.serving.registry_index import (
    ModelVersion,
    RegisteredModel,
    RegistryIndex,
    RegistryState,
    keep_lost_champions,
    replace_version,
)
from service.serving.registry_probe import is_empty

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger("almanac.registry")

SQLITE = "sqlite:///"
ENVIRONMENT: Mapping[str, str] = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""With mlflow's own defaults a dead server is waited for for minutes, and its use is reported to its makers."""

PAGE = 1000
DETAIL_LENGTH = 300


class RegistryPoller:
    """Asks the registry behind a tracking URI, and keeps the cache as it says."""

    def __init__(self, cache: ArtifactCache, tracking_uri: str) -> None:
        """Nothing is asked yet, and mlflow is not imported."""
        self._cache = cache
        self._uri = tracking_uri
        self._client: MlflowClient | None = None
        self._wanted: set[tuple[str, str]] = set()
        self._failed: dict[tuple[str, str], str] = {}
        self._source = hashlib.sha256(tracking_uri.encode()).hexdigest()[:16]
        self._opened: int | None = None
        self._index: RegistryIndex | None = None

    def want(self, name: str, version: str) -> None:
        """Fetch a version at the next poll, though no alias points to it; a damaged copy is replaced."""
        self._wanted.add((name, version))

    def poll(self, now: str) -> RegistryIndex:
        """Ask once, write the index, fetch what is wanted and not here; return the index as it then stands.

        While nothing is registered mlflow is not imported. A registry that does not answer leaves the models of the last
        index, with the reason beside them. What one says whose SQLite file was replaced meanwhile is not listened to: it may
        have been either file, or a half of each.
        """
        index = self._index or self._cache.read()  # what is known outlives a cache that somebody removes
        if self._is_absent():
            return self._keep(index, "absent", f"There is no registry at {self._uri} yet.", now)
        if self.was_replaced():
            return index
        if self._client is None and not index.models and is_empty(self._uri):
            return self._write(RegistryIndex(checked=now, source=self._source))
        try:
            with self._alone():
                self._hold()
                registered = self._ask()
        except Exception as error:  # noqa: BLE001 (mlflow, its stores and transports raise anything at all)
            return self._keep(index, "unreachable", describe(error), now)
        if self.was_replaced():
            return index
        known = {name: self._known(name, model, index) for name, model in registered.items()}
        index = self._write(keep_lost_champions(index, RegistryIndex(known, checked=now, source=self._source)))
        for name, number in self._missing(index):
            version = self._fetch(name, number, index.models[name].versions[number])
            index = self._write(replace_version(index, name, number, version))
        if all(_has_arrived(model) for model in index.models.values()):
            self._cache.prune(index)
        return index

    def was_replaced(self) -> bool:
        """Return whether the SQLite file is another than was opened, or gone: a connection would read the old one."""
        return self._opened is not None and _identity(os.fstat(self._opened)) != self._store_file()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock under which a SQLite file is first opened, which training takes too (training/registry/client.py).

        mlflow makes the tables that it misses; two processes that do so at once break each other's.
        """
        if self._opened is not None or not self._uri.startswith(SQLITE):
            yield
            return
        path = Path(self._uri.removeprefix(SQLITE))
        with ExitStack() as stack:
            with suppress(OSError):  # a folder that nobody may write to has no tables made in it either
                file = stack.enter_context(path.with_name(f"{path.name}.lock").open("ab"))
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _hold(self) -> None:
        """Open the SQLite file, and never close it: its inode's number is then given to no other file.

        (Closing would also drop the locks that SQLite has on it in this process.)
        """
        if self._opened is None and self._uri.startswith(SQLITE):
            self._opened = os.open(self._uri.removeprefix(SQLITE), os.O_RDONLY)

    def _keep(self, index: RegistryIndex, state: RegistryState, detail: str, now: str) -> RegistryIndex:
        return self._write(replace(index, state=state, detail=detail, checked=now))

    def _write(self, index: RegistryIndex) -> RegistryIndex:
        """Write the index and remember it; say so once when the registry does otherwise than before."""
        told = (self._index.state, self._index.detail) if self._index else ("ok", "")
        if (index.state, index.detail) != told:
            level = logging.WARNING if index.detail else logging.INFO
            logger.log(level, "registry %s: %s", index.state, index.detail or "as it should be")
        self._index = index
        self._cache.write(index)
        return index

    def _is_absent(self) -> bool:
        """Return whether a SQLite file is meant that does not exist: mlflow would make an empty one."""
        return self._uri.startswith(SQLITE) and self._store_file() is None

    def _store_file(self) -> tuple[int, int] | None:
        if not self._uri.startswith(SQLITE):
            return None
        try:
            return _identity(Path(self._uri.removeprefix(SQLITE)).stat())
        except OSError:
            return None

    def _connect(self) -> "MlflowClient":
        if self._client is None:
            if not self._uri.startswith("http") and find_spec("sqlalchemy") is None:
                raise ModuleNotFoundError(f"mlflow-skinny cannot read {self._uri.partition(':')[0]}")
            import mlflow

            mlflow.set_tracking_uri(self._uri)
            mlflow.set_registry_uri(self._uri)
            logging.getLogger("mlflow").setLevel(logging.ERROR)
            logging.getLogger("alembic").setLevel(logging.ERROR)
            self._client = mlflow.MlflowClient()
        return self._client

    def _ask(self) -> dict[str, RegisteredModel]:
        """Return every registered name with its versions and aliases, nothing fetched."""
        client = self._connect()
        versions: dict[str, dict[str, ModelVersion]] = {}
        for version in _pages(client.search_model_versions):
            versions.setdefault(version.name, {})[str(version.version)] = ModelVersion(run_id=version.run_id or None)
        return {
            model.name: RegisteredModel(
                dict(sorted(versions.get(model.name, {}).items(), key=lambda item: int(item[0]))),
                {alias: str(number) for alias, number in sorted(model.aliases.items())},
            )
            for model in _pages(client.search_registered_models)
        }

    def _known(self, name: str, model: RegisteredModel, index: RegistryIndex) -> RegisteredModel:
        """Return a registered model with what is known of its versions' artifacts."""
        before = index.models.get(name, RegisteredModel()).versions
        versions = {
            number: replace(version, digest=before[number].digest, error=before[number].error)
            if number in before and before[number].run_id == version.run_id
            else version
            for number, version in model.versions.items()
        }
        return replace(model, versions=versions)

    def _missing(self, index: RegistryIndex) -> list[tuple[str, str]]:
        """Return the versions to fetch: those with an alias and those asked for, unless they are here and whole."""
        aliased = {
            (name, number)
            for name, model in index.models.items()
            for alias, number in model.aliases.items()
            if not (name in index.gone and alias == "champion")  # nobody has it but us
        }
        asked, self._wanted = self._wanted, set()
        missing = []
        for name, number in sorted(aliased | asked):
            version = index.models[name].versions.get(number) if name in index.models else None
            if version is None or (version.error and (name, number) not in asked):
                continue
            here = version.digest is not None and self._cache.path(version.digest).is_dir()
            if not here or ((name, number) in asked and not self._cache.holds(str(version.digest))):
                missing.append((name, number))
        return missing

    def _fetch(self, name: str, number: str, version: ModelVersion) -> ModelVersion:
        """Return the version with its artifact in the cache, or with the reason why it cannot be."""
        from mlflow.artifacts import download_artifacts

        with self._cache.download() as folder:
            try:
                download_artifacts(artifact_uri=f"models:/{name}/{number}", dst_path=str(folder))
                digest = self._cache.store(folder)
            except ArtifactIncomplete as error:
                logger.warning("%s/%s refused: %s", name, number, error)
                return replace(version, digest=None, error=error.detail)
            except Exception as error:  # noqa: BLE001 (as above; it is tried again at the next poll)
                reason = describe(error)
                if self._failed.get((name, number)) != reason:
                    logger.warning("%s/%s not fetched: %s", name, number, reason)
                self._failed[name, number] = reason
                self._wanted.add((name, number))
                return version
        self._failed.pop((name, number), None)
        logger.info("fetched %s/%s", name, number, extra={"fields": {"digest": digest}})
        return replace(version, digest=digest, error="")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def describe(error: BaseException) -> str:
    """Return an exception as one short line; the remedy where the cause is an installation without a needed package."""
    line = " ".join(str(error).split())[:DETAIL_LENGTH] or type(error).__name__
    if isinstance(error, ImportError):
        return f"{line}. Install almanac-forecast[train], or set MLFLOW_TRACKING_URI to an MLflow server."
    return line


def _has_arrived(model: RegisteredModel) -> bool:
    """Return whether a model's champion, if it has one, is in the cache or known to be none of ours."""
    champion = model.versions.get(model.aliases.get("champion", ""))
    return champion is None or champion.digest is not None or champion.error != ""


def _pages(search: Any) -> Iterator[Any]:  # noqa: ANN401 (one of mlflow's paged searches; its entities are untyped)
    """Yield every entity of a paged search."""
    token = None
    while True:
        page = search(max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _listen(asked: "SimpleQueue[tuple[str, str]]", wake: threading.Event) -> None:
    """Queue each version asked for on standard input; end the process when that closes, even amid a hanging call."""
    for line in sys.stdin.buffer:
        wish = orjson.loads(line)
        asked.put((wish["name"], wish["version"]))
        wake.set()
    os._exit(0)


def main() -> None:
    """Poll until the server is gone."""
    configure_logging()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    cache = ArtifactCache(Path(sys.argv[1]), sys.argv[2])
    registry = RegistryPoller(cache, os.environ["MLFLOW_TRACKING_URI"])
    poll_seconds = float(sys.argv[3])
    asked: SimpleQueue[tuple[str, str]] = SimpleQueue()
    wake = threading.Event()
    threading.Thread(target=_listen, args=(asked, wake), daemon=True).start()
    while not registry.was_replaced():
        while not asked.empty():
            registry.want(*asked.get())
        registry.poll(datetime.now(UTC).isoformat(timespec="seconds"))
        cache.tidy()
        wake.wait(poll_seconds)
        wake.clear()
    logging.shutdown()
    os._exit(os.EX_TEMPFAIL)  # an orderly end would wait for the lock on standard input, which the thread holds


if __name__ == "__main__":
    main()
