"""Live accuracy: GET /accuracy and GET /observations/count of a running service."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from models.calendar.frequency import MONTHS_IN
from models.calendar.zoned_grid import parse_frequency
from models.errors import ModelUnknown, ServiceUnreachable
from models.retraining.champion_figures import ChampionEvidence, count_new_observations, evidence_of
from models.retraining.live_figures import LiveFigures
from models.retraining.live_promotion import PERIOD, ScoredSteps
from models.retraining.thresholds import Thresholds
from models.spec import ModelSpec
from training.registry.location import Version
from training.service_client.client import SET_ADDRESS, Address, Row, ServiceRefused, get_json
from training.service_client.live_evidence import LiveEvidence

MOST_ROWS = 10_000
DAY_NANOSECONDS = 86_400_000_000_000


@dataclass(frozen=True, slots=True)
class LiveAccuracy:
    """Live accuracy of a model; rows as in the response of GET /accuracy.

    Attributes:
        name: Name of the model.
        version: Version of the steps, periods and forecasts; None if nothing has been scored.
        versions: One row per version.
        steps: One row per step.
        periods: One row per period, in order.
        forecasts: Some forecasts with the observed values.
        drift: Drift of inputs and errors.
        due: Forecasts of all models that are not scored yet.
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
    """Return the live accuracy of `name/version`, or of the newest version of `name` with scores.

    Raises:
        ModelUnknown: If the service has no such model or version.
        ServiceUnreachable: If the request fails.
    """
    overview = _get_accuracy(address, model=name, by="version")
    versions = sorted(overview["rows"], key=lambda row: _order(row["version"]))
    model, _, _ = name.partition("/")
    if not versions:
        _check_known(address, name)
        return LiveAccuracy(model, None, [], drift=overview["drift"], due=overview["due"])
    version = versions[-1]["version"]
    steps = _get_accuracy(address, model=model, version=version, by="step,version", forecasts=forecasts)
    periods = _get_accuracy(address, model=model, version=version, by="period,version", period=period)
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
    """Return the evidence on a served version: its scores, its inputs, and the number of observations since its training.

    Raises:
        ServiceUnreachable: If the request fails.
    """
    window = thresholds.steps(spec.season_length, spec.horizon)
    response = _get_accuracy(address, model=champion.name, version=champion.version, by="version", window=window)
    count = None
    if spec.trained_to is not None:
        parameters = {"after": spec.trained_to, "frequency": spec.frequency}
        count = int(_get(address, "/observations/count", "observations", parameters)["observations"])
    new = count_new_observations(count, spec)
    figures = LiveFigures.from_response(response, champion.version)
    return evidence_of(figures, champion.version, min_scores=thresholds.min_scores, new_observations=new)


def count_steps(address: Address, version: Version) -> int:
    """Return the last step that has at least half the scores of the step with the most; 0 without scores.

    A new version has scores for few steps, most of them for the first.

    Raises:
        ServiceUnreachable: If the request fails.
    """
    rows = _get_accuracy(address, model=version.name, version=version.version, by="step,version")["rows"]
    most = max((row["scores"] for row in rows), default=0)
    return max((row["step"] for row in rows if 2 * row["scores"] >= most), default=0)


def read_periods(
    address: Address, version: Version, spec: ModelSpec, *, steps: int, periods: int | None = None
) -> LiveEvidence:
    """Return a version's scores by series and period.

    If there are more rows than one response may have, only the first series by id are used.

    Args:
        address: Address of the service.
        version: The version.
        spec: Its specification: its frequency decides whether periods are months, weeks or days.
        steps: Last step ahead that counts.
        periods: Number of newest periods; None for all.

    Raises:
        ServiceUnreachable: If the request fails.
    """
    parameters = {"model": version.name, "version": version.version, "step": f"1-{steps}", "by": "series,period"}
    window = {} if periods is None else {"window": max(1, periods * steps_in_period(spec))}
    response = _get_accuracy(address, **parameters, **window, period=_period_of(spec))
    rows = response["rows"]
    if response["truncated"]:
        rows = [row for row in rows if row["series"] != rows[-1]["series"]]
    return LiveEvidence.of(version.version, rows)


def read_scored_steps(address: Address, name: str, version: str) -> ScoredSteps:
    """Return a version's errors by series, day and step; raise ServiceUnreachable if the request fails.

    If there are more rows than one response may have, only the first series by id are used.
    """
    parameters = {"model": name, "version": version, "by": "series,step,period", "period": PERIOD}
    rows = _get_accuracy(address, **parameters)["rows"]
    known = [row for row in rows if row["mase"] is not None]
    return {(row["series"], row["period"], row["step"]): (row["mase"], row["scores"]) for row in known}


def steps_in_period(spec: ModelSpec) -> int:
    """Return how many steps of a model lie in one period of `read_periods`."""
    nanoseconds = parse_frequency(spec.frequency).nanoseconds
    return max(1, DAY_NANOSECONDS // nanoseconds) if nanoseconds else 1


def _period_of(spec: ModelSpec) -> str:
    """Return the period: `month` for months, quarters and years, `week` for weeks, otherwise `day`."""
    unit = parse_frequency(spec.frequency).unit
    return "month" if unit in MONTHS_IN else "week" if unit == "W" else "day"


def _check_known(address: Address, name: str) -> None:
    """Raise ModelUnknown if the service has no such model; do nothing if it cannot say, as without the right key."""
    try:
        get_json(address, f"/models/{quote(name)}")
    except ServiceRefused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            raise ModelUnknown(
                f"{address.url} has no model {name!r} and no scores of one.",
                hint="`almanac models` lists the registered models.",
            ) from error
    except ServiceUnreachable:
        return


NO_SCORES: Row = {
    "rows": [],
    "truncated": False,
    "drift": {"inputs": [], "errors": []},
    "forecasts": [],
    "since": None,
    "observations": 0,
    "due": 0,
    "disputed": 0,
}


def _get_accuracy(address: Address, **parameters: object) -> Row:
    """Return the response of GET /accuracy, without rows for an unknown model or series; raises ServiceUnreachable."""
    try:
        return _get(address, "/accuracy", "rows", {**parameters, "limit": MOST_ROWS})
    except ServiceRefused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return NO_SCORES


def _get(address: Address, path: str, member: str, parameters: Mapping[str, object]) -> Row:
    """Return the response of a GET request, an object with `member`; raises ServiceUnreachable."""
    response = get_json(address, path, parameters)
    if member not in response:
        raise ServiceUnreachable(f"{address.url} is not an Almanac service.", hint=f"{SET_ADDRESS.capitalize()}.")
    return response


def _order(version: str) -> tuple[int, str]:
    """Return the sort key of a version: other names come before numbers."""
    return (int(version), "") if version.isdecimal() else (-1, version)
