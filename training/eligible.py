"""Eligible: which series can be validated on, and what is said where that is none, few or not all."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.accuracy import seasonal_scale
from models.errors import DataInvalid, Finding, SeriesTooShort
from models.series import Series
from training.current import CURRENT_SHARE, current_series, observed_ends, start_steps

Indices = NDArray[np.int64]

SHORTER = "Send longer series or ask for a shorter horizon."
VARYING = "Send series that vary, and more of those that began to vary late."


def fewest_points(horizon: int, season_length: int) -> int:
    """Return how many points must lie before the first validation origin of a series."""
    return max(season_length + 1, min(horizon, 2 * season_length), 2)


def refuse_short(series: Sequence[Series], horizon: int, season_length: int) -> None:
    """Refuse histories that `make_dataset` would refuse for their length alone, before any network is built.

    Raises:
        DataInvalid: If even the longest is too short to be both learned from and validated on.
    """
    needed, longest = fewest_points(horizon, season_length) + horizon, max(len(one) for one in series)
    if longest < needed:
        raise DataInvalid(
            f"The longest of {len(series)} series has {longest} points before the first origin; a horizon of {horizon} "
            f"needs {needed}, to learn from and to validate on.",
            hint=SHORTER,
        )


def tell_validated(series: Sequence[Series], horizon: int, season_length: int) -> tuple[Finding, ...]:
    """Return on which series validation is, where some ended before others: on those that go on, or on all if these are few."""
    long = np.array([len(one) >= fewest_points(horizon, season_length) + horizon for one in series])
    if not long.any():
        return ()
    ends, slack = observed_ends(series, start_steps(series))[long], max(horizon, season_length)
    total, count = len(ends), int(np.sum(ends > ends.max() - slack))
    if not current_series(ends, np.ones(total, bool), slack).all():
        return (
            Finding(
                "VALIDATION_CURRENT",
                f"Validation is on {count} of {total} series, those that reach the newest {slack} steps: the other "
                f"{total - count} ended while these went on, so a network that remembers that time forecasts them better than "
                f"it forecasts the future.",
            ),
        )
    if count >= CURRENT_SHARE * total:
        return ()
    return (
        Finding(
            "SERIES_ENDED",
            f"{count} of {total} series reach the newest {slack} steps, so validation is on all, and what it forecasts "
            f"may have been learned from others of that time: the {count} may err more than validation says.",
            hint="Leave out series that ended; almanac backtest --cutoff DATE compares at one date for all.",
        ),
    )


def none_eligible(series: Sequence[Series], ends: Indices, horizon: int, season_length: int) -> DataInvalid:
    """Return the error of series of which none can be validated on: too short, without a scale or full of gaps.

    Args:
        series: Histories.
        ends: Points of each before its validation origins, shape (series,).
        horizon: Steps ahead.
        season_length: Steps in one season.
    """
    needed = fewest_points(horizon, season_length) + horizon
    long = [(one, end) for one, end in zip(series, ends, strict=True) if len(one) >= needed]
    short, longest = len(series) - len(long), max(len(one) for one in series)
    flat = sum(scale_of(one.values[:end], season_length) == 0 for one, end in long)
    reasons = {
        f"fewer than {needed} points, {horizon} of them to hold out (the longest has {longest})": (short, SHORTER),
        "repeat themselves before what is held out, so errors have no scale": (flat, VARYING),
        "nothing observed where it is needed": (len(long) - flat, "Send series with fewer gaps."),
    }
    found = {why: count for why, (count, _) in reasons.items() if count}
    return DataInvalid(
        f"None of {len(series)} series can be validated on: {'; '.join(f'{why}: {n}' for why, n in found.items())}.",
        hint=" ".join(hint for count, hint in reasons.values() if count),
    )


def scale_of(history: NDArray[np.float64], season_length: int) -> float:
    """Return the in-sample seasonal scale: 0 where a history repeats itself, NaN where it is too short to tell."""
    try:
        return float(seasonal_scale(history, season_length))
    except SeriesTooShort:
        return float("nan")
