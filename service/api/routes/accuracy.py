"""GET /accuracy: live scores by version, step, series and period, beside seasonal naive and the backtest."""

import re
from typing import Annotated, get_args

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from models.calendar.timestamps import parse_timestamp
from service.api.examples.accuracy import ACCURACY_RESPONSES
from service.api.http import json_response
from service.api.schemas.accuracy import AccuracyAnswer, AccuracyParameters
from service.api.state import service_of
from service.errors import FieldInvalid
from service.monitoring.accuracy_query import AccuracyQuery, query_accuracy
from service.store.score_sums import GroupKey, ScoreFilter

router = APIRouter(tags=["accuracy"])

_STEPS = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")
_KEYS: tuple[GroupKey, ...] = tuple(key for key in get_args(GroupKey) if key != "model")


@router.get("/accuracy", summary="Live accuracy", response_model=AccuracyAnswer, responses=ACCURACY_RESPONSES)
async def accuracy(request: Request, asked: Annotated[AccuracyParameters, Query()]) -> Response:
    """Return how the forecasts that were served came out: every forecast is scored as soon as its truth is observed."""
    service = service_of(request)
    champions = list(service.catalog.champions.values())
    return json_response(
        await service.database.run(
            query_accuracy, _question(asked), service.backtests.find, service.recent_inputs, champions
        )
    )


def _question(asked: AccuracyParameters) -> AccuracyQuery:
    """Return what is asked; raises FieldInvalid or TimestampInvalid where that makes no sense."""
    name, _, version = (asked.model or "").partition("/")
    where = ScoreFilter(
        model=name or None,
        version=asked.version or version or None,
        series=asked.series,
        steps=_steps(asked.step) if asked.step else None,
        since=_moment(asked.since, "/since"),
        until=_moment(asked.until, "/until"),
    )
    return AccuracyQuery(where, _keys(asked.by), asked.period, asked.limit, asked.forecasts, asked.window)


def _keys(text: str) -> tuple[GroupKey, ...]:
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    for word in wanted:
        if word not in _KEYS:
            raise FieldInvalid(
                f"`by` names {word[:40]!r}.",
                pointer="/by",
                hint=f"Name any of {', '.join(_KEYS)}, separated by commas.",
            )
    return tuple(key for key in _KEYS if key in wanted)


def _steps(text: str) -> tuple[int, int]:
    match = _STEPS.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last:
        raise FieldInvalid(f"`step` is {text[:40]!r}.", pointer="/step", hint="Send a step such as `1`, or `1-12`.")
    return first, last


def _moment(text: str | None, pointer: str) -> int | None:
    """Return a timestamp in microseconds since 1970; raises TimestampInvalid."""
    return None if text is None else int(parse_timestamp(text, pointer=pointer).instant.astype("M8[us]").astype("i8"))
