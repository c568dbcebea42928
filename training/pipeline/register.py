"""Registering: what was found goes into the winner's specification, and the winner into the registry as a version."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import artifact
from models.spec import ModelSpec
from training.evaluation.comparison import Comparison, Result
from training.evaluation.leakage import ends_of
from training.fit.candidate import Candidate
from training.fit.candidate_files import lay_down
from training.registry import runs

if TYPE_CHECKING:
    from training.pipeline.task import Bench, Task
    from training.registry.client import Registry

SERVED, BACKTESTED = "served", "backtested"
"""A model as it is served, and as it was before its last training on all data."""

SEEN = "seen.json"
"""Last timestamp of each series by id, under `backtested` and `served`."""

AT_REST = "candidate"
"""Folder of a candidate's run with the candidate as `training.fit.candidate_files` lays it down."""


def register(winner: Result, final: Candidate, comparison: Comparison, task: "Task", bench: "Bench") -> str:
    """Write what was found into the winner's specification, upload it and return its version, alias challenger."""
    again = final is not winner.candidate
    keep_at_rest(bench.registry, winner.run_id, winner.candidate, task)
    artifact.update_spec(final.directory, **describe_served(winner, comparison, task, refitted=again))
    model_uri = bench.registry.log_model(
        winner.run_id, final.directory, runs.model_example(task.data, task.config.horizon)
    )
    runs.log_winner(bench.registry, task.run_id, winner, comparison, refitted=again)
    if again:
        runs.log_served(bench.registry, winner.run_id, final)
    tags = version_tags(final.directory, task.config.unit)
    return bench.registry.register(task.config.name, model_uri, run_id=winner.run_id, tags=tags)


def keep_at_rest(registry: "Registry", run_id: str, candidate: Candidate, task: "Task") -> None:
    """Upload a candidate as it is backtested, and how far it has seen of each series, and will have seen once trained again.

    Who goes on from it, or is measured by it, needs one that has seen less than what is served.
    """
    backtested = ends_of(task.split.histories)
    seen = {BACKTESTED: backtested, SERVED: ends_of(task.data.series) if task.config.refit else backtested}
    with tempfile.TemporaryDirectory(prefix="almanac-") as folder:
        rest = lay_down(candidate, Path(folder) / AT_REST)
        (rest / SEEN).write_text(json.dumps(seen), encoding="utf-8")
        registry.log_files(run_id, rest, AT_REST)


def describe_served(winner: Result, comparison: Comparison, task: "Task", *, refitted: bool) -> dict[str, Any]:
    """Return what the specification of the network that is served says of the comparison that it won."""
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


def version_tags(directory: Path, unit: str) -> Mapping[str, str]:
    """Return what a version says of the artifact in a directory."""
    spec = directory / artifact.SPEC
    architecture = ModelSpec.from_json(spec.read_bytes()).architecture
    return {"architecture": architecture, "spec_digest": runs.file_digest(spec)} | ({"unit": unit} if unit else {})
