"""Registry process: the child process that polls MLflow and fills the cache; the service's only use of mlflow.

Run as `python -m service.serving.registry_process CACHE INDEX POLL_SECONDS` with MLFLOW_TRACKING_URI and ALMANAC_HOME set.
It reads lines from standard input: `{"name", "version"}`, a version to fetch, and `{"number", "move"}`, a champion to move,
which it answers on standard output with `{"number", "answer"}`. It ends when standard input closes, that is, when the server
ends for any reason. It exits with os.EX_TEMPFAIL, to be restarted at once, if the registry's SQLite file was replaced after
it was opened. mlflow may hang, fail or be absent: the server itself only reads the cache.
"""

import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from models.artifact import STORED_HINT
from models.audit.hidden_keys import key_file
from models.errors import ArtifactIncomplete, ModelUnknown, RegistryError, RegistryUnreachable
from models.jobs.database import SQLITE, almanac_home
from models.names import CHAMPION
from service.logs import configure_logging
from service.serving.artifact_cache import ArtifactCache, refuse_links
from service.serving.champion_move import ChampionMove, failure
from service.serving.empty_registry import is_empty
from service.serving.home_check import check_usable
from service.serving.registry_channel import Request, answer_to_standard_output, listen
from service.serving.registry_errors import describe, leads_outside
from service.serving.registry_index import (
    ModelVersion,
    RegisteredModel,
    RegistryIndex,
    keep_artifacts,
    keep_lost_champions,
    pages,
    replace_version,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger("almanac.registry")

ENVIRONMENT: Mapping[str, str] = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""With mlflow's defaults a dead server costs minutes, and usage is reported to its makers."""


class RegistryPoller:
    """Reads the registry at a tracking URI, and keeps the cache up to date with it."""

    def __init__(self, cache: ArtifactCache, tracking_uri: str) -> None:
        """Read nothing yet; mlflow is not imported."""
        self._cache = cache
        self._uri = tracking_uri
        self._client: MlflowClient | None = None
        self._wanted: set[tuple[str, str]] = set()
        self._failed: dict[tuple[str, str], str] = {}
        self.source = hashlib.sha256(tracking_uri.encode()).hexdigest()[:16]
        self._opened: int | None = None
        self._index: RegistryIndex | None = None
        self._is_unwritable = False

    def want(self, name: str, version: str) -> None:
        """Fetch a version at the next poll, even without an alias; a damaged copy is replaced."""
        self._wanted.add((name, version))

    def poll(self, now: str) -> RegistryIndex:
        """Read the registry once, write the index, fetch missing artifacts, and return the index.

        mlflow is not imported while nothing is registered. A registry that does not answer leaves the models of the last
        index, with the reason in `detail`. If the SQLite file is replaced during the poll, its content is discarded,
        because it may mix both files.
        """
        index = self._index or self._cache.read()  # the index in memory survives the deletion of the cache
        if self._is_absent():
            is_lost = bool(index.models) and index.source == self.source
            detail = f"There is no registry at {self._uri} {'any more' if is_lost else 'yet'}."
            return self._write(replace(index, state="unreachable" if is_lost else "absent", detail=detail, checked=now))
        if self.was_replaced():
            return index
        if self._client is None and not index.models and is_empty(self._uri):
            return self._write(RegistryIndex(checked=now, source=self.source))
        try:
            with self._opening():
                self._open_file()
                registered = self._read()
        except Exception as error:  # noqa: BLE001 (mlflow, its stores and transports raise any type)
            return self._write(replace(index, state="unreachable", detail=describe(error), checked=now))
        if self.was_replaced():
            return index
        known = {name: keep_artifacts(model, index.models.get(name)) for name, model in registered.items()}
        index = self._write(keep_lost_champions(index, RegistryIndex(known, checked=now, source=self.source)))
        for name, number in self._missing(index):
            version = self._fetch(name, number, index.models[name].versions[number])
            index = self._write(replace_version(index, name, number, version))
        if all(model.is_settled for model in index.models.values()):
            self._cache.prune(index)
        return index

    def move(self, move: ChampionMove, home: Path) -> dict[str, Any]:
        """Move the champion of a model in the registry; return the answer to the server, also if it cannot be moved."""
        if time.monotonic() > move.until or self.was_replaced():
            busy = "The registry was busy for too long; nothing has changed."
            return failure(RegistryUnreachable(busy, hint="Try again."))
        try:
            check_usable(home, self._uri)
        except RegistryError as error:
            return failure(error)
        if self._is_absent():
            return failure(ModelUnknown("No model is registered yet.", hint="Run `almanac train` or `almanac demo`."))
        try:
            with self._opening():
                self._open_file()
                return move.carry_out(self._connect(), home)
        except Exception as error:  # noqa: BLE001 (as in `poll`)
            return failure(error)

    def was_replaced(self) -> bool:
        """Return whether the opened SQLite file was replaced or deleted: a connection would still read the old one."""
        return self._opened is not None and _identity(os.fstat(self._opened)) != self._store_file()

    @contextmanager
    def _opening(self) -> Iterator[None]:
        """Lock a SQLite file while it is opened for the first time, with the same lock file as training.

        mlflow creates missing tables; two processes that do so at once break them (training/registry/file_lock.py).
        """
        if self._opened is not None or not self._uri.startswith(SQLITE):
            yield
            return
        from filelock import FileLock  # 9 MB, not needed while nothing is registered

        path = Path(self._uri.removeprefix(SQLITE))
        with ExitStack() as stack:
            with suppress(OSError):  # in a read-only folder mlflow cannot create tables either
                stack.enter_context(FileLock(path.with_name(f"{path.name}.lock"), fallback_to_soft=False))
            yield

    def _open_file(self) -> None:
        """Open the SQLite file and keep it open, so that no other file gets its inode number.

        (Closing it would also drop SQLite's locks on it in this process.)
        """
        if self._opened is None and self._uri.startswith(SQLITE):
            self._opened = os.open(self._uri.removeprefix(SQLITE), os.O_RDONLY)

    def _write(self, index: RegistryIndex) -> RegistryIndex:
        """Write the index and keep it in memory; log a change of state."""
        logged = (self._index.state, self._index.detail) if self._index else ("ok", "")
        if (index.state, index.detail) != logged:
            level = logging.WARNING if index.detail else logging.INFO
            logger.log(level, "registry %s: %s", index.state, index.detail or "no problem")
        self._index = index
        try:
            self._cache.write(index)
            self._is_unwritable = False
        except OSError as error:  # the disk is full, or read-only: the next poll tries again
            if not self._is_unwritable:
                logger.warning("the cache cannot be written: %s. Free space, or make ALMANAC_HOME writable.", error)
            self._is_unwritable = True
        return index

    def _is_absent(self) -> bool:
        """Return whether the URI is a SQLite file that does not exist: mlflow would create it."""
        return self._uri.startswith(SQLITE) and self._store_file() is None

    def _store_file(self) -> tuple[int, int] | None:
        """Return the identity of the SQLite file, or None if there is none."""
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

            if self._uri.startswith(SQLITE):
                from mlflow.store.db import utils

                utils.MAX_RETRY_COUNT = 1  # ten tries of a damaged file take 100 s; the next poll is a try too
            mlflow.set_tracking_uri(self._uri)
            mlflow.set_registry_uri(self._uri)
            logging.getLogger("mlflow").setLevel(logging.ERROR)
            logging.getLogger("alembic").setLevel(logging.ERROR)
            self._client = mlflow.MlflowClient()
        return self._client

    def _read(self) -> dict[str, RegisteredModel]:
        """Return every registered name with its versions and aliases; fetch no artifact."""
        client = self._connect()
        versions: dict[str, dict[str, ModelVersion]] = {}
        for version in pages(client.search_model_versions):
            versions.setdefault(version.name, {})[str(version.version)] = ModelVersion(run_id=version.run_id or None)
        return {
            model.name: RegisteredModel.of(model, versions.get(model.name, {}))
            for model in pages(client.search_registered_models)
        }

    def _missing(self, index: RegistryIndex) -> list[tuple[str, str]]:
        """Return the versions to fetch: those with an alias or wanted, unless they are cached and undamaged."""
        aliased = {
            (name, number)
            for name, model in index.models.items()
            for alias, number in model.aliases.items()
            if not (name in index.gone and alias == CHAMPION)  # no longer in the registry
        }
        wanted, self._wanted = self._wanted, set()
        missing = []
        for name, number in sorted(aliased | wanted):
            version = index.models[name].versions.get(number) if name in index.models else None
            if version is None or (version.error and (name, number) not in wanted):
                continue
            is_cached = version.digest is not None and self._cache.path(version.digest).is_dir()
            if not is_cached or ((name, number) in wanted and not self._cache.contains(str(version.digest))):
                missing.append((name, number))
        return missing

    def _fetch(self, name: str, number: str, version: ModelVersion) -> ModelVersion:
        """Return the version with its artifact in the cache, or with the reason why it cannot be fetched."""
        from mlflow.artifacts import download_artifacts

        with self._cache.download() as folder:
            try:
                refuse_links(self._connect().get_model_version_download_uri(name, number))
                download_artifacts(artifact_uri=f"models:/{name}/{number}", dst_path=str(folder))
                digest = self._cache.store(folder)
            except ArtifactIncomplete as error:
                reason = str(error).replace(f"{folder}/", "")
                self._log_failure(name, number, "refused", reason)
                return replace(version, digest=None, error=reason)
            except Exception as error:  # noqa: BLE001 (as above)
                reason = describe(error)
                if leads_outside(error):
                    reason = f"A file is a symbolic link, which is never followed: {reason}. {STORED_HINT}"
                    self._log_failure(name, number, "refused", reason)
                    return replace(version, digest=None, error=reason)
                self._log_failure(name, number, "not fetched", reason)
                self._wanted.add((name, number))  # the next poll tries again
                return version
        self._failed.pop((name, number), None)
        logger.info("fetched %s/%s", name, number, extra={"fields": {"digest": digest}})
        return replace(version, digest=digest, error="")

    def _log_failure(self, name: str, number: str, outcome: str, reason: str) -> None:
        """Log why a version is not in the cache, unless that was logged last."""
        if self._failed.get((name, number)) != reason:
            logger.warning("%s/%s %s: %s", name, number, outcome, reason)
        self._failed[name, number] = reason


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _work_off(requests: SimpleQueue[Request], poller: RegistryPoller, send: Callable[[Request], None]) -> None:
    """Carry out what the server has asked for until now."""
    while not requests.empty():
        request = requests.get()
        if "move" in request:
            answer = poller.move(ChampionMove.from_dict(request["move"]), Path(os.environ["ALMANAC_HOME"]))
            send({"number": request["number"], "answer": answer})
        else:
            poller.want(request["name"], request["version"])


def main() -> None:
    """Poll until the server has ended."""
    send = answer_to_standard_output()
    configure_logging(key_file(almanac_home(os.environ), os.environ))
    os.environ.update({**ENVIRONMENT, **os.environ})
    cache, poll_seconds = ArtifactCache(Path(sys.argv[1]), sys.argv[2]), float(sys.argv[3])
    poller = RegistryPoller(cache, os.environ["MLFLOW_TRACKING_URI"])
    requests: SimpleQueue[Request] = SimpleQueue()
    wake = threading.Event()
    threading.Thread(target=listen, args=(requests, wake), daemon=True).start()
    while not poller.was_replaced():
        _work_off(requests, poller, send)
        if cache.root.parent.is_dir():  # a home that has vanished, such as an unmounted volume, is not created anew
            poller.poll(datetime.now(UTC).isoformat(timespec="seconds"))
            cache.tidy()
        wake.wait(poll_seconds)
        wake.clear()
    logging.shutdown()
    os._exit(os.EX_TEMPFAIL)  # a normal exit would wait for the thread, which blocks on standard input


if __name__ == "__main__":
    main()
