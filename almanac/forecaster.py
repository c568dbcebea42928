"""Forecaster: trains a network on a frame, with the verbs of scikit-learn; it needs the train extra."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

import pyarrow as pa
import pyarrow.parquet as pq

from almanac.errors import ExtraMissing
from almanac.forecasts import Forecasts
from almanac.frames import ID, TARGET, TIME, Columns
from almanac.local import Model, Scratch
from almanac.options import ForecastOptions, plain
from almanac.reading import SeriesFrame, read_series
from models.errors import RequestError

if TYPE_CHECKING:
    from training.config.training import TrainConfig
    from training.data.series_set import SeriesSet

DEFAULT_NAME = "model"


class Forecaster:
    """A network that is fitted to a frame.

    Args:
        architecture: `lstm`, `gru`, `simple_rnn`, `wavenet`, `starter_tuned`, `starter`, or `auto`, which combines several.
        horizon: Steps to forecast.
        frequency: Such as `M` or `D`. Default: inferred from the timestamps.
        seed: The same seed on the same data and machine gives the same weights.
        name: Of the model, unless `register` gives it another.
        past_covariates: Columns that are known up to the last value.
        future_covariates: Columns that are known over the horizon too.
        holidays: Countries whose holidays are counted from the dates, such as `DE`.
        missing: What a missing timestamp means: `gap` or `zero`.
        fit: Settings of `[fit]` of a configuration of `almanac train`, such as `max_steps=400`.

    Example:
        >>> forecaster = almanac.Forecaster(architecture="lstm", horizon=12, max_steps=400)
        >>> forecaster.horizon
        12
    """

    def __init__(  # noqa: PLR0913 - as in scikit-learn, every setting is an argument
        self,
        architecture: str = "lstm",
        horizon: int = 12,
        *,
        frequency: str | None = None,
        seed: int = 0,
        name: str = DEFAULT_NAME,
        past_covariates: str | Sequence[str] = (),
        future_covariates: str | Sequence[str] = (),
        holidays: str | Sequence[str] = (),
        missing: str = "gap",
        **fit: Any,  # noqa: ANN401 - settings of FitConfig
    ) -> None:
        """Keep the settings; `fit` checks them."""
        self.architecture = architecture
        self.horizon = horizon
        self.frequency = frequency
        self.seed = seed
        self.name = name
        self.past_covariates = _names(past_covariates)
        self.future_covariates = _names(future_covariates)
        self.holidays = _names(holidays)
        self.missing = missing
        self.settings = fit
        self._fitted: tuple[Model, Any, ForecastOptions, SeriesSet] | None = None

    def fit(
        self,
        data: Any,  # noqa: ANN401 - a frame of any kind
        *,
        id_col: str | Sequence[str] | None = None,
        time_col: str | None = None,
        target_col: str | None = None,
        progress: bool | None = None,
    ) -> Self:
        """Fit the network to the series of a frame, and return this object; `progress=False` shows no progress.

        Raises:
            ExtraMissing: If the train extra is not installed.
            ConfigInvalid: If a setting is wrong.
            DataInvalid, SeriesError: If the frame cannot be used.
            TrainingError: If the network cannot be fitted.
        """
        columns = Columns.of(id_col, time_col, target_col)
        given = {"id_col": id_col, "time_col": time_col, "target_col": target_col}
        options = cast("ForecastOptions", {name: value for name, value in given.items() if value is not None})
        scratch = Scratch()
        try:
            source = read_series(data, columns, fields={}, covariates=self._covariates)
            fitted = self._fit(source, scratch.path, shown=progress is not False)
        except ModuleNotFoundError as error:
            from service.install import install_command

            raise ExtraMissing(
                f"Training needs {error.name}.", hint=f"Install the train extra: {install_command()}"
            ) from error
        folder, series = fitted
        self._fitted = (Model.from_folder(folder, scratch), data, options, series)
        return self

    @property
    def model(self) -> Model:
        """The fitted model.

        Raises:
            RequestError: If `fit` was not called.
        """
        return self._require()[0]

    def predict(
        self,
        data: Any = None,  # noqa: ANN401 - a frame of any kind
        horizon: int | None = None,
        **options: Unpack[ForecastOptions],
    ) -> Forecasts:
        """Return forecasts of the series of a frame, by default of that of `fit`, over the trained horizon."""
        model, fitted_to, columns, _ = self._require()
        chosen = cast("ForecastOptions", {**columns, **options})
        return model.forecast(fitted_to if data is None else data, horizon, **chosen)

    def save(self, path: str | Path) -> Path:
        """Write the model to a folder, which `almanac.load` reads; see `Model.save`."""
        return self.model.save(path)

    def register(self, name: str | None = None) -> str:
        """Register the model in MLflow, and return its version; see `Model.register`."""
        from training.registry.example import model_example

        model, _, _, series = self._require()
        return model.register(name or self.name, example=model_example(series, self.horizon))

    @property
    def _covariates(self) -> tuple[Sequence[str], Sequence[str]]:
        return self.past_covariates, self.future_covariates

    def _require(self) -> "tuple[Model, Any, ForecastOptions, SeriesSet]":
        if self._fitted is None:
            raise RequestError("The forecaster is not fitted.", hint="Call .fit(df) first.")
        return self._fitted

    def _fit(self, source: SeriesFrame, scratch: Path, *, shown: bool) -> "tuple[Path, SeriesSet]":
        """Return the folder of the fitted model, and the series that it is fitted to."""
        from rich.console import Console

        from training.data.series_options import SeriesOptions
        from training.data.series_set import read_series as read_file
        from training.fit.candidate import TrainingSet
        from training.fit.request import FitRequest
        from training.pipeline.candidates import fit_with_keras
        from training.progress import Progress

        progress = Progress() if shown else Progress(Console(quiet=True))
        file = scratch / "data.parquet"
        pq.write_table(_table_of(source, (*self.past_covariates, *self.future_covariates)), file)
        config = self._config(file)
        data = read_file(
            file,
            frequency=config.frequency,
            covariates=config.covariates,
            reading=SeriesOptions(config.missing, "mask"),
        )
        progress.report_findings(data.findings)
        chosen = TrainingSet(data.series, data.frequency.name, config.horizon, data.digest, data.covariates)
        with progress.training(self.architecture) as show:
            candidate = fit_with_keras(
                FitRequest(
                    training_set=chosen,
                    architecture=self.architecture,
                    name=config.name,
                    seed=config.seed,
                    config=config.fit,
                    directory=scratch / "model",
                    on_epoch=show,
                )
            )
        for warning in candidate.warnings:
            progress.report(f"  {warning}", "yellow")
        return candidate.directory, data

    def _config(self, file: Path) -> "TrainConfig":
        from training.config.training import train_config

        return train_config(
            {
                "data": str(file),
                "horizon": plain(self.horizon),
                "name": self.name,
                "frequency": self.frequency,
                "architecture": [self.architecture],
                "seed": plain(self.seed),
                "past_covariates": self.past_covariates,
                "future_covariates": self.future_covariates,
                "holidays": self.holidays,
                "missing": self.missing,
                "fit": {name: plain(value) for name, value in self.settings.items()},
            }
        )


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return names, of which there may be a single one."""
    return (given,) if isinstance(given, str) else tuple(given)


def _table_of(source: SeriesFrame, covariates: Sequence[str]) -> pa.Table:
    """Return the rows of a frame with the usual names."""
    table, names = source.frame.table, source.names
    columns = {TIME: table.column(names.time), TARGET: table.column(names.target)}
    if names.id in table.column_names:
        columns = {ID: table.column(names.id), **columns}
    return pa.table({**columns, **{name: table.column(name) for name in covariates}})
