"""Runs: the parameters, metrics, tags and files that MLflow keeps of a comparison."""

import hashlib
import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models import artifact
from models.errors import ModelUnknown
from training.config.training import ENSEMBLE
from training.data.holdout import Split
from training.data.series_set import SeriesSet
from training.evaluation import figures
from training.evaluation.comparison import Comparison, Failure, Result, describe_sample
from training.evaluation.comparison_figure import draw_comparison
from training.evaluation.promotion import PromotionDecision
from training.fit.candidate import ALL_DATA, Candidate, EpochRecord
from training.fit.ensemble_weights import EnsembleWeights
from training.registry import descriptions, provenance
from training.registry.client import Registry
from training.registry.parameters import chosen_params, data_params, flat, run_params
from training.registry.views import comparison_view, history_view

TABLE, COMPARISON = "comparison.json", "comparison"
"""Files of a comparison's run: the scores as a table, and the name of the figure."""


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


def log_data(registry: Registry, run_id: str, data: SeriesSet, split: Split, *, origins: int) -> None:
    """Log the data of a comparison, which is held out at some origins, and keep the views that show it."""
    registry.log(run_id, params=data_params(data, split), tags={"almanac.kind": "comparison"})
    profile = {"series": len(data.series), "observations": data.observed, "frequency": data.frequency.name}
    registry.log_dataset(
        run_id, name=data.path.stem, digest=data.digest, source=str(data.path), profile=json.dumps(profile)
    )
    registry.describe(run_id, {"Data": descriptions.describe_data(data, split, split.horizon, origins)})
    registry.save_views(run_id, comparison_view(run_id), history_view())


def log_provenance(registry: Registry, run_id: str, described: Mapping[str, Any]) -> None:
    """Log what `provenance.describe` returns: as tags, and as a file that `almanac reproduce` reads; parameters are few."""
    tags = {key: described[key] for key in ("command", "machine", "data_digest", "python")}
    tags |= {f"packages.{name}": version for name, version in described["packages"].items()}
    if described["commit"]:
        tags["mlflow.source.git.commit"] = described["commit"]
    registry.log(run_id, params=run_params(described), tags=tags)
    registry.log_json(run_id, described, provenance.FILE)


def log_reproduction(registry: Registry, run_id: str, found: Mapping[str, Any]) -> None:
    """Log the result of reproducing a run."""
    keys = {"reproduces": "run_id", "same_figures": "same_figures", "same_weights": "same_weights"}
    registry.log(run_id, tags={tag: found[key] for tag, key in keys.items()})
    registry.log_json(run_id, found, "reproduction.json")


def log_epoch(registry: Registry, run_id: str, epoch: EpochRecord) -> None:
    """Log an epoch at its optimizer step: every stage has curves of its own, and the last one each layer's gradient norm."""
    stage = (epoch.stage or ALL_DATA).replace(",", "")
    figures = {"loss": epoch.loss, "validation_mase": epoch.validation_mase}
    if epoch.gradient_norms:
        figures["smallest_gradient_norm"] = min(epoch.gradient_norms.values())
    found = {f"{name}/{stage}": value for name, value in figures.items() if math.isfinite(value)}
    if stage == ALL_DATA:
        found |= {f"gradient_norm/{layer}": norm for layer, norm in epoch.gradient_norms.items()}
    registry.log(run_id, metrics=found, step=epoch.stage_step or epoch.step)


def log_candidate(registry: Registry, result: Result, comparison: Comparison, split: Split, unit: str) -> None:
    """Log a candidate: its settings, metrics, warnings and figures."""
    spec, warnings = result.candidate.forecaster.spec, " ".join(result.candidate.warnings)
    registry.log(
        result.run_id,
        params=chosen_params(spec) | _ensemble_params(result.candidate),
        metrics=comparison.summary_metrics(result) | _ensemble_metrics(result.candidate.ensemble_weights),
        tags={
            "almanac.kind": "candidate",
            "architecture": spec.architecture,
            "candidate": result.name,
            "beats_baselines": comparison.beats_baselines(result),
            "data_digest": spec.data_digest,
            "warnings": warnings or "none",
            "weights_digest": provenance.weights_digest(result.candidate.directory / artifact.NETWORK),
        },
    )
    if result.name != ENSEMBLE:
        registry.log_json(result.run_id, _choices(result.candidate), provenance.CHOICES)
    with tempfile.TemporaryDirectory() as folder:
        figures.save_figures(_draw(result, comparison, split, unit), Path(folder))
        registry.log_files(result.run_id, Path(folder), "figures")
    sections = {"Result": descriptions.describe_result(result, comparison), "Warnings": warnings}
    registry.describe(result.run_id, sections)


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
    registry.describe(run_id, {"Result": f"failed at step {failure.step}: {failure.cause}"})


def log_baseline(registry: Registry, run_id: str, name: str, comparison: Comparison) -> None:
    """Log the metrics and the sample of a baseline."""
    tags = {"almanac.kind": "baseline", "architecture": name}
    sample = flat({"sample": comparison.samples().get(name, {})})
    registry.log(run_id, params={"architecture": name, **sample}, metrics=comparison.baseline_metrics(name), tags=tags)
    fitted = comparison.baselines[name].sample
    on = f" {describe_sample(name, fitted)}." if fitted else ""
    registry.describe(run_id, {"Result": f"baseline, MASE {comparison.baselines[name].scores.mase.mean():.3f}.{on}"})


def log_winner(registry: Registry, run_id: str, winner: Result, comparison: Comparison, *, refitted: bool) -> None:
    """Log the winner on its run and on the comparison's run, which also gets its metrics, all scores and a figure."""
    beats = comparison.beats_baselines(winner)
    tags = {"winner": winner.name, "winner_run_id": winner.run_id, "beats_baselines": beats, "refit": refitted}
    chosen = {"picked": bool(comparison.pick), "validation_winner": comparison.best.name}
    registry.log(run_id, metrics=comparison.summary_metrics(winner), tags={**tags, **chosen})
    registry.log(winner.run_id, tags={"winner": True, "refit": refitted})
    table, experiment = descriptions.comparison_table(comparison, winner), registry.run(run_id).experiment
    registry.log_table(run_id, table, TABLE)
    with tempfile.TemporaryDirectory() as folder:
        title = f"MASE of candidates and baselines on {len(set(winner.scores.ids))} series"
        drawn = {COMPARISON: draw_comparison(comparison, winner, title=title)}
        figures.save_figures(drawn, Path(folder))
        registry.log_files(run_id, Path(folder), "figures")
    sections = {
        "Winner": descriptions.describe_winner(winner, comparison),
        "Scores": descriptions.describe_scores(table, experiment),
        "Figure": f'\n\n<img src="get-artifact?path=figures/{COMPARISON}.png&run_uuid={run_id}" width="1000">',
    }
    registry.describe(run_id, sections)


def log_served(registry: Registry, run_id: str, served: Candidate) -> None:
    """Log the weights' digest and the settings of the served networks, which were trained again after the backtest."""
    registry.log(run_id, tags={"served_weights_digest": provenance.weights_digest(served.directory / artifact.NETWORK)})
    specs = [one.forecaster.spec for one in (served.members.values() or [served])]
    networks = [
        {"architecture": one.architecture, "seed": one.seed, "choices": provenance.choices(one)} for one in specs
    ]
    registry.log_json(run_id, {"networks": networks}, provenance.SERVED_CHOICES)


def log_decision(
    registry: Registry, name: str, run_ids: Sequence[str], decision: PromotionDecision, version: str
) -> None:
    """Log a promotion decision on the given runs, the comparison's first, and describe the version."""
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
        registry.describe(run_id, {"Decision": descriptions.describe_decision(decision, version)})
    compared = registry.run(run_ids[0])
    note = compared.tags.get(descriptions.NOTE, "")
    registry.models.describe(name, version, descriptions.describe_version(note, compared.experiment, compared.run_id))


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
    """Return the weights of an ensemble; nothing for a network."""
    ensemble = candidate.ensemble_weights
    if ensemble is None:
        return {}
    weights = {f"ensemble.weight.{name}": weight for name, weight in ensemble.weights.items()}
    return {"ensemble.combination": ensemble.combination, **weights}


def _ensemble_metrics(ensemble: EnsembleWeights | None) -> dict[str, float]:
    """Return the validation loss of each kind of ensemble weights; nothing for a network."""
    return {f"ensemble.pinball_{kind}": loss for kind, loss in ensemble.losses.items()} if ensemble else {}
