"""Scoring in the database: forecasts that are due are claimed, scored and written in one transaction, by one replica."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Connection, Row, and_, delete, exists, func, insert, select, update

from models.errors import AlmanacError
from models.timestamps import Timestamps
from service.scoring import Kept, Measure, StepScore, score
from service.store.database import Database
from service.store.near import slack, slack_of
from service.store.tables import forecasts, observations, scores

logger = logging.getLogger("almanac")

BATCH = 200
"""Forecasts of one transaction: SQLite's other writers wait for it, some tens of milliseconds."""


def score_due(database: Database, now: int, limit: int = BATCH) -> int:
    """Score forecasts that are due, the oldest first, and return how many; 0 once none is left.

    PostgreSQL's replicas skip what another has claimed; SQLite has one writer at a time. A step whose truth is as it was
    when it was scored is left alone, one whose truth has been revised is scored anew, one whose truth has gone goes.

    Args:
        database: Where.
        now: Microseconds since 1970, kept as the time of the scores.
        limit: Most forecasts to claim.

    Raises:
        DatabaseUnreachable: If the database does not answer; nothing has been scored then.
    """
    if not _is_any_due(database):
        return 0
    with database.writing() as connection:
        claim = select(forecasts).where(forecasts.c.due).order_by(forecasts.c.made_at).limit(limit)
        claimed = connection.execute(claim.with_for_update(skip_locked=True)).all()
        for row in claimed:
            _score_or_tell(connection, row, now)
        done = [row.forecast_id for row in claimed]
        if done:
            connection.execute(update(forecasts).where(forecasts.c.forecast_id.in_(done)).values(due=False))
    return len(claimed)


def mark_young(database: Database, since: int) -> None:
    """Make forecasts due whose truth was observed before they were written, or while they were.

    Observations mark the forecasts that they see; of two transactions that are open at the same time, neither sees the
    other.

    Args:
        database: Where.
        since: Forecasts made from this moment on, microseconds since 1970; observations have seen the older ones.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    told = exists().where(
        observations.c.series_id == forecasts.c.series_id,
        observations.c.timestamp > func.coalesce(forecasts.c.cutoff, forecasts.c.first_timestamp - 1),
        observations.c.timestamp <= forecasts.c.last_timestamp + slack(),
    )
    young = and_(forecasts.c.made_at >= since, forecasts.c.first_timestamp.is_not(None), ~forecasts.c.due)
    with database.reading() as connection:
        found = connection.scalars(select(forecasts.c.forecast_id).where(young, told)).all()
    for at in range(0, len(found), BATCH):
        with database.writing() as connection:
            connection.execute(
                update(forecasts).where(forecasts.c.forecast_id.in_(found[at : at + BATCH])).values(due=True)
            )


def kept_of(row: Row[Any]) -> Kept:
    """Return the forecast of a row of the ledger that has dates."""
    levels = tuple(orjson.loads(row.levels))
    naive = np.frombuffer(row.naive, "<f8")
    return Kept(
        stamps_of(row.timestamps),
        row.frequency,
        levels,
        np.frombuffer(row.quantiles, "<f8").reshape(row.horizon, len(levels)),
        np.frombuffer(row.median, "<f8"),
        Measure(naive, float("nan") if row.scale is None else row.scale),
    )


def stamps_of(blob: bytes) -> Timestamps:
    """Return times as the database keeps them, shape (length,), datetime64[us]."""
    return np.frombuffer(blob, "<i8").astype("M8[us]")


def _is_any_due(database: Database) -> bool:
    """Return whether there is anything to do: to look costs SQLite's writers nothing."""
    with database.reading() as connection:
        return connection.scalar(select(forecasts.c.forecast_id).where(forecasts.c.due).limit(1)) is not None


def _score_or_tell(connection: Connection, row: Row[Any], now: int) -> None:
    """Score a forecast; one whose row is damaged is told of and left, so that it does not hold up the others."""
    try:
        _score(connection, row, now)
    except (AlmanacError, ValueError) as error:
        logger.error("forecast %s cannot be scored: %s", row.forecast_id, error)  # noqa: TRY400 (the error says all)


def _score(connection: Connection, row: Row[Any], now: int) -> None:
    """Bring the scores of one forecast up to its observations."""
    if row.timestamps is None:
        return
    fresh = {one.step: one for one in score(kept_of(row), _observed(connection, row))}
    known = select(scores.c.step, scores.c.observed).where(scores.c.forecast_id == row.forecast_id)
    before = {row.step: row.observed for row in connection.execute(known)}
    stale = [step for step, observed in before.items() if step not in fresh or fresh[step].observed != observed]
    if stale:
        gone = and_(scores.c.forecast_id == row.forecast_id, scores.c.step.in_(stale))
        connection.execute(delete(scores).where(gone))
    added = [one for step, one in fresh.items() if step not in before or step in stale]
    if added:
        connection.execute(insert(scores), [_columns(row.forecast_id, one, now) for one in added])


def _observed(connection: Connection, row: Row[Any]) -> Mapping[np.datetime64, float]:
    """Return the values of a forecast's series where its truth may stand, by timestamp."""
    slack = slack_of(row.frequency)
    found = connection.execute(
        select(observations.c.timestamp, observations.c.value).where(
            observations.c.series_id == row.series_id,
            observations.c.timestamp.between(row.first_timestamp - slack, row.last_timestamp + slack),
            observations.c.value.is_not(None),
        )
    )
    return {np.datetime64(timestamp, "us"): value for timestamp, value in found}


def _columns(forecast_id: str, one: StepScore, now: int) -> dict[str, Any]:
    return {
        "forecast_id": forecast_id,
        "step": one.step,
        "timestamp": int(one.timestamp.astype(np.int64)),
        "observed": one.observed,
        "absolute_scaled_error": one.absolute_scaled_error,
        "naive_scaled_error": one.naive_scaled_error,
        "pinball": one.pinball,
        "scaled_pinball": one.scaled_pinball,
        "covered_80": one.covered.get(80.0),
        "covered_95": one.covered.get(95.0),
        "scored_at": now,
    }
