"""Scoring in the database: forecasts that are due are claimed, scored and written in one transaction, by one replica."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Connection, Row, and_, bindparam, delete, exists, func, insert, select, update

from models.calendar.timestamps import Timestamps
from models.errors import AlmanacError
from models.json_values import nan_if_none
from service.store.clock_alignment import Clock, align_clocks
from service.store.database import Database
from service.store.score import LoggedForecast, NaiveBaseline, StepScore, frequencies_match, score
from service.store.tables import forecasts, observations, scores, series
from service.store.time_tolerance import lookup_range, tolerance

logger = logging.getLogger("almanac")

BATCH = 100
"""Forecasts of one transaction: SQLite's other writers wait for it, less than a tenth of a second."""


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
        if claimed:
            _score(connection, claimed, now)
            done = forecasts.c.forecast_id.in_([row.forecast_id for row in claimed])
            connection.execute(update(forecasts).where(done).values(due=False))
    return len(claimed)


def mark_missed(database: Database, since: int) -> None:
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
        observations.c.timestamp <= forecasts.c.last_timestamp + tolerance(),
    )
    scored = exists().where(scores.c.forecast_id == forecasts.c.forecast_id)  # by then all such observations were there
    young = and_(forecasts.c.made_at >= since, forecasts.c.first_timestamp.is_not(None), ~forecasts.c.due, ~scored)
    with database.reading() as connection:
        found = connection.scalars(select(forecasts.c.forecast_id).where(young, told)).all()
    for at in range(0, len(found), BATCH):
        with database.writing() as connection:
            connection.execute(
                update(forecasts).where(forecasts.c.forecast_id.in_(found[at : at + BATCH])).values(due=True)
            )


def compute_scores(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[str, dict[int, StepScore]]:
    """Return the scores that rows of the ledger have by what is observed now, by id and step."""
    observed = _observed(connection, [row.forecast_id for row in rows])
    calendars = _calendars(connection, [row.series_id for row in rows])
    return {
        row.forecast_id: _fresh(row, observed[row.forecast_id], calendars.get(row.series_id, (None, None)))
        for row in rows
    }


def read_forecast(row: Row[Any]) -> LoggedForecast:
    """Return the forecast of a row of the ledger that has dates."""
    levels = tuple(orjson.loads(row.levels))
    naive = np.frombuffer(row.naive, "<f8")
    return LoggedForecast(
        stamps_of(row.timestamps),
        row.frequency,
        levels,
        np.frombuffer(row.quantiles, "<f8").reshape(row.horizon, len(levels)),
        np.frombuffer(row.median, "<f8"),
        NaiveBaseline(naive, nan_if_none(row.scale)),
    )


def stamps_of(blob: bytes) -> Timestamps:
    """Return times as the database keeps them, shape (length,), datetime64[us]."""
    return np.frombuffer(blob, "<i8").astype("M8[us]")


def _is_any_due(database: Database) -> bool:
    """Return whether there is anything to do: to look costs SQLite's writers nothing."""
    with database.reading() as connection:
        return connection.scalar(select(forecasts.c.forecast_id).where(forecasts.c.due).limit(1)) is not None


def _score(connection: Connection, claimed: Sequence[Row[Any]], now: int) -> None:
    """Bring the scores of forecasts up to their observations."""
    fresh_of, known = compute_scores(connection, claimed), _known(connection, [row.forecast_id for row in claimed])
    stale, added = list[dict[str, Any]](), list[dict[str, Any]]()
    for row in claimed:
        fresh, before = fresh_of[row.forecast_id], known[row.forecast_id]
        gone = {step for step, truth in before.items() if step not in fresh or fresh[step].observed != truth}
        stale += [{"of": row.forecast_id, "at": step} for step in gone]
        added += [_columns(row.forecast_id, fresh[step], now) for step in fresh if step not in before or step in gone]
    if stale:
        one = and_(scores.c.forecast_id == bindparam("of"), scores.c.step == bindparam("at"))
        connection.execute(delete(scores).where(one), stale)
    if added:
        connection.execute(insert(scores), added)


def _fresh(
    row: Row[Any], observed: Mapping[np.datetime64, float], calendar: tuple[str | None, str | None]
) -> dict[int, StepScore]:
    """Return the scores of a forecast by step; none of one whose row is damaged, so that it holds up no other."""
    frequency, zone = calendar
    if row.timestamps is None or not frequencies_match(row.frequency, frequency):
        return {}
    try:
        kept = read_forecast(row)
        stamps = np.array(list(observed), dtype="M8[us]")
        steps, stamps = align_clocks(kept.timestamps, Clock(row.timezone, row.style, row.frequency), stamps, zone)
        there = dict(zip(stamps, observed.values(), strict=True))
        return {one.step: one for one in score(kept, there, steps)}
    except (AlmanacError, ValueError) as error:
        logger.error("forecast %s cannot be scored: %s", row.forecast_id, error)  # noqa: TRY400 (the error says all)
        return {}


def _calendars(connection: Connection, ids: Sequence[str]) -> Mapping[str, tuple[str | None, str | None]]:
    """Return the frequency and the timezone that are known of series."""
    query = select(series.c.id, series.c.frequency, series.c.timezone).where(series.c.id.in_(set(ids)))
    return {name: (frequency, timezone) for name, frequency, timezone in connection.execute(query)}


def _known(connection: Connection, ids: Sequence[str]) -> Mapping[str, dict[int, float]]:
    """Return the truths that forecasts have been scored by, by id and step."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    query = select(scores.c.forecast_id, scores.c.step, scores.c.observed).where(scores.c.forecast_id.in_(ids))
    for forecast_id, step, observed in connection.execute(query):
        found[forecast_id][step] = observed
    return found


def _observed(connection: Connection, ids: Sequence[str]) -> Mapping[str, dict[np.datetime64, float]]:
    """Return the values of each forecast's series where its truth may stand, by id and timestamp."""
    truths = and_(
        observations.c.series_id == forecasts.c.series_id,
        observations.c.timestamp >= forecasts.c.first_timestamp - lookup_range(),
        observations.c.timestamp <= forecasts.c.last_timestamp + lookup_range(),
        observations.c.value.is_not(None),
    )
    query = (
        select(forecasts.c.forecast_id, observations.c.timestamp, observations.c.value)
        .select_from(forecasts)
        .join(observations, truths)
        .where(forecasts.c.forecast_id.in_(ids))
    )
    found: dict[str, dict[np.datetime64, float]] = defaultdict(dict)
    for forecast_id, timestamp, value in connection.execute(query):
        found[forecast_id][np.datetime64(timestamp, "us")] = value
    return found


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
