"""Registered models: their versions and aliases in MLflow."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import models
from models.errors import ModelUnknown, RegistryError
from models.spec import ModelSpec
from training.registry.errors import translated
from training.registry.location import RegistryLocation, Version

if TYPE_CHECKING:
    import pandas as pd

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"

MODEL_PACKAGES = ("numpy", "onnxruntime", "pandas")
"""What a registered model needs to predict, beside MLflow itself."""


class ModelVersions:
    """Registered models, their versions and aliases; methods raise RegistryUnreachable, ModelUnknown or RegistryError."""

    def __init__(self, location: RegistryLocation, client: Any) -> None:  # noqa: ANN401 - MLflow's client is untyped
        """Use an MLflow client that is connected to a place."""
        self.location = location
        self._client = client

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
        mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(directory), tracking_uri=self.location.uri)
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


def copy_models(scratch: Path) -> Path:
    """Copy what predicting needs of our own code: not networks/, which would ask for Keras, nor the starters' artifacts."""
    source = Path(models.__file__).parent
    unneeded = shutil.ignore_patterns("networks", "starters", "__pycache__")
    return shutil.copytree(source, scratch / "models", ignore=unneeded)
