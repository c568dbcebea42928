"""Forecast file: forecasts of a whole file by a registered model or the starter, without service or TensorFlow."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import artifact, starters
from models.calendar.exact_frequency import FiscalPeriods
from models.errors import AlmanacError, ConfigInvalid, ForecastNotFinite, FrequencyNotInferred
from models.forecast import Forecast, level_name
from models.forecaster import Forecaster
from models.forecasting.open_steps import forecast_open_steps
from models.forecasting.sampling import read_sampling
from models.forecasting.series_warnings import SeriesWarnings
from models.irregular.bounds import UNBOUNDED, Bounds
from models.series import Series
from models.spec import ModelSpec
from training.bulk.frame import stamps_of, to_frame, to_table
from training.config.training import Columns
from training.data.series_options import KEEP, SeriesOptions
from training.data.series_set import SeriesSet, read_series
from training.progress import Progress
from training.registry.location import Version

if TYPE_CHECKING:
    from training.registry.client import Registry

OUTPUTS = (".csv", ".parquet", ".json")
PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True)
class FileForecastRequest:
    """What to forecast.

    Attributes:
        model: `NAME`, `NAME@ALIAS`, `NAME/VERSION` or the starter.
        data: File with the histories.
        horizon: Steps; None for the model's own.
        frequency: None to infer it.
        columns: Names of a long file's columns.
        levels: Of the intervals, in per cent.
        future: File with covariates over the horizon, if `data` does not have them.
        reading: What missing timestamps mean, and whether dates are read.
        bounds: Lowest and highest value that a forecast may have.
        outliers: `clip` or `mask`: what the model reads in place of implausible values.
        mean: Whether the forecasts have a mean.
        paths: Number of sample paths.
        seed: Of paths and sums.
        sums: Windows whose steps are added up.
    """

    model: str
    data: Path
    horizon: int | None
    frequency: str | None
    columns: Columns
    levels: tuple[float, ...]
    future: Path | None = None
    reading: SeriesOptions = KEEP
    bounds: Bounds = UNBOUNDED
    outliers: str = "clip"
    mean: bool = False
    paths: int = 0
    seed: int = 0
    sums: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileForecasts:
    """Forecasts of a file.

    Attributes:
        version: The model.
        forecaster: The loaded model.
        series: Histories that could be forecast.
        forecasts: In the same order.
        stamps: Timestamps of each forecast as text.
        value: Name of the file's column of values, "" if every series has its own.
    """

    version: Version
    forecaster: Forecaster
    series: tuple[Series, ...]
    forecasts: tuple[Forecast, ...]
    stamps: tuple[tuple[str, ...], ...]
    value: str = ""


def means_starter(model: str) -> bool:
    """Return whether a model name means the starter of the package, which needs no registry."""
    return model == starters.NAME or (
        model.startswith(f"{starters.NAME}/") and model.endswith(f"/{starters.version()}")
    )


def forecast_file(
    registry: "Registry | None", request: FileForecastRequest, *, progress: Progress, scratch: Path
) -> FileForecasts:
    """Return the forecasts of every series that the model can forecast; a warning names each of the others.

    Args:
        registry: Has the model; None for the starter, which is chosen by the file's frequency.
        request: What to forecast.
        progress: Takes findings and warnings.
        scratch: An empty folder.

    Raises:
        ModelUnknown: If there is no such model.
        DataInvalid: If the file cannot be used.
        FrequencyNotInferred: If the starter is requested and the frequency cannot be inferred.
        SamplingInvalid: If paths, seed or sums are out of range.
        AlmanacError: The first series' error, if no series can be forecast.
    """
    if registry is None:
        data = _read(request, None)
        forecaster = starters.load_starter(data.frequency)
        version = Version(starters.NAME, starters.version(), (), "", forecaster.spec.architecture)
    else:
        version = registry.models.resolve(request.model)
        forecaster = artifact.load(registry.models.download(version, scratch))
        data = _read(request, forecaster.spec)
    if data.inferred:
        season = forecaster.spec.season_length
        progress.report(
            f"Frequency: {data.frequency.name} (inferred from the dates), {f'season {season}' if season > 1 else 'no season'}"
        )
    progress.report_findings(data.findings)
    series = [replace(one, bounds=request.bounds) for one in _usable(forecaster, data.series, progress)]
    horizon = request.horizon or forecaster.spec.horizon
    made = forecast_open_steps(
        forecaster,
        series,
        horizon,
        levels=request.levels,
        outliers=request.outliers,
        mean=request.mean,
        sampling=read_sampling(request.paths, request.seed, request.sums, horizon),
    )
    series, forecasts = _finite(series, made, progress)
    season_warning = starters.season_warning(data.frequency) if registry is None else None
    if season_warning is not None:
        forecasts = tuple(replace(one, warnings=(season_warning, *one.warnings)) for one in forecasts)
    _report_warnings(forecasts, {one.code for one in data.findings}, progress)
    return FileForecasts(version, forecaster, tuple(series), forecasts, tuple(stamps_of(forecasts)), data.value)


def _report_warnings(forecasts: Sequence[Forecast], known: set[str], progress: Progress) -> None:
    """Report the warnings of each code that is not known yet."""
    noticed = SeriesWarnings()
    for forecast in forecasts:
        for one in forecast.warnings:
            if one.code not in known:
                noticed.add(forecast.id, one.code, one.detail)
    for line in noticed.lines():
        progress.report(f"  {line}", "yellow")


def write(found: FileForecasts, path: Path) -> None:
    """Write the forecasts by the file's suffix.

    Raises:
        ConfigInvalid: If the file cannot be written.
    """
    try:
        if path.suffix.lower() == ".json":
            path.write_text(json.dumps(to_dict(found), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        elif path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(to_table(found.forecasts), path)
        else:
            to_frame(found.forecasts, found.stamps).to_csv(path, index=False)
    except OSError as error:
        raise ConfigInvalid(f"{path}: cannot be written ({error.strerror}).", hint="Check the folder.") from error


def plot(found: FileForecasts, path: Path, ids: Sequence[str] = ()) -> None:
    """Draw series and their forecasts: those with the given ids, or the first ones.

    Raises:
        ConfigInvalid: If there is no forecast for an id, there are too many, or the file cannot be written.
    """
    from training.evaluation.forecast_figure import MAX_PANELS, draw_forecasts

    places = {one.id: at for at, one in enumerate(found.series)}
    if len(ids) > MAX_PANELS:
        raise ConfigInvalid(
            f"One figure has at most {MAX_PANELS} series. Received: {len(ids)}.", hint="Name fewer with --series."
        )
    for one in ids:
        if one not in places:
            near = get_close_matches(one, places, n=3) or list(places)[:3]
            raise ConfigInvalid(
                f"There is no forecast of series {one!r}.",
                hint=f"Name another one with --series, such as {', '.join(near)}.",
            )
    rows = [places[one] for one in dict.fromkeys(ids)] or [*places.values()][:MAX_PANELS]
    spec, many = found.forecaster.spec, len(found.series)
    some = f" of {len(rows)} of {many} series" if len(rows) < many else ""
    steps = max(len(found.forecasts[row].median) for row in rows)
    title = f"{found.version.name} version {found.version.version} ({spec.architecture}): the next {steps} steps{some}"
    figure = draw_forecasts(
        [found.series[row] for row in rows],
        [found.forecasts[row] for row in rows],
        spec.season_length,
        title=title,
        unit=found.version.unit or found.value,
    )
    try:
        figure.savefig(path, dpi=130)
    except OSError as error:
        raise ConfigInvalid(f"{path}: cannot be written ({error.strerror}).", hint="Check the folder.") from error


def to_dict(found: FileForecasts) -> dict[str, Any]:
    """Return the forecasts as `POST /forecast` responds."""
    version = found.version
    rows = zip(found.forecasts, found.stamps, strict=True)
    return {
        "model": {"name": version.name, "version": version.version, "run_id": version.run_id or None},
        "forecasts": [_entry(forecast, stamps) for forecast, stamps in rows],
    }


def _entry(forecast: Forecast, stamps: Sequence[str]) -> dict[str, Any]:
    levels = enumerate(forecast.quantile_levels)
    return {
        "id": forecast.id,
        "timestamps": list(stamps),
        "median": forecast.median.tolist(),
        **({} if forecast.mean is None else {"mean": forecast.mean.tolist()}),
        **({} if forecast.paths is None else {"paths": forecast.paths.tolist()}),
        **(
            {"sums": {one.name: one.to_dict(forecast.quantile_levels) for one in forecast.sums}}
            if forecast.sums
            else {}
        ),
        "quantiles": {level_name(level): forecast.quantiles[:, at].tolist() for at, level in levels},
        "intervals": {
            level_name(one.level): {"lower": one.lower.tolist(), "upper": one.upper.tolist()}
            for one in forecast.intervals
        },
        "context_used": forecast.context_used,
        "warnings": [{"code": one.code, "detail": one.detail} for one in forecast.warnings],
    }


def _read(request: FileForecastRequest, spec: ModelSpec | None) -> SeriesSet:
    """Return the file's series with the model's covariates, at the model's frequency if none can be inferred."""
    read = partial(
        read_series,
        request.data,
        columns=request.columns,
        covariates=None if spec is None else spec.covariates,
        future=request.future,
        reading=request.reading,
    )
    try:
        return read(frequency=request.frequency)
    except FiscalPeriods as error:
        option = f"give --season-length {error.season_length} to read the rows as {error.period}s without dates."
        first = f"Give the first day of each calendar {error.period} instead"
        raise FrequencyNotInferred(error.detail, hint=f"{first}, or {option}") from error
    except FrequencyNotInferred:
        if spec is None:
            raise
        return read(frequency=spec.frequency)


def _usable(forecaster: Forecaster, series: Sequence[Series], progress: Progress) -> list[Series]:
    """Return the series that can be forecast; report the others, or raise the first error if there is none."""
    usable, errors = [], []
    for one in series:
        try:
            forecaster.check(one)
        except AlmanacError as error:
            errors.append(error)
            progress.report(f"  {one.id} is left out: {error}", "yellow")
        else:
            usable.append(one)
    if errors and not usable:
        raise errors[0]
    return usable


def _finite(
    series: Sequence[Series], forecasts: Sequence[Forecast], progress: Progress
) -> tuple[list[Series], tuple[Forecast, ...]]:
    """Return the series whose forecasts are finite, and these; report the others, or raise if there is none."""
    pairs = [(one, forecast.shown) for one, forecast in zip(series, forecasts, strict=True) if forecast.is_finite]
    if not pairs:
        raise ForecastNotFinite
    for one, forecast in zip(series, forecasts, strict=True):
        if not forecast.is_finite:
            progress.report(f"  {one.id} is left out: {ForecastNotFinite()}", "yellow")
    return [one for one, _ in pairs], tuple(forecast for _, forecast in pairs)
