"""Canary errors: whether a challenger's forecasts, scored by what was observed, have larger errors than the champion's.

They end a canary (`find_error_fault`), and let a promotion rest on live scores (`compare_live`).
"""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from models.retraining.live_promotion import PERIOD, LivePromotion, ScoredSteps, decide_live_promotion
from service.forecasting.canary_check import SIGNIFICANT
from service.store.async_database import AsyncDatabase
from service.store.database import Database
from service.store.scoring.rollups import DAY
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import sum_scores

FEWEST_SERIES = 20
"""Series with scores of both before anything is decided: with fewer, four standard errors are no rare chance."""
MOST_ROWS = 20_000
"""Series and steps of each version that are read, the first ones by version and id."""
MICROSECONDS = 1_000_000

Errors = Mapping[tuple[str, int], float]
"""Mean absolute scaled error by series and step."""


async def find_error_fault(database: AsyncDatabase, name: str, challenger: str, champion: str, since: float) -> str:
    """Return why the forecasts of a challenger are significantly worse, "" if they are not, or too few are scored.

    Args:
        database: Where the scores are.
        name: Name of the model.
        challenger: Version.
        champion: Version.
        since: When the challenger began; scores of that day and later count, seconds since 1970.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    begun = int(since * MICROSECONDS) // DAY * DAY
    where = [ScoreFilter(model=name, version=one, scored_since=begun) for one in (challenger, champion)]
    return compare_errors(*[await database.run(_errors, one) for one in where])


async def compare_live(
    database: AsyncDatabase, name: str, challenger: str, champion: str, fewest: int
) -> LivePromotion:
    """Return whether the scores of a challenger let it become champion; raise DatabaseUnreachable as the database does."""
    ours, theirs = [await database.run(_scored_steps, name, one) for one in (challenger, champion)]
    return decide_live_promotion(ours, theirs, versions=(challenger, champion), fewest=fewest)


def compare_errors(challenger: Errors, champion: Errors) -> str:
    """Return why errors are significantly larger than the champion's, "" if they are not.

    Requests are given to one or the other by chance, so the mean errors of a series at the same steps are a pair. Series
    are the independent units of a paired test, one-sided.
    """
    pairs: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for at in challenger.keys() & champion.keys():
        pairs[at[0]].append((challenger[at], champion[at]))
    if len(pairs) < FEWEST_SERIES:
        return ""
    ours, theirs = np.array([np.mean(one, axis=0) for one in pairs.values()]).T
    worse = ours - theirs
    if worse.mean() <= 0 or worse.mean() <= SIGNIFICANT * worse.std(ddof=1) / np.sqrt(len(worse)):
        return ""
    return f"the error of its forecasts is {ours.mean():.3g} MASE, the champion's {theirs.mean():.3g}, on {len(pairs)} series"


def _errors(database: Database, where: ScoreFilter) -> Errors:
    rows = sum_scores(database, where, ("model", "version", "series", "step"), limit=MOST_ROWS)
    return {(str(key[2]), int(key[3])): sums.error / sums.scaled for key, sums in rows if sums.scaled}


def _scored_steps(database: Database, name: str, version: str) -> ScoredSteps:
    where = ScoreFilter(model=name, version=version)
    rows = sum_scores(database, where, ("model", "version", "series", "step", "period"), PERIOD, MOST_ROWS)
    return {
        (str(key[2]), str(key[4]), int(key[3])): (sums.error / sums.scaled, int(sums.scaled))
        for key, sums in rows
        if sums.scaled
    }
