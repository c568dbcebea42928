"""Local: forecasts in this process, without a service: the same reading, repairs and warnings as in `POST /forecast`."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from typing import Any, Self, Unpack

from almanac.forecasts import Forecasts, make_forecasts
from almanac.options import ForecastOptions, read_with, request_fields
from almanac.progress import shown_progress
from models import artifact, starters
from models.calendar.zoned_grid import parse_frequency
from models.errors import ModelUnknown, RequestError
from models.forecaster import Forecaster
from models.spec import ModelSpec
from service.forecasting.entries import parse_one_by_one
from service.forecasting.predict import predict
from service.forecasting.request import ForecastQuery, parse_options
from service.forecasting.response import make_result
from service.selector import LoadedModel, SelectedModel, Selector
from service.settings import Settings

UNLIMITED = 10**12
"""Of numbers, points and steps: in this process only its memory counts."""

CHUNK = 1_000
"""Series that are forecast together."""

LIMITS = Settings.model_construct(max_points=UNLIMITED)


@dataclass(frozen=True, slots=True)
class Model:
    """A model in memory.

    Attributes:
        name: Its registered name, `starter`, or that of its folder.
        version: Its version; "" for a folder.
        alias: The alias by which it was loaded.
        run_id: Its run in MLflow.
        forecaster: Forecasts series; None for the starter, which has one for each frequency.
        folder: Its files; None for the starter.
    """

    name: str
    version: str
    alias: str | None
    run_id: str | None
    forecaster: Forecaster | None
    folder: Path | None = None
    _scratch: object = field(default=None, repr=False)

    @classmethod
    def from_folder(cls, folder: Path, scratch: object = None) -> Self:
        """Return the model in a folder; `scratch` is kept as long as the model, if the folder is temporary."""
        forecaster = artifact.load(folder)
        spec = forecaster.spec
        return cls(spec.name, "", None, spec.run_id, forecaster, folder, scratch)

    @property
    def spec(self) -> ModelSpec | None:
        """Return what the model is and how accurate it was; None for the starter."""
        return None if self.forecaster is None else self.forecaster.spec

    def forecast(self, data: Any, horizon: int | None = None, **options: Unpack[ForecastOptions]) -> Forecasts:  # noqa: ANN401 - any frame
        """Return forecasts of the series of a frame.

        Args:
            data: As for `almanac.forecast`.
            horizon: Steps ahead. Default: the trained horizon.
            options: See `ForecastOptions`.

        Raises:
            AlmanacError: If the frame or an option is wrong, or no series can be forecast.
            TypeError: If there is no such option.
        """
        steps = horizon if horizon is not None or self.forecaster is None else self.forecaster.spec.horizon
        query = parse_options(request_fields(steps, options), UNLIMITED)
        spec = self.spec
        names = ((), ()) if spec is None else (spec.covariates.past, spec.future_covariates)
        source = read_with(data, options, query.horizon, names)
        result: list[Mapping[str, Any]] = []
        errors: list[Mapping[str, Any]] = [one.to_dict() for one in source.faults.values()]
        entries = [one for one in source.entries if one["id"] not in source.faults]
        chunks = [entries[at : at + CHUNK] for at in range(0, len(entries), CHUNK)]
        for chunk in shown_progress(chunks, "series", wanted=options.get("progress")):
            body = self._forecast(query, chunk)
            result += body["forecasts"]
            errors += body["errors"]
        return make_forecasts(self._identity(), result, errors, source)

    def save(self, path: str | Path) -> Path:
        """Copy the model to a folder, which `almanac.load` reads, and return it.

        Raises:
            ModelUnknown: If it is the starter, which comes with Almanac.
            RequestError: If the folder is not empty.
        """
        target = Path(path)
        if target.exists() and any(target.iterdir()):
            raise RequestError(f"The folder {target} is not empty.", hint="Give a new one.")
        return Path(shutil.copytree(self._require_folder(), target, dirs_exist_ok=True))

    def register(self, name: str, *, example: Any = None) -> str:  # noqa: ANN401 - a pandas frame
        """Register the model as the next version of a name in MLflow, and return the version.

        The name's first version becomes its champion, and a service that uses this MLflow serves it; later ones are
        challengers, until `almanac promote NAME VERSION`.

        Args:
            name: Of the registered model.
            example: A long frame that MLflow shows as an example of the input.

        Raises:
            ModelUnknown: If it is the starter.
            ConfigInvalid: If the name is none.
            RegistryError: If MLflow does not answer.
        """
        from almanac.registering import register_model

        return register_model(self._require_folder(), name, example)

    def _require_folder(self) -> Path:
        if self.folder is None:
            raise ModelUnknown("The starter comes with Almanac.", hint="Save or register a model that was trained.")
        return self.folder

    def _forecast(self, query: ForecastQuery, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
        found = parse_one_by_one(query, entries, {one["id"] for one in entries}, LIMITS)
        selected = self._select(found)
        rows, wrong = predict(found, selected, UNLIMITED)
        return make_result(selected, rows, wrong).body

    def _select(self, query: ForecastQuery) -> SelectedModel:
        now = datetime.now(UTC)
        if self.forecaster is not None:
            return SelectedModel(LoadedModel(self.name, self.version, self.run_id, self.forecaster, now), self.alias)
        default = starters.load_starter(parse_frequency(starters.DEFAULT))
        found = {one.name: starters.load_starter(one) for one in query.frequencies()}
        return SelectedModel(LoadedModel(self.name, self.version, None, default, now), None, found)

    def _identity(self) -> dict[str, str | None]:
        return {"name": self.name, "version": self.version, "alias": self.alias, "run_id": self.run_id}


class Scratch:
    """A folder that is deleted when nothing refers to this object any more."""

    def __init__(self) -> None:
        """Make the folder."""
        self.path = Path(tempfile.mkdtemp(prefix="almanac-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def forecast(
    data: Any,  # noqa: ANN401 - a frame of any kind
    horizon: int,
    *,
    model: str | Model = starters.NAME,
    **options: Unpack[ForecastOptions],
) -> Forecasts:
    """Return forecasts of the series of a frame, in this process: without a service and, with the starter, without training.

    Args:
        data: A long frame of pandas or polars with the columns `unique_id`, `ds` and `y`; or a pandas Series or frame whose index
            has the dates, each column a series.
        horizon: Steps ahead.
        model: The starter, a model that `almanac.load` takes, or one that it returned.
        options: See `ForecastOptions`.

    Returns:
        The forecasts: `.frame` is a frame of the same kind, `.plot("a")` shows a series.

    Raises:
        AlmanacError: If the frame or an option is wrong, or no series can be forecast; `error.ids` names the series.
        TypeError: If there is no such option.

    Example:
        >>> import almanac, pandas as pd
        >>> dates = pd.date_range("2024-01-01", periods=36, freq="MS")
        >>> sales = pd.DataFrame({"unique_id": "shop", "ds": dates, "y": [float(9 + d.month) for d in dates]})
        >>> forecast = almanac.forecast(sales, horizon=12, levels=[80, 95])
        >>> forecast.frame.columns.tolist()[:3]
        ['unique_id', 'ds', 'median']
        >>> [round(one) for one in forecast["median"][:3]]
        [10, 11, 12]
    """
    return (model if isinstance(model, Model) else load(model)).forecast(data, horizon, **options)


def load(model: str | Path) -> Model:
    """Return a model: the starter, a registered one, or one from a folder.

    Args:
        model: `starter`; `NAME` for its champion, `NAME@ALIAS` or `NAME/VERSION` in MLflow at MLFLOW_TRACKING_URI or in
            ALMANAC_HOME; or a folder that `save` has written.

    Raises:
        ModelUnknown: If there is no such model, or no registry yet.
        RequestError: If it is neither a name nor a folder.
        RegistryUnreachable: If MLflow does not answer.
        ArtifactError: If the files of the model are incomplete.

    Example:
        >>> almanac.load("starter").name
        'starter'
    """
    if not isinstance(model, str | Path):
        raise RequestError(
            f"The model is a {type(model).__name__}.", hint='Give a name such as "starter", or a model\'s folder.'
        )
    if not str(model).strip() or model == Path():
        raise RequestError("The model's name is empty.", hint='Give a name such as "starter", or a model\'s folder.')
    if str(model) == starters.NAME:
        return Model(starters.NAME, starters.version(), None, None, None)
    folder = Path(model)
    if (folder / artifact.SPEC).is_file():
        return Model.from_folder(folder)
    if isinstance(model, Path) or model.startswith((".", "/", "~")):
        raise ModelUnknown(f"There is no model in {model}.", hint=f"A model's folder has a file {artifact.SPEC}.")
    return _load_registered(model)


def _load_registered(model: str) -> Model:
    """Return a model from MLflow."""
    from training.registry.client import Registry
    from training.registry.location import RegistryLocation

    location = RegistryLocation.from_environment(environ)
    if location.is_missing:
        raise ModelUnknown(
            f"There is no model {model!r}. {location.missing}",
            hint="Set MLFLOW_TRACKING_URI or ALMANAC_HOME, register a model with almanac.Forecaster().fit(df).register(name), or load "
            f'"{starters.NAME}".',
        )
    registry = Registry(location)
    version = registry.models.resolve(model)
    scratch = Scratch()
    found = Model.from_folder(registry.models.download(version, scratch.path), scratch)
    alias = Selector.parse(model).alias
    return replace(found, name=version.name, version=version.version, alias=alias, run_id=version.run_id or None)
