"""Baselines: what stands beside every network at an origin, on all its series or on a stated sample of them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.baselines import BASELINES as PLAIN
from models.errors import Finding
from training.config.training import BASELINES
from training.data.holdout import Split
from training.evaluation import classical
from training.evaluation.comparison import BaselineResult, Sample, tell_sample
from training.evaluation.scores import LEVELS, predict_baseline, score, stack_forecasts, time_forecast
from training.progress import Progress

NAMED = 2
"""Failed fits whose series and reason are told; the others are counted."""


@dataclass(frozen=True, slots=True)
class BaselineWish:
    """Which baselines, and on how many series the classical ones.

    Attributes:
        names: Of `training.config.training.BASELINES`.
        series: Series that AutoETS and AutoTheta are fitted to; None takes as many as `classical.BUDGET` holds.
        seed: Of the sample.
        origins: Origins among which the budget is divided.
    """

    names: tuple[str, ...] = BASELINES
    series: int | None = None
    seed: int = 0
    origins: int = 1


def backtest_baselines(split: Split, wish: BaselineWish, progress: Progress) -> dict[str, BaselineResult]:
    """Return each baseline's forecasts of the held-out block and their errors, in the order of the wish."""
    found = {name: _plain(name, split) for name in wish.names if name in PLAIN}
    heavy = tuple(name for name in wish.names if name in classical.CLASSICAL)
    if heavy:
        found |= _classical(heavy, split, wish, progress)
    return {name: found[name] for name in wish.names if name in found}


def _plain(name: str, split: Split) -> BaselineResult:
    predictions, milliseconds = time_forecast(lambda: predict_baseline(name, split))
    return BaselineResult(score(split, predictions), predictions, milliseconds / len(split.scored))


def _classical(
    names: tuple[str, ...], split: Split, wish: BaselineWish, progress: Progress
) -> dict[str, BaselineResult]:
    """Fit the classical models to a sample, and say which, how long it took and what went wrong."""
    histories, label, began = split.scored_histories, " and ".join(names), time.perf_counter()
    drawn = classical.sample(histories, seed=wish.seed, series=wish.series, budget=classical.BUDGET // wish.origins)
    with progress.counting(label, len(drawn)) as show:
        fits = classical.fit_all(
            histories,
            drawn,
            names,
            split.horizon,
            season_length=split.season_length,
            levels=LEVELS,
            on_done=show,
            deadline=classical.DEADLINE_SECONDS / wish.origins if wish.series is None else float("inf"),
        )
    if not fits.places:
        progress.report(f"  {label}: the processes that fit them ended, so these rows are missing.", "red")
        return {}
    found = {name: _result(name, fits, split, wish) for name in names}
    progress.report(f"{_told(label, found[names[0]], fits)}; {time.perf_counter() - began:.0f} s.")
    progress.report_findings(_tell_failures(fits))
    return found


def _result(name: str, fits: classical.Fits, split: Split, wish: BaselineWish) -> BaselineResult:
    sample = Sample(
        fits.places,
        len(split.scored),
        fits.observations,
        wish.seed,
        fits.interpolated,
        fits.shortened,
        len(fits.failures[name]),
    )
    predictions = stack_forecasts(fits.forecasts[name])
    scores = score(split.only(fits.places), predictions)
    return BaselineResult(scores, predictions, 1000 * fits.seconds[name] / len(fits.places), sample)


def _told(label: str, result: BaselineResult, fits: classical.Fits) -> str:
    sample = result.sample
    told = [tell_sample(label, sample)] if sample else [label]
    if fits.interpolated:
        told.append(f"{fits.interpolated} gaps interpolated for these alone")
    if fits.shortened:
        told.append(f"the newest {classical.LONGEST} steps of {fits.shortened} series")
    return ", ".join(told)


def _tell_failures(fits: classical.Fits) -> Sequence[Finding]:
    return [
        Finding("FIT_FAILED", f"{name}: {len(failed)} series got a seasonal naive, {_first(failed)}.")
        for name, failed in fits.failures.items()
        if failed
    ]


def _first(failed: Mapping[str, str]) -> str:
    named = [f"{key} ({why})" for key, why in list(failed.items())[:NAMED]]
    return ", ".join([*named, *([f"and {len(failed) - NAMED} more"] if len(failed) > NAMED else [])])
