"""Registry: whether it answers, over HTTP or as a SQLite file, and the champions' artifacts reproduce their golden forecasts.

MLflow itself, whose import takes seconds, is not imported.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from almanac.doctor.check import Check, failed
from models import artifact
from models.errors import AlmanacError
from models.jobs.database import sqlite_file, without_password
from models.names import CHAMPION
from service.serving.artifact_cache import ArtifactCache, find_artifact
from service.serving.registry_index import RegisteredModel
from service.settings import Settings

NAME = "registry"
SEARCH = "/api/2.0/mlflow/registered-models/search"
TIMEOUT_SECONDS = 3.0
MOST_SECONDS = 60.0
"""Difference of two clocks from which on stored times are confusing."""
MOST_CHAMPIONS = 20
"""Champions whose artifacts are loaded: each takes some milliseconds."""
CHAMPIONS = """
    SELECT alias.name, alias.version, model.storage_location FROM registered_model_aliases AS alias
    JOIN model_versions AS model ON model.name = alias.name AND model.version = alias.version
    WHERE alias.alias = ? ORDER BY alias.name
"""


@dataclass(frozen=True, slots=True)
class Champion:
    """A champion that the registry names; `folder` is where a local registry keeps its artifact, None for a server's."""

    name: str
    version: str
    folder: Path | None = None


def check_registry(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    """Yield whether the registry answers, its clock if it is a server, and each champion's artifact."""
    uri = settings.tracking_uri
    if uri.startswith(("http://", "https://")):
        response = _ask(uri, environment)
        if isinstance(response, Check):
            yield response
            return
        champions = list(_server_champions(response.json()))
        yield check_date(response.headers.get("date"), time.time())
    elif (file := sqlite_file(uri)) is None:
        yield Check(
            NAME, "warning", f"{without_password(uri)} is not checked.", "Checked are SQLite files and servers."
        )
        return
    elif not file.exists():
        yield Check(NAME, "ok", f"{file} does not exist yet: the starter is served. almanac train creates it.")
        return
    else:
        try:
            champions = list(_file_champions(file))
        except sqlite3.Error as error:
            remedy = "Restore a copy (docs/operations.md, Backup), or set MLFLOW_TRACKING_URI to another registry."
            yield Check(NAME, "error", f"{file} cannot be read: {error}.", remedy)
            return
    names = ", ".join(f"{one.name}/{one.version}" for one in champions[:3]) + (", …" if len(champions) > 3 else "")  # noqa: PLR2004
    yield Check(NAME, "ok", f"{without_password(uri)} answers; champions: {names or 'none'}.")
    for champion in champions[:MOST_CHAMPIONS]:
        yield check_artifact(champion, ArtifactCache(settings.cache))


def check_artifact(champion: Champion, cache: ArtifactCache) -> Check:
    """Return whether the artifact of a champion is there and reproduces its golden forecasts."""
    what = f"{champion.name}/{champion.version}"
    try:
        folder = find_artifact(champion.folder) if champion.folder else _cached(champion, cache)
        if folder is None:
            remedy = "A running service downloads it; see GET /models or its log if it does not."
            return Check("artifact", "warning", f"{what} is not in {cache.root}.", remedy)
        artifact.load(folder)
    except AlmanacError as error:
        found = failed("artifact", error)
        remedy = (
            found.remedy or f"Train again, or restore it from a backup; almanac rollback {champion.name} goes back."
        )
        return Check("artifact", "error", f"{what}: {found.detail}", remedy)
    return Check("artifact", "ok", f"{what} reproduces its golden forecasts.")


def check_date(date: str | None, now: float) -> Check:
    """Return whether this clock agrees with the registry's, according to the header Date of a response."""
    if not date:
        return Check("clock", "ok", "The registry does not say its time.")
    difference = now - parsedate_to_datetime(date).timestamp()
    detail = f"This clock is {abs(difference):.0f} s {'ahead of' if difference > 0 else 'behind'} that of the registry."
    if abs(difference) > MOST_SECONDS:
        return Check("clock", "error", detail, "Set the clocks of both machines (chrony, ntpd).")
    return Check("clock", "ok", detail)


def _cached(champion: Champion, cache: ArtifactCache) -> Path | None:
    """Return the folder of the artifact that a service has downloaded, or None; raises ArtifactIncomplete if it is damaged."""
    model = cache.read().models.get(champion.name, RegisteredModel())
    version = model.versions.get(champion.version)
    return None if version is None or version.digest is None else cache.verify(version.digest)


def _ask(uri: str, environment: Mapping[str, str]) -> httpx.Response | Check:
    """Return the response of a server with the registered models, or what is wrong with it."""
    user, token = environment.get("MLFLOW_TRACKING_USERNAME"), environment.get("MLFLOW_TRACKING_TOKEN")
    auth = (user, environment.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None
    headers = {"Authorization": f"Bearer {token}"} if token and not user else {}
    url = f"{uri.rstrip('/')}{SEARCH}"
    where = without_password(uri)
    try:
        response = httpx.get(url, params={"max_results": 1000}, auth=auth, headers=headers, timeout=TIMEOUT_SECONDS)
    except httpx.HTTPError as error:
        remedy = "Start MLflow's server, or correct MLFLOW_TRACKING_URI."
        return Check(NAME, "error", f"{where} does not answer: {error or type(error).__name__}.", remedy)
    if response.status_code in {401, 403}:
        remedy = "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD; a 403 may mean that its --allowed-hosts lacks this name."
        return Check(NAME, "error", f"{where} refuses access ({response.status_code}).", remedy)
    if response.status_code != httpx.codes.OK or "json" not in response.headers.get("content-type", ""):
        detail = f"{where} answers {response.status_code}, not as MLflow does."
        return Check(NAME, "error", detail, "Check MLFLOW_TRACKING_URI and that server's log.")
    return response


def _server_champions(found: Any) -> Iterator[Champion]:  # noqa: ANN401 (JSON)
    for model in found.get("registered_models", ()):
        for alias in model.get("aliases", ()):
            if alias["alias"] == CHAMPION:
                yield Champion(model["name"], str(alias["version"]))


def _file_champions(file: Path) -> Iterator[Champion]:
    """Yield the champions in a SQLite file; raises sqlite3.Error."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_SECONDS)) as store:
        if not store.execute("SELECT 1 FROM sqlite_master WHERE name = 'registered_model_aliases'").fetchone():
            return
        for name, version, location in store.execute(CHAMPIONS, (CHAMPION,)):
            parts = urlsplit(str(location or ""))
            yield Champion(
                name, str(version), Path(unquote(parts.path)) if parts.scheme in {"", "file"} and location else None
            )
