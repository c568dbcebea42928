"""Live: what a running service says of a model's accuracy, as any client may ask."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any

from models.calendar.frequency import MONTHS_IN
from models.calendar.on_calendar import parse_frequency
from models.errors import ModelUnknown, ServiceUnreachable
from models.retraining.evidence import ChampionEvidence, count_new_observations, read_evidence
from models.retraining.thresholds import Thresholds
from models.spec import ModelSpec
from training.registry.location import Version
from training.service_client.live_evidence import LiveEvidence

SAY_WHERE = "say where the service is with ALMANAC_SERVICE_URL, or with --url where a command has it"

SERVICE_URL = "http://127.0.0.1:8000"
"""Where a service answers unless ALMANAC_SERVICE_URL says otherwise."""

TIMEOUT_SECONDS = 60.0
MOST_ROWS = 10_000
DAY_NANOSECONDS = 86_400_000_000_000

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service answers, and the key that opens it.

    Attributes:
        url: Such as `http://127.0.0.1:8000`.
        key: Of scope `read` or `observe`; None where the service has no keys.
    """

    url: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class LiveAccuracy:
    """How a model's served forecasts came out; rows as GET /accuracy has them.

    Attributes:
        name: Of the model.
        version: The one whose steps, periods and forecasts these are; None where nothing has been scored.
        versions: A row for each version.
        steps: A row for each step.
        periods: A row for each period, in order.
        forecasts: Some, beside their truth.
        drift: Of inputs and errors.
        due: Forecasts that wait to be scored, of all models.
    """

    name: str
    version: str | None
    versions: list[Row]
    steps: list[Row] = field(default_factory=list)
    periods: list[Row] = field(default_factory=list)
    forecasts: list[Row] = field(default_factory=list)
    drift: dict[str, list[Row]] = field(default_factory=dict)
    due: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return this as plain data."""
        return asdict(self)


def read_accuracy(address: Address, name: str, period: str, forecasts: int) -> LiveAccuracy:
    """Return what the service says of `name`, or of `name/version`; else of its newest version with scores.

    Args:
        address: Of the service.
        name: Of the model, with or without a version.
        period: `day`, `week`, `month` or `year`.
        forecasts: How many to bring.

    Raises:
        ModelUnknown: If the service knows no such model or version.
        ServiceUnreachable: If the service does not answer, or refuses.
    """
    overview = _get(address, model=name, by="version")
    versions = sorted(overview["rows"], key=lambda row: _order(row["version"]))
    model, _, _ = name.partition("/")
    if not versions:
        _check_known(address, name)
        return LiveAccuracy(model, None, [], drift=overview["drift"], due=overview["due"])
    version = versions[-1]["version"]
    steps = _get(address, model=model, version=version, by="step,version", forecasts=forecasts)
    periods = _get(address, model=model, version=version, by="period,version", period=period)
    return LiveAccuracy(
        name=model,
        version=version,
        versions=versions,
        steps=sorted(steps["rows"], key=lambda row: row["step"]),
        periods=sorted(periods["rows"], key=lambda row: row["period"]),
        forecasts=steps["forecasts"],
        drift=overview["drift"],
        due=overview["due"],
    )


def read_live(address: Address, champion: Version, spec: ModelSpec, thresholds: Thresholds) -> ChampionEvidence:
    """Return what the service knows of a served version: its scores, its inputs, and what was observed since its training.

    Args:
        address: Of the service.
        champion: The version.
        spec: Its specification.
        thresholds: How far back to look, and how many scores are enough.

    Raises:
        ServiceUnreachable: If the service does not answer, or refuses.
    """
    window = thresholds.steps(spec.season_length, spec.horizon)
    answer = _get(address, model=champion.name, version=champion.version, by="version", window=window)
    count = None
    if spec.trained_to is not None:
        asked = {"after": spec.trained_to, "frequency": spec.frequency}
        count = int(_ask(address, "/observations/count", "observations", asked)["observations"])
    new = count_new_observations(count, spec)
    return read_evidence(answer, champion.version, min_scores=thresholds.min_scores, new_observations=new)


def count_steps(address: Address, version: Version) -> int:
    """Return how far ahead a version has often been scored: the last step with half the scores of the most scored one.

    A fresh version's forecasts have met their truth at few steps yet, and most often at the first.

    Raises:
        ServiceUnreachable: If the service does not answer, or refuses.
    """
    rows = _get(address, model=version.name, version=version.version, by="step,version")["rows"]
    most = max((row["scores"] for row in rows), default=0)
    return max((row["step"] for row in rows if 2 * row["scores"] >= most), default=0)


def read_periods(
    address: Address, version: Version, spec: ModelSpec, *, steps: int, periods: int | None = None
) -> LiveEvidence:
    """Return how a version's forecasts came out, series by series and period by period.

    Where there are more rows than the service gives at once, the first series by id stand for all.

    Args:
        address: Of the service.
        version: Which.
        spec: Says how long a step is: periods are months, weeks or days.
        steps: Only so many steps ahead.
        periods: Only the newest so many; None for all.

    Raises:
        ServiceUnreachable: If the service does not answer, or refuses.
    """
    asked = {"model": version.name, "version": version.version, "step": f"1-{steps}", "by": "series,period"}
    window = {} if periods is None else {"window": max(1, periods * steps_in_period(spec))}
    answer = _get(address, **asked, **window, period=_period_of(spec))
    rows = answer["rows"]
    if answer["truncated"]:
        rows = [row for row in rows if row["series"] != rows[-1]["series"]]
    return LiveEvidence.of(version.version, rows)


def steps_in_period(spec: ModelSpec) -> int:
    """Return how many steps of a model lie in one of the periods by which its truths are told apart."""
    nanoseconds = parse_frequency(spec.frequency).nanoseconds
    return max(1, DAY_NANOSECONDS // nanoseconds) if nanoseconds else 1


def _period_of(spec: ModelSpec) -> str:
    """Return the period that holds a step: of months, quarters and years a month, of weeks a week, of all others a day."""
    unit = parse_frequency(spec.frequency).unit
    return "month" if unit in MONTHS_IN else "week" if unit == "W" else "day"


def _check_known(address: Address, name: str) -> None:
    """Raise ModelUnknown if the service says that there is no such model; a key that may not ask for models says nothing."""
    url = f"{address.url.rstrip('/')}/models/{urllib.parse.quote(name)}"
    headers = {"authorization": f"Bearer {address.key}"} if address.key else {}
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 (the user's own address, http or https)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == HTTPStatus.NOT_FOUND:
            raise ModelUnknown(
                f"{address.url} knows no model {name!r}, and has no score of one.",
                hint="`almanac models` lists those that are registered.",
            ) from error
    except OSError:
        return


def _get(address: Address, **parameters: object) -> dict[str, Any]:
    """Return one answer of GET /accuracy; raises ServiceUnreachable."""
    return _ask(address, "/accuracy", "rows", {**parameters, "limit": MOST_ROWS})


def _ask(address: Address, path: str, member: str, parameters: Mapping[str, object]) -> dict[str, Any]:
    """Return what is answered to a question, an object that has `member`; raises ServiceUnreachable."""
    query = urllib.parse.urlencode(parameters)
    headers = {"authorization": f"Bearer {address.key}"} if address.key else {}
    url = f"{address.url.rstrip('/')}{path}?{query}"
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 (the user's own address, http or https)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        raise ServiceUnreachable(f"{address.url} answers {error.code}: {told(error)}") from error
    except (OSError, ValueError) as error:
        raise ServiceUnreachable(
            f"No service answers on {address.url}: {getattr(error, 'reason', error)}.",
            hint=f"Start it with `almanac serve`, or {SAY_WHERE}.",
        ) from error
    if not isinstance(answer, dict) or member not in answer:
        raise ServiceUnreachable(f"{address.url} is no Almanac.", hint=f"{SAY_WHERE.capitalize()}.")
    return answer


def told(error: urllib.error.HTTPError) -> str:
    """Return what a problem document says, or the status' name."""
    try:
        problem = json.load(error)
        return f"{problem['detail']} {problem['hint']}".strip()
    except (OSError, ValueError, KeyError, TypeError):
        return error.reason


def _order(version: str) -> tuple[int, str]:
    """Return what versions are ordered by: numbers as numbers, before everything else."""
    return (int(version), "") if version.isdecimal() else (-1, version)
