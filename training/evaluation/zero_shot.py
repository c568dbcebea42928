"""Zero-shot evaluation: the starter's errors on a benchmark set beside those of the seasonal naive and AutoETS."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import starters
from models.accuracy import known_mean
from models.baselines import baseline_forecast
from models.calendar.zoned_grid import parse_frequency
from models.errors import AlmanacError, ForecastNotFinite
from models.forecast import Forecast
from models.forecaster import Forecaster
from models.forecasting.request import ForecasterRequest, Outcome
from models.json_values import to_json_value
from models.starters.interleaved import HOUR, InterleavedForecaster
from models.starters.stretched import StretchedForecaster
from training.evaluation.benchmark_sets import BenchmarkSet, SetSplit, hold_out_end
from training.evaluation.cached_ets import Fitting, auto_ets
from training.evaluation.quantile_scores import INTERVALS, QuantileScores, read_levels, relative_error, score_quantiles

Floats = NDArray[np.float64]

STARTER, NAIVE, ETS = "starter", "seasonal_naive", "auto_ets"
"""Names of the models in the results."""

MEASURES = ("mase", "wql", "sql")
"""Errors that are compared with those of the seasonal naive."""

ALL = "all"
"""Key of the means over all sets."""


@dataclass(frozen=True, slots=True)
class SetScores:
    """The figures of one set.

    Attributes:
        one: The set.
        series: Number of forecasts: of series, times origins.
        skipped: Number of series without an observed value before the test.
        unscaled: Number of series without a scale, which do not count for MASE and SQL.
        starter: Folder of the starter that was used; `h, interleaved` for parts of an hour.
        seconds: Time of the starter's forecasts.
        refused: Why a series has a seasonal naive in place of the starter's forecast, by id.
        stand_ins: Number of series with a seasonal naive in place of AutoETS' forecast.
        models: Errors by model: `STARTER`, `NAIVE` and, if it was fitted, `ETS`.
    """

    one: BenchmarkSet
    series: int
    skipped: int
    unscaled: int
    starter: str
    seconds: float
    refused: Mapping[str, str]
    stand_ins: int
    models: Mapping[str, QuantileScores]

    def relative(self, model: str, measure: str) -> float:
        """Return a model's error over that of the seasonal naive, NaN where undefined."""
        return _relative([self], model, measure)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data, None where undefined."""
        one, seconds = self.one, round(self.seconds, 3)
        kept = ("series", "skipped", "unscaled", "starter", "refused", "stand_ins")
        return to_json_value(  # type: ignore[no-any-return]
            {"frequency": one.frequency, "horizon": one.horizon, "season": one.season}
            | {name: getattr(self, name) for name in kept}
            | {"seconds": seconds, "models": {name: scores.to_dict() for name, scores in self.models.items()}}
            | {"relative": {name: _all_relative([self], name) for name in self.models if name != NAIVE}}
        )


def evaluate_set(
    one: BenchmarkSet, max_series: int | None = None, fitting: Fitting | None = None, origins: int = 1
) -> SetScores:
    """Return the figures of one set.

    Args:
        one: The set.
        max_series: Largest number of series; None for all.
        fitting: How AutoETS is fitted; None leaves it out.
        origins: Tests of each series, one horizon apart, the newest at its end.

    Raises:
        AlmanacError: If the set cannot be read, or there is no starter.
    """
    held = hold_out_end(one, max_series, origins)
    forecaster = starters.load_starter(parse_frequency(one.frequency))
    began = time.perf_counter()
    outcomes = forecast_starter(forecaster, held)
    seconds = time.perf_counter() - began
    naive = forecast_naive(held, one.season)
    tables = {STARTER: read_outcomes(outcomes, held, naive), NAIVE: naive}
    stand_ins = 0
    if fitting is not None:
        ets = _at_steps(auto_ets(held.histories, held.reach, one.season, fitting), held)
        tables[ETS] = np.where(np.isnan(ets), naive, ets)
        stand_ins = int(np.isnan(ets).any(axis=(1, 2)).sum())
    errors = {
        history.id: outcome
        for history, outcome in zip(held.histories, outcomes, strict=True)
        if isinstance(outcome, AlmanacError)
    }
    return SetScores(
        one,
        series=len(held.histories),
        skipped=held.skipped,
        unscaled=int(np.isnan(held.scales).sum()),
        starter=_kind(forecaster, one),
        seconds=seconds,
        refused={name: error.detail for name, error in errors.items()},
        stand_ins=stand_ins,
        models={name: score_quantiles(held.targets, table, held.scales) for name, table in tables.items()},
    )


def forecast_starter(forecaster: Forecaster, held: SetSplit) -> list[Outcome]:
    """Return the starter's forecast of each series as far as its test reaches, or the error that refuses it."""
    places: dict[int, list[int]] = {}
    for place, last in enumerate(held.steps[:, -1].tolist()):
        places.setdefault(last + 1, []).append(place)
    found: dict[int, Outcome] = {}
    for horizon, some in places.items():
        request = ForecasterRequest([held.histories[at] for at in some], horizon, INTERVALS)
        found |= zip(some, forecaster.forecast_many([request])[0], strict=True)
    ordered = [found[at] for at in range(len(held.histories))]
    return [one if isinstance(one, AlmanacError) or one.is_finite else ForecastNotFinite() for one in ordered]


def forecast_naive(held: SetSplit, season: int) -> Floats:
    """Return the seasonal naive's quantiles at `LEVELS`, shape (series, horizon, levels).

    They lie around the point forecast by the empirical quantiles of its own absolute errors one season ahead within the
    history, times the square root of the seasons ahead (`models.baselines.baseline_forecast`).
    """
    made = [
        baseline_forecast("seasonal_naive", history, held.reach, INTERVALS, season_length=season)
        for history in held.histories
    ]
    return _at_steps(np.stack([read_levels(one) for one in made]), held)


def summarize(found: Sequence[SetScores]) -> dict[str, dict[str, Any]]:
    """Return the means by frequency, in the order of the sets, and over all sets under `ALL`.

    Each has the number of sets, the starter's seconds and mean coverage by level, and by model the geometric means of its
    errors relative to the seasonal naive; None where undefined.
    """
    groups = {
        one.one.frequency: [other for other in found if other.one.frequency == one.one.frequency] for one in found
    }
    return {name: to_json_value(_means(group)) for name, group in {**groups, ALL: found}.items() if group}


def _means(group: Sequence[SetScores]) -> dict[str, Any]:
    names = [name for name in (STARTER, ETS) if all(name in one.models for one in group)]
    coverages = {level: [one.models[STARTER].coverage[level] for one in group] for level in INTERVALS}
    return {
        "sets": len(group),
        "seconds": round(sum(one.seconds for one in group), 3),
        **{f"coverage_{level:g}": known_mean(np.array(shares)) for level, shares in coverages.items()},
        "relative": {name: _all_relative(group, name) for name in names},
    }


def _all_relative(group: Sequence[SetScores], model: str) -> dict[str, float]:
    return {measure: _relative(group, model, measure) for measure in MEASURES}


def _relative(group: Sequence[SetScores], model: str, measure: str) -> float:
    pairs = [(one.models[model], one.models[NAIVE]) for one in group]
    return relative_error((getattr(own, measure), getattr(naive, measure)) for own, naive in pairs)


def read_outcomes(outcomes: Sequence[Outcome], held: SetSplit, naive: Floats) -> Floats:
    """Return the quantiles at `LEVELS`, those of the naive where a series is refused; shape of `naive`."""
    rows = zip(outcomes, held.steps, naive, strict=True)
    return np.stack([read_levels(one)[steps] if isinstance(one, Forecast) else other for one, steps, other in rows])


def _at_steps(table: Floats, held: SetSplit) -> Floats:
    """Return the rows of the test from quantiles of every step, shape (series, horizon, levels)."""
    return np.take_along_axis(table, held.steps[..., np.newaxis], axis=1)


def _kind(forecaster: Forecaster, one: BenchmarkSet) -> str:
    if isinstance(forecaster, InterleavedForecaster):
        return f"{HOUR.name}, interleaved"
    if isinstance(forecaster, StretchedForecaster):
        return f"{forecaster.single}, stretched"
    return starters.folder_for(parse_frequency(one.frequency)).name
