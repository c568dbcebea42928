"""Scoring of due forecasts: one replica claims them, compares them with the observations and writes their scores."""

import logging
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np
import orjson
from sqlalchemy import BindParameter, Connection, Row, and_, bindparam, delete, exists, func, select, update

from models.calendar.timestamps import to_local_times
from models.calendar.zoned_grid import parse_frequency
from models.errors import AlmanacError
from models.json_values import nan_if_none
from service.store.blobs import decode_floats, decode_times, microseconds
from service.store.database import Database
from service.store.many_rows import insert_many
from service.store.observations import Calendar
from service.store.scoring.actuals import Floats, Observed, match_actuals
from service.store.scoring.counting import choose_counted, judge, let_count, read_observations, record_verdicts
from service.store.scoring.rollups import Step, add_new_sums, add_sums, lock_scores, remove_sums
from service.store.scoring.score import LoggedForecast, NaiveBaseline, StepScore, frequencies_match, score
from service.store.scoring.time_matching import ForecastClock, align_clocks, tolerance
from service.store.tables import IS_DUE, forecasts, observations, scores, series

logger = logging.getLogger("almanac")

BATCH = 200
"""Forecasts of one transaction, for which other writers of SQLite wait: a few tenths of a second if all steps are new."""


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
            counted = _write_scores(connection, claimed, now)
            done = [{"of": row.forecast_id, "number": counted[row.forecast_id]} for row in claimed]
            connection.execute(_DONE, done)
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


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """A forecast and the actual value of each step, NaN where there is none, shape (horizon,)."""

    forecast: LoggedForecast
    actuals: Floats

    @property
    def is_observed(self) -> bool:
        """Whether a step has an actual value."""
        return bool(np.isfinite(self.actuals).any())

    def without(self, steps: Sequence[int]) -> Self:
        """Return the forecast without the actual values of some steps, the first of which is 1."""
        left = self.actuals.copy()
        left[[step - 1 for step in steps]] = np.nan
        return replace(self, actuals=left)


def count_observed(connection: Connection, row: Row[Any]) -> int:
    """Return how many steps of a forecast have an actual value now; `row` is of the table `forecasts`."""
    matched = _match_all(connection, [row], _calendars(connection, [row.series_id]))
    return sum(int(np.isfinite(one.actuals).sum()) for one in matched.values())


def read_forecast(row: Row[Any]) -> LoggedForecast:
    """Return the forecast of a row that has dates."""
    levels = _read_levels(row.levels)
    return LoggedForecast(
        decode_times(row.timestamps),
        row.frequency,
        levels,
        decode_floats(row.quantiles).reshape(row.horizon, len(levels)),
        decode_floats(row.median),
        NaiveBaseline(decode_floats(row.naive), nan_if_none(row.scale)),
    )


@lru_cache(maxsize=64)
def _read_levels(text: str) -> tuple[float, ...]:
    return tuple(orjson.loads(text))


def _is_any_due(database: Database) -> bool:
    """Return whether a forecast is due; the look does not block SQLite's writers."""
    with database.reading() as connection:
        return connection.scalar(select(forecasts.c.forecast_id).where(IS_DUE).limit(1)) is not None


def _write_scores(connection: Connection, claimed: Sequence[Row[Any]], now: int) -> dict[str, int]:
    """Write the scores that are new or changed, delete those whose observation is gone, and decide which count.

    Return how many count, by forecast id.
    """
    calendars = _calendars(connection, [row.series_id for row in claimed])
    matched = _match_all(connection, claimed, calendars)
    scored, counted = _scored_actuals(connection, [row.forecast_id for row in claimed])
    observed = {forecast_id for forecast_id, one in matched.items() if one.is_observed}
    unsure = [row for row in claimed if not row.is_evidence and row.forecast_id in observed]
    verdicts = judge(connection, unsure, calendars)
    stale, fresh = _compare(matched, scored)
    _delete(connection, stale)
    for forecast_id, step in stale:
        del scored[forecast_id][step]
        counted[forecast_id].discard(step)
    record_verdicts(connection, verdicts)
    changed = {forecast_id for forecast_id, _ in stale} | fresh.keys()
    changed |= {forecast_id for forecast_id, verdict in verdicts.items() if verdict}
    evidence = [row for row in claimed if row.is_evidence or verdicts.get(row.forecast_id)]
    new = {one: [score.step for score in found] for one, found in fresh.items()}
    waiting = {
        one: [*(step for step in scored.get(one, ()) if step not in counted[one]), *new.get(one, ())] for one in changed
    }
    chosen = choose_counted(connection, [row for row in evidence if row.forecast_id in changed], waiting)
    _insert(connection, claimed, fresh, chosen, now)
    stored = [(one, step) for one, step in chosen if step not in new.get(one, ())]
    let_count(connection, stored)
    add_sums(connection, stored)
    more = Counter(forecast_id for forecast_id, _ in chosen)
    return {row.forecast_id: len(counted[row.forecast_id]) + more[row.forecast_id] for row in claimed}


def _delete(connection: Connection, stale: Sequence[Step]) -> None:
    """Delete scores that are no longer right."""
    if stale:
        remove_sums(connection, stale)
        connection.execute(_DELETE, [{"of": forecast_id, "at": step} for forecast_id, step in stale])


def _insert(
    connection: Connection,
    claimed: Sequence[Row[Any]],
    fresh: Mapping[str, Sequence[StepScore]],
    chosen: Sequence[Step],
    now: int,
) -> None:
    """Insert new scores; those that are chosen count, and are added to the sums."""
    counting, new, added = {*chosen}, list[dict[str, Any]](), list[dict[str, Any]]()
    for row in claimed:
        names = {"model": row.model, "version": row.version, "series_id": row.series_id}
        for one in _columns(row, fresh.get(row.forecast_id, ()), now):
            counts = (row.forecast_id, one["step"]) in counting
            new.append({**one, "counts": counts})
            if counts:
                added.append({**one, **names})
    if new:
        insert_many(connection, scores, tuple(new[0]), [tuple(one.values()) for one in new])
    add_new_sums(connection, added)


def _compare(
    matched: Mapping[str, _Matched], scored: Mapping[str, Mapping[int, float]]
) -> tuple[list[Step], dict[str, list[StepScore]]]:
    """Return the scores that are no longer right, and by forecast id those of steps without one or with another actual value."""
    kept = {
        forecast_id: [step for step, actual in scored[forecast_id].items() if one.actuals[step - 1] == actual]
        for forecast_id, one in matched.items()
        if forecast_id in scored
    }
    stale = [(one, step) for one, steps in scored.items() for step in steps if step not in kept.get(one, ())]
    left = {forecast_id: one.without(kept.get(forecast_id, ())) for forecast_id, one in matched.items()}
    new = {forecast_id: one for forecast_id, one in left.items() if one.is_observed}
    found = score([one.forecast for one in new.values()], [one.actuals for one in new.values()])
    return stale, dict(zip(new, found, strict=True))


def _match_all(
    connection: Connection, rows: Sequence[Row[Any]], calendars: Mapping[str, Calendar]
) -> dict[str, _Matched]:
    """Return forecasts with the actual values of now, by id; those that cannot be compared with any are left out."""
    ids = [row.forecast_id for row in rows]
    observed = read_observations(connection, ids, forecasts.c.first_timestamp, forecasts.c.last_timestamp)
    found = {
        row.forecast_id: _match(row, observed[row.forecast_id], calendars.get(row.series_id, Calendar()))
        for row in rows
        if row.forecast_id in observed
    }
    return {forecast_id: one for forecast_id, one in found.items() if one is not None}


def _match(row: Row[Any], observed: Observed, calendar: Calendar) -> _Matched | None:
    """Return a forecast with its actual values; log a damaged row and return None, so that it stops no other."""
    if row.timestamps is None or not frequencies_match(row.frequency, calendar.frequency):
        return None
    try:
        forecast = read_forecast(row)
        clock = ForecastClock(row.timezone, row.style, row.frequency)
        steps, stamps = align_clocks(forecast.timestamps, clock, observed.timestamps, calendar.timezone)
        aligned = observed if stamps is observed.timestamps else Observed.make(stamps, observed.values)
        return _Matched(forecast, match_actuals(aligned, steps, parse_frequency(row.frequency)))
    except (AlmanacError, ValueError) as error:
        logger.error("forecast %s cannot be scored: %s", row.forecast_id, error)  # noqa: TRY400 (the error says all)
        return None


def _calendars(connection: Connection, ids: Sequence[str]) -> Mapping[str, Calendar]:
    """Return the calendars of those series that are known, by id."""
    found = connection.execute(_CALENDARS, {"ids": list(set(ids))})
    return {name: Calendar(frequency, timezone) for name, frequency, timezone in found}


def _scored_actuals(
    connection: Connection, ids: Sequence[str]
) -> tuple[dict[str, dict[int, float]], dict[str, set[int]]]:
    """Return the actual values that forecasts were scored with, by id and step, and the steps that count, by id."""
    found, counted = defaultdict[str, dict[int, float]](dict), defaultdict[str, set[int]](set)
    for forecast_id, step, observed, counts in connection.execute(_SCORED, {"ids": ids}).all():
        found[forecast_id][step] = observed
        if counts:
            counted[forecast_id].add(step)
    return found, counted


_SOME: BindParameter[Any] = bindparam("ids", expanding=True)
_DONE = update(forecasts).where(forecasts.c.forecast_id == bindparam("of"))
_DONE = _DONE.values(due=False, counted=bindparam("number"))
_SCORED = select(scores.c.forecast_id, scores.c.step, scores.c.observed, scores.c.counts)
_SCORED = _SCORED.where(scores.c.forecast_id.in_(_SOME))
_CALENDARS = select(series.c.id, series.c.frequency, series.c.timezone).where(series.c.id.in_(_SOME))
_DELETE = delete(scores).where(scores.c.forecast_id == bindparam("of"), scores.c.step == bindparam("at"))
"""Statements that are made once: that takes longer than to run them."""


def _columns(row: Row[Any], found: Sequence[StepScore], now: int) -> list[dict[str, Any]]:
    """Return the scores of a forecast as rows of the table."""
    stamps = np.array([one.timestamp for one in found], dtype="M8[us]")
    walls = stamps if row.timezone is None else to_local_times(stamps, row.timezone)
    days = walls.astype("M8[D]").astype(np.int64).tolist()
    return [
        {
            "forecast_id": row.forecast_id,
            "step": one.step,
            "timestamp": timestamp,
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
        for one, timestamp, day in zip(found, microseconds(stamps).tolist(), days, strict=True)
    ]
