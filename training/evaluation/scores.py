"""Scores: forecasts of held-out points and their errors, computed alike for networks and baselines."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from models.accuracy import covered, known_mean, row_means, scaled_errors, symmetric_errors
from models.baselines import baseline_forecast
from models.errors import DataInvalid, SeriesAllMissing
from models.forecast import Forecast
from models.forecaster import Forecaster
from models.intervals import interval_sides
from models.json_values import finite_or_none
from models.series import Series
from training.data.holdout import Split
from training.data.long_frame import shown

Floats = NDArray[np.float64]
Timer = Callable[[], float]

LEVELS = (80.0, 95.0)
"""Levels of the central intervals whose coverage is reported, in per cent."""

LATENCY_CALLS = 5
"""Number of single-series forecasts in each repeat of a measurement of latency."""

LATENCY_REPEATS = 5
"""Number of repeats whose median is `forecast_ms`."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Forecasts of the scored series.

    Attributes:
        quantiles: Shape (series, horizon, levels), in the series' units.
        levels: Quantile levels in ascending order; they include 0.5 and the bounds of every interval in `LEVELS`.
    """

    quantiles: Floats
    levels: tuple[float, ...]

    @property
    def median(self) -> Floats:
        """Median forecast, shape (series, horizon)."""
        return self._at(0.5)

    @property
    def lower(self) -> Floats:
        """Lower bound of the 80 % interval, shape (series, horizon)."""
        return self.interval(LEVELS[0])[0]

    @property
    def upper(self) -> Floats:
        """Upper bound of the 80 % interval, shape (series, horizon)."""
        return self.interval(LEVELS[0])[1]

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """Return the bounds of the central interval of a level in per cent, each of shape (series, horizon)."""
        lower, upper = interval_sides(level)
        return self._at(lower), self._at(upper)

    def _at(self, level: float) -> Floats:
        values: Floats = self.quantiles[..., self.levels.index(level)]
        return values


@dataclass(frozen=True, slots=True)
class Scores:
    """Forecast errors of one model at one or more origins; a row is one series at one origin.

    Attributes:
        ids: Id of the series of each row.
        scaled_errors: |error| by step over the history's seasonal scale, shape (rows, horizon), NaN at gaps.
        mae: Mean absolute error, shape (rows,), in the series' units.
        smape: Symmetric mean absolute percentage error, shape (rows,), 0 to 200.
        covered: By level of `LEVELS`: 1 where the interval contains the truth, else 0, shape (rows, horizon), NaN at gaps.
        crossed: Share of neighbouring quantiles in the wrong order, shape (rows,).
        dropped: Number of series that could not be scored.
    """

    ids: tuple[str, ...]
    scaled_errors: Floats
    mae: Floats
    smape: Floats
    covered: Mapping[float, Floats]
    crossed: Floats
    dropped: int

    def only(self, rows: Sequence[int]) -> Self:
        """Return the scores of the given rows, in their order."""
        selected = list(rows)
        columns = {item.name: getattr(self, item.name) for item in fields(self)}
        parts: dict[str, Any] = {key: one[selected] for key, one in columns.items() if isinstance(one, np.ndarray)}
        covered = {level: one[selected] for level, one in self.covered.items()}
        return replace(self, ids=tuple(self.ids[row] for row in selected), covered=covered, **parts)

    @property
    def mase(self) -> Floats:
        """Mean absolute scaled error of each row, shape (rows,)."""
        return row_means(self.scaled_errors)

    @property
    def mase_by_step(self) -> list[float | None]:
        """Mean absolute scaled error of each step over all rows; None for a step without observed values."""
        return [finite_or_none(error) for error in row_means(self.scaled_errors.T)]

    def summary(self) -> dict[str, float | int]:
        """Return the means over all rows, keyed by the names used by the command line and MLflow."""
        return {
            "mase": float(self.mase.mean()),
            "mase_median": float(np.median(self.mase)),
            "smape": float(self.smape.mean()),
            "mae": float(self.mae.mean()),
            **{f"coverage_{level:g}": known_mean(inside) for level, inside in self.covered.items()},
            "crossings": float(self.crossed.mean()),
            "series_scored": len(set(self.ids)),
            "dropped": self.dropped,
        }


def predict_network(forecaster: Forecaster, split: Split) -> Predictions:
    """Return a network's forecasts of the held-out block.

    Raises:
        DataInvalid: If a series has no value within the network's context length.
        SeriesError: As `Forecaster.forecast`.
    """
    histories = [history.reading(forecaster.names) for history in split.scored_histories]
    for history in histories:
        _require_recent_values(forecaster, history)
    return stack_forecasts(forecaster.forecast(histories, split.horizon, levels=LEVELS))


def _require_recent_values(forecaster: Forecaster, history: Series) -> None:
    """Raise DataInvalid, with the series and its last date, if it has no value within the network's context length."""
    try:
        forecaster.check(history)
    except SeriesAllMissing as error:
        last = int(np.flatnonzero(np.isfinite(history.values))[-1])
        when = "" if history.timestamps is None else f", after {shown(history.timestamps[last])}"
        raise DataInvalid(
            f"Series {history.id!r} has no value in the {len(history) - 1 - last} steps before its held-out points{when}; "
            f"the model reads {forecaster.spec.context_length}.",
            hint="Check the dates of its last values, or leave the series out.",
        ) from error


def predict_baseline(name: str, split: Split) -> Predictions:
    """Return a baseline's forecasts of the held-out block."""
    histories = split.scored_histories
    return stack_forecasts([baseline_forecast(name, history, split.horizon, LEVELS) for history in histories])


def stack_forecasts(forecasts: Sequence[Forecast]) -> Predictions:
    """Return the forecasts of several series as one array, with their quantiles and the bounds of their intervals."""
    quantiles = [_quantiles_by_level(one) for one in forecasts]
    levels = tuple(sorted(quantiles[0]))
    return Predictions(np.array([np.stack([one[level] for level in levels], axis=1) for one in quantiles]), levels)


def score(split: Split, predictions: Predictions) -> Scores:
    """Return the errors of forecasts on the held-out block."""
    targets, median = split.targets, predictions.median
    crossed = np.diff(predictions.quantiles, axis=-1) < 0
    return Scores(
        tuple(history.id for history in split.scored_histories),
        scaled_errors(targets, median, split.scales),
        row_means(np.abs(targets - median)),
        row_means(symmetric_errors(targets, median)),
        {level: covered(targets, *predictions.interval(level)) for level in LEVELS},
        np.mean(crossed, axis=(1, 2)),
        split.dropped,
    )


def join_scores(parts: Sequence[Scores]) -> Scores:
    """Return the scores of several origins, one below the other."""
    return Scores(
        tuple(key for part in parts for key in part.ids),
        np.concatenate([part.scaled_errors for part in parts]),
        np.concatenate([part.mae for part in parts]),
        np.concatenate([part.smape for part in parts]),
        {level: np.concatenate([part.covered[level] for part in parts]) for level in parts[0].covered},
        np.concatenate([part.crossed for part in parts]),
        max(part.dropped for part in parts),
    )


def time_forecast(forecast: Callable[[], Predictions]) -> tuple[Predictions, float]:
    """Return the predictions of a function and its duration in milliseconds."""
    started = time.perf_counter()
    predictions = forecast()
    return predictions, (time.perf_counter() - started) * 1000


def measure_latency(forecaster: Forecaster, split: Split) -> float:
    """Return the median time of a forecast of one series over the horizon, in milliseconds."""
    return measure_latencies([forecaster], split)[0]


def measure_latencies(
    forecasters: Sequence[Forecaster], split: Split, repeats: int = LATENCY_REPEATS, clock: Timer = time.perf_counter
) -> list[float]:
    """Return the median time of a forecast of one series by each network, in milliseconds, comparable with each other.

    The networks take turns, first forwards, then backwards: what else the machine does slows all of them alike.

    Args:
        forecasters: The networks.
        split: Its longest history is forecast.
        repeats: Turns; the median of the turns' medians is returned.
        clock: Returns seconds.
    """
    longest = max(split.scored_histories, key=len)
    turns: list[list[float]] = [[] for _ in forecasters]
    for turn in range(repeats):
        order = range(len(forecasters))
        for at in order if turn % 2 == 0 else reversed(order):
            history = [longest.reading(forecasters[at].names)]
            turns[at].append(_median_seconds(forecasters[at], history, split.horizon, clock))
    return [1000 * float(np.median(one)) for one in turns]


def _median_seconds(forecaster: Forecaster, history: list[Series], horizon: int, clock: Timer) -> float:
    seconds = []
    for _ in range(LATENCY_CALLS):
        started = clock()
        forecaster.forecast(history, horizon, levels=LEVELS[:1])
        seconds.append(clock() - started)
    return float(np.median(seconds))


def score_card(scores: Scores, **extra: float | str) -> dict[str, Any]:
    """Return the mean scores and MASE by step, as a model's specification stores them."""
    return {**scores.summary(), **extra, "mase_by_step": scores.mase_by_step}


def skill(model: Mapping[str, float | int], baseline: Mapping[str, float | int]) -> float:
    """Return 1 - MASE / MASE of the baseline: above 0 is better than the baseline, 1 is perfect."""
    return 1.0 - model["mase"] / baseline["mase"] if baseline["mase"] > 0 else 0.0


def _quantiles_by_level(forecast: Forecast) -> dict[float, Floats]:
    """Return a forecast's quantiles and interval bounds by level, each of shape (horizon,)."""
    found = dict(zip(forecast.quantile_levels, forecast.quantiles.T, strict=True))
    for interval in forecast.intervals:
        found |= dict(zip(interval_sides(interval.level), (interval.lower, interval.upper), strict=True))
    return found
