"""Registry: runs and models in MLflow; with service/serving/registry_process.py the only place that imports it."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import models
from models.errors import ModelUnknown, RegistryError
from models.spec import ModelSpec
from training.registry.errors import translated
from training.registry.file_lock import alone
from training.registry.location import QUIET, Place, Run, Version

if TYPE_CHECKING:
    import pandas as pd

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"

RUNNING = "RUNNING"
"""MLflow's word for a run that has not ended."""

MODEL_PACKAGES = ("numpy", "onnxruntime", "pandas")
"""What a registered model needs to predict, beside MLflow itself."""


class Registry:
    """Runs, models and aliases at one place; methods raise RegistryUnreachable, ModelUnknown or RegistryError."""

    def __init__(self, place: Place) -> None:
        """Connect; a local store is made where there is none."""
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        self.place = place
        _point_mlflow_to(place.uri)
        self._client = self._connect()

    @translated
    def start(self, experiment: str, run: str, *, tags: Mapping[str, str], parent: str | None = None) -> str:
        """Begin a run and return its id; with a parent it is a child of it."""
        own = {"mlflow.source.name": "almanac", "mlflow.source.type": "LOCAL", **tags}
        if parent is not None:
            own["mlflow.parentRunId"] = parent
        created = self._client.create_run(self._experiment(experiment), run_name=run, tags=own)
        return str(created.info.run_id)

    @translated
    def reopen(self, run_id: str) -> None:
        """Go on with a run that had ended; raises ModelUnknown where there is none."""
        self._client.update_run(run_id, RUNNING)

    @translated
    def finish(self, run_id: str, status: str = "FINISHED") -> None:
        """End a run: `FINISHED`, `FAILED` or `KILLED`."""
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
        """Write parameters, metrics (at a step) and tags in one call."""
        from mlflow.entities import Metric, Param, RunTag

        now = int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(key_of(key), float(value), now, step) for key, value in (metrics or {}).items()],
            params=[Param(key_of(key), str(value)[:6000]) for key, value in (params or {}).items()],
            tags=[RunTag(key_of(key), str(value)[:5000]) for key, value in (tags or {}).items()],
        )

    @translated
    def log_dataset(self, run_id: str, *, name: str, digest: str, source: str, profile: str) -> None:
        """Record the data of a run; MLflow keeps 36 characters of a digest, so the whole one is a tag."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        dataset = Dataset(name, digest[:36], "local", f'{{"uri": "{source}"}}', profile=profile)
        self._client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
        self._client.set_tag(run_id, "data_digest", digest)

    @translated
    def log_files(self, run_id: str, directory: Path, folder: str) -> None:
        """Upload a directory's files as artifacts under a folder."""
        self._client.log_artifacts(run_id, str(directory), folder)

    @translated
    def log_json(self, run_id: str, data: Mapping[str, Any], file: str) -> None:
        """Write a JSON artifact."""
        self._client.log_dict(run_id, dict(data), file)

    @translated
    def run(self, run_id: str) -> Run:
        """Return what a run says of itself; raises ModelUnknown if there is none of this id."""
        return _run(self._client.get_run(run_id))

    @translated
    def children(self, run_id: str) -> list[Run]:
        """Return the runs that are nested under a run, the oldest first."""
        experiment = self._client.get_run(run_id).info.experiment_id
        found = self._client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run_id}'", order_by=["start_time"])
        return [_run(one) for one in found]

    @translated
    def runs(self, experiment: str, tags: Mapping[str, str], *, status: str | None = None) -> list[Run]:
        """Return the runs of an experiment that have all of these tags, and this status, the oldest first."""
        there = self._client.get_experiment_by_name(experiment)
        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        if status is not None:
            wanted += f" and attributes.status = '{status}'"
        found = self._client.search_runs([there.experiment_id], wanted, order_by=["start_time"]) if there else []
        return [_run(one) for one in found]

    @translated
    def fetch(self, run_id: str, folder: str, directory: Path) -> Path | None:
        """Download a folder of a run's artifacts into a directory and return it, or None where the run has none."""
        if folder not in {item.path for item in self._client.list_artifacts(run_id)}:
            return None
        directory.mkdir(parents=True, exist_ok=True)
        return Path(self._client.download_artifacts(run_id, folder, str(directory)))

    @translated
    def read_json(self, run_id: str, file: str) -> dict[str, Any] | None:
        """Return a JSON artifact that lies at the top of a run, or None where it has none of this name."""
        if file not in {item.path for item in self._client.list_artifacts(run_id)}:
            return None
        with tempfile.TemporaryDirectory() as folder:
            path = Path(self._client.download_artifacts(run_id, file, folder))
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    @translated
    def log_model(self, run_id: str, directory: Path, example: "pd.DataFrame") -> str:
        """Upload an artifact as a pyfunc that any MLflow client can load, and return its URI.

        Args:
            run_id: The run that made it.
            directory: The artifact: network.onnx, network.keras, spec.json, golden.json.
            example: A long frame `unique_id, ds, y`, and the model's covariates, that the model can forecast.
        """
        import mlflow.pyfunc

        spec = ModelSpec.from_json((directory / "spec.json").read_text())
        needed = (*MODEL_PACKAGES, *(["holidays"] if spec.holidays else []))
        with tempfile.TemporaryDirectory() as scratch, mlflow.start_run(run_id=run_id):
            info = mlflow.pyfunc.log_model(
                name="model",
                loader_module="models.artifact",
                data_path=str(directory),
                code_paths=[str(copy_models(Path(scratch)))],
                pip_requirements=[f"{package}=={installed_version(package)}" for package in needed],
                signature=_signature(spec),
                input_example=example,
            )
        return str(info.model_uri)

    @translated
    def register(self, name: str, model_uri: str, *, run_id: str, tags: Mapping[str, str]) -> str:
        """Make a logged model the next version of a name, alias `challenger`, and return its number."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # A tracking server refuses a logged model as source unless the request names it once more.
        logged = model_uri.removeprefix("models:/")
        created = self._client.create_model_version(name, model_uri, run_id, tags=dict(tags), model_id=logged)
        self.name_challenger(name, str(created.version))
        return str(created.version)

    @translated
    def tagged(self, name: str, tags: Mapping[str, str]) -> list[str]:
        """Return the numbers of a name's versions that have all of these tags, the newest first."""
        rows = self._all(self._client.search_model_versions, f"name = '{name}'")
        numbers = [int(row.version) for row in rows if tags.items() <= row.tags.items()]
        return [str(number) for number in sorted(numbers, reverse=True)]

    @translated
    def tag(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Write tags of a version."""
        for key, value in tags.items():
            self._client.set_model_version_tag(name, version, key, value)

    @translated
    def name_challenger(self, name: str, version: str) -> None:
        """Make a version the challenger, unless a newer one is."""
        there = self._client.get_registered_model(name).aliases.get(CHALLENGER, "0")
        if int(there) < int(version):
            self._client.set_registered_model_alias(name, CHALLENGER, version)

    @translated
    def forget_models(self, run_id: str) -> None:
        """Delete the models that a run has logged: those of a job that was killed before they became a version."""
        experiment = self._client.get_run(run_id).info.experiment_id
        for one in self._client.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
            self._client.delete_logged_model(one.model_id)

    @translated
    def promote(self, name: str, version: str) -> str | None:
        """Make a version champion and the old champion `previous`; return the old one's number."""
        self._client.get_model_version(name, version)
        aliases = self._client.get_registered_model(name).aliases
        old = str(aliases[CHAMPION]) if CHAMPION in aliases else None
        if old is not None and old != version:
            self._client.set_registered_model_alias(name, PREVIOUS, old)
        self._client.set_registered_model_alias(name, CHAMPION, version)
        return old

    @translated
    def rollback(self, name: str) -> tuple[str, str]:
        """Exchange champion and previous; return the new champion's number and the old one's.

        Raises:
            ModelUnknown: If there is no previous version.
        """
        aliases = self._client.get_registered_model(name).aliases
        if PREVIOUS not in aliases or CHAMPION not in aliases:
            raise ModelUnknown(
                f"{name} has no previous champion to go back to.",
                hint=f"Name a version: almanac promote {name} VERSION.",
            )
        champion, previous = str(aliases[CHAMPION]), str(aliases[PREVIOUS])
        self._client.set_registered_model_alias(name, CHAMPION, previous)
        self._client.set_registered_model_alias(name, PREVIOUS, champion)
        return previous, champion

    @translated
    def versions(self, name: str | None = None, *, metrics: bool = False) -> list[Version]:
        """Return registered versions, newest first within each name, names in order.

        Args:
            name: Only those of this name.
            metrics: Whether to look their runs up, one call each.
        """
        wanted = f"name = '{name}'" if name else None
        found = []
        for model in self._all(self._client.search_registered_models, wanted):
            rows = self._all(self._client.search_model_versions, f"name = '{model.name}'")
            for row in sorted(rows, key=lambda item: -int(item.version)):
                aliases = sorted(alias for alias, at in model.aliases.items() if str(at) == str(row.version))
                found.append(self._version(row, aliases, metrics=metrics))
        return found

    @translated
    def resolve(self, model: str) -> Version:
        """Return the version that `name`, `name@alias` or `name/version` means (a bare name: its champion).

        Raises:
            ModelUnknown: If there is no such name, alias or version; the hint lists what there is.
        """
        name, at, alias = model.partition("@")
        if not at:
            name, _, number = model.partition("/")
        wanted = alias if at else number or CHAMPION
        known = self.versions(name)
        for one in known:
            if (wanted in one.aliases) if at or not number else (wanted == one.version):
                return one
        there = ", ".join(f"{one.version} ({', '.join(one.aliases)})" if one.aliases else one.version for one in known)
        hint = f"Versions of {name}: {there}." if known else f"Names: {', '.join(self.names()) or 'none yet'}."
        raise ModelUnknown(f"No model {model}.", hint=hint)

    @translated
    def names(self) -> list[str]:
        """Return every registered name."""
        return [model.name for model in self._all(self._client.search_registered_models, None)]

    @translated
    def download(self, version: Version, directory: Path) -> Path:
        """Fetch a version's files into a directory and return the artifact's own folder, the one with spec.json.

        Raises:
            ModelUnknown: If the version holds no artifact of Almanac.
            RegistryError: If the home was moved: MLflow wrote down where the files lay then.
        """
        import mlflow.artifacts

        uri = f"models:/{version.name}/{version.version}"
        self._refuse_moved(version)
        mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(directory), tracking_uri=self.place.uri)
        found = [
            path for path in sorted(directory.rglob("spec.json")) if "code" not in path.relative_to(directory).parts
        ]
        if not found:
            raise ModelUnknown(f"{uri} holds no spec.json.", hint="It was not made by almanac train.")
        return found[0].parent

    def _refuse_moved(self, version: Version) -> None:
        """Raise RegistryError if a version's files should lie in a folder of this machine that is not there."""
        source = str(self._client.get_model_version(version.name, version.version).source)
        if source.startswith("models:/m-"):
            source = str(self._client.get_logged_model(source.removeprefix("models:/")).artifact_location)
        if source.startswith("file:") and not (there := Path(unquote(urlsplit(source).path))).is_dir():
            raise RegistryError(
                f"The files of {version.name} version {version.version} should lie in {there}, which is not there.",
                hint="MLflow keeps absolute paths: move the home back (or link it there), or train in a new home.",
            )

    @translated
    def _connect(self) -> Any:  # noqa: ANN401 - MLflow's client is untyped
        from mlflow.tracking import MlflowClient

        if self.place.database is None:
            return MlflowClient(self.place.uri, self.place.uri)
        self.place.home.mkdir(parents=True, exist_ok=True)
        with alone(self.place.database):
            client: Any = MlflowClient(self.place.uri, self.place.uri)
            client.search_registered_models(max_results=1)
        return client

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            root = None if self.place.is_server else (self.place.home / "artifacts").as_uri()
            return str(self._client.create_experiment(name, artifact_location=root))
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _version(self, row: Any, aliases: Sequence[str], *, metrics: bool) -> Version:  # noqa: ANN401 - untyped MLflow
        found = self._client.get_run(row.run_id).data.metrics if metrics and row.run_id else {}
        kept = {key: value for key, value in found.items() if "/" not in key}
        architecture = row.tags.get("architecture", "")
        run_id, unit = row.run_id or "", row.tags.get("unit", "")
        return Version(
            row.name, str(row.version), tuple(aliases), run_id, architecture, row.creation_timestamp, kept, unit
        )

    def _all(self, search: Callable[..., Any], wanted: str | None) -> list[Any]:
        """Return every page of a search."""
        found: list[Any] = []
        token = None
        while True:
            page = search(filter_string=wanted, page_token=token)
            found += page
            token = page.token
            if not token:
                return found


def _point_mlflow_to(uri: str) -> None:
    """Set MLflow's global URIs, which its `log_model` goes by, without the environment variables that it sets along."""
    import mlflow

    before = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI")}
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _signature(spec: ModelSpec) -> Any:  # noqa: ANN401 - MLflow's type, imported late
    """Return the contract of a forecasting pyfunc: a long frame in, a long frame with a column for each quantile out."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, Schema
    from mlflow.types import ParamSpec as ParameterSpec

    keys = [ColSpec(DataType.string, "unique_id"), ColSpec(DataType.datetime, "ds")]
    values = ["median", *(f"q{level:g}" for level in spec.quantile_levels)]
    return ModelSignature(
        inputs=Schema([*keys, *(ColSpec(DataType.double, name) for name in ("y", *spec.covariates.read))]),
        outputs=Schema([*keys, *(ColSpec(DataType.double, name) for name in values)]),
        params=ParamSchema(
            [
                ParameterSpec("horizon", DataType.long, spec.horizon),
                ParameterSpec("levels", DataType.double, [80.0], (-1,)),
            ]
        ),
    )


def _run(found: Any) -> Run:  # noqa: ANN401 - MLflow's run is untyped
    """Return MLflow's run as ours."""
    return Run(found.info.run_id, dict(found.data.metrics), dict(found.data.tags), str(found.info.experiment_id))


def copy_models(scratch: Path) -> Path:
    """Copy what predicting needs of our own code: not networks/, which would ask for Keras, nor the starters' artifacts."""
    source = Path(models.__file__).parent
    unneeded = shutil.ignore_patterns("networks", "starters", "__pycache__")
    return shutil.copytree(source, scratch / "models", ignore=unneeded)


def key_of(name: str) -> str:
    """MLflow's keys have letters, digits and `_-. /:`; anything else of a layer's name becomes a dash."""
    return "".join(letter if letter.isalnum() or letter in "_-. /:" else "-" for letter in name)[:250]
