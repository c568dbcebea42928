"""Scoring of due forecasts: one replica claims them, compares them with the observations and writes their scores."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from sqlalchemy import Connection, Row, and_, bindparam, delete, exists, func, insert, select, update

from models.calendar.timestamps import to_local_times
from models.errors import AlmanacError
from models.json_values import nan_if_none
from service.store.blobs import decode_floats, decode_times
from service.store.counting import count_scores, judge, read_observations, record_verdicts
from service.store.database import Database
from service.store.observations import Calendar
from service.store.rollups import add_sums, lock_scores, remove_sums
from service.store.score import LoggedForecast, NaiveBaseline, StepScore, frequencies_match, score
from service.store.tables import IS_DUE, forecasts, observations, scores, series
from service.store.time_matching import ForecastClock, align_clocks, tolerance

logger = logging.getLogger("almanac")

BATCH = 100
"""Forecasts of one transaction: other writers of SQLite wait for it less than a tenth of a second."""


def score_due(database: Database, now: int, limit: int = BATCH) -> int:
    """Score due forecasts, the oldest first, and return how many; 0 if none is due.

    One replica at a time scores a batch. A step is scored if its
    actual value is new, scored again if that was revised, and its score is deleted if that was deleted.

    Args:
        database: Where the forecasts are.
        now: Microseconds since 1970, stored as the time of the scores.
        limit: Most forecasts to claim.

    Raises:
        DatabaseUnreachable: If the database does not answer; then nothing was scored.
    """
    if not _is_any_due(database):
        return 0
    with database.writing() as connection:
        lock_scores(connection)
        claim = select(forecasts).where(IS_DUE).order_by(forecasts.c.made_at).limit(limit)
        claimed = connection.execute(claim.with_for_update(skip_locked=True)).all()
        if claimed:
            _write_scores(connection, claimed, now)
            done = forecasts.c.forecast_id.in_([row.forecast_id for row in claimed])
            connection.execute(update(forecasts).where(done).values(due=False))
    return len(claimed)


def mark_missed(database: Database, since: int) -> None:
    """Mark as due the forecasts whose actual values were observed before the forecasts were written.

    Observations mark the forecasts that they see. Of two transactions that are open at the same time, neither sees the
    other.

    Args:
        database: Where the forecasts are.
        since: Look at forecasts made from this moment on, microseconds since 1970.

    Raises:
        DatabaseUnreachable: If the database does not answer.
    """
    observed = exists().where(
        observations.c.series_id == forecasts.c.series_id,
        observations.c.timestamp > func.coalesce(forecasts.c.cutoff, forecasts.c.first_timestamp - 1),
        observations.c.timestamp <= forecasts.c.last_timestamp + tolerance(),
    )
    scored = exists().where(scores.c.forecast_id == forecasts.c.forecast_id)  # then it has seen all such observations
    recent = and_(forecasts.c.made_at >= since, forecasts.c.first_timestamp.is_not(None), ~forecasts.c.due, ~scored)
    with database.reading() as connection:
        found = connection.scalars(select(forecasts.c.forecast_id).where(recent, observed)).all()
    for at in range(0, len(found), BATCH):
        with database.writing() as connection:
            connection.execute(
                update(forecasts).where(forecasts.c.forecast_id.in_(found[at : at + BATCH])).values(due=True)
            )


def compute_scores(connection: Connection, rows: Sequence[Row[Any]]) -> Mapping[str, dict[int, StepScore]]:
    """Return the scores of forecasts by the observations of now, by id and step; `rows` are of the table `forecasts`."""
    return _compute_all(connection, rows, _calendars(connection, [row.series_id for row in rows]))


def _compute_all(
    connection: Connection, rows: Sequence[Row[Any]], calendars: Mapping[str, Calendar]
) -> Mapping[str, dict[int, StepScore]]:
    ids = [row.forecast_id for row in rows]
    observed = read_observations(connection, ids, forecasts.c.first_timestamp, forecasts.c.last_timestamp)
    return {
        row.forecast_id: _compute(row, observed[row.forecast_id], calendars.get(row.series_id, Calendar()))
        for row in rows
    }


def read_forecast(row: Row[Any]) -> LoggedForecast:
    """Return the forecast of a row that has dates."""
    levels = tuple(orjson.loads(row.levels))
    return LoggedForecast(
        decode_times(row.timestamps),
        row.frequency,
        levels,
        decode_floats(row.quantiles).reshape(row.horizon, len(levels)),
        decode_floats(row.median),
        NaiveBaseline(decode_floats(row.naive), nan_if_none(row.scale)),
    )


def _is_any_due(database: Database) -> bool:
    """Return whether a forecast is due; the look does not block SQLite's writers."""
    with database.reading() as connection:
        return connection.scalar(select(forecasts.c.forecast_id).where(IS_DUE).limit(1)) is not None


def _write_scores(connection: Connection, claimed: Sequence[Row[Any]], now: int) -> None:
    """Write the scores that are new or changed, delete those whose observation is gone, and decide which count."""
    calendars = _calendars(connection, [row.series_id for row in claimed])
    new_scores = _compute_all(connection, claimed, calendars)
    old_actuals = _scored_actuals(connection, [row.forecast_id for row in claimed])
    unsure = [row for row in claimed if not row.is_evidence and new_scores[row.forecast_id]]
    verdicts = judge(connection, unsure, calendars)
    stale, added = list[dict[str, Any]](), list[dict[str, Any]]()
    for row in claimed:
        new, old = new_scores[row.forecast_id], old_actuals[row.forecast_id]
        gone = {step for step, actual in old.items() if step not in new or new[step].observed != actual}
        stale += [{"of": row.forecast_id, "at": step} for step in gone]
        fresh = [step for step in new if step not in old or step in gone]
        days = local_days(row, [new[step].timestamp for step in fresh])
        added += [_columns(row.forecast_id, new[step], day, now) for step, day in zip(fresh, days, strict=True)]
    changed = {one["of"] for one in stale} | {one["forecast_id"] for one in added}
    changed |= {forecast_id for forecast_id, verdict in verdicts.items() if verdict}
    remove_sums(connection, sorted(changed))
    if stale:
        one = and_(scores.c.forecast_id == bindparam("of"), scores.c.step == bindparam("at"))
        connection.execute(delete(scores).where(one), stale)
    if added:
        connection.execute(insert(scores), added)
    record_verdicts(connection, verdicts)
    if changed:
        evidence = [row for row in claimed if row.is_evidence or verdicts.get(row.forecast_id)]
        count_scores(connection, [row for row in evidence if row.forecast_id in changed])
        add_sums(connection, sorted(changed))


def local_days(row: Row[Any], timestamps: Sequence[np.datetime64]) -> list[int]:
    """Return the days of a forecast's steps by its own clock, in days since 1970."""
    walls = np.array(timestamps, dtype="M8[us]")
    if row.timezone is not None:
        walls = to_local_times(walls, row.timezone)
    return list(walls.astype("M8[D]").astype(np.int64).tolist())


def _compute(row: Row[Any], observed: Mapping[np.datetime64, float], calendar: Calendar) -> dict[int, StepScore]:
    """Return the scores of a forecast by step; log a damaged row and return none, so that it stops no other."""
    if row.timestamps is None or not frequencies_match(row.frequency, calendar.frequency):
        return {}
    try:
        forecast = read_forecast(row)
        stamps = np.array(list(observed), dtype="M8[us]")
        clock = ForecastClock(row.timezone, row.style, row.frequency)
        steps, stamps = align_clocks(forecast.timestamps, clock, stamps, calendar.timezone)
        aligned = dict(zip(stamps, observed.values(), strict=True))
        return {one.step: one for one in score(forecast, aligned, steps)}
    except (AlmanacError, ValueError) as error:
        logger.error("forecast %s cannot be scored: %s", row.forecast_id, error)  # noqa: TRY400 (the error says all)
        return {}


def _calendars(connection: Connection, ids: Sequence[str]) -> Mapping[str, Calendar]:
    """Return the calendars of those series that are known, by id."""
    query = select(series.c.id, series.c.frequency, series.c.timezone).where(series.c.id.in_(set(ids)))
    return {name: Calendar(frequency, timezone) for name, frequency, timezone in connection.execute(query)}


def _scored_actuals(connection: Connection, ids: Sequence[str]) -> Mapping[str, dict[int, float]]:
    """Return the actual values that forecasts were scored with, by id and step."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    query = select(scores.c.forecast_id, scores.c.step, scores.c.observed).where(scores.c.forecast_id.in_(ids))
    for forecast_id, step, observed in connection.execute(query):
        found[forecast_id][step] = observed
    return found


def _columns(forecast_id: str, one: StepScore, day: int, now: int) -> dict[str, Any]:
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
        "day": day,
    }
