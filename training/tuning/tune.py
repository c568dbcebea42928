"""Tune: a search over settings by validation error, kept on disk so that an interrupted one resumes."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.errors import TrainingError
from training.config.training import train_config
from training.data.holdout import describe_split, hold_out
from training.engines.engine import Engine
from training.evaluation import figures
from training.pipeline.plan import read_data
from training.pipeline.task import Runtime, TrainingTask
from training.registry import provenance, runs
from training.registry.client import Registry
from training.registry.views import search_view
from training.tuning import search_space
from training.tuning.rounds import ROUND, run_round
from training.tuning.search import RunningSearch, Search, run_trial
from training.tuning.study import (
    check_same,
    count_outcomes,
    count_trials,
    give_back,
    measure_importances,
    open_study,
    to_figure,
)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Result of a search so far: the best trial, trials by outcome, each setting's share in the spread of the errors."""

    study: str
    run_id: str
    best: Mapping[str, Any]
    trial: int
    validation_mase: float
    trials: Mapping[str, int]
    importances: Mapping[str, float]
    output: Path
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the result as `almanac tune --json` prints it."""
        return asdict(self) | {"output": str(self.output)}


def tune(search: Search, registry: Registry, runtime: Runtime, engine: Engine | None = None) -> SearchResult:
    """Try settings until the budget is used up, and write the best ones as a configuration.

    With an engine trials run in rounds, each as a task of its own: the result is the same on every engine.

    Trials are compared on validation origins before the cutoff; the held-out block is never used.

    Raises:
        AlmanacError: If the data cannot be used, no trial ever completed, the study was begun with other data or settings,
            or another process works on it.
    """
    config = train_config(search.settings)
    data = read_data(config, runtime.progress)
    split = hold_out(data.series, config.horizon, season_length=data.frequency.season_length)
    runtime.progress.report_findings(describe_split(split))
    with open_study(search.folder, search.study, seed=config.seed) as study:
        check_same(study, _identity(search, data.digest))
        known = study.user_attrs.get("run_id")
        with runs.tracked_run(registry, config.name, f"tune {search.study}", resume=known) as run_id:
            study.set_user_attr("run_id", run_id)
            running = RunningSearch(search, study, TrainingTask(config, data, (split,)), run_id, registry, runtime)
            if run_id != known:
                _log_begin(running)
            _report_plan(running)
            try:
                _run_trials(running, engine)
                return _conclude(running)
            except KeyboardInterrupt:
                _report_stopped(running, "Stopped")
                raise


def _run_trials(running: RunningSearch, engine: Engine | None) -> None:
    """Run trials until their number or the seconds are used up; the configured settings come first."""
    study, budget, config = running.study, running.search.budget, running.task.config
    if not study.trials:
        first = {key: getattr(config.fit, key.removeprefix("fit."), None) for key in running.search.space}
        first |= {"fit.batch_size": config.fit.batch, "fit.max_steps": config.fit.schedules[-1]}
        first["architecture"] = config.first_network
        study.enqueue_trial(search_space.as_params(running.search.space, first))
    while left := max(budget.trials - count_trials(study), 0):
        if running.seconds > budget.max_seconds:
            _report_stopped(running, f"{budget.max_seconds:g} s are used up")
            return
        trials = [study.ask() for _ in range(1 if engine is None else min(ROUND, left))]
        try:
            if engine is None:
                run_trial(running, trials[0])
            else:
                run_round(running, trials, engine)
        except BaseException:
            for trial in trials:
                give_back(study, trial)
            raise


def _conclude(running: RunningSearch) -> SearchResult:
    """Write the best configuration, draw the search, and return the result.

    Raises:
        TrainingError: If no trial completed.
    """
    study, search = running.study, running.search
    counts = count_outcomes(study)
    if not counts["complete"]:
        causes = {one.user_attrs["cause"] for one in study.trials if "cause" in one.user_attrs}
        raise TrainingError(f"No trial of study {search.study} completed. {' '.join(sorted(causes))}".rstrip())
    running.write_best()
    importances = measure_importances(study)
    _log_end(running, counts, importances)
    return SearchResult(
        search.study,
        running.run_id,
        running.best_settings,
        study.best_trial.number,
        float(study.best_value),
        counts,
        importances,
        search.output,
        running.seconds,
    )


def _identity(search: Search, digest: str) -> dict[str, str]:
    """Return what makes the errors of trials comparable: neither the data's place nor its unit matters."""
    settings = asdict(train_config(search.settings))
    return {
        "data": digest,
        "settings": json.dumps({key: value for key, value in settings.items() if key not in {"data", "name", "unit"}}),
        "space": "; ".join(f"{key}: {one}" for key, one in search.space.items()),
    }


def _log_begin(running: RunningSearch) -> None:
    """Log the configuration that a search starts from, and its space."""
    registry, run_id, data = running.registry, running.run_id, running.task.data
    runs.log_provenance(registry, run_id, provenance.describe(running.task.config, data, running.runtime.environment))
    space = {f"space.{key}": str(one) for key, one in running.search.space.items()}
    registry.log(run_id, params=space, tags={"almanac.kind": "search"})
    registry.log_dataset(run_id, name=data.path.stem, digest=data.digest, source=str(data.path), profile="{}")
    registry.save_views(run_id, search_view(run_id))


def _log_end(running: RunningSearch, counts: Mapping[str, int], importances: Mapping[str, float]) -> None:
    """Log the best error, the counts, the figure and the best configuration."""
    registry, run_id, study = running.registry, running.run_id, running.study
    metrics = {"validation.mase": float(study.best_value)}
    metrics |= {f"trials.{name}": float(count) for name, count in counts.items()}
    registry.log(run_id, metrics=metrics)
    best = ", ".join(f"`{key}` {value}" for key, value in running.best_settings.items())
    result = f"trial {study.best_trial.number} has the least validation MASE, {study.best_value:.4f}, of {len(study.trials)}: {best}."
    registry.describe(run_id, {"Result": result})
    shown = [one for one in map(to_figure, study.trials) if one is not None]
    title = f"Study {running.search.study}: {len(shown)} trials"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        figures.save_figures({"search": figures.draw_search(shown, importances, title=title)}, folder)
        registry.log_files(run_id, folder, "figures")
        (folder / "search.png").unlink()
        shutil.copy(running.search.output, folder / "best.toml")
        registry.log_files(run_id, folder, "configuration")


def _report_plan(running: RunningSearch) -> None:
    search = running.search
    done = count_trials(running.study)
    before = f", {done} of them done" if done else ""
    running.report(
        f"Study {search.study}: {search.budget.trials} trials{before}, up to {search.budget.max_seconds:g} s from now."
    )
    for key, one in search.space.items():
        running.report(f"  {key}: {one}")


def _report_stopped(running: RunningSearch, cause: str) -> None:
    done, wanted = count_trials(running.study), running.search.budget.trials
    running.report(f"{cause} after {done} of {wanted} trials. Run the same command to go on.", "yellow")
