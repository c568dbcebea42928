"""Runs: the parameters, metrics, tags and files that MLflow keeps of a comparison."""

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models import artifact
from models.errors import ModelUnknown
from models.series import Series
from models.windows import covariate_columns
from training.config.training import ENSEMBLE
from training.data.holdout import Split
from training.data.series_set import SeriesSet
from training.evaluation import figures
from training.evaluation.comparison import Comparison, Failure, Result
from training.evaluation.promotion import PromotionDecision
from training.fit.candidate import Candidate, EpochRecord
from training.fit.ensemble_weights import EnsembleWeights
from training.registry import provenance
from training.registry.client import Registry

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE_SERIES = 2
"""Number of series in a model's input example."""


@contextmanager
def tracked_run(
    registry: Registry, experiment: str, run: str, *, parent: str | None = None, resume: str | None = None
) -> Iterator[str]:
    """Yield the id of a run, and end it FINISHED, FAILED after an error, or KILLED by Ctrl-C."""
    run_id = _reopen(registry, resume) or registry.start(experiment, run, tags={}, parent=parent)
    try:
        yield run_id
    except KeyboardInterrupt:
        registry.finish(run_id, "KILLED")
        raise
    except BaseException:
        registry.finish(run_id, "FAILED")
        raise
    registry.finish(run_id)


def log_data(registry: Registry, run_id: str, data: SeriesSet, split: Split) -> None:
    """Log the data of a comparison."""
    registry.log(run_id, params=_data_params(data, split), tags={"almanac.kind": "comparison"})
    profile = {"series": len(data.series), "observations": data.observed, "frequency": data.frequency.name}
    registry.log_dataset(
        run_id, name=data.path.stem, digest=data.digest, source=str(data.path), profile=json.dumps(profile)
    )


def log_provenance(registry: Registry, run_id: str, described: Mapping[str, Any]) -> None:
    """Log what `provenance.describe` returns: as parameters and tags, and as a file that `almanac reproduce` reads."""
    candidate = {key: described[key] for key in ("architecture", "seed") if key in described}
    packages = {f"packages.{name}": version for name, version in described["packages"].items()}
    digest, python = described["data_digest"], described["python"]
    params = {**_flat(described["config"]), **candidate, **packages, "data_digest": digest, "python": python}
    tags = {key: described[key] for key in ("command", "machine")}
    if described["commit"]:
        tags["mlflow.source.git.commit"] = described["commit"]
    registry.log(run_id, params=params, tags=tags)
    registry.log_json(run_id, described, provenance.FILE)


def log_reproduction(registry: Registry, run_id: str, found: Mapping[str, Any]) -> None:
    """Log the result of reproducing a run."""
    keys = {"reproduces": "run_id", "same_figures": "same_figures", "same_weights": "same_weights"}
    registry.log(run_id, tags={tag: found[key] for tag, key in keys.items()})
    registry.log_json(run_id, found, "reproduction.json")


def log_epoch(registry: Registry, run_id: str, epoch: EpochRecord) -> None:
    """Log the loss, the validation error if there is one and the gradient norms of an epoch, at its optimizer step."""
    norms = {f"gradient_norm/{layer}": norm for layer, norm in epoch.gradient_norms.items()}
    error = {"epoch/validation_mase": epoch.validation_mase} if math.isfinite(epoch.validation_mase) else {}
    registry.log(run_id, metrics={"epoch/loss": epoch.loss, **error, **norms}, step=epoch.step)


def log_candidate(registry: Registry, result: Result, comparison: Comparison, split: Split, unit: str) -> None:
    """Log a candidate: its settings, metrics, warnings and figures."""
    spec = result.candidate.forecaster.spec
    settings = {key: getattr(spec, key) for key in ("context_length", "encoder_length", "transform", "receptive_field")}
    registry.log(
        result.run_id,
        params={f"chosen.{key}": value for key, value in settings.items()} | _ensemble_params(result.candidate),
        metrics=comparison.summary_metrics(result) | _ensemble_metrics(result.candidate.ensemble_weights),
        tags={
            "almanac.kind": "candidate",
            "architecture": spec.architecture,
            "candidate": result.name,
            "beats_baselines": comparison.beats_baselines(result),
            "data_digest": spec.data_digest,
            "warnings": " ".join(result.candidate.warnings) or "none",
            "weights_digest": provenance.weights_digest(result.candidate.directory / artifact.NETWORK),
        },
    )
    if result.name != ENSEMBLE:
        registry.log_json(result.run_id, _choices(result.candidate), provenance.CHOICES)
    with tempfile.TemporaryDirectory() as folder:
        figures.save_figures(_draw(result, comparison, split, unit), Path(folder))
        registry.log_files(result.run_id, Path(folder), "figures")


def log_failure(registry: Registry, run_id: str, failure: Failure) -> None:
    """Log why a candidate failed, and at which step."""
    tags = {
        "almanac.kind": "candidate",
        "architecture": failure.name.partition("/")[0],
        "candidate": failure.name,
        "failure.code": failure.code,
        "failure.cause": failure.cause,
        "failure.step": failure.step,
    }
    registry.log(run_id, tags=tags)


def log_baseline(registry: Registry, run_id: str, name: str, comparison: Comparison) -> None:
    """Log the metrics and the sample of a baseline."""
    tags = {"almanac.kind": "baseline", "architecture": name}
    sample = _flat({"sample": comparison.samples().get(name, {})})
    registry.log(run_id, params={"architecture": name, **sample}, metrics=comparison.baseline_metrics(name), tags=tags)


def log_winner(registry: Registry, run_id: str, winner: Result, comparison: Comparison, *, refitted: bool) -> None:
    """Log the winner on its run and on the comparison's run, which also gets the winner's metrics."""
    beats = comparison.beats_baselines(winner)
    tags = {"winner": winner.name, "winner_run_id": winner.run_id, "beats_baselines": beats, "refit": refitted}
    chosen = {"picked": bool(comparison.pick), "validation_winner": comparison.best.name}
    registry.log(run_id, metrics=comparison.summary_metrics(winner), tags={**tags, **chosen})
    registry.log(winner.run_id, tags={"winner": True, "refit": refitted})


def log_served(registry: Registry, run_id: str, served: Candidate) -> None:
    """Log the weights' digest and the settings of the served networks, which were trained again after the backtest."""
    registry.log(run_id, tags={"served_weights_digest": provenance.weights_digest(served.directory / artifact.NETWORK)})
    specs = [one.forecaster.spec for one in (served.members.values() or [served])]
    networks = [
        {"architecture": one.architecture, "seed": one.seed, "choices": provenance.choices(one)} for one in specs
    ]
    registry.log_json(run_id, {"networks": networks}, provenance.SERVED_CHOICES)


def log_decision(registry: Registry, run_ids: Sequence[str], decision: PromotionDecision, version: str) -> None:
    """Log a promotion decision on the given runs."""
    tags = {
        "promoted": decision.promote,
        "promotion.reason": decision.reason,
        "promotion.forced": decision.forced,
        "promotion.notes": " ".join(decision.notes),
        "version": version,
    }
    for run_id in run_ids:
        registry.log(run_id, tags=tags)
        registry.log_json(run_id, decision.to_dict(), "decision.json")


def model_example(data: SeriesSet, horizon: int = 0) -> "pd.DataFrame":
    """Return the newest three seasons of the first series as a long frame `unique_id, ds, y` and covariates.

    If the model reads covariates that are known ahead, `horizon` rows without a value contain their future.
    """
    import pandas as pd

    count = 3 * data.frequency.season_length
    ahead = horizon if any(name in data.covariates.future for name in data.covariates.read) else 0
    frames = [
        pd.DataFrame({"unique_id": one.id, "ds": _timestamps(one, ahead)} | _columns(one, data, ahead)).tail(
            count + ahead
        )
        for one in data.series[:EXAMPLE_SERIES]
    ]
    return pd.concat(frames, ignore_index=True)


def _timestamps(one: Series, ahead: int) -> Any:  # noqa: ANN401 - timestamps, or None without dates
    """Return the timestamps of a series and of `ahead` steps after it."""
    return None if one.timestamps is None else np.concatenate([one.timestamps, one.future(ahead)])


def _columns(one: Series, data: SeriesSet, ahead: int) -> dict[str, Any]:
    """Return the values and covariates of a series and of `ahead` steps after it, NaN where unknown."""
    past, future = covariate_columns(one, data.covariates, len(one), ahead)
    columns = {"y": np.append(one.values, np.full(ahead, np.nan))}
    for column, name in enumerate(data.covariates.all):
        known = column - len(data.covariates.past)
        after = future[:, known] if known >= 0 else np.full(ahead, np.nan)
        columns[name] = np.append(past[:, column], after)
    return {name: columns[name] for name in ("y", *data.covariates.read)}


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _reopen(registry: Registry, run_id: str | None) -> str | None:
    """Reopen a run and return its id, or None if the registry does not have it."""
    if run_id is None:
        return None
    try:
        registry.reopen(run_id)
    except ModelUnknown:
        return None
    return run_id


def _draw(result: Result, comparison: Comparison, split: Split, unit: str) -> dict[str, Any]:
    spec, history = result.candidate.forecaster.spec, result.candidate.history
    baselines = {name: baseline.scores for name, baseline in comparison.baselines.items()}
    name = result.name
    title = f"{name}: {split.horizon} steps held out, forecast and observed values"
    drawn = {
        "forecast_against_truth": figures.draw_backtest(split, result.predictions, title=title, unit=unit),
        "error_by_step": figures.draw_error_by_step(result.scores, baselines, name=name),
    }
    if history:
        drawn["gradient_norms"] = figures.draw_gradient_norms(history, name=name)
        drawn["learning"] = figures.draw_learning(history, name=name)
    if spec.memory:
        drawn["memory"] = figures.draw_memory(spec.memory, spec.season_length, name=name)
    return drawn


def _choices(candidate: Candidate) -> dict[str, Any]:
    """Return the settings that a candidate selected on its validation origins; of an ensemble those of its members."""
    if candidate.ensemble_weights is None:
        return provenance.choices(candidate.forecaster.spec)
    members = {name: provenance.choices(one.forecaster.spec) for name, one in candidate.members.items()}
    return {"members": members, "mixture": candidate.ensemble_weights.to_dict()}


def _ensemble_params(candidate: Candidate) -> dict[str, object]:
    """Return the weights of an ensemble and the settings of its members; nothing for a network."""
    ensemble = candidate.ensemble_weights
    if ensemble is None:
        return {}
    weights = {f"ensemble.weight.{name}": weight for name, weight in ensemble.weights.items()}
    members = {name: provenance.choices(one.forecaster.spec) for name, one in candidate.members.items()}
    return {"ensemble.combination": ensemble.combination, **weights, **_flat({"ensemble.member": members})}


def _ensemble_metrics(ensemble: EnsembleWeights | None) -> dict[str, float]:
    """Return the validation loss of each kind of ensemble weights; nothing for a network."""
    return {f"ensemble.pinball_{kind}": loss for kind, loss in ensemble.losses.items()} if ensemble else {}


def _data_params(data: SeriesSet, split: Split) -> dict[str, object]:
    return {
        "data.series": len(data.series),
        "data.observations": data.observed,
        "data.frequency": data.frequency.name,
        "data.season_length": split.season_length,
        "data.layout": data.layout,
        "data.dropped": split.dropped,
    }


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Return nested settings with keys such as `fit.units`, without those that are None."""
    flat: dict[str, object] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        elif value is not None:
            flat[f"{prefix}{key}"] = ", ".join(map(str, value)) if isinstance(value, tuple) else value
    return flat
