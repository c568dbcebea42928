"""Registered models: their versions and aliases in MLflow."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from models.audit.log import record_own
from models.errors import ModelUnknown, RegistryError
from models.names import CHALLENGER, CHAMPION, FAMILY, PREVIOUS
from models.pyfunc import COLUMNS
from models.registry import champion
from models.spec import ModelSpec
from training.registry.errors import translated
from training.registry.location import RegistryLocation, Version
from training.registry.model_code import write_model_code

if TYPE_CHECKING:
    import pandas as pd

MODEL_NOTE = (
    f"Almanac serves the version with the alias `{CHAMPION}`. `{CHALLENGER}` is the newest one, `{PREVIOUS}` the one that "
    "`almanac rollback` goes back to. Each version says which baselines it beats and why it was promoted or not."
)

SHOWN = 3
"""Models of a family that an error names."""

MODEL_PACKAGES = ("numpy", "onnxruntime", "pandas")
"""Packages that a registered model needs to predict, besides MLflow."""


class ModelVersions:
    """Registered models, their versions and aliases; methods raise RegistryUnreachable, ModelUnknown or RegistryError."""

    def __init__(self, location: RegistryLocation, client: Any) -> None:  # noqa: ANN401 - MLflow's client is untyped
        """Use an MLflow client that is connected to a location."""
        self.location = location
        self._client = client

    @translated
    def log_model(self, run_id: str, directory: Path, example: "pd.DataFrame | None") -> str:
        """Upload an artifact as a pyfunc that any MLflow client can load, and return its URI."""
        import mlflow.pyfunc

        spec = ModelSpec.from_json((directory / "spec.json").read_text())
        packages = (*MODEL_PACKAGES, *(["holidays"] if spec.holidays else []))
        with tempfile.TemporaryDirectory() as scratch, mlflow.start_run(run_id=run_id):
            code = write_model_code(Path(scratch))
            info = mlflow.pyfunc.log_model(
                name="model",
                loader_module=code.name,
                data_path=str(directory),
                code_paths=[str(code)],
                pip_requirements=[f"{package}=={installed_version(package)}" for package in packages],
                signature=_signature(spec),
                input_example=example,
            )
        return str(info.model_uri)

    @translated
    def register(self, name: str, model_uri: str, *, run_id: str, tags: Mapping[str, str]) -> str:
        """Register a logged model as the next version of a name, with alias `challenger`, and return its number."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # A tracking server accepts a logged model as source only if the request also has its id.
        logged = model_uri.removeprefix("models:/")
        created = self._client.create_model_version(name, model_uri, run_id, tags=dict(tags), model_id=logged)
        self.set_challenger(name, str(created.version))
        return str(created.version)

    @translated
    def tagged(self, name: str, tags: Mapping[str, str]) -> list[str]:
        """Return the numbers of the versions of a name with all of these tags, the newest first."""
        rows = self._all(self._client.search_model_versions, f"name = '{name}'")
        numbers = [int(row.version) for row in rows if tags.items() <= row.tags.items()]
        return [str(number) for number in sorted(numbers, reverse=True)]

    @translated
    def tags(self, name: str, version: str) -> dict[str, str]:
        """Return the tags of a version."""
        return dict(self._client.get_model_version(name, version).tags)

    @translated
    def tag(self, name: str, version: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        for key, value in tags.items():
            self._client.set_model_version_tag(name, version, key, value)

    @translated
    def describe(self, name: str, version: str, text: str) -> None:
        """Describe a version in Markdown, and the model itself if nobody has."""
        self._client.update_model_version(name, version, description=text)
        if not self._client.get_registered_model(name).description:
            self._client.update_registered_model(name, description=MODEL_NOTE)

    @translated
    def tag_model(self, name: str, tags: Mapping[str, str]) -> None:
        """Set tags of a registered model."""
        for key, value in tags.items():
            self._client.set_registered_model_tag(name, key, value)

    @translated
    def set_challenger(self, name: str, version: str) -> None:
        """Make a version the challenger, unless a newer one is the challenger."""
        challenger = self._client.get_registered_model(name).aliases.get(CHALLENGER, "0")
        if int(challenger) < int(version):
            self._set_alias(name, CHALLENGER, version)

    @translated
    def delete_logged_models(self, run_id: str) -> None:
        """Delete the models that a run has logged, for a job that was killed before it registered them."""
        experiment = self._client.get_run(run_id).info.experiment_id
        for one in self._client.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
            self._client.delete_logged_model(one.model_id)

    @translated
    def promote(self, name: str, version: str) -> str | None:
        """Make a version the champion and the old champion `previous`; return the old champion's number, or None."""
        return champion.promote(self._client, name, version, partial(self._record, name))

    @translated
    def rollback(self, name: str) -> tuple[str, str]:
        """Swap champion and previous; return the numbers of the new and of the old champion.

        Raises:
            PreviousMissing: If there is no previous version.
        """
        return champion.rollback(self._client, name, partial(self._record, name))

    @translated
    def log_change(self, change: champion.AliasChange) -> str | None:
        """Log a change of the champion in the version's run, and return the run's id; None if it has no run."""
        return champion.log_change(self._client, change)

    def _set_alias(self, name: str, alias: str, version: str) -> None:
        self._client.set_registered_model_alias(name, alias, version)
        self._record(name, alias, version)

    def _record(self, name: str, alias: str, version: str) -> None:
        record_own(self.location.home, "alias.set", model=name, alias=alias, version=version)

    @translated
    def versions(self, name: str | None = None, *, metrics: bool = False) -> list[Version]:
        """Return registered versions, newest first within each name, names in order."""
        found = []
        for model in self._all(self._client.search_registered_models, f"name = '{name}'" if name else None):
            rows = self._all(self._client.search_model_versions, f"name = '{model.name}'")
            for row in sorted(rows, key=lambda item: -int(item.version)):
                aliases = sorted(alias for alias, at in model.aliases.items() if str(at) == str(row.version))
                found.append(self._version(row, aliases, metrics=metrics))
        return found

    @translated
    def resolve(self, model: str) -> Version:
        """Return the version for `name@alias`, `name/version`, or `name` for its champion.

        Raises:
            ModelUnknown: If there is no such name, alias or version; the hint lists the existing ones. Also for the name of a
                family of models by segment.
        """
        name, at, alias = model.partition("@")
        if not at:
            name, _, number = model.partition("/")
        wanted = alias if at else number or CHAMPION
        known = self.versions(name)
        for one in known:
            if (wanted in one.aliases) if at or not number else (wanted == one.version):
                return one
        if not known and (members := self._family(name)):
            some = ", ".join(members[:SHOWN]) + (
                f" or one of {len(members) - SHOWN} more" if len(members) > SHOWN else ""
            )
            raise ModelUnknown(
                f"{name!r} is no model but a family of {len(members)}, one for each segment.",
                hint=f"Name the model of a segment: {some}. A service sends each series to its model by a part of its id: use "
                f"`almanac forecast --url URL --model {name} --id-column SEGMENT,ID`, or almanac.connect(URL).",
            )
        listed = ", ".join(f"{one.version} ({', '.join(one.aliases)})" if one.aliases else one.version for one in known)
        hint = f"Versions of {name}: {listed}." if known else f"Names: {', '.join(self.names()) or 'none yet'}."
        raise ModelUnknown(f"There is no model {model!r}.", hint=hint)

    def _family(self, name: str) -> list[str]:
        """Return the names of the models of a family, none if there is no such family."""
        models = self._all(self._client.search_registered_models, f"tags.`{FAMILY}` = '{name}'")
        return sorted(one.name for one in models)

    @translated
    def names(self) -> list[str]:
        """Return all registered names."""
        return [model.name for model in self._all(self._client.search_registered_models, None)]

    @translated
    def download(self, version: Version, directory: Path) -> Path:
        """Download a version into a directory and return the artifact's folder, which contains spec.json.

        Raises:
            ModelUnknown: If the version is not an artifact of Almanac.
            RegistryError: If the home was moved: MLflow stores absolute paths.
        """
        import mlflow.artifacts

        uri = f"models:/{version.name}/{version.version}"
        self._require_files(version)
        mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(directory), tracking_uri=self.location.uri)
        found = [
            path for path in sorted(directory.rglob("spec.json")) if "code" not in path.relative_to(directory).parts
        ]
        if not found:
            raise ModelUnknown(f"{uri} has no spec.json.", hint="Only models of almanac train can be loaded.")
        return found[0].parent

    def _require_files(self, version: Version) -> None:
        """Raise RegistryError if the local folder with a version's files does not exist."""
        source = str(self._client.get_model_version(version.name, version.version).source)
        if source.startswith("models:/m-"):
            source = str(self._client.get_logged_model(source.removeprefix("models:/")).artifact_location)
        if source.startswith("file:") and not (folder := Path(unquote(urlsplit(source).path))).is_dir():
            raise RegistryError(
                f"The folder of {version.name} version {version.version} does not exist: {folder}.",
                hint="MLflow stores absolute paths: if the home was moved, run almanac home relocate.",
            )

    def _version(self, row: Any, aliases: Sequence[str], *, metrics: bool) -> Version:  # noqa: ANN401 - untyped MLflow
        """Return an MLflow version as `Version`, with the metrics of its run that are not by epoch."""
        found = self._client.get_run(row.run_id).data.metrics if metrics and row.run_id else {}
        return Version(
            row.name,
            str(row.version),
            tuple(aliases),
            row.run_id or "",
            architecture=row.tags.get("architecture", ""),
            created=row.creation_timestamp,
            metrics={key: value for key, value in found.items() if "/" not in key},
            unit=row.tags.get("unit", ""),
        )

    def _all(self, search: Callable[..., Any], condition: str | None) -> list[Any]:
        """Return the rows of all pages of a search."""
        found: list[Any] = []
        token = None
        while True:
            page = search(filter_string=condition, page_token=token)
            found += page
            token = page.token
            if not token:
                return found


def _signature(spec: ModelSpec) -> Any:  # noqa: ANN401 - MLflow's type, imported late
    """Return the signature of a forecasting pyfunc: the columns of its input and output, and its parameters.

    Input columns have any type: MLflow would refuse whole numbers, numbers as ids and dates as text, which the model reads.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, Schema
    from mlflow.types import ParamSpec as ParameterSpec
    from mlflow.types.schema import AnyType

    keys = [ColSpec(DataType.string, "unique_id"), ColSpec(DataType.datetime, "ds")]
    values = ["median", *(f"q{level:g}" for level in spec.quantile_levels)]
    anything: Any = AnyType
    return ModelSignature(
        inputs=Schema([ColSpec(anything(), name) for name in (*COLUMNS, *spec.covariates.read)]),
        outputs=Schema([*keys, *(ColSpec(DataType.double, name) for name in values)]),
        params=ParamSchema(
            [
                ParameterSpec("horizon", DataType.long, spec.horizon),
                ParameterSpec("levels", DataType.double, [80.0], (-1,)),
                ParameterSpec("mean", DataType.boolean, default=False),
                ParameterSpec("paths", DataType.long, 0),
                ParameterSpec("seed", DataType.long, 0),
                ParameterSpec("sums", DataType.string, [], (-1,)),
            ]
        ),
    )
