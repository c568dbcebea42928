"""Backtest: the newest points of each series held out, and every forecast of them scored the same way."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.accuracy import seasonal_scale
from models.baselines import baseline_forecast
from models.errors import DataInvalid, Finding, SeriesTooShort
from models.forecaster import Forecaster
from models.series import Forecast, Series

Floats = NDArray[np.float64]

LEVEL = 80.0
"""Central interval whose coverage is reported, in per cent."""

NAMED = 3
"""Series that cannot be scored whose names and reasons are told; the others are counted."""

LATENCY_CALLS = 25
"""Single-series forecasts timed for `forecast_ms`; their median is taken."""


@dataclass(frozen=True, slots=True)
class Split:
    """One origin: what came before the cutoff and what happened after it.

    Attributes:
        histories: Series up to the cutoff; all that a training may see.
        targets: The held-out values of the scored series, shape (scored, horizon), NaN for a gap.
        scales: In-sample mean absolute seasonal difference of each scored history, shape (scored,).
        scored: Places in `histories` of the series that are scored.
        left_out: Why a series cannot be scored, by its id: too short, or no scale, or nothing observed on one side.
        season_length: Steps in one season.
    """

    histories: tuple[Series, ...]
    targets: Floats
    scales: Floats
    scored: tuple[int, ...]
    left_out: Mapping[str, str]
    season_length: int

    @property
    def dropped(self) -> int:
        """Series that cannot be scored."""
        return len(self.left_out)

    @property
    def horizon(self) -> int:
        """Steps held out."""
        return int(self.targets.shape[1])

    @property
    def scored_histories(self) -> tuple[Series, ...]:
        """The histories that are scored, in the order of `targets`."""
        return tuple(self.histories[place] for place in self.scored)


@dataclass(frozen=True, slots=True)
class Predictions:
    """Forecasts of the scored series, in their units, each of shape (scored, horizon)."""

    median: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class Scores:
    """Forecast errors of one model over one or more origins; a row is one series at one origin.

    Attributes:
        ids: Of each row.
        scaled_errors: |error| by step over the history's seasonal scale, shape (rows, horizon), NaN at gaps.
        mae: Shape (rows,), in the series' units.
        smape: Shape (rows,), 0 to 200.
        covered: Whether the truth lay within the 80 % interval, shape (rows, horizon), NaN at gaps.
        dropped: Series that could not be scored.
    """

    ids: tuple[str, ...]
    scaled_errors: Floats
    mae: Floats
    smape: Floats
    covered: Floats
    dropped: int

    @property
    def mase(self) -> Floats:
        """Mean absolute scaled error of each row, shape (rows,)."""
        return np.asarray(np.nanmean(self.scaled_errors, axis=1))

    @property
    def mase_by_step(self) -> list[float | None]:
        """Mean absolute scaled error of each step over all rows; None where no row has a truth."""
        counts = np.sum(~np.isnan(self.scaled_errors), axis=0)
        sums = np.nansum(self.scaled_errors, axis=0)
        return [float(total / count) if count else None for total, count in zip(sums, counts, strict=True)]

    def summary(self) -> dict[str, float | int]:
        """Return the means over all rows, by the names that the command line and MLflow use."""
        return {
            "mase": float(self.mase.mean()),
            "mase_median": float(np.median(self.mase)),
            "smape": float(self.smape.mean()),
            "mae": float(self.mae.mean()),
            "coverage_80": float(np.nanmean(self.covered)),
            "series_scored": len(set(self.ids)),
            "dropped": self.dropped,
        }


def hold_out(series: Sequence[Series], horizon: int, *, season_length: int, blocks: int = 1) -> Split:
    """Return the split whose targets are `horizon` points that end `(blocks - 1) * horizon` points before the end.

    Args:
        series: Whole series.
        horizon: Steps held out.
        season_length: Steps in one season.
        blocks: Which origin: 1 is the newest, each further one lies a horizon earlier.

    Raises:
        DataInvalid: If no series can be scored.
    """
    cuts = [len(one) - blocks * horizon for one in series]
    whys = [_why_left_out(one, cut, horizon, season_length) for one, cut in zip(series, cuts, strict=True)]
    left_out = {one.id: why for one, why in zip(series, whys, strict=True) if why}
    kept = [(one, cut) for one, cut in zip(series, cuts, strict=True) if cut > 0 and one.before(cut).observed]
    histories = tuple(one.before(cut) for one, cut in kept)
    scored = tuple(at for at, history in enumerate(histories) if history.id not in left_out)
    if not scored:
        raise DataInvalid(
            f"No series can be scored on {horizon} held-out points: {_name(left_out)}.",
            hint="Give longer series or a shorter horizon.",
        )
    targets = np.array([one.values[cut : cut + horizon] for one, cut in kept])[list(scored)]
    scales = np.array([_scale(histories[at], season_length) for at in scored])
    return Split(histories, targets, scales, scored, left_out, season_length)


def tell_left_out(split: Split) -> tuple[Finding, ...]:
    """Return how many series are not scored and why, the first few by name."""
    if not split.left_out:
        return ()
    count = split.dropped + len(split.scored)
    return (Finding("SERIES_NOT_SCORED", f"{split.dropped} of {count} series: {_name(split.left_out)}."),)


def predict_network(forecaster: Forecaster, split: Split) -> Predictions:
    """Return a network's forecasts of the held-out block; raises as `Forecaster.forecast`."""
    return _stack(forecaster.forecast(split.scored_histories, split.horizon, levels=(LEVEL,)))


def predict_baseline(name: str, split: Split) -> Predictions:
    """Return a baseline's forecasts of the held-out block, from the same histories."""
    histories = split.scored_histories
    return _stack([baseline_forecast(name, history, split.horizon, (LEVEL,)) for history in histories])


def predict_ensemble(members: Sequence[Predictions]) -> Predictions:
    """Return the mean of the members' quantiles (Vincentization), which cross no more than theirs do.

    Source: Genest (1992), Vincentization revisited, Annals of Statistics 20(2).
    """
    return Predictions(
        np.mean([member.median for member in members], axis=0),
        np.mean([member.lower for member in members], axis=0),
        np.mean([member.upper for member in members], axis=0),
    )


def score(split: Split, predictions: Predictions) -> Scores:
    """Return the errors of forecasts on the held-out block."""
    error = np.abs(split.targets - predictions.median)
    size = np.abs(split.targets) + np.abs(predictions.median)
    relative = np.where(size > 0, 200.0 * error / np.where(size > 0, size, 1.0), 0.0 * size)
    covered = ((predictions.lower <= split.targets) & (split.targets <= predictions.upper)).astype(np.float64)
    return Scores(
        tuple(history.id for history in split.scored_histories),
        error / split.scales[:, None],
        np.nanmean(error, axis=1),
        np.nanmean(relative, axis=1),
        np.where(np.isnan(split.targets), np.nan, covered),
        split.dropped,
    )


def join(parts: Sequence[Scores]) -> Scores:
    """Return the scores of several origins as one."""
    return Scores(
        tuple(key for part in parts for key in part.ids),
        np.concatenate([part.scaled_errors for part in parts]),
        np.concatenate([part.mae for part in parts]),
        np.concatenate([part.smape for part in parts]),
        np.concatenate([part.covered for part in parts]),
        max(part.dropped for part in parts),
    )


def timed(forecast: Callable[[], Predictions]) -> tuple[Predictions, float]:
    """Return forecasts and the milliseconds that they took."""
    started = time.perf_counter()
    predictions = forecast()
    return predictions, (time.perf_counter() - started) * 1000


def measure_latency(forecaster: Forecaster, split: Split) -> float:
    """Return the median time of one single-series forecast over the horizon, in milliseconds."""
    history = [max(split.scored_histories, key=len)]
    seconds = []
    for _ in range(LATENCY_CALLS):
        started = time.perf_counter()
        forecaster.forecast(history, split.horizon, levels=(LEVEL,))
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds) * 1000)


def card(scores: Scores, **extra: float | str) -> dict[str, Any]:
    """Return scores as the specification of a model holds them: the means and MASE by step."""
    return {**scores.summary(), **extra, "mase_by_step": scores.mase_by_step}


def skill(model: Mapping[str, float | int], baseline: Mapping[str, float | int]) -> float:
    """Return 1 - MASE / MASE of the baseline: above 0 is better, 1 is perfect."""
    return 1.0 - model["mase"] / baseline["mase"] if baseline["mase"] > 0 else 0.0


def _name(left_out: Mapping[str, str]) -> str:
    named = [f"{key} ({why})" for key, why in itertools.islice(left_out.items(), NAMED)]
    more = [f"and {len(left_out) - NAMED} more"] if len(left_out) > NAMED else []
    return ", ".join([*named, *more])


def _why_left_out(one: Series, cut: int, horizon: int, season_length: int) -> str:
    """Return why a series cannot be scored at a cutoff, or nothing where it can."""
    if cut <= 0:
        return f"too short: {len(one)} points, {len(one) - cut} held out"
    history = one.before(cut)
    if not history.observed:
        return "nothing observed before the held-out points"
    if np.isnan(one.values[cut : cut + horizon]).all():
        return "nothing observed in the held-out points"
    scale = _scale(history, season_length)
    if np.isnan(scale):
        return f"too short: {history.observed} observed before the held-out points"
    return "" if scale > 0 else "its values repeat themselves, so errors have no scale"


def _scale(history: Series, season_length: int) -> float:
    """Return the history's seasonal scale: 0 where it repeats itself, NaN where it is too short to tell."""
    try:
        return float(seasonal_scale(history.values, season_length))
    except SeriesTooShort:
        return float("nan")


def _stack(forecasts: Sequence[Forecast]) -> Predictions:
    return Predictions(
        np.array([forecast.median for forecast in forecasts]),
        np.array([forecast.intervals[0].lower for forecast in forecasts]),
        np.array([forecast.intervals[0].upper for forecast in forecasts]),
    )
