"""GET /accuracy: live scores by version, step, series and period, compared with seasonal naive and the backtest."""

import re
from typing import Annotated, get_args

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from models.calendar.timestamps import parse_timestamp
from models.ids import plain_id
from models.names import STARTER
from service.api.examples.accuracy import ACCURACY_RESPONSES
from service.api.http import json_response
from service.api.routes.series import unknown_series
from service.api.schemas.accuracy import AccuracyParameters, AccuracyResponse
from service.api.state import Service, service_of
from service.errors import FieldInvalid, ModelNotFound
from service.json_input import describe_value
from service.monitoring.accuracy_query import AccuracyQuery, query_accuracy
from service.selector import LoadedModel
from service.store.database import Database
from service.store.observations import find_series
from service.store.scoring.score_filter import ScoreFilter
from service.store.scoring.score_sums import GroupKey

router = APIRouter(tags=["accuracy"])

_STEPS = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
_KEYS: tuple[GroupKey, ...] = tuple(key for key in get_args(GroupKey) if key != "model")


@router.get("/accuracy", summary="Live accuracy", response_model=AccuracyResponse, responses=ACCURACY_RESPONSES)
async def accuracy(request: Request, parameters: Annotated[AccuracyParameters, Query()]) -> Response:
    """Return the accuracy of served forecasts: each step is scored once its actual value has been observed."""
    service = service_of(request)
    champions, query = list(service.catalog.champions.values()), _query(parameters)
    response, is_empty = await service.database.run(_answer, query, service, champions)
    if is_empty:
        await _check_known(service, query.where)
    return response


def _answer(
    database: Database, query: AccuracyQuery, service: Service, champions: list[LoadedModel]
) -> tuple[Response, bool]:
    """Return the response, and whether it has no rows; made in this thread, since it may have 10,000 of them."""
    found = query_accuracy(database, query, service.backtests.find, service.recent_inputs, champions)
    return json_response(found), not found["rows"]


async def _check_known(service: Service, where: ScoreFilter) -> None:
    """Raise ModelUnknown or SeriesUnknown if a query without scores names what does not exist."""
    known = {STARTER, *service.catalog.index.models, *service.catalog.champions}
    if where.model is not None and where.model not in known:
        raise ModelNotFound(f"There is no model {describe_value(where.model)}.", hint="GET /models lists the models.")
    if where.version is not None and not await _has_version(service, where):
        raise ModelNotFound(
            f"There is no version {describe_value(where.version)}.", hint="GET /models lists the models and versions."
        )
    if where.series is not None and await service.database.run(find_series, where.series) is None:
        raise unknown_series(where.series)


async def _has_version(service: Service, where: ScoreFilter) -> bool:
    """Return whether a version is registered or may be: a registry that has not answered may have it."""
    catalog = service.catalog
    if not catalog.index.is_current:
        return True
    starter = await catalog.starter.warm()
    versions = {STARTER: {starter.version} if starter else {where.version}}
    versions |= {name: {*model.versions} for name, model in catalog.index.models.items()}
    versions |= {name: versions.get(name, set()) | {one.version} for name, one in catalog.champions.items()}
    wanted = versions if where.model is None else {where.model: versions.get(where.model, set())}
    return any(where.version in one for one in wanted.values())


def _query(parameters: AccuracyParameters) -> AccuracyQuery:
    """Return the query of the parameters; raise FieldInvalid or TimestampInvalid for a wrong one."""
    name, slash, version = (parameters.model or "").partition("/")
    where = ScoreFilter(
        model=None if parameters.model is None else name,
        version=version if slash and parameters.version is None else parameters.version,
        series=None if parameters.series is None else plain_id(parameters.series),
        steps=None if parameters.step is None else _steps(parameters.step),
        **_bounds(parameters),  # type: ignore[arg-type]
    )
    return AccuracyQuery(
        where, _keys(parameters.by), parameters.period, parameters.limit, parameters.forecasts, parameters.window
    )


def _keys(text: str) -> tuple[GroupKey, ...]:
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    for word in wanted:
        if word not in _KEYS:
            raise FieldInvalid(
                f"`by` has the unknown key {word[:40]!r}.",
                pointer="/by",
                hint=f"The keys are {', '.join(_KEYS)}; separate them by commas.",
            )
    return tuple(key for key in _KEYS if key in wanted)


def _steps(text: str) -> tuple[int, int]:
    match = _STEPS.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last:
        raise FieldInvalid(f"`step` is {text[:40]!r}.", pointer="/step", hint="Send a step such as `1`, or `1-12`.")
    return first, last


def _bounds(parameters: AccuracyParameters) -> dict[str, int]:
    """Return `since` and `until` as fields of the filter: a date is one of each forecast's clock, a time a moment.

    Raises TimestampInvalid for any other text, and FieldInvalid if nothing lies between the two.
    """
    found, instants = dict[str, int](), list[np.datetime64]()
    for name, text in (("since", parameters.since), ("until", parameters.until)):
        if text is not None:
            stamp = parse_timestamp(text, pointer=f"/{name}")
            is_date = "hh" not in stamp.style
            moment = stamp.instant.astype("M8[D]" if is_date else "M8[us]")
            found[f"{name}_day" if is_date else name] = int(moment.astype("i8"))
            instants.append(stamp.instant)
    if len(instants) > 1 and instants[0] >= instants[1]:
        raise FieldInvalid(
            f"`until` is {parameters.until!r}, not after `since`, {parameters.since!r}.",
            pointer="/until",
            hint="`since` is the first that counts, `until` the first that does not.",
        )
    return found
