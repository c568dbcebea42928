"""Retrain reasons: whether a model should be trained again by what this service has observed; nothing is enqueued."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.calendar.zoned_grid import parse_timestamp
from models.retraining import reasons
from models.retraining.champion_figures import ChampionEvidence, count_new_observations, evidence_of
from models.retraining.reasons import RetrainAssessment
from models.retraining.thresholds import Thresholds
from service.monitoring.accuracy_query import AccuracyQuery, FindBacktest, live_figures
from service.monitoring.drift import RecentInputs
from service.selector import LoadedModel
from service.store.database import Database
from service.store.newest_observations import count_newer
from service.store.scoring.score_filter import ScoreFilter


@dataclass(frozen=True, slots=True)
class RetrainQuery:
    """A model to assess, and what the assessment needs beside the database.

    Attributes:
        name: Registered name.
        champion: Its champion; None if it has none.
        thresholds: Limits of the reasons.
        find_backtest: Returns the backtest figures of a version.
        inputs: The newest inputs.
        champions: Of all names.
    """

    name: str
    champion: LoadedModel | None
    thresholds: Thresholds
    find_backtest: FindBacktest
    inputs: RecentInputs
    champions: Sequence[LoadedModel]


def assess_retraining(database: Database, query: RetrainQuery, now: datetime) -> RetrainAssessment:
    """Return whether a model should be trained again, as `training.retraining.triggers` does; call it from a thread.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    evidence = None if query.champion is None else _evidence(database, query, query.champion)
    return reasons.assess_retraining(query.name, evidence, query.thresholds, now.isoformat(timespec="seconds"))


def _evidence(database: Database, query: RetrainQuery, champion: LoadedModel) -> ChampionEvidence:
    spec, limits = champion.forecaster.spec, query.thresholds
    accuracy = AccuracyQuery(
        ScoreFilter(model=champion.name, version=champion.version),
        by=("version",),
        period="month",
        limit=1,
        forecasts=0,
        window=limits.steps(spec.season_length, spec.horizon),
    )
    figures = live_figures(database, accuracy, query.find_backtest, query.inputs, query.champions)
    count = None
    if spec.trained_to is not None:
        end = int(parse_timestamp(spec.trained_to).instant.astype("M8[us]").astype("i8"))
        count, _ = count_newer(database, end, spec.frequency)
    new = count_new_observations(count, spec)
    return evidence_of(figures, champion.version, min_scores=limits.min_scores, new_observations=new)
