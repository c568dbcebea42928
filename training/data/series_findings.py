"""Series findings: what was noticed while the rows of a file became series, with rows and values."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.covariates import CovariateNames
from models.errors import Finding
from models.irregular.implausible import find_implausible
from models.safeguards.closed_hours import has_hours
from models.safeguards.doubtful_zeros import CODE as ZEROS
from models.safeguards.doubtful_zeros import find_doubtful_zeros
from models.safeguards.plausible import CODE
from models.series import Series
from training.data.long_frame import Rows, shown

NAMED = 3
"""Findings of one kind that are listed; the others are counted."""


def count_gaps(series: Sequence[Series]) -> Iterator[Finding]:
    """Yield how many timestamps are missing and how many values are empty, where any are."""
    said = {
        "GAP_INSERTED": ("timestamp is missing", "timestamps are missing", "treated as gaps"),
        "GAP_ZERO": ("timestamp is missing", "timestamps are missing", "read as 0"),
        "GAP_MASKED": ("value is empty", "values are empty", "treated as gaps"),
    }
    for code, (one, many, use) in said.items():
        counts = [sum(repair.count for repair in one.repairs if repair.code == code) for one in series]
        if any(counts):
            touched = sum(count > 0 for count in counts)
            what = one if sum(counts) == 1 else many
            yield Finding(code, f"{sum(counts)} {what}, in {touched} of {len(series)} series: {use}.")


def name_irregular(series: Sequence[Series], rows: Mapping[str, Rows]) -> Iterator[Finding]:
    """Yield the far dates and date outliers with their rows, the jitter, and the question whether missing steps are zeros."""
    for code in ("DATE_STRAY", "DATE_OUTLIER", "FREQUENCY_FINER", "MISSING_OR_ZERO"):
        found = [(one, finding) for one in series for finding in one.findings if finding.code == code]
        if code == "MISSING_OR_ZERO":
            found = [(one, finding) for one, finding in found if not has_hours(one)]
        for one, finding in found[:NAMED]:
            yield Finding(code, f"{_place(rows[one.id], finding.pointer)}{finding.detail}", hint=_hint(finding))
        if len(found) > NAMED:
            yield Finding(code, f"{len(found) - NAMED} more like these.")
    snapped = [(one, repair) for one in series for repair in one.repairs if repair.code == "TIMESTAMPS_SNAPPED"]
    for one, repair in snapped[:NAMED]:
        yield Finding(repair.code, f"Series {one.id!r}: {repair.detail}")
    if len(snapped) > NAMED:
        yield Finding("TIMESTAMPS_SNAPPED", f"{len(snapped) - NAMED} more series like these.")


def name_implausible(series: Sequence[Series], rows: Mapping[str, Rows], *, masked: bool) -> Iterator[Finding]:
    """Yield the values that cannot be what a series measures, with their rows."""
    places = dict.fromkeys(
        (one.id, float(value)) for one in series for value in one.values[find_implausible(one.values)]
    )
    if not places:
        return
    named = [f"{value:.10g} (series {name!r}, {_rows_of(rows[name], value)})" for name, value in places]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    use = (
        "they are treated as gaps."
        if masked
        else "the model reads the nearest plausible value instead. Leave such cells empty if nothing was measured."
    )
    yield Finding(CODE, f"{', '.join(named[:NAMED])}{more}: far from all other values; {use}")


def name_zeros(series: Sequence[Series], rows: Mapping[str, Rows], outliers: str) -> Iterator[Finding]:
    """Yield the zeros far below all other values of a series, with their rows; `outliers` as `SeriesOptions` has it."""
    found = [
        (one, one.values[~(one.values == 0)]) for one in series if find_doubtful_zeros(one.values, one.frequency).size
    ]
    for one, rest in found[:NAMED]:
        use = _ZEROS_MASKED if outliers == "mask later" else _ZEROS_READ
        low, high = np.nanmin(rest), np.nanmax(rest)
        named = f"0 (series {one.id!r}, {_rows_of(rows[one.id], 0.0)})"
        yield Finding(ZEROS, f"{named}: far below all other values, {low:.6g} to {high:.6g}; {use}")
    if len(found) > NAMED:
        yield Finding(ZEROS, f"{len(found) - NAMED} more series like these.")


_ZEROS_MASKED = "read as a gap."
_ZEROS_READ = "read as measured, which can lead the forecast far down. If nothing was measured, leave such cells empty, or forecast with --mask-outliers."


def count_unknown(series: Sequence[Series], names: CovariateNames) -> Iterator[Finding]:
    """Yield how many values of each covariate are unknown up to the last value, where any are."""
    for name in names.read:
        count = sum(int(np.isnan(one.past_covariates[name]).sum()) for one in series)
        if count:
            what = f"1 value of {name!r} is" if count == 1 else f"{count} values of {name!r} are"
            yield Finding("COVARIATE_GAPS", f"{what} unknown and masked.")


def find_late(
    path: Path, series: Sequence[Series], names: CovariateNames, later: Mapping[str, Rows]
) -> Iterator[Finding]:
    """Yield, for the first series of which a second file does not know the first step ahead, what it begins with."""
    ahead = [name for name in names.read if name in names.future]
    for one in series:
        expected, rows = one.future(1), later.get(one.id)
        unknown = all(np.isnan(one.future_covariates[name][:1]).all() for name in ahead)
        if unknown and expected is not None and rows is not None and len(rows.ds):
            yield Finding(
                "FUTURE_LATE",
                f"{path}: the first step after the last value of {one.id!r} is {shown(expected[0])}; its rows begin with "
                f"{shown(rows.ds.min())}.",
            )
            return


def name_dropped(groups: Sequence[Rows], made: Sequence[Any]) -> Iterator[Finding]:
    """Yield the series without values."""
    for group, one in zip(groups, made, strict=True):
        if one is None:
            yield Finding("SERIES_ALL_MISSING", f"Series {group.id!r} has no values and is left out.")


def _place(group: Rows, pointer: str) -> str:
    index = pointer.rpartition("/")[2]
    row = f"Row {group.row[int(index)]}, series" if index.isdigit() else "Series"
    return f"{row} {group.id!r}: "


def _rows_of(group: Rows, value: float) -> str:
    """Return the rows of a value as text."""
    rows = group.row[group.y == value].tolist()
    if len(rows) == 1:
        return f"row {rows[0]}"
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return f"rows {', '.join(map(str, rows[:NAMED]))}{more}"


def _hint(finding: Finding) -> str:
    if finding.code == "MISSING_OR_ZERO":
        return "If nothing happened at these steps, give --missing zero."
    return finding.hint if finding.code == "FREQUENCY_FINER" else "Correct the date if this is wrong."
