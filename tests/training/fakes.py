"""Fakes: a training that takes no time, and series to train it on."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import onnx

from models import artifact
from models.calendar.zoned_grid import parse_frequency
from models.errors import LossNotFinite
from models.networks.onnx_export.ensemble import merge_graphs
from models.series import Series
from models.spec import TRAINED_QUANTILES
from tests.artifacts import make_artifact
from training.config.fit import FitConfig
from training.fit.candidate import Candidate, EpochRecord, TrainingSet
from training.fit.request import Fit, FitRequest
from training.fit.validation import Validation
from training.registry.client import Registry

VANISHED_LAYER = "Layer encoder_1: the gradient has vanished."


def runs_of(registry: Registry, label: str = "mlflow.runName") -> dict[str, Any]:
    """Return every run of the experiment `weather` by a tag; the parent, which may not have it, as `comparison`."""
    client = registry._client
    experiment = client.get_experiment_by_name("weather")
    return {one.data.tags.get(label, "comparison"): one for one in client.search_runs([experiment.experiment_id])}


def make_fit(
    *,
    shifts: dict[str, float] | None = None,
    validation: dict[str, float] | None = None,
    failing: tuple[str, ...] = (),
    seen: list[TrainingSet] | None = None,
) -> Fit:
    """Return a training whose networks are seasonal naives, `shifts` off the truth; `failing` ones meet a NaN."""

    def fit(request: FitRequest) -> Candidate:
        training_set, architecture, directory = request.training_set, request.architecture, request.directory
        if seen is not None:
            seen.append(training_set)
        history = [make_epoch(number) for number in (1, 2)]
        for epoch in history:
            request.on_epoch(epoch)
        if architecture in failing:
            raise LossNotFinite("The loss became NaN at step 17.", step=17, hint="Lower the learning rate.")
        shift = (shifts or {}).get(architecture, 0.0)
        make_artifact(
            directory,
            name=request.name,
            frequency=training_set.frequency,
            season_length=parse_frequency(training_set.frequency).season_length,
            horizon=training_set.horizon,
            shift=shift,
            names=training_set.covariates,
        )
        forecaster = artifact.update_spec(
            directory,
            architecture=architecture,
            seed=request.seed,
            data_digest=training_set.digest,
            trained_to=str(max(str(one.timestamps[-1]) for one in training_set.series if one.timestamps is not None)),
        )
        mase = (validation or {}).get(architecture, 1.0)
        accuracy = {"mase": abs(mase), "smape": 10.0, "coverage_80": 0.8}
        forecasts = make_following(mase, training_set.horizon)
        return Candidate(directory, forecaster, tuple(history), accuracy, 1.5, (VANISHED_LAYER,), forecasts)

    return fit


def recording(fit: Fit, requests: list[FitRequest]) -> Fit:
    """Return a fit that adds each request to a list."""

    def fit_recorded(request: FitRequest) -> Candidate:
        requests.append(request)
        return fit(request)

    return fit_recorded


def make_request(directory: Path, training_set: TrainingSet | None = None, **changes: Any) -> FitRequest:  # noqa: ANN401 - any field
    """Return a request for an LSTM of a monthly series."""
    plain = {"architecture": "lstm", "name": "sales", "seed": 3, "config": FitConfig()}
    known = training_set or TrainingSet([make_series()], "M", 12, "digest")
    return FitRequest(training_set=known, directory=directory, **{**plain, **changes})


def combine_graphs(members: Sequence[Path], weights: Sequence[float], directory: Path) -> None:
    """Write the weighted mean of members' graphs, without Keras, as `make_artifact` writes each of them."""
    directory.mkdir(parents=True, exist_ok=True)
    graph = merge_graphs([onnx.load(one / artifact.NETWORK) for one in members], weights)
    (directory / artifact.NETWORK).write_bytes(graph.SerializeToString())
    (directory / artifact.WEIGHTS).write_bytes(b"")


def make_validation(  # noqa: PLR0913 - what a network's forecasts can be
    *, origins: int = 200, horizon: int = 12, shift: float = 0.0, noise: float = 1.0, scale: float = 1.0, seed: int = 0
) -> Validation:
    """Return forecasts of truths around zero, `shift` off them, whose quantiles are those of unit normal errors.

    Args:
        origins: Of as many series, one each.
        horizon: Steps ahead.
        shift: What every forecast is too high by.
        noise: Standard deviation of the truths.
        scale: In-sample scale of every series.
        seed: Of the truths: forecasts of the same seed are of the same truths.
    """
    targets = noise * np.random.default_rng(seed).normal(size=(origins, horizon))
    distances = np.array([NormalDist().inv_cdf(level) for level in TRAINED_QUANTILES])
    quantiles = np.broadcast_to(shift + distances, (origins, horizon, len(distances)))
    rows = np.arange(origins)
    return Validation(rows, np.full(origins, 60), targets, quantiles, np.full(origins, scale), TRAINED_QUANTILES)


def make_following(error: float, horizon: int) -> Validation:
    """Return forecasts that are always too high by `error` scales: their MASE, and that of a mean of such networks."""
    plain = make_validation(horizon=horizon)
    return replace(plain, quantiles=plain.quantiles + plain.targets[..., None] + error)


def make_epoch(number: int) -> EpochRecord:
    """Return an epoch whose second layer learns nothing."""
    norms = {"encoder": 0.1, "encoder_1": 1e-7}
    return EpochRecord(number, 10 * number, 1.0 / number, 0.9 / number, norms, 0.5 * number)


def make_series(id: str = "a", *, length: int = 96, seed: int = 0, start: str = "2000-01-01") -> Series:  # noqa: A002 - Series' own word
    """Return a monthly series with a season and noise."""
    steps = np.arange(length)
    noise = np.random.default_rng(seed).normal(0.0, 1.0, length)
    values = 10.0 + 5.0 * np.sin(2 * np.pi * steps / 12) + noise
    return Series.make(values, id=id, start=start, frequency="M")


def write_covariates(path: Path, *, length: int = 36, ahead: int = 6, ids: tuple[str, ...] = ("a", "b")) -> Path:
    """Write monthly series beside a traffic of 0 and a price that is ten times the step, `ahead` rows past the values."""
    stamps = np.arange("2014-01", "2099-01", dtype="M8[M]")
    rows = ["unique_id,ds,y,traffic,price"]
    for name in ids:
        rows += [
            f"{name},{stamps[step]},{make_value(step) if step < length else ''},{0 if step < length else ''},{10 * step}"
            for step in range(length + ahead)
        ]
    path.write_text("\n".join(rows) + "\n")
    return path


def make_value(step: int) -> float:
    """Return a season that does not repeat itself to the letter."""
    return round(20 + 5 * float(np.sin(step * np.pi / 6)) + 0.1 * (step % 7), 3)


def write_csv(path: Path, series: list[Series]) -> Path:
    """Write series as a long file."""
    rows = ["unique_id,ds,y"]
    for one in series:
        stamps = one.timestamps
        assert stamps is not None
        for stamp, value in zip(stamps, one.values, strict=True):
            rows.append(f"{one.id},{str(stamp)[:10]},{'' if np.isnan(value) else value}")
    path.write_text("\n".join(rows) + "\n")
    return path
