"""RetrainQuery: whether a model should be trained again, from what this service has seen of it; nothing is enqueued."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.calendar.on_calendar import parse_timestamp
from models.retraining import reasons
from models.retraining.evidence import Seen, count_new, read_answer
from models.retraining.reasons import Judgement
from models.retraining.thresholds import Thresholds
from service.monitoring.accuracy_query import AccuracyQuery, FindBacktest, query_accuracy
from service.monitoring.drift import RecentInputs
from service.selector import LoadedModel
from service.store.database import Database
from service.store.newest_observations import count_newer
from service.store.score_sums import ScoreFilter


@dataclass(frozen=True, slots=True)
class RetrainQuery:
    """What is asked, and what the event loop knows of it.

    Attributes:
        name: Registered name.
        served: Its champion; None where it has none.
        thresholds: When what is seen is a reason.
        promised: What each version promised.
        inputs: The newest inputs.
        champions: Of all names.
    """

    name: str
    served: LoadedModel | None
    thresholds: Thresholds
    promised: FindBacktest
    inputs: RecentInputs
    champions: Sequence[LoadedModel]


def assess_retraining(database: Database, question: RetrainQuery, now: datetime) -> Judgement:
    """Return whether a model should be trained again, as `training.retraining.triggers` would; call it from a thread.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    seen = None if question.served is None else _seen(database, question, question.served)
    return reasons.judge(question.name, seen, question.thresholds, now.isoformat(timespec="seconds"))


def _seen(database: Database, question: RetrainQuery, served: LoadedModel) -> Seen:
    spec, limits = served.forecaster.spec, question.thresholds
    asked = AccuracyQuery(
        ScoreFilter(model=served.name, version=served.version),
        by=("version",),
        period="month",
        limit=1,
        forecasts=0,
        window=limits.steps(spec.season_length, spec.horizon),
    )
    answer = query_accuracy(database, asked, question.promised, question.inputs, question.champions)
    count = None
    if spec.trained_to is not None:
        end = int(parse_timestamp(spec.trained_to).instant.astype("M8[us]").astype("i8"))
        count, _ = count_newer(database, end, spec.frequency)
    return read_answer(answer, served.version, min_scores=limits.min_scores, new_observations=count_new(count, spec))
