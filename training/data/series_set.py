"""Data: a file as a set of series of one frequency, validated, with a digest of what it says."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.calendar.dates import Dates, style_of
from models.calendar.exact_frequency import FEWEST, FiscalPeriods
from models.calendar.timestamps import to_instants
from models.calendar.zoned_grid import Frequency, parse_frequency
from models.covariates import CovariateNames
from models.errors import AlmanacError, DataInvalid, Finding, FrequencyNotInferred, SeriesTooLong
from models.irregular.far_dates import MOST_GAPS
from models.irregular.grid_placement import infer_for
from models.safeguards.plausible import make_plausible
from models.series import Series
from training.config.training import Columns
from training.data.ended import name_ended
from training.data.far_dates import name_gap, refuse_far_dates
from training.data.long_frame import Rows, end_with_zero, group_rows, join_rows, part_rows, read_future
from training.data.reader import Table, read_table
from training.data.series_findings import (
    count_gaps,
    count_unknown,
    find_late,
    name_dropped,
    name_implausible,
    name_irregular,
    name_zeros,
)
from training.data.series_options import KEEP, SeriesOptions, frequency_of_season
from training.data.zones import are_days, to_local_days

SAME_STEP = (0.6, 1.6)
"""How far a series' usual step may be from the set's, as a ratio: months differ by 28 to 31 days, quarters by more."""

FEW_POINTS = 4
"""Below this many points a series' usual step says little about its frequency."""

LEAST_ALONE = 3
"""Series of one row each from which on their ids are said to number the rows."""

_EVENTS = " If each row is an event, such as a payment, sum the events of each hour or day first."

STRAY = "Correct the date if one is wrong, or give the frequency with --frequency."


@dataclass(frozen=True, slots=True)
class SeriesSet:
    """All series of one file.

    Attributes:
        path: The file.
        layout: `long` or `wide`.
        series: In order of first appearance, ids distinct.
        frequency: Of every series.
        digest: SHA-256 over what the file says, whatever its layout, format or order of rows.
        findings: What was noticed and repaired on the way.
        covariates: Which covariates the series carry.
        inferred: Whether the frequency is inferred from the dates.
        value: Name of a long file's column of values; "" of a wide file.
    """

    path: Path
    layout: str
    series: tuple[Series, ...]
    frequency: Frequency
    digest: str
    findings: tuple[Finding, ...] = ()
    covariates: CovariateNames = field(default_factory=CovariateNames)
    inferred: bool = False
    value: str = ""

    @property
    def observed(self) -> int:
        """Values that are not gaps."""
        return sum(one.observed for one in self.series)


def read_series(  # noqa: PLR0913 - a file and how to read it
    path: Path,
    *,
    frequency: str | None = None,
    columns: Columns | None = None,
    covariates: CovariateNames | None = None,
    future: Path | None = None,
    reading: SeriesOptions = KEEP,
) -> SeriesSet:
    """Return the series of a CSV or Parquet file.

    Where covariates are known ahead, rows after the file's last value carry their future.

    Args:
        path: Long (`unique_id, ds, y`, or as named by `columns`) or wide (a time column and one column per series).
        frequency: Any alias or word; None infers it from the longest series.
        columns: Names of a long file's columns where they are not the usual ones.
        covariates: Columns of a long file to be read beside the values; holidays are counted, not read.
        future: A long file of ids, times and covariates known ahead, after the last value; without an id column it is
            every series' future.
        reading: What missing timestamps and implausible values mean.

    Raises:
        DataInvalid: With file, row and column, if a cell is wrong, a timestamp stands twice or far from all others, or
            frequencies differ.
        FrequencyUnknown: If `frequency` is no alias.
        FrequencyNotInferred: If the dates do not tell the frequency.
        FiscalPeriods: If they are periods of 4 and 5, 13 and 14, or 52 and 53 weeks.
    """
    names = covariates or CovariateNames()
    table = read_table(path, columns or Columns(), names.read)
    groups, findings = group_rows(table)
    groups = in_local_days(groups, table.zones, frequency)
    groups, later, trimmed = part_rows(groups, known_ahead=bool(names.future))
    if future is not None:
        later, found = read_future(future, columns or Columns(), names, groups)
        findings += found
    findings += (*trimmed, *name_ended(groups))
    refuse_far_dates(path, groups)
    known = _settle_frequency(table, groups, frequency, reading)
    if reading.missing == "zero":
        groups = end_with_zero(groups)
    series, found = SeriesMaker(table, known, names, reading, table.zones).make_all(groups, later)
    findings += found
    if future is not None:
        findings += tuple(find_late(future, series, names, later))
    if reading.outliers == "mask":
        series = tuple(replace(make_plausible(one, len(one), "mask"), findings=()) for one in series)
    inferred = frequency is None and reading.season_length is None
    return SeriesSet(path, table.layout, series, known, digest(series), findings, names, inferred, table.value)


def in_local_days(groups: list[Rows], zones: Mapping[str, str], frequency: str | None) -> list[Rows]:
    """Return rows whose dates are days of their timezone, if the steps are days or longer."""
    if not zones or not (parse_frequency(frequency).nanoseconds is None if frequency else are_days(groups)):
        return groups
    return [to_local_days(group, zones[group.id]) if group.id in zones else group for group in groups]


def _settle_frequency(table: Table, groups: Sequence[Rows], frequency: str | None, reading: SeriesOptions) -> Frequency:
    """Return the frequency that is stated, that of the season, or that of the dates; raises as `read_series`."""
    if reading.season_length is not None:
        return frequency_of_season(reading.season_length)
    known = parse_frequency(frequency) if frequency else _infer(table, groups)
    if frequency is None:
        _refuse_mixed(table, groups, known)
    refuse_far_dates(table.path, groups, known)
    return known


def digest(series: Sequence[Series]) -> str:
    """Return SHA-256 over ids, frequencies, starts, values and covariates, in order of id, as 64 hexadecimal digits."""
    total = hashlib.sha256()
    for one in sorted(series, key=lambda item: item.id):
        frequency = one.frequency.name if one.frequency else ""
        start = "" if one.start is None else str(one.start.astype("datetime64[us]"))
        total.update(f"{one.id}\0{frequency}\0{start}\0{len(one)}\0".encode())
        total.update(_bytes_of(one.values))
        for known in (one.past_covariates, one.future_covariates):
            for name in sorted(known):
                total.update(f"{name}\0{len(known[name])}\0".encode() + _bytes_of(known[name]))
    return total.hexdigest()


def _bytes_of(values: NDArray[np.float64]) -> bytes:
    """Return numbers as bytes, the same for every NaN and both zeros."""
    return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes()


def _infer(table: Table, groups: Sequence[Rows]) -> Frequency:
    longest = max(groups, key=lambda group: len(group.ds))
    if table.layout == "long" and len(groups) >= LEAST_ALONE and len(longest.ds) == 1:
        raise FrequencyNotInferred(
            f"{table.path}: each of its {len(groups)} series has one row, since each row has another id.",
            hint=f"Give --id-column with the columns that tell series apart, or take the id out.{_EVENTS}",
        )
    try:
        return infer_for(dates_of(table, longest))
    except FiscalPeriods as error:
        raise _fiscal(table.path, error) from error
    except FrequencyNotInferred as error:
        place = _place(table.path, longest, error.pointer) if error.pointer.count("/") > 1 else str(table.path)
        raise FrequencyNotInferred(
            f"{place}: {error.detail}",
            hint="Correct these dates, or round them to their step; --frequency does not change them."
            if place != str(table.path)
            else f"Give it with --frequency, such as M, D or 30min, or correct the dates.{_EVENTS * (len(longest.ds) > FEWEST)}",
        ) from error


def _fiscal(path: Path, error: FiscalPeriods) -> FiscalPeriods:
    return FiscalPeriods(
        f"{path}: {error.detail}",
        hint=f"Give the first day of each calendar {error.period} instead; only `almanac forecast` reads rows without dates "
        f"(--season-length {error.season_length}), since a training compares dates.",
        season_length=error.season_length,
    )


def dates_of(table: Table, group: Rows) -> Dates:
    """Return the dates of rows of a table."""
    return Dates(group.ds, table.style or style_of(group.ds), table.timezone)


def _refuse_mixed(table: Table, groups: Sequence[Rows], frequency: Frequency) -> None:
    """Raise DataInvalid if a series' usual step is not the set's: a daily series would look like an hourly with gaps."""
    usual = usual_step(max(groups, key=lambda group: len(group.ds)))
    low, high = SAME_STEP
    for group in groups:
        if len(group.ds) >= FEW_POINTS and not low < usual_step(group) / usual < high:
            try:
                own = infer_for(dates_of(table, group)).name
            except FrequencyNotInferred:
                own = "another one"
            if own == frequency.name:
                continue
            raise DataInvalid(
                f"{table.path}, row {group.row[0]}: series {group.id!r} has frequency {own}, others have {frequency.name}.",
                hint="Give one file for each frequency, or say with --frequency which one is meant.",
            )


def usual_step(group: Rows) -> float:
    """Return the median step in microseconds, 1 for a single row."""
    return float(np.median(np.diff(group.ds).astype(np.int64))) if len(group.ds) > 1 else 1.0


@dataclass(frozen=True, slots=True)
class SeriesMaker:
    """Makes the series of one file."""

    table: Table
    frequency: Frequency
    names: CovariateNames
    reading: SeriesOptions
    zones: Mapping[str, str]

    def make_all(
        self, groups: Sequence[Rows], later: Mapping[str, Rows]
    ) -> tuple[tuple[Series, ...], tuple[Finding, ...]]:
        """Return the series that have values, and what was noticed; raises as `read_series`."""
        made = [self.make(group, later.get(group.id)) for group in groups]
        series = tuple(one for one in made if one is not None)
        if not series:
            raise DataInvalid(f"{self.table.path}: every value is missing.", hint="Give a file with values.")
        rows = {group.id: group for group in groups}
        masked = self.reading.outliers != "keep"
        findings = (*name_irregular(series, rows), *count_gaps(series), *count_unknown(series, self.names))
        findings += (*name_dropped(groups, made), *name_implausible(series, rows, masked=masked))
        return series, (*findings, *name_zeros(series, rows, self.reading.outliers))

    def make(self, group: Rows, later: Rows | None) -> Series | None:
        """Return the series on its grid, with what is known later, or None where every value is missing."""
        if np.isnan(group.y).all():
            return None
        path = self.table.path
        try:
            series = self._lay(group)
            if later is not None and len(later.ds):
                whole = self._lay(join_rows(group, later)).before(len(series))
                series = replace(whole, repairs=series.repairs, findings=series.findings)
        except SeriesTooLong as error:
            rows = group if later is None else join_rows(group, later)
            raise DataInvalid(f"{path}, series {group.id!r}: {error.detail}{name_gap(rows)}", hint=STRAY) from error
        except FiscalPeriods as error:
            raise _fiscal(path, error) from error
        except AlmanacError as error:
            raise DataInvalid(f"{_place(path, group, error.pointer)}: {error.detail}", hint=error.hint) from error
        if len(series) > MOST_GAPS * len(group.y):
            raise DataInvalid(
                f"{path}, series {group.id!r}: {len(group.y)} values spread over {len(series)} steps of "
                f"{self.frequency.name}.{name_gap(group)}",
                hint=STRAY,
            )
        return series

    def _dates(self, group: Rows) -> Dates:
        """Return the dates of rows; in an export, days are local and hours instants."""
        zone = self.zones.get(group.id)
        if zone is None:
            return dates_of(self.table, group)
        instants = to_instants(group.ds, zone) if self.frequency.nanoseconds is None else group.ds
        return Dates(instants, style_of(group.ds), zone)

    def _lay(self, group: Rows) -> Series:
        """Return rows as a series on its grid, or without dates where a season is stated; raises as `Series.make`."""
        dates = None if self.reading.season_length else self._dates(group)
        return Series.make(
            group.y,
            id=group.id,
            timestamps=dates,
            frequency=self.frequency,
            past_covariates=dict(group.covariates),
            future_covariates={name: [] for name in self.names.read if name in self.names.future},
            missing=self.reading.missing,
        )


def _place(path: Path, group: Rows, pointer: str) -> str:
    column, _, index = pointer.lstrip("/").partition("/")
    row = group.row[min(int(index), len(group.row) - 1)] if index.isdigit() else group.row[0]
    name = {"timestamps": ", column 'ds'", "values": ", column 'y'"}.get(column, "")
    return f"{path}, row {row}{name}, series {group.id!r}"
