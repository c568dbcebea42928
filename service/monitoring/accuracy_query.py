"""Reckoning: the answer to GET /accuracy, from scores, inputs and what each version promised."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models.calendar.timestamps import format_timestamps
from models.intervals import SAME, interval_sides
from service.monitoring.accuracy import (
    BacktestFigures,
    accuracy_figures,
    backtest_at,
    by_version,
    compare_with_backtest,
)
from service.monitoring.drift import RecentInputs
from service.selector import LoadedModel
from service.store.database import Database
from service.store.newest_observations import window_start
from service.store.score_sums import (
    GroupKey,
    Period,
    ScoredForecast,
    ScoreFilter,
    ScoreSums,
    count_due,
    list_scored_forecasts,
    sum_scores,
)

SHOWN_LEVEL = 80.0
"""Of the interval that is shown beside the truth."""

FindBacktest = Callable[[str, str], BacktestFigures]


@dataclass(frozen=True, slots=True)
class AccuracyQuery:
    """What GET /accuracy was asked.

    Attributes:
        where: Which scores.
        by: What tells rows apart, beside the model.
        period: Of timestamps, where `by` has `period`.
        limit: Most rows.
        forecasts: How many forecasts to show beside their truth.
        window: Only truths of the newest so many steps of time; None leaves that open.
    """

    where: ScoreFilter
    by: tuple[GroupKey, ...]
    period: Period
    limit: int
    forecasts: int
    window: int | None = None


def query_accuracy(
    database: Database,
    question: AccuracyQuery,
    promised: FindBacktest,
    inputs: RecentInputs,
    champions: Sequence[LoadedModel],
) -> dict[str, Any]:
    """Return the answer as data; call it from a thread. Raises DatabaseUnreachable if the database does not answer."""
    where, since = _windowed(database, question)
    keys: tuple[GroupKey, ...] = ("model", *question.by)
    rows = sum_scores(database, where, keys, question.period, question.limit + 1)
    shown = list_scored_forecasts(database, where, question.forecasts) if question.forecasts else []
    return {
        "rows": [_row(keys, key, one, promised) for key, one in rows[: question.limit]],
        "truncated": len(rows) > question.limit,
        "drift": {
            "inputs": _inputs(inputs, [one for one in champions if where.model in {None, one.name}]),
            "errors": _errors(database, where, promised),
        },
        "forecasts": [_forecast(one) for one in shown],
        "since": since,
        "due": count_due(database),
    }


def _windowed(database: Database, question: AccuracyQuery) -> tuple[ScoreFilter, str | None]:
    """Return which scores are meant, and since when, where a window was asked for and there are any."""
    where = question.where
    start = window_start(database, where, question.window) if question.window else None
    if start is None:
        return where, None
    since = start if where.since is None else max(start, where.since)
    return replace(where, since=since), str(np.datetime64(since, "us").astype("M8[s]"))


def _row(keys: Sequence[GroupKey], key: Sequence[str | int], one: ScoreSums, promised: FindBacktest) -> dict[str, Any]:
    told: dict[str, Any] = dict(zip(keys, key, strict=True))
    backtest = None
    if {"version", "step"} <= told.keys():
        backtest = backtest_at(promised(told["model"], told["version"]), told["step"])
    return {**told, **accuracy_figures(one), "backtest": backtest}


def _errors(database: Database, where: ScoreFilter, promised: FindBacktest) -> list[dict[str, Any]]:
    """Return the live errors of each version beside its backtest's, where there is one."""
    rows = sum_scores(database, where, ["model", "version", "step"])
    found = []
    for (model, version), steps in by_version([((str(m), str(v), int(s)), one) for (m, v, s), one in rows]).items():
        if compared := compare_with_backtest(steps, promised(model, version)):
            found.append(
                {
                    "model": model,
                    "version": version,
                    "scores": compared.scores,
                    "mase": compared.mase,
                    "backtest_mase": compared.expected_mase,
                    "ratio": compared.ratio,
                    "naive_ratio": compared.naive_ratio,
                }
            )
    return found


def _inputs(inputs: RecentInputs, champions: Sequence[LoadedModel]) -> list[dict[str, Any]]:
    """Return how far the newest inputs of each champion have moved, feature by feature."""
    return [
        {
            "model": served.name,
            "version": served.version,
            "feature": feature,
            "index": shift.index,
            "distance": shift.distance,
            "p_value": shift.p_value(),
            "inputs": shift.inputs,
        }
        for served, shifts in inputs.drifts(champions)
        for feature, shift in shifts.items()
    ]


def _forecast(one: ScoredForecast) -> dict[str, Any]:
    """Return a forecast beside what was observed before and since."""
    kept = one.kept
    sides = [_side(one, side) for side in interval_sides(SHOWN_LEVEL)]
    return {
        "forecast_id": one.forecast_id,
        "id": one.series_id,
        "model": one.model,
        "version": one.version,
        "timestamps": format_timestamps(kept.timestamps, one.style, one.timezone),
        "median": kept.median.tolist(),
        "lower": sides[0],
        "upper": sides[1],
        "observed": {
            "timestamps": format_timestamps(one.timestamps, one.style, one.timezone),
            "values": one.values.tolist(),
        },
    }


def _side(one: ScoredForecast, wanted: float) -> list[float] | None:
    """Return one side of the interval that is shown, None where the forecast has it not."""
    for place, level in enumerate(one.kept.levels):
        if abs(level - wanted) < SAME:
            side: list[float] = one.kept.quantiles[:, place].tolist()
            return side
    return None
