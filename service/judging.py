"""Judging: whether a model should be trained again, from what this service has seen of it; nothing is enqueued."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models import reasons
from models.calendar import parse_timestamp
from models.evidence import Seen, count_new, read_answer
from models.reasons import Judgement
from models.thresholds import Thresholds
from service.choice import Served
from service.drift import Inputs
from service.reckoning import Promised, Question, reckon
from service.state import Service
from service.store.database import Database
from service.store.newest import count_newer
from service.store.tallies import Where


@dataclass(frozen=True, slots=True)
class Judging:
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
    served: Served | None
    thresholds: Thresholds
    promised: Promised
    inputs: Inputs
    champions: Sequence[Served]

    @classmethod
    def of(cls, service: Service, name: str, thresholds: Thresholds) -> "Judging":
        """Return the question about a name.

        Raises:
            ModelLoading: If it has a champion that is not in memory yet, or the registry has not said whether it has one.
        """
        served = service.catalog.champions.get(name)
        if served is None and (reason := service.catalog.why_unknown(name)) is not None:
            raise reason
        champions = list(service.catalog.champions.values())
        return cls(name, served, thresholds, service.promises.of, service.inputs, champions)


def judge(database: Database, question: Judging, now: datetime) -> Judgement:
    """Return whether a model should be trained again, as `training.judging` would; call it from a thread.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    seen = None if question.served is None else _seen(database, question, question.served)
    return reasons.judge(question.name, seen, question.thresholds, now.isoformat(timespec="seconds"))


def _seen(database: Database, question: Judging, served: Served) -> Seen:
    spec, limits = served.forecaster.spec, question.thresholds
    asked = Question(
        Where(model=served.name, version=served.version),
        by=("version",),
        period="month",
        limit=1,
        forecasts=0,
        window=limits.steps(spec.season_length, spec.horizon),
    )
    answer = reckon(database, asked, question.promised, question.inputs, question.champions)
    count = None
    if spec.trained_to is not None:
        end = int(parse_timestamp(spec.trained_to).instant.astype("M8[us]").astype("i8"))
        count, _ = count_newer(database, end, spec.frequency)
    return read_answer(answer, served.version, min_scores=limits.min_scores, new_observations=count_new(count, spec))
