"""Series: observations at equal steps, validated at construction."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np

from models.calendar.dates import Dates, read_first, read_start, read_timestamps
from models.calendar.styles import style_for
from models.calendar.timestamps import load_timezone
from models.calendar.zoned_grid import Frequency, Timestamps, parse_frequency, phase_after, timestamps_from
from models.covariates import (
    NO_COVARIATES,
    CovariateNames,
    Covariates,
    check_covariates,
    cut_covariates,
    read_covariates,
)
from models.errors import (
    Finding,
    FrequencyNotInferred,
    SeriesError,
    TimestampInvalid,
    TimestampsDuplicated,
    TimestampsMismatched,
)
from models.irregular.bounds import UNBOUNDED, Bounds, read_bounds
from models.irregular.grid_placement import Placed, place
from models.irregular.repairs import Repair, list_repairs
from models.irregular.repeats import drop_repeats
from models.values import Values, all_finite, check_values, describe, read_values

DEFAULT_STYLE = "YYYY-MM-DD"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Observations at equal steps, oldest first.

    Attributes:
        values: Shape (length,), the series' units, NaN where nothing was observed; read-only.
        id: Name of the series within its batch.
        start: Timestamp of the first value, datetime64[us]: a UTC instant with a timezone, else a wall clock.
        frequency: Step between two values, or None if unknown.
        timezone: IANA name of the timezone of days, months, ….
        style: How the timestamps were written, for `format_timestamps`.
        repairs: Changes that made the series regular.
        past_covariates: Values at the series' steps by name, each (length,); read-only.
        future_covariates: Values after the last step by name, of any length; these covariates are known ahead.
        bounds: Lowest and highest value that a forecast may have.
        findings: What a person should know of the dates.

    Raises:
        SeriesEmpty: If there are no values.
        SeriesAllMissing: If every value is a gap.
        SeriesInfinite: If a value is infinite.
        SeriesNotNumeric: If the values are not a flat array of numbers.
        FrequencyNotInferred: If there is a start but no frequency.
        TimestampInvalid: If a timestamp lies outside the years 1 to 9999.
        TimestampsOffCalendar: If the frequency is of business days or hours and the start is not one.
        CovariateLength, CovariateNotNumeric: If a covariate is not such a list.
    """

    values: Values
    id: str = "0"
    start: np.datetime64 | None = None
    frequency: Frequency | None = None
    timezone: str | None = None
    style: str = DEFAULT_STYLE
    repairs: tuple[Repair, ...] = ()
    past_covariates: Covariates = field(default_factory=lambda: NO_COVARIATES)
    future_covariates: Covariates = field(default_factory=lambda: NO_COVARIATES)
    bounds: Bounds = UNBOUNDED
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        """Validate all fields, and make the arrays read-only."""
        values = np.array(self.values, dtype=np.float64)
        check_values(values)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        past, future = check_covariates(self.past_covariates, self.future_covariates, len(values))
        object.__setattr__(self, "past_covariates", past)
        object.__setattr__(self, "future_covariates", future)
        if self.start is not None:
            if self.frequency is None:
                raise _frequency_missing()
            timestamps_from(self.start, self.frequency, 1, self.timezone, skip=len(values) - 1)

    @classmethod
    def make(  # noqa: PLR0913 - the fields of a request
        cls,
        values: object,
        *,
        id: str = "0",  # noqa: A002 - the wire's name
        start: object = None,
        frequency: str | Frequency | None = None,
        timestamps: object = None,
        timezone: str | None = None,
        past_covariates: object = None,
        future_covariates: object = None,
        horizon: int | None = None,
        missing: str = "gap",
        bounds: object = None,
    ) -> Self:
        """Return a series from values and dates in any form.

        Args:
            values: A sequence or an array of numbers, oldest first, None or NaN where nothing was observed.
            id: Name of the series.
            start: Timestamp of the first value: text, date, datetime, datetime64 or pandas Timestamp.
            frequency: Any alias for `parse_frequency`; by default inferred from `timestamps`.
            timestamps: One for each value, rising; missing steps become gaps. `Dates` are taken as they are.
            timezone: IANA name if days and months are local.
            past_covariates: Name to numbers, one for each value.
            future_covariates: Name to the numbers after the last value, or to all numbers if `horizon` is given.
            horizon: Steps that each future covariate must have, if known.
            missing: `gap` or `zero`: what a step without a timestamp means.
            bounds: Mapping with `minimum`, `maximum` or both, between which every forecast lies.

        Raises:
            SeriesError: One of its subclasses, with a pointer such as `/values/3`.
            FrequencyUnknown: If the alias is unknown.
            FrequencyNotInferred: If it cannot be inferred, or there is a start without a frequency.
        """
        numbers = read_values(values)
        complete = all_finite(numbers)
        if not (complete and numbers.size):
            check_values(numbers)
        _check_text(id, "/id", SeriesError)
        if timezone is not None:
            _check_text(timezone, "/timezone", TimestampInvalid)
            load_timezone(timezone)
        limits = read_bounds(bounds)
        past, future = read_covariates(past_covariates, future_covariates, len(numbers), horizon)
        step = frequency if frequency is None or isinstance(frequency, Frequency) else parse_frequency(frequency)
        stated = "" if step is None else step.unit
        if timestamps is not None:
            repeated: tuple[Repair, ...] = ()
            try:
                dates = _read_matching(timestamps, timezone, numbers, start, stated)
            except TimestampsDuplicated:
                timestamps, numbers, past, repeated = drop_repeats(timestamps, numbers, past)
                dates = _read_matching(timestamps, timezone, numbers, start, stated)
            placed = place(numbers, dates, step, past, missing=missing)
            return cls._on_grid(id, dates, placed, future, limits, repeated)
        masked = () if complete else list_repairs("GAP_MASKED", np.isnan(numbers))
        if start is None:
            return cls._sound(numbers, id, None, step, None, DEFAULT_STYLE, masked, past, future, limits, ())
        if step is None:
            raise _frequency_missing()
        stamp, written, zone, found = read_first(start, timezone, stated)
        timestamps_from(stamp, step, 1, zone, skip=len(numbers) - 1)
        style = style_for(written, step.unit)
        return cls._sound(numbers, id, stamp, step, zone, style, masked, past, future, limits, found)

    @classmethod
    def _sound(cls, values: Values, name: str, *others: Any) -> Self:  # noqa: ANN401 - the fields in order
        """Return a series of fields that `make` has read and checked, without a second look and without copies.

        Covariates, which are mostly absent, are checked and copied as ever.
        """
        *dates, past, future, limits, findings = others
        if past or future:
            return cls(values, name, *others)
        values.setflags(write=False)
        made = object.__new__(cls)
        parts = (values, name, *dates, NO_COVARIATES, NO_COVARIATES, limits, findings)
        for put, value in zip(_PUTS, parts, strict=True):
            put(made, value)
        return made

    @classmethod
    def _on_grid(  # noqa: PLR0913, PLR0917 - the parts of a series
        cls, name: str, dates: Dates, placed: Placed, future: Covariates, limits: Bounds, repeated: tuple[Repair, ...]
    ) -> Self:
        """Return the series of values that are placed on the grid of their dates."""
        check_values(placed.values)
        timestamps_from(placed.start, placed.frequency, 1, dates.timezone, skip=len(placed.values) - 1)
        return cls._sound(
            placed.values,
            name,
            placed.start,
            placed.frequency,
            dates.timezone,
            _style_on_grid(dates.style, placed),
            placed.repairs + repeated,
            placed.covariates,
            future,
            limits,
            (*dates.findings, *placed.findings),
        )

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return how to pickle it: read-only mappings cannot be pickled."""
        parts = (getattr(self, item.name) for item in fields(self))
        return type(self), tuple(dict(part) if isinstance(part, Mapping) else part for part in parts)

    @property
    def timestamps(self) -> Timestamps | None:
        """Timestamps of the values, shape (length,), instants or wall clocks as `start`; None without dates."""
        if self.start is None or self.frequency is None:
            return None
        return timestamps_from(self.start, self.frequency, len(self), self.timezone)

    @property
    def observed(self) -> int:
        """Number of observed values."""
        return int(np.count_nonzero(~np.isnan(self.values)))

    @property
    def is_whole(self) -> bool:
        """Whether every observed value is a whole number, as counts are."""
        observed = self.values[~np.isnan(self.values)]
        return bool((observed == np.floor(observed)).all())

    def __len__(self) -> int:
        return len(self.values)

    def __mul__(self, factor: float) -> Self:
        return replace(self, values=self.values * factor)

    def __add__(self, shift: float) -> Self:
        return replace(self, values=self.values + shift)

    def with_values(self, values: Values, name: str) -> Self:
        """Return a series of another id and as many other values, with the same dates, and without covariates.

        Args:
            values: Shape (length,), float64, all finite; the array becomes read-only.
            name: Id of the new series.
        """
        dates = (self.start, self.frequency, self.timezone, self.style, self.repairs)
        return self._sound(values, name, *dates, NO_COVARIATES, NO_COVARIATES, self.bounds, self.findings)

    def before(self, cutoff: int) -> Self:
        """Return the first `cutoff` values as a series; raise SeriesEmpty or SeriesAllMissing if none is left.

        Later values of covariates known ahead become their future; those of the other covariates are dropped.
        """
        kept = tuple(repair for repair in self.repairs if repair.index is None or repair.index < cutoff)
        first = max(cutoff, 0)
        past, future = cut_covariates(self.past_covariates, self.future_covariates, first, len(self))
        return replace(self, values=self.values[:first], repairs=kept, past_covariates=past, future_covariates=future)

    def reading(self, names: CovariateNames) -> Self:
        """Return the series with only the covariates that a model reads."""
        if not (self.past_covariates or self.future_covariates):
            return self
        past = {name: values for name, values in self.past_covariates.items() if name in names.all}
        future = {name: values for name, values in self.future_covariates.items() if name in names.future}
        return replace(self, past_covariates=past, future_covariates=future)

    def future(self, horizon: int) -> Timestamps | None:
        """Return the timestamps of the next `horizon` steps, shape (horizon,), or None without dates.

        Raises:
            TimestampInvalid: If they lie outside the years 1 to 9999.
        """
        if self.start is None or self.frequency is None:
            return None
        return timestamps_from(self.start, self.frequency, horizon, self.timezone, skip=len(self))

    def future_phase(self, season_length: int) -> int:
        """Return the season position of the next step, in [0, season_length); -1 without dates or without this season."""
        if self.start is None or self.frequency is None:
            return -1
        return phase_after(self.start, self.frequency, len(self.values), self.timezone, season_length=season_length)


_PUTS = tuple(getattr(Series, one.name).__set__ for one in fields(Series))
"""Setters of the fields in order, for a series that is frozen."""


def _check_text(value: object, pointer: str, error: type[SeriesError]) -> None:
    if not isinstance(value, str):
        raise error(f"Expected text; received {describe(value)}.", pointer=pointer, hint="Send a string.")


def _read_matching(timestamps: object, timezone: str | None, numbers: Values, start: object, stated: str) -> Dates:
    """Return one date for each value; raise TimestampsMismatched if the start is not the first."""
    if isinstance(timestamps, Dates):
        return timestamps
    dates = read_timestamps(timestamps, timezone, count=len(numbers), stated=stated)
    if start is not None and read_start(start, dates.timezone).stamps[0] != dates.stamps[0]:
        raise TimestampsMismatched(
            "The start is not the first timestamp.", pointer="/start", hint="Leave out the start."
        )
    return dates


def _frequency_missing() -> FrequencyNotInferred:
    return FrequencyNotInferred(
        "A start needs a frequency.", pointer="/frequency", hint="Send a frequency such as 'M', or timestamps."
    )


def _style_on_grid(style: str, placed: Placed) -> str:
    """Return the style of dates as it writes their grid: without the fractions of a second that were jitter."""
    if any(repair.code == "TIMESTAMPS_SNAPPED" for repair in placed.repairs) and placed.start == placed.start.astype(
        "M8[s]"
    ):
        style = re.sub(r"\.f+", "", style)
    return style_for(style, placed.frequency.unit)
