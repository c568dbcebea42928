"""Score filter: conditions on scores, in SQL, and the days that they allow."""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from sqlalchemy import ColumnElement, Integer, Table, func, literal_column, select

from service.store.database import Database, storable
from service.store.scoring.rollups import DAY
from service.store.tables import forecasts, scores, sums_by_series_step, sums_by_step

CLOCKS = 1
"""Days that a local date and the UTC date of one moment may differ."""

FARTHEST = DAY // 24 * 16
"""No clock has been farther from UTC: the Philippines were 15 h 56 min behind it before 1845."""

SLACK = 2 * DAY
"""Before and after the days of a filter: forecasts that end or begin farther away have no scores in it."""


LONGEST_MONTH = 31
"""Days."""

OF_ROLLUP = 1
"""Days whose scores are read in the time that a rollup takes."""

LONG = 40
"""Days from which on the scores of some series are read series by series."""

Unit = Literal["month", "week", "day"]
"""What a rollup sums: a month, the part of a week that lies in one month, or a day."""

Days = tuple[int | None, int | None]
"""The first day, or moment, and the one after the last."""


@dataclass(frozen=True, slots=True)
class ScoreFilter:
    """Conditions on scores; None is no condition. Only scores that count are summed, whatever the filter.

    Attributes:
        model: Name.
        version: Of the model.
        series: Id.
        some_series: Ids of which the scores are wanted; others may be found too. None is no condition.
        are_few: Whether these are so few of all series that their scores are found through their forecasts, not by time.
        steps: First and last step ahead, both included.
        since: First timestamp of a scored step, microseconds since 1970, included.
        until: First timestamp that is left out.
        since_day: First day of a scored step by its forecast's clock, days since 1970, included.
        until_day: First day that is left out.
        scored_since: First time of scoring, microseconds since 1970, included.
    """

    model: str | None = None
    version: str | None = None
    series: str | None = None
    some_series: tuple[str, ...] | None = None
    are_few: bool = False
    steps: tuple[int, int] | None = None
    since: int | None = None
    until: int | None = None
    since_day: int | None = None
    until_day: int | None = None
    scored_since: int | None = None

    @property
    def reads_series(self) -> bool:
        """Whether scores are found through the forecasts of some series: if these are few, or the days are many."""
        return self.some_series is not None and (self.are_few or DayRange.of(self).number > LONG)

    def of_forecasts(self) -> list[ColumnElement[bool]]:
        """Return the conditions on `forecasts` in SQL."""
        limits = [
            (forecasts.c.model, self.model),
            (forecasts.c.version, self.version),
            (forecasts.c.series_id, self.series),
        ]
        found = [column == storable(value) for column, value in limits if value is not None]
        if self.some_series is None or not self.reads_series:
            return found
        first, last = self._moments()
        found += [] if first is None else [forecasts.c.last_timestamp >= first - SLACK]
        found += [] if last is None else [forecasts.c.first_timestamp < last + SLACK]
        return [*found, forecasts.c.series_id.in_(self.some_series)]

    def of_scores(self) -> list[ColumnElement[bool]]:
        """Return the conditions on `scores` in SQL; days also as timestamps, which have an index."""
        first, last = self.steps or (None, None)
        timestamp = scores.c.timestamp + 0 if self.reads_series else scores.c.timestamp  # by series, not by its index
        since, until = self._moments()
        limits = [
            (operator.ge, scores.c.step, first),
            (operator.le, scores.c.step, last),
            (operator.ge, timestamp, since),
            (operator.lt, timestamp, until),
            (operator.ge, scores.c.day, self.since_day),
            (operator.lt, scores.c.day, self.until_day),
            (operator.ge, scores.c.scored_at, self.scored_since),
        ]
        return [compare(column, value) for compare, column, value in limits if value is not None]

    def _moments(self) -> Days:
        """Return the first and the last limit of timestamps, days included: databases use one of several with an index."""
        since = [self.since, None if self.since_day is None else self.since_day * DAY - FARTHEST]
        until = [self.until, None if self.until_day is None else self.until_day * DAY + FARTHEST]
        first, last = ([one for one in limits if one is not None] for limits in (since, until))
        return max(first, default=None), min(last, default=None)

    def of_rollup(self, table: Table) -> list[ColumnElement[bool]]:
        """Return the conditions on model, version, series and steps in SQL, on a rollup."""
        names = (("model", self.model), ("version", self.version), ("series_id", self.series))
        found = [table.c[name] == storable(value) for name, value in names if value is not None]
        if self.some_series is not None and "series_id" in table.c:
            found.append(table.c.series_id.in_(self.some_series))
        return found if self.steps is None else [*found, table.c.step.between(*self.steps)]

    def of_months(self, table: Table) -> list[ColumnElement[bool]]:
        """Return conditions on a rollup by month that a month with scores of this filter fulfils."""
        days = DayRange.of(self)
        found = [table.c.scores > 0, *self.of_rollup(table)]
        found += [] if days.first is None else [table.c.month > days.first - LONGEST_MONTH]
        return found + ([] if days.end is None else [table.c.month < days.end])

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions in SQL, on `scores` joined with `forecasts`."""
        return [scores.c.counts, *self.of_forecasts(), *self.of_scores()]

    def sqlite_conditions(self) -> list[ColumnElement[bool]]:
        """Return what `conditions` returns, for SQLite: it reads the scores of a time by place, not as the index lists them.

        In half of the time: those of one forecast lie side by side.
        """
        if self.series is not None or self.reads_series or self._moments() == (None, None):
            return self.conditions()
        places = select(literal_column("rowid", Integer)).select_from(scores).where(*self.of_scores()).correlate(None)
        return [scores.c.counts, *self.of_forecasts(), literal_column(f"{scores.name}.rowid").in_(places)]

    def within(self, first: int | None, end: int | None) -> Self:
        """Return this filter, only for the days from `first` on and before `end`."""
        since = [day for day in (self.since_day, first) if day is not None]
        until = [day for day in (self.until_day, end) if day is not None]
        return replace(self, since_day=max(since, default=None), until_day=min(until, default=None))

    def in_units(self, unit: Unit) -> tuple[Self, list[Self], list[Self]] | None:
        """Return a filter of the nearest whole units, and filters of the scores that it lacks and of those it has too many.

        None if the scores of this filter are read sooner, since these have as many days.
        """
        first = _nearest(self.since, self.since_day, unit, max)
        end = _nearest(self.until, self.until_day, unit, min)
        free = replace(self, since=None, until=None, since_day=None, until_day=None)
        whole = free.within(first, end)
        lacking = [self.within(None, first)] * (first is not None) + [self.within(end, None)] * (end is not None)
        extra = [*whole.before(self), *replace(whole.within(self.since_day, None), since=self.since).after(self)]
        lacking, extra = ([one for one in some if one.has_time] for some in (lacking, extra))
        is_slow = sum(one.days for one in (*lacking, *extra)) + OF_ROLLUP >= self.days
        return None if (lacking or extra) and is_slow else (whole, lacking, extra)

    def before(self, other: Self) -> list[Self]:
        """Return the filters of scores of this one, which has no moments, that come too early for another one."""
        found = [] if other.since_day is None else [self.within(None, other.since_day)]
        return found + ([] if other.since is None else [replace(self.within(other.since_day, None), until=other.since)])

    def after(self, other: Self) -> list[Self]:
        """Return the filters of scores of this one that come too late for another one."""
        found = [] if other.until_day is None else [self.within(other.until_day, None)]
        if other.until is None:
            return found
        since = other.until if self.since is None else max(self.since, other.until)
        return [*found, replace(self.within(None, other.until_day), since=since)]

    @property
    def days(self) -> float:
        """How many days lie between the limits, each a moment, a date or both."""
        since = [
            *([] if self.since is None else [self.since / DAY]),
            *([] if self.since_day is None else [self.since_day]),
        ]
        until = [
            *([] if self.until is None else [self.until / DAY]),
            *([] if self.until_day is None else [self.until_day]),
        ]
        return max(0.0, min(until) - max(since)) if since and until else math.inf

    @property
    def has_time(self) -> bool:
        """Whether any day and moment lie between the limits."""
        first, last = self._moments()
        has_days = self.since_day is None or self.until_day is None or self.since_day < self.until_day
        return has_days and (first is None or last is None or first < last)


@dataclass(frozen=True, slots=True)
class DayRange:
    """Days that a filter allows.

    Attributes:
        first: First day that may have allowed scores; None without a limit.
        end: The day after the last.
    """

    first: int | None
    end: int | None

    @classmethod
    def of(cls, where: ScoreFilter) -> Self:
        """Return the days of a filter; a moment may lie on the day before or after its day in UTC."""
        since = [] if where.since is None else [where.since // DAY - CLOCKS]
        until = [] if where.until is None else [where.until // DAY + CLOCKS + 1]
        since += [] if where.since_day is None else [where.since_day]
        until += [] if where.until_day is None else [where.until_day]
        return cls(max(since, default=None), min(until, default=None))

    @property
    def number(self) -> float:
        """How many days these are; none if the first is after the last."""
        return math.inf if self.first is None or self.end is None else max(0, self.end - self.first)

    def in_units(self, unit: Unit) -> Self:
        """Return the whole units of these days."""
        first, end = self.first, self.end
        if first is not None:
            first = first if first == start_of(first, unit) else end_of(first, unit)
        return replace(self, first=first, end=None if end is None else start_of(end, unit))

    def nearest(self, unit: Unit) -> tuple[Self, list[Days], list[Days]]:
        """Return units whose sums are those of the same days if some days are added and others taken away.

        Of a unit that a date cuts in two these are the fewer days. With an empty range neither counts.
        """
        units, added, taken = self.in_units(unit), list[Days](), list[Days]()
        if self.first is not None and units.first is not None:
            start = start_of(self.first, unit)
            if self.first - start < units.first - self.first:
                units, taken = replace(units, first=start), [(start, self.first)]
            else:
                added.append((self.first, units.first))
        if self.end is not None and units.end is not None:
            following = end_of(self.end, unit)
            if following - self.end < self.end - units.end:
                units, taken = replace(units, end=following), [*taken, (self.end, following)]
            else:
                added.append((units.end, self.end))
        return units, [days for days in added if days[0] != days[1]], [days for days in taken if days[0] != days[1]]


def start_of(day: int, unit: Unit) -> int:
    """Return the first day of a day's month, or of the part of its week in that month, both in days since 1970."""
    if unit == "day":
        return day
    month = int(np.datetime64(day, "D").astype("M8[M]").astype("M8[D]").astype(np.int64))
    return month if unit == "month" else max(month, monday_of(day))


def end_of(day: int, unit: Unit) -> int:
    """Return the day after the last of a day's month, or of the part of its week in that month."""
    if unit == "day":
        return day + 1
    month = start_of(start_of(day, "month") + LONGEST_MONTH, "month")
    return month if unit == "month" else min(month, monday_of(day) + 7)


def _nearest(moment: int | None, day: int | None, unit: Unit, choose: Callable[[list[int]], int]) -> int | None:
    """Return the day at which a unit begins or ends that is nearest to a limit, given as a moment, a day or both."""
    limits = ([] if moment is None else [moment]) + ([] if day is None else [day * DAY])
    if not limits:
        return None
    at = choose(limits)
    start, end = start_of(at // DAY, unit), end_of(at // DAY, unit)
    return start if at - start * DAY < end * DAY - at else end


def monday_of(day: int) -> int:
    """Return the Monday of a day's week; day 0 is a Thursday."""
    return day - (day + 3) % 7


def count_series(database: Database, where: ScoreFilter) -> int:
    """Return about how many series may have scores: those that have one of the first step."""
    first = where if where.steps else replace(where, steps=(1, 1))
    with database.reading() as connection:
        query = select(func.count(sums_by_series_step.c.series_id.distinct())).where(
            *first.of_months(sums_by_series_step)
        )
        return connection.scalar(query) or 0


def are_all_steps(database: Database, where: ScoreFilter) -> bool:
    """Return whether the filter on steps lets all pass that its model and version have."""
    first, last = where.steps or (1, 0)
    names = replace(where, series=None, steps=None).of_rollup(sums_by_step)
    with database.reading() as connection:
        most = connection.scalar(select(func.max(sums_by_step.c.step)).where(*names)) or 0
    return first == 1 and last >= most
