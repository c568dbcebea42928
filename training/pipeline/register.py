"""Register: the winner becomes a version in MLflow, and the decision moves its alias."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models import artifact
from models.errors import ModelUnknown
from models.names import CHAMPION
from models.spec import ModelSpec
from training.evaluation.comparison import Comparison, Result
from training.evaluation.leakage import ends_of
from training.evaluation.promotion import PromotionDecision
from training.fit.candidate import Candidate
from training.fit.candidate_files import save_candidate
from training.pipeline.champion import BACKTESTED, CANDIDATE, SEEN, SERVED
from training.pipeline.task import TrainingTask
from training.registry import runs
from training.registry.client import Registry
from training.registry.example import model_example


def keep_candidate(registry: Registry, run_id: str, candidate: Candidate, task: TrainingTask) -> None:
    """Upload a candidate as it is backtested, with the last timestamps that it has seen and will have seen when served.

    A later warm start begins with it, and a later challenger is compared with it: it has seen less than what is served.
    """
    backtested = ends_of(task.cutoff.histories)
    seen = {BACKTESTED: backtested, SERVED: ends_of(task.data.series) if task.config.refit else backtested}
    with tempfile.TemporaryDirectory(prefix="almanac-") as folder:
        saved = save_candidate(candidate, Path(folder) / CANDIDATE)
        (saved / SEEN).write_text(json.dumps(seen), encoding="utf-8")
        registry.log_files(run_id, saved, CANDIDATE)


def describe_served(winner: Result, comparison: Comparison, task: TrainingTask, *, refitted: bool) -> dict[str, Any]:
    """Return what the specification of the served network says about the comparison that it won."""
    where = f"the last {task.config.horizon} points of each series"
    if len(task.splits) > 1:
        where = f"{len(task.splits)} origins, {task.config.horizon} points of each series at each,"
    again = "; the network served was then trained again on all data." if refitted else "."
    note = f"Measured on {where} by a network that had not seen them{again}"
    return {
        "backtest": comparison.cards(winner, note),
        "beats_baselines": comparison.beats_baselines(winner),
        "run_id": winner.run_id,
    }


def upload(registry: Registry, run_id: str, folder: Path, task: TrainingTask, tags: Mapping[str, str]) -> str:
    """Upload an artifact and return its new version, alias challenger."""
    uri = registry.models.log_model(run_id, folder, model_example(task.data, task.config.horizon))
    return registry.models.register(task.config.name, uri, run_id=run_id, tags={**_version_tags(folder, task), **tags})


LIVE_SCORES = "almanac.live_scores"
"""Tag of a version that waits for so many live scores before it becomes champion; 0 once they have decided."""


def promote(  # noqa: PLR0913, PLR0917 (a decision, what it was made against, and what it waits for)
    registry: Registry, name: str, version: str, decision: PromotionDecision, expected: str | None, live_scores: int = 0
) -> PromotionDecision:
    """Make a version champion if the decision says so, and return the decision as it was carried out.

    Nothing moves if the champion is no longer the version that the decision was made against. With `live_scores` the version
    stays challenger until the watch finds so many scores (`training.retraining.live_stages`); a forced decision does not wait.
    """
    now = champion_version(registry, name)
    decision = decision.with_figures(challenger_version=version)
    if now in {expected, version}:
        if decision.promote and live_scores and not decision.forced and now not in {None, version}:
            registry.models.tag(name, version, {LIVE_SCORES: str(live_scores)})
            waits = (
                f"It waits as challenger for {live_scores} live scores beside the champion's (ALMANAC_SHADOW_SHARE)."
            )
            return replace(decision, promote=False, reason=f"{decision.reason} {waits}")
        if decision.promote:
            registry.models.promote(name, version)
        return decision
    there, against = (f"version {one}" if one else "no version" for one in (now, expected))
    changed = f"The champion is now {there}, not {against}, which the challenger was compared with."
    if not decision.promote:
        return replace(decision, notes=(*decision.notes, changed))
    return replace(decision, promote=False, reason=changed, notes=(*decision.notes, changed))


def champion_version(registry: Registry, name: str) -> str | None:
    """Return the version that the champion alias names, or None if it names none."""
    try:
        return registry.models.resolve(f"{name}@{CHAMPION}").version
    except ModelUnknown:
        return None


def _version_tags(folder: Path, task: TrainingTask) -> dict[str, str]:
    """Return what a version says about its artifact."""
    spec, unit = folder / artifact.SPEC, task.config.unit
    architecture = ModelSpec.from_json(spec.read_bytes()).architecture
    return {"architecture": architecture, "spec_digest": runs.file_digest(spec)} | ({"unit": unit} if unit else {})
