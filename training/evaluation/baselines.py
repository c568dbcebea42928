"""Baselines: the reference forecasts of a comparison, made for all series or for a random sample of them."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from models.baselines import BASELINES as PLAIN
from models.errors import Finding
from training.config.training import BASELINES
from training.data.holdout import Split
from training.evaluation import classical
from training.evaluation.comparison import BaselineResult, Sample, describe_sample
from training.evaluation.scores import LEVELS, predict_baseline, score, stack_forecasts, time_forecast
from training.progress import Progress

MAX_NAMED = 2
"""Number of failed fits that a finding names; it counts the others."""


@dataclass(frozen=True, slots=True)
class BaselineRequest:
    """Which baselines to compute, and for how many series.

    Attributes:
        names: Names from `training.config.training.BASELINES`.
        series: Number of series to which AutoETS and AutoTheta are fitted; None takes as many as `classical.BUDGET` allows.
        seed: Seed of the sample.
        origins: Number of origins that share the budget.
        pool: Processes of `classical.worker_processes` that fit AutoETS and AutoTheta; None starts some and ends them.
    """

    names: tuple[str, ...] = BASELINES
    series: int | None = None
    seed: int = 0
    origins: int = 1
    pool: Executor | None = None


def backtest_baselines(split: Split, request: BaselineRequest, progress: Progress) -> dict[str, BaselineResult]:
    """Return each baseline's forecasts of the held-out block and their errors, in the order of the request."""
    found = {name: _plain(name, split) for name in request.names if name in PLAIN}
    names = tuple(name for name in request.names if name in classical.CLASSICAL)
    if names:
        found |= _classical(names, split, request, progress)
    return {name: found[name] for name in request.names if name in found}


def _plain(name: str, split: Split) -> BaselineResult:
    predictions, milliseconds = time_forecast(lambda: predict_baseline(name, split))
    return BaselineResult(score(split, predictions), predictions, milliseconds / len(split.scored))


def _classical(
    names: tuple[str, ...], split: Split, request: BaselineRequest, progress: Progress
) -> dict[str, BaselineResult]:
    """Fit the classical models to a sample, report its size, the time and the failures, and return the results."""
    histories, label, began = split.scored_histories, " and ".join(names), time.perf_counter()
    budget = classical.BUDGET // request.origins
    indices = classical.sample(histories, seed=request.seed, series=request.series, budget=budget)
    with progress.counting(label, len(indices)) as on_done:
        fits = classical.fit_all(
            histories,
            indices,
            names,
            split.horizon,
            season_length=split.season_length,
            levels=LEVELS,
            on_done=on_done,
            deadline=classical.DEADLINE_SECONDS / request.origins if request.series is None else float("inf"),
            pool=request.pool,
        )
    if not fits.indices:
        progress.report(f"  {label}: the processes that fit them were killed, so there are no results.", "red")
        return {}
    sample = _sample(fits, split, request)
    progress.report(f"{_describe(label, sample)}; {time.perf_counter() - began:.0f} s.")
    progress.report_findings(_findings(fits))
    return {name: _result(name, fits, split, sample) for name in names}


def _sample(fits: classical.Fits, split: Split, request: BaselineRequest) -> Sample:
    return Sample(
        fits.indices,
        total=len(split.scored),
        observations=fits.observations,
        seed=request.seed,
        interpolated=fits.interpolated,
        shortened=fits.shortened,
    )


def _result(name: str, fits: classical.Fits, split: Split, sample: Sample) -> BaselineResult:
    predictions = stack_forecasts(fits.forecasts[name])
    scores = score(split.only(fits.indices), predictions)
    milliseconds = 1000 * fits.seconds[name] / len(fits.indices)
    return BaselineResult(scores, predictions, milliseconds, replace(sample, failed=len(fits.failures[name])))


def _describe(label: str, sample: Sample) -> str:
    parts = [describe_sample(label, sample)]
    if sample.interpolated:
        parts.append(f"{sample.interpolated} gaps interpolated for these models only")
    if sample.shortened:
        parts.append(f"the newest {classical.LONGEST} steps of {sample.shortened} series")
    return ", ".join(parts)


def _findings(fits: classical.Fits) -> Sequence[Finding]:
    return [
        Finding("FIT_FAILED", f"{name}: {len(failed)} series got a seasonal naive, {_first(failed)}.")
        for name, failed in fits.failures.items()
        if failed
    ]


def _first(failed: Mapping[str, str]) -> str:
    named = [f"{key} ({cause})" for key, cause in list(failed.items())[:MAX_NAMED]]
    return ", ".join([*named, *([f"and {len(failed) - MAX_NAMED} more"] if len(failed) > MAX_NAMED else [])])
