"""Validation: how the service understands the series of a request, before anything is forecast."""

from collections import Counter
from typing import Any

import numpy as np

from models.calendar.zoned_grid import format_timestamps
from models.errors import AlmanacError, Finding
from models.safeguards.plausible import as_read
from models.safeguards.warnings import warn
from models.series import Series
from service.forecasting.request import ForecastQuery
from service.forecasting.response import describe_repair, describe_warning
from service.json_input import SeriesFault, fault_of
from service.selector import SelectedModel


def validate(query: ForecastQuery, selected: SelectedModel | None, *, values: bool) -> dict[str, Any]:
    """Return what each series is read as, and the errors of the others.

    Args:
        query: The parsed request.
        selected: The model that the request names, which may refuse a series; None if it names none.
        values: Whether each entry has the timestamps and values of its grid, gaps as NaN, which JSON has as null.
    """
    faults = [*query.faults]
    entries = []
    for index, series in query.series:
        try:
            found = _notes(series, selected, query)
        except AlmanacError as error:
            faults.append(fault_of(index, series.id, error))
        else:
            entries.append(_entry(index, series, found, values=values))
    identity = None if selected is None else selected.identity()
    return {"model": identity, "series": entries, "errors": [fault.to_dict() for fault in sorted(faults, key=_place)]}


def _place(fault: SeriesFault) -> int:
    """Return the place of the series, or the row, that a fault points to."""
    return int(fault.finding.pointer.split("/")[2])


def _notes(series: Series, selected: SelectedModel | None, query: ForecastQuery) -> list[Finding]:
    """Return the warnings about a series; raises what the model would refuse it with."""
    plausible = as_read(series, len(series), query.outliers)
    implausible = list(plausible.findings[len(series.findings) :])
    if selected is None:
        return [*series.findings, *implausible]
    forecaster = selected.forecaster_for(series)
    forecaster.check(series)
    return [*selected.warnings(series), *warn(series, forecaster.spec, query.horizon), *implausible]


def _entry(index: int, series: Series, found: list[Finding], *, values: bool) -> dict[str, Any]:
    stamps, frequency = series.timestamps, series.frequency
    texts = (
        None
        if stamps is None
        else format_timestamps(stamps if values else stamps[[0, -1]], series.style, series.timezone)
    )
    entry: dict[str, Any] = {
        "id": series.id,
        "frequency": None if frequency is None else frequency.name,
        "timezone": series.timezone,
        "season_length": None if frequency is None else frequency.season_length,
        "start": texts[0] if texts else None,
        "end": texts[-1] if texts else None,
        "points": len(series),
        "gaps": int(np.count_nonzero(np.isnan(series.values))),
        "repairs": [describe_repair(repair) for repair in series.repairs],
        "repair_counts": _counts(series),
        "warnings": [describe_warning(index, one) for one in found],
    }
    if values:
        entry |= {"timestamps": texts, "values": series.values}
    return entry


def _counts(series: Series) -> dict[str, int]:
    counts = Counter[str]()
    for repair in series.repairs:
        counts[repair.code] += repair.count
    return dict(counts)
