"""Forecast warnings: what a person should know of a forecast and the series behind it."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from models.errors import Finding
from models.intervals import interval_sides
from models.irregular.bounds import UNBOUNDED
from models.safeguards.closed_hours import has_hours
from models.series import Series
from models.spec import ModelSpec

FAR_OUTSIDE = 0.1
"""A quantile is far outside the trained ones if less than this share of the outermost trained tail lies beyond it."""

LEVEL_BELOW_ONE = "LEVEL_BELOW_ONE"
"""Code of the warning about a level such as 0.8, by which 80 is meant."""

NO_DATES = Finding(
    "PHASE_UNKNOWN",
    "The series has no dates, so its position in the season is unknown.",
    hint="Send start and frequency, or timestamps.",
)


def warn(series: Series, spec: ModelSpec, horizon: int, observed: int | None = None) -> list[Finding]:
    """Return the warnings about a series and a horizon.

    Args:
        series: The history.
        spec: Of the model.
        horizon: Steps ahead.
        observed: Observed values in the context, if they are already counted.
    """
    found = list(series.findings)
    if found and any(one.code == "MISSING_OR_ZERO" for one in found) and has_hours(series):
        found = [one for one in found if one.code != "MISSING_OR_ZERO"]
    if spec.season_length > 1 and series.start is None:
        found.append(NO_DATES)
    enough = min(2 * spec.season_length if spec.season_length > 1 else 10, spec.context_length)
    if observed is None:
        observed = int(np.count_nonzero(~np.isnan(series.values[-spec.context_length :])))
    if observed < enough:
        found.append(
            Finding(
                "CONTEXT_SHORT",
                f"The context has {observed} observed values; forecasts are more reliable with {enough} or more.",
                pointer="/values",
                hint="Send a longer history.",
            )
        )
    if series.bounds != UNBOUNDED and (outside := _warn_of_bounds(series, spec.context_length)) is not None:
        found.append(outside)
    if horizon > spec.horizon:
        found.append(_horizon_extended(spec.horizon, horizon))
    if spec.past_covariates or spec.future_covariates:
        known = (series.past_covariates, series.future_covariates)
        found += spec.covariates.warnings(*known, horizon, dated=series.start is not None)
    return found


def _warn_of_bounds(series: Series, newest: int) -> Finding | None:
    """Return a warning if some of the newest values lie outside the bounds of the forecast."""
    low, high = series.bounds
    values = series.values[-newest:]
    count = int(np.count_nonzero((values < low) | (values > high)))
    if not count:
        return None
    return Finding(
        "BOUNDS_EXCEEDED",
        f"{count} of {np.count_nonzero(~np.isnan(values))} values lie outside the bounds {low:g} to {high:g}, which every forecast keeps.",
        pointer="/bounds",
        hint="Check whether the bounds are meant for this series.",
    )


@lru_cache(maxsize=256)
def _horizon_extended(trained: int, horizon: int) -> Finding:
    return Finding(
        "HORIZON_EXTENDED",
        f"Steps {trained + 1} to {horizon} are beyond the trained horizon of {trained}: "
        "they are forecast from forecasts, with wider intervals.",
        pointer="/horizon",
        hint=f"Train a model with a horizon of {horizon}.",
    )


def warn_of_levels(spec: ModelSpec, levels: Sequence[float], quantiles: Sequence[float]) -> tuple[Finding, ...]:
    """Return a warning if a level or quantile lies far outside the trained quantiles, and one if a level is no per cent."""
    trained = (min(spec.quantile_levels), max(spec.quantile_levels))
    least = FAR_OUTSIDE * min(trained[0], 1 - trained[1])
    far = [f"level {_exact(level)}" for level in levels if interval_sides(level)[0] < least]
    far += [f"quantile {_exact(quantile)}" for quantile in quantiles if min(quantile, 1 - quantile) < least]
    tiny = [level for level in levels if level < 1]
    found = [_level_below_one(tiny[0])] if tiny else []
    if far:
        found.append(
            Finding(
                "LEVEL_EXTRAPOLATED",
                f"{', '.join(far[:3])}{', …' if len(far) > 3 else ''}: far outside the trained quantiles "  # noqa: PLR2004 - some
                f"{trained[0]:g} to {trained[1]:g}, so the bounds are extrapolated and may be wrong by much.",
                "/levels" if far[0].startswith("level") else "/quantiles",
                f"Use levels up to {100 - 200 * least:g}.",
            )
        )
    return tuple(found)


def _exact(number: float) -> str:
    """Return a number with all digits that it was given with."""
    return repr(float(number)).removesuffix(".0")


def _level_below_one(level: float) -> Finding:
    return Finding(
        LEVEL_BELOW_ONE,
        f"Levels are in per cent: the interval of level {_exact(level)} holds {_exact(level)} % of the values.",
        "/levels",
        f"Send {100 * level:.12g} for {100 * level:.12g} %.",
    )
