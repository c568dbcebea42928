"""Foresee: forecasts of a whole file by a registered model or the starter, with neither service nor TensorFlow."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import artifact, starters
from models.calendar.on_calendar import format_timestamps
from models.errors import AlmanacError, ConfigInvalid, FrequencyNotInferred
from models.forecast import Forecast
from models.forecaster import Forecaster
from models.series import Series
from models.spec import ModelSpec
from training.config.training import Columns
from training.data.series_set import SeriesSet, read_series
from training.progress import Progress
from training.registry.location import Version

if TYPE_CHECKING:
    import pandas as pd

    from training.registry.client import Registry

OUTPUTS = (".csv", ".parquet", ".json")
PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be forecast: by which model, from which file, how far, with which intervals, knowing what ahead."""

    model: str
    data: Path
    horizon: int | None
    frequency: str | None
    columns: Columns
    levels: tuple[float, ...]
    future: Path | None = None


@dataclass(frozen=True, slots=True)
class Foreseen:
    """Forecasts of a file.

    Attributes:
        version: The model that answered.
        forecaster: The same, loaded.
        series: The histories that were forecast.
        forecasts: In the same order.
        stamps: Timestamps of each forecast as text.
    """

    version: Version
    forecaster: Forecaster
    series: tuple[Series, ...]
    forecasts: tuple[Forecast, ...]
    stamps: tuple[tuple[str, ...], ...]


def means_starter(model: str) -> bool:
    """Return whether a model's name means the starter of the package, which needs no registry."""
    return model == starters.NAME or (
        model.startswith(f"{starters.NAME}/") and model.endswith(f"/{starters.version()}")
    )


def foresee(registry: "Registry | None", wish: Wish, *, progress: Progress, scratch: Path) -> Foreseen:
    """Return the forecasts of every series that the model can forecast; the others are named.

    Args:
        registry: Where the model is; None for the starter, which is chosen by the file's frequency.
        wish: What is to be forecast.
        progress: Where findings and warnings are said.
        scratch: An empty folder.

    Raises:
        ModelUnknown: If there is no such model.
        DataInvalid: If the file cannot be used.
        FrequencyNotInferred: If the starter is asked and the dates do not tell the frequency.
        AlmanacError: The first series' error, if no series can be forecast.
    """
    if registry is None:
        data = read_series(wish.data, frequency=wish.frequency, columns=wish.columns, future=wish.future)
        forecaster = starters.load_starter(data.frequency)
        version = Version(starters.NAME, starters.version(), (), "", forecaster.spec.architecture)
    else:
        version = registry.models.resolve(wish.model)
        forecaster = artifact.load(registry.models.download(version, scratch))
        data = _read(wish, forecaster.spec)
    progress.report_findings(data.findings)
    series = _sound(forecaster, data.series, progress)
    horizon = wish.horizon or forecaster.spec.horizon
    forecasts = tuple(forecaster.forecast(series, horizon, levels=wish.levels))
    remark = starters.season_warning(data.frequency) if registry is None else None
    if remark is not None:
        forecasts = tuple(replace(one, warnings=(remark, *one.warnings)) for one in forecasts)
    for warning in sorted({one.code: one.detail for forecast in forecasts for one in forecast.warnings}.items()):
        progress.report(f"  {warning[0]}: {warning[1]}", "yellow")
    return Foreseen(version, forecaster, tuple(series), forecasts, tuple(map(_stamps, forecasts)))


def check_output(option: str, path: Path, kinds: Sequence[str]) -> None:
    """Refuse a file that cannot be written, before anything is computed.

    Raises:
        ConfigInvalid: If the suffix is unknown or the folder is not there.
    """
    if path.suffix.lower() not in kinds:
        raise ConfigInvalid(f"{option} {path}: unknown kind of file.", hint=f"Use {', '.join(kinds)}.")
    if not path.parent.is_dir():
        raise ConfigInvalid(f"{option} {path}: there is no folder {path.parent}.", hint="Make it, or choose another.")


def write(found: Foreseen, path: Path) -> None:
    """Write the forecasts by the file's suffix.

    Raises:
        ConfigInvalid: If the file cannot be written.
    """
    try:
        if path.suffix.lower() == ".json":
            path.write_text(json.dumps(to_dict(found), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        elif path.suffix.lower() == ".parquet":
            to_frame(found).to_parquet(path, index=False)
        else:
            to_frame(found).to_csv(path, index=False)
    except OSError as error:
        raise ConfigInvalid(f"{path}: cannot be written ({error.strerror}).", hint="Check the folder.") from error


def plot(found: Foreseen, path: Path) -> None:
    """Draw the first series and what is expected after them.

    Raises:
        ConfigInvalid: If the file cannot be written.
    """
    from training.evaluation import figures

    spec = found.forecaster.spec
    title = f"{found.version.name} version {found.version.version} ({spec.architecture}): the next {len(found.forecasts[0].median)} steps"
    figure = figures.draw_forecasts(
        found.series, found.forecasts, spec.season_length, title=title, unit=found.version.unit
    )
    try:
        figure.savefig(path, dpi=130)
    except OSError as error:
        raise ConfigInvalid(f"{path}: cannot be written ({error.strerror}).", hint="Check the folder.") from error


def to_frame(found: Foreseen) -> "pd.DataFrame":
    """Return a long frame: `unique_id, ds, median`, a column for each quantile, `lower_80` and `upper_80`."""
    import pandas as pd

    frames = []
    for forecast, stamps in zip(found.forecasts, found.stamps, strict=True):
        columns = {f"q{level:g}": forecast.quantiles[:, at] for at, level in enumerate(forecast.quantile_levels)}
        for one in forecast.intervals:
            columns |= {f"lower_{one.level:g}": one.lower, f"upper_{one.level:g}": one.upper}
        frames.append(pd.DataFrame({"unique_id": forecast.id, "ds": stamps, "median": forecast.median, **columns}))
    return pd.concat(frames, ignore_index=True)


def to_dict(found: Foreseen) -> dict[str, Any]:
    """Return the forecasts in the words of `POST /forecast`."""
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
        "quantiles": {f"{level:g}": forecast.quantiles[:, at].tolist() for at, level in levels},
        "intervals": {
            f"{one.level:g}": {"lower": one.lower.tolist(), "upper": one.upper.tolist()} for one in forecast.intervals
        },
        "context_used": forecast.context_used,
        "warnings": [{"code": one.code, "detail": one.detail} for one in forecast.warnings],
    }


def _read(wish: Wish, spec: ModelSpec) -> SeriesSet:
    """Return the file's series with the model's covariates; where dates do not tell a frequency, the model's counts."""
    read = partial(read_series, wish.data, columns=wish.columns, covariates=spec.covariates, future=wish.future)
    try:
        return read(frequency=wish.frequency)
    except FrequencyNotInferred:
        return read(frequency=spec.frequency)


def _sound(forecaster: Forecaster, series: Sequence[Series], progress: Progress) -> list[Series]:
    """Return the series that can be forecast; name the others, or raise the first error where there is none."""
    sound, errors = [], []
    for one in series:
        try:
            forecaster.check(one)
        except AlmanacError as error:
            errors.append(error)
            progress.report(f"  {one.id} is left out: {error}", "yellow")
        else:
            sound.append(one)
    if errors and not sound:
        raise errors[0]
    return sound


def _stamps(forecast: Forecast) -> tuple[str, ...]:
    if forecast.timestamps is None:
        return tuple(str(step) for step in range(1, len(forecast.median) + 1))
    return tuple(format_timestamps(forecast.timestamps, forecast.style, forecast.timezone))
