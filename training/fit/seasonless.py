"""Seasonless: the starter without a season, with which a candidate that begins as a starter is blended as the starter is.

It stays as it is shipped, with its own horizon: only its network's files are copied into the candidate's artifact.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models import artifact
from models.calendar.zoned_grid import parse_frequency
from models.covariates import CovariateNames
from models.forecast import Forecast
from models.forecasting.request import ForecasterRequest
from models.forecasting.season_blend import Blend
from models.safeguards.plausible import as_read
from models.spec import ModelSpec
from models.starters import blended_with, folder_for
from training.data.window_sampling import Dataset
from training.fit.candidate import TrainingSet
from training.fit.validation import Validation

Floats = NDArray[np.float64]
Places = NDArray[np.int64] | slice

ALL = slice(None)


@dataclass(frozen=True, slots=True)
class SeasonlessForecasts:
    """Uncalibrated forecasts without a season on the validation origins of a dataset.

    Attributes:
        weights: Of these forecasts, shape (origins,).
        quantiles: In the series' units, 0 where they have no weight, shape (origins, horizon, levels).
    """

    weights: Floats
    quantiles: Floats

    def blend(self, quantiles: Floats, places: Places = ALL) -> Floats:
        """Return other forecasts of some origins, shape (origins, horizon, levels), blended with these."""
        blended: Floats = quantiles + self.weights[places, None, None] * (self.quantiles[places] - quantiles)
        return blended

    def blend_validation(self, validation: Validation) -> Validation:
        """Return the forecasts of all origins blended with these."""
        return replace(validation, quantiles=self.blend(validation.quantiles))


@dataclass(frozen=True, slots=True)
class Seasonless:
    """The starter without a season.

    Attributes:
        folder: Its artifact.
        blend: Its weight for a series.
        conformal: Conformal offsets as data: its own, or those of the candidate.
    """

    folder: Path
    blend: Blend
    conformal: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, training_set: TrainingSet) -> Self | None:
        """Return what the starter of a frequency is blended with, None if it forecasts alone.

        Raises:
            ArtifactIncomplete, ArtifactMismatch: If there is no starter, or its files do not belong together.
        """
        found = blended_with(folder_for(parse_frequency(training_set.frequency)))
        if found is None:
            return None
        spec = ModelSpec.from_json((found[0] / artifact.SPEC).read_bytes())
        return cls(*found, spec.conformal)

    def forecast(self, training_set: TrainingSet, dataset: Dataset) -> SeasonlessForecasts:
        """Return the forecasts of the validation origins of a dataset of the training set, and their weights."""
        forecaster = artifact.load(self.folder).with_spec(frequency=training_set.frequency, conformal={})
        histories = [
            training_set.series[row].reading(CovariateNames()).before(cutoff)
            for row, cutoff in zip(dataset.rows.tolist(), dataset.cutoffs.tolist(), strict=True)
        ]
        values = [as_read(one, dataset.context_length).values for one in histories]
        weights = self.blend.weights(values, dataset.season_length)
        asked = [one for one, weight in zip(histories, weights, strict=True) if weight]
        (outcomes,) = forecaster.forecast_many([ForecasterRequest(asked, dataset.horizon, ())])
        quantiles = np.zeros((len(histories), dataset.horizon, len(forecaster.spec.quantile_levels)))
        for place, outcome in zip(np.flatnonzero(weights).tolist(), outcomes, strict=True):
            if isinstance(outcome, Forecast):
                quantiles[place] = outcome.quantiles
            else:
                weights[place] = 0.0  # as the blended forecaster does where only the forecast with a season is there
        return SeasonlessForecasts(weights, quantiles)

    def write(self, directory: Path, around: ModelSpec) -> None:
        """Write its artifact into that of a candidate, whose name, frequency and bounds it takes over."""
        copy_seasonless(
            self.folder,
            directory,
            name=around.name,
            frequency=around.frequency,
            conformal=self.conformal,
            nonnegative=around.options.nonnegative,
        )


def copy_seasonless(source: Path, directory: Path, *, nonnegative: bool | None, **changes: Any) -> None:  # noqa: ANN401
    """Copy a model without a season into the artifact that is blended with it, with other fields in its spec.

    Args:
        source: Its artifact.
        directory: The artifact that it becomes a part of.
        nonnegative: Whether no value of the training data is below 0.
        changes: Fields of its spec.
    """
    target = directory / artifact.SEASONLESS
    target.mkdir(parents=True, exist_ok=True)
    for name in artifact.SERVED:
        shutil.copyfile(source / name, target / name)
    spec = ModelSpec.from_json((source / artifact.SPEC).read_bytes())
    artifact.update_spec(target, options=replace(spec.options, nonnegative=nonnegative), **changes)
