"""Accuracy query: the data of GET /accuracy: scores, drift of inputs and errors, and some scored forecasts."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.calendar.timestamps import format_timestamps
from models.intervals import SAME, interval_sides
from models.json_values import finite_or_none
from models.retraining.live_figures import FeatureDrift, LiveFigures
from service.monitoring.drift import RecentInputs
from service.monitoring.score_figures import (
    BacktestFigures,
    ErrorDecay,
    accuracy_figures,
    by_version,
    compare_with_backtest,
)
from service.selector import LoadedModel
from service.store.database import Database
from service.store.newest_observations import newest_window
from service.store.scoring.counting import count_disputed, count_due, count_truths
from service.store.scoring.rollups import DAY, Period
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import GroupKey, Rows, sum_scores_and_steps
from service.store.scoring.scored_forecasts import ScoredForecast, list_scored_forecasts

SHOWN_LEVEL = 80.0
"""Level of the interval of the forecasts that are shown."""

FindBacktest = Callable[[str, str], BacktestFigures]
"""Returns the backtest figures of a model's version."""


@dataclass(frozen=True, slots=True)
class AccuracyQuery:
    """The parameters of GET /accuracy.

    Attributes:
        where: Which scores.
        by: Keys that group the scores, beside the model.
        period: Of the key `period`.
        limit: Most rows.
        forecasts: How many scored forecasts to show.
        window: Count only the newest `window` scored steps; None counts all.
    """

    where: ScoreFilter
    by: tuple[GroupKey, ...]
    period: Period
    limit: int
    forecasts: int
    window: int | None = None


def query_accuracy(
    database: Database,
    query: AccuracyQuery,
    find_backtest: FindBacktest,
    inputs: RecentInputs,
    champions: Sequence[LoadedModel],
) -> dict[str, Any]:
    """Return the response as data; call it from a thread. Raise DatabaseUnreachable if the database does not answer."""
    where, since, truths = _apply_window(database, query)
    keys: tuple[GroupKey, ...] = ("model", *query.by)
    rows, steps = sum_scores_and_steps(database, where, keys, query.period, query.limit + 1)
    shown = list_scored_forecasts(database, where, query.forecasts) if query.forecasts else []
    return {
        "rows": _rows(keys, rows[: query.limit], find_backtest),
        "truncated": len(rows) > query.limit,
        "drift": {
            "inputs": _input_drift(inputs, [one for one in champions if where.model in {None, one.name}]),
            "errors": _error_drift(steps, find_backtest),
        },
        "forecasts": [_forecast(one) for one in shown],
        "since": since,
        "observations": truths,
        "due": count_due(database),
        "disputed": count_disputed(database),
    }


def _apply_window(database: Database, query: AccuracyQuery) -> tuple[ScoreFilter, str | None, int | None]:
    """Return the filter of the window, its start as text, and how many observations it has; None without a window."""
    where = newest_window(database, query.where, query.window) if query.window else None
    if where is None:
        return query.where, None, None
    since = max(
        -math.inf if where.since is None else where.since,
        -math.inf if where.since_day is None else where.since_day * DAY,
    )
    return where, str(np.datetime64(int(since), "us").astype("M8[s]")), count_truths(database, where)


def _rows(keys: Sequence[GroupKey], sums: Rows, find_backtest: FindBacktest) -> list[dict[str, Any]]:
    """Return the rows of the response; there may be 10,000."""
    has_backtest = {"version", "step"} <= {*keys}
    found = []
    for key, one in sums:
        row: dict[str, Any] = dict(zip(keys, key, strict=True)) | accuracy_figures(one)
        row["backtest"] = find_backtest(row["model"], row["version"]).at(row["step"]) if has_backtest else None
        found.append(row)
    return found


def live_figures(
    database: Database,
    query: AccuracyQuery,
    find_backtest: FindBacktest,
    inputs: RecentInputs,
    champions: Sequence[LoadedModel],
) -> LiveFigures:
    """Return the figures of one version, the one that the query's filter names; call it from a thread.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    where, _, truths = _apply_window(database, query)
    rows, steps = sum_scores_and_steps(database, where, ("model", "version"))
    found = accuracy_figures(rows[0][1]) if rows else {}
    compared = _compared(steps, find_backtest).get((str(where.model), str(where.version)))
    drifts = [
        FeatureDrift(feature, drift.confirmed_index, drift.confirmed_inputs)
        for champion, features in inputs.drifts(champions)
        if (champion.name, champion.version) == (where.model, where.version)
        for feature, drift in features.items()
        if drift.confirmed_index is not None
    ]
    return LiveFigures(
        scores=found.get("scores", 0),
        skill=found.get("skill"),
        coverage_80=found.get("coverage", {}).get("80"),
        compared_scores=0 if compared is None else compared.scores,
        error_ratio=None if compared is None else finite_or_none(compared.ratio),
        naive_ratio=None if compared is None else finite_or_none(compared.naive_ratio),
        drift=max(drifts, key=lambda one: one.index, default=None),
        observations=truths,
    )


def _compared(steps: Rows, find_backtest: FindBacktest) -> dict[tuple[str, str], ErrorDecay]:
    """Return the live errors of each model's version compared with its backtest, if it has one; by model, version and step."""
    live = by_version([((str(m), str(v), int(s)), one) for (m, v, s), one in steps])
    found = {key: compare_with_backtest(one, find_backtest(*key)) for key, one in live.items()}
    return {key: one for key, one in found.items() if one is not None}


def _error_drift(steps: Rows, find_backtest: FindBacktest) -> list[dict[str, Any]]:
    """Return the live errors of each version compared with its backtest, as the response has them; as `_compared`."""
    return [
        {
            "model": model,
            "version": version,
            "scores": compared.scores,
            "mase": compared.mase,
            "backtest_mase": compared.expected_mase,
            "ratio": compared.ratio,
            "naive_ratio": compared.naive_ratio,
        }
        for (model, version), compared in _compared(steps, find_backtest).items()
    ]


def _input_drift(inputs: RecentInputs, champions: Sequence[LoadedModel]) -> list[dict[str, Any]]:
    """Return the drift of each champion's newest inputs by feature."""
    return [
        {
            "model": champion.name,
            "version": champion.version,
            "feature": feature,
            "index": drift.index,
            "distance": drift.distance,
            "p_value": drift.p_value(),
            "inputs": drift.inputs,
            "confirmed_index": drift.confirmed_index,
            "confirmed_inputs": drift.confirmed_inputs,
        }
        for champion, drifts in inputs.drifts(champions)
        for feature, drift in drifts.items()
    ]


def _forecast(one: ScoredForecast) -> dict[str, Any]:
    """Return a scored forecast with the observations before and at its steps."""
    lower, upper = (_bound(one, level) for level in interval_sides(SHOWN_LEVEL))
    return {
        "forecast_id": one.forecast_id,
        "id": one.series_id,
        "model": one.model,
        "version": one.version,
        "timestamps": format_timestamps(one.forecast.timestamps, one.style, one.timezone),
        "median": one.forecast.median.tolist(),
        "lower": lower,
        "upper": upper,
        "observed": {
            "timestamps": format_timestamps(one.timestamps, one.style, one.timezone),
            "values": one.values.tolist(),
        },
    }


def _bound(one: ScoredForecast, wanted: float) -> list[float] | None:
    """Return the quantile of a level, or None if the forecast has none."""
    for place, level in enumerate(one.forecast.levels):
        if abs(level - wanted) < SAME:
            bound: list[float] = one.forecast.quantiles[:, place].tolist()
            return bound
    return None
