"""Part series: the rows of a part as series, the same as if the whole folder were one file."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.calendar.exact_frequency import FiscalPeriods
from models.calendar.zoned_grid import Frequency
from models.covariates import CovariateNames
from models.errors import AlmanacError, DataInvalid, FrequencyNotInferred
from models.irregular.bounds import UNBOUNDED, Bounds
from models.irregular.grid_placement import infer_for
from models.series import Series
from models.tables.parquet import sheet_of
from models.values import all_finite
from training.config.training import Columns
from training.data.long_frame import Rows, end_with_zero, group_rows, part_rows
from training.data.reader import Table, table_of
from training.data.series_options import SeriesOptions, frequency_of_season
from training.data.series_set import FEW_POINTS, SAME_STEP, SeriesMaker, dates_of, in_local_days, usual_step


@dataclass(frozen=True, slots=True)
class PartReading:
    """How the rows of every part become series.

    Attributes:
        path: The folder, for error texts.
        columns: Names of the columns.
        frequency: Of every series.
        options: What missing timestamps mean.
        last: Newest time with a value in the folder.
        covariates: Which covariates the series carry.
        bounds: Lowest and highest value that a forecast may have.
        usual_step: Usual step of the longest series in microseconds, where the frequency is inferred from it; else 0.
    """

    path: Path
    columns: Columns
    frequency: Frequency
    options: SeriesOptions
    last: np.datetime64 | None
    covariates: CovariateNames
    bounds: Bounds = UNBOUNDED
    usual_step: float = 0.0

    def table(self, rows: Any) -> Table:  # noqa: ANN401 - pyarrow's
        """Return rows as a long table; raises DataInvalid."""
        return table_of(self.path, sheet_of(rows), self.columns, self.covariates.read)


@dataclass(frozen=True, slots=True)
class PartSeries:
    """The series of a part, in order, and the errors of those that cannot be made, by id."""

    series: tuple[Series, ...]
    errors: Mapping[str, AlmanacError]


def make_series(rows: Any, reading: PartReading) -> PartSeries:  # noqa: ANN401 - pyarrow's
    """Return the series of a part; an error concerns its own series alone.

    Raises:
        DataInvalid: If a cell is wrong.
    """
    table = reading.table(rows)
    groups, errors = _group(table)
    groups = in_local_days(groups, table.zones, reading.frequency.name)
    known, later, _ = part_rows(groups, known_ahead=bool(reading.covariates.future), last=reading.last)
    if reading.options.missing == "zero":
        known = end_with_zero(known, reading.last)
    kept = {group.id for group in known}
    errors |= {group.id: _empty(group.id) for group in groups if group.id not in kept}
    makes = SeriesMaker(table, reading.frequency, reading.covariates, reading.options, table.zones)
    maker = _PartMaker(reading, makes, all_finite(table.rows.y))
    series = []
    for group in known:
        try:
            series.append(maker.make(group, later.get(group.id)))
        except AlmanacError as error:
            errors[group.id] = error
    return PartSeries(tuple(series), errors)


def settle_frequency(
    rows: Any,  # noqa: ANN401 - pyarrow's
    reading: PartReading,
    default: Frequency | None,
) -> tuple[Frequency, float]:
    """Return the frequency of the longest series and its usual step in microseconds.

    Args:
        rows: Of the longest series.
        reading: How they are read; its frequency does not count.
        default: Frequency if none can be inferred.

    Raises:
        FrequencyNotInferred: If none can be inferred and there is no default.
    """
    if reading.options.season_length is not None:
        return frequency_of_season(reading.options.season_length), 0.0
    table = reading.table(rows)
    groups, errors = _group(table)
    if not groups:
        raise next(iter(errors.values()))
    group = max(groups, key=lambda one: len(one.ds))
    known, _, _ = part_rows([group], known_ahead=False, last=reading.last)
    if not known:
        raise _empty(group.id)
    try:
        return infer_for(dates_of(table, known[0])), usual_step(known[0])
    except FiscalPeriods:
        raise
    except FrequencyNotInferred as error:
        if default is not None:
            return default, 0.0
        raise FrequencyNotInferred(
            f"{reading.path}: series {group.id!r}: {error.detail}",
            hint="Give the frequency with --frequency, such as M, D or 30min, or correct the dates.",
        ) from error


def _group(table: Table) -> tuple[list[Rows], dict[str, AlmanacError]]:
    """Return the rows by series, and the errors of series whose rows contradict each other."""
    try:
        return group_rows(table)[0], {}
    except DataInvalid:
        pass
    groups, errors = [], dict[str, AlmanacError]()
    for code, name in enumerate(table.rows.ids):
        try:
            groups += group_rows(table.of_series(code))[0]
        except DataInvalid as error:
            errors[name] = error
    return groups, errors


def _empty(name: str) -> DataInvalid:
    return DataInvalid(f"Series {name!r}: every value is missing.", hint="Leave it out, or give values.")


@dataclass(slots=True)
class _PartMaker:
    """Makes the series of a part; the dates of one that needs no repair are those of the next with the same dates."""

    reading: PartReading
    maker: SeriesMaker
    is_complete: bool
    alike: dict[bytes, Series] = field(default_factory=dict)

    def make(self, group: Rows, later: Rows | None) -> Series:
        """Return one series; raises AlmanacError."""
        dates = group.ds.tobytes()
        known = self.alike.get(dates)
        if known is not None and later is None and (self.is_complete or all_finite(group.y)):
            return known.with_values(group.y, group.id)
        self._check_step(group)
        made = self.maker.make(group, later)
        if made is None:
            raise _empty(group.id)
        made = replace(made, bounds=self.reading.bounds)
        if self._is_regular(made, group):
            self.alike[dates] = made
        return made

    def _is_regular(self, made: Series, group: Rows) -> bool:
        if group.covariates or self.reading.covariates or made.findings or made.repairs:
            return False
        return len(made) == len(group.y) and group.id not in self.maker.zones

    def _check_step(self, group: Rows) -> None:
        """Raise DataInvalid if the usual step of a series is not that of the longest one."""
        usual = self.reading.usual_step
        low, high = SAME_STEP
        if not usual or len(group.ds) < FEW_POINTS or low < usual_step(group) / usual < high:
            return
        try:
            own = infer_for(dates_of(self.maker.table, group)).name
        except FrequencyNotInferred:
            own = "another one"
        if own != self.reading.frequency.name:
            raise DataInvalid(
                f"Series {group.id!r} has frequency {own}, the longest one has {self.reading.frequency.name}.",
                hint="Give one folder for each frequency, or say with --frequency which one is meant.",
            )
