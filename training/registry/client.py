"""The MLflow registry: its connection and its runs."""

import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.machine.sqlite_file import create_private
from training.registry.descriptions import NOTE, with_sections
from training.registry.errors import translated
from training.registry.file_lock import lock_database
from training.registry.home import check_home
from training.registry.location import QUIET, RegistryLocation, Run
from training.registry.model_versions import ModelVersions
from training.registry.views import (
    COMPARISON,
    KIND,
    View,
    comparison_view,
    experiment_note,
    history_view,
    view_fragment,
)

RUNNING = "RUNNING"
"""MLflow's status of a run that has not ended."""


class Registry:
    """MLflow's runs, and its registered models; methods raise RegistryUnreachable, ModelUnknown or RegistryError.

    Attributes:
        location: Where MLflow keeps them.
        models: Registered models, their versions and aliases.
    """

    def __init__(self, location: RegistryLocation) -> None:
        """Connect to MLflow; create a local store if there is none. Raises HomeMoved for the store of another folder."""
        check_home(location)
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        self.location = location
        _point_mlflow_to(location.uri)
        self._client = self._connect()
        self.models = ModelVersions(location, self._client)

    @translated
    def start(self, experiment: str, run: str, *, tags: Mapping[str, str], parent: str | None = None) -> str:
        """Start a run, nested under `parent` if given, and return its id."""
        all_tags = {"mlflow.source.name": "almanac", "mlflow.source.type": "LOCAL", **tags}
        if parent is not None:
            all_tags["mlflow.parentRunId"] = parent
        created = self._client.create_run(self._experiment(experiment), run_name=run, tags=all_tags)
        return str(created.info.run_id)

    @translated
    def reopen(self, run_id: str) -> None:
        """Set a run that has ended to running; raise ModelUnknown if it does not exist."""
        self._client.update_run(run_id, RUNNING)

    @translated
    def finish(self, run_id: str, status: str = "FINISHED") -> None:
        """End a run with status `FINISHED`, `FAILED` or `KILLED`."""
        self._client.set_terminated(run_id, status)

    @translated
    def log(
        self,
        run_id: str,
        *,
        params: Mapping[str, object] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, object] | None = None,
        step: int = 0,
    ) -> None:
        """Log parameters, metrics (at a step) and tags in one call."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(mlflow_key(key), float(value), now, step) for key, value in (metrics or {}).items()],
            params=[Param(mlflow_key(key), str(value)[:6000]) for key, value in (params or {}).items()],
            tags=[RunTag(mlflow_key(key), str(value)[:5000]) for key, value in (tags or {}).items()],
        )

    @translated
    def log_dataset(self, run_id: str, *, name: str, digest: str, source: str, profile: str) -> None:
        """Log the data of a run; MLflow keeps 36 characters of a digest, so a tag has the complete one."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(name, digest[:36], "local", f'{{"uri": "{source}"}}', profile=profile)
        self._client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
        self._client.set_tag(run_id, "data_digest", digest)

    @translated
    def log_files(self, run_id: str, directory: Path, folder: str) -> None:
        """Upload the files of a directory to a folder of a run's artifacts."""
        self._client.log_artifacts(run_id, str(directory), folder)

    @translated
    def log_json(self, run_id: str, data: Mapping[str, Any], file: str) -> None:
        """Log a JSON artifact."""
        self._client.log_dict(run_id, dict(data), file)

    @translated
    def log_table(self, run_id: str, table: Mapping[str, Sequence[Any]], file: str) -> None:
        """Log columns as a table that `mlflow.load_table` reads, in place of an older one of that name.

        MLflow's own `log_table` adds rows to an older one, also where a killed job logs the same once more.
        """
        rows = [list(row) for row in zip(*table.values(), strict=True)]
        self._client.log_dict(run_id, {"columns": list(table), "data": rows}, file)
        self._client.set_tag(run_id, "mlflow.loggedArtifacts", json.dumps([{"path": file, "type": "table"}]))

    @translated
    def describe(self, run_id: str, sections: Mapping[str, str]) -> None:
        """Write sections of a run's description, in place of its older ones."""
        note = self._client.get_run(run_id).data.tags.get(NOTE, "")
        self._client.set_tag(run_id, NOTE, with_sections(note, sections))

    @translated
    def save_views(self, run_id: str, *views: View) -> None:
        """Keep views of the runs table in the experiment of a run, and link them in its description.

        A description that a person wrote stays as it is.
        """
        experiment = self._client.get_experiment(self._client.get_run(run_id).info.experiment_id)
        before, key = dict(experiment.tags), experiment.experiment_id
        tags = {name: text for view in views for name, text in view.tag(int(time.time() * 1000)).items()}
        if before.get(NOTE, "") in {"", experiment_note(key, before)}:
            tags[NOTE] = experiment_note(key, before | tags)
        for name, text in (KIND | tags).items():
            self._client.set_experiment_tag(key, name, text)

    @translated
    def newest_view(self, name: str | None = None) -> str | None:
        """Return the part after the server's address of the newest comparison of a model, or of any without a name.

        The view is kept if it is not yet: comparisons of older versions have none. None if there is no comparison.
        """
        known = [one for one in self._client.search_experiments() if name in {None, one.name}]
        where = [one.experiment_id for one in known]
        kind = "tags.`almanac.kind` = 'comparison'"
        newest = self._client.search_runs(where, kind, order_by=["start_time DESC"], max_results=1) if where else []
        if not newest:
            return None
        run = newest[0].info
        if comparison_view(run.run_id).tag(0).keys() - self._client.get_experiment(run.experiment_id).tags.keys():
            self.save_views(run.run_id, comparison_view(run.run_id), history_view())
        return view_fragment(run.experiment_id, COMPARISON)

    @translated
    def run(self, run_id: str) -> Run:
        """Return a run; raise ModelUnknown if there is none with this id."""
        return _run(self._client.get_run(run_id))

    @translated
    def children(self, run_id: str) -> list[Run]:
        """Return the runs nested under a run, the oldest first."""
        experiment = self._client.get_run(run_id).info.experiment_id
        rows = self._client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run_id}'", order_by=["start_time"])
        return [_run(row) for row in rows]

    @translated
    def runs(self, experiment: str, tags: Mapping[str, str], *, status: str | None = None) -> list[Run]:
        """Return the runs of an experiment with all of these tags and this status, the oldest first."""
        found = self._client.get_experiment_by_name(experiment)
        if found is None:
            return []
        conditions = [f"tags.`{key}` = '{value}'" for key, value in tags.items()]
        if status is not None:
            conditions.append(f"attributes.status = '{status}'")
        rows = self._client.search_runs([found.experiment_id], " and ".join(conditions), order_by=["start_time"])
        return [_run(row) for row in rows]

    @translated
    def fetch(self, run_id: str, folder: str, directory: Path) -> Path | None:
        """Download a folder of a run's artifacts into a directory and return its path, or None if it does not exist."""
        if folder not in {item.path for item in self._client.list_artifacts(run_id)}:
            return None
        directory.mkdir(parents=True, exist_ok=True)
        return Path(self._client.download_artifacts(run_id, folder, str(directory)))

    @translated
    def read_json(self, run_id: str, file: str) -> dict[str, Any] | None:
        """Return a JSON artifact from the top folder of a run, or None if it does not exist."""
        if file not in {item.path for item in self._client.list_artifacts(run_id)}:
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(self._client.download_artifacts(run_id, file, folder))
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    @translated
    def _connect(self) -> Any:  # noqa: ANN401 - MLflow's client is untyped
        from mlflow.tracking import MlflowClient

        restore_interrupts()
        if self.location.database is None:
            return MlflowClient(self.location.uri, self.location.uri)
        self.location.home.mkdir(parents=True, exist_ok=True)
        with lock_database(self.location.database):
            create_private(self.location.database)
            client: Any = MlflowClient(self.location.uri, self.location.uri)
            client.search_registered_models(max_results=1)
        return client

    def _experiment(self, name: str) -> str:
        """Return the id of an experiment; create or restore it if necessary."""
        found = self._client.get_experiment_by_name(name)
        if found is None:
            root = None if self.location.is_server else (self.location.home / "artifacts").as_uri()
            return str(self._client.create_experiment(name, artifact_location=root))
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)


def restore_interrupts() -> None:
    """Let Ctrl-C end calls that wait: polars, which MLflow imports if it is installed, puts a handler of its own before Python's."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)


def _point_mlflow_to(uri: str) -> None:
    """Set MLflow's global URIs, which `log_model` uses, but not the environment variables that MLflow also sets."""
    import mlflow

    before = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _run(found: Any) -> Run:  # noqa: ANN401 - MLflow's run is untyped
    return Run(found.info.run_id, dict(found.data.metrics), dict(found.data.tags), str(found.info.experiment_id))


def mlflow_key(name: str) -> str:
    """Return a name as an MLflow key: characters other than letters, digits and `_-. /:` become a dash."""
    return "".join(letter if letter.isalnum() or letter in "_-. /:" else "-" for letter in name)[:250]
