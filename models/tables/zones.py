"""Zones: a column `timezone` beside UTC instants, as an export of observations has it, also after another program saved it."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import NO_OFFSET, Timestamps, load_timezone, to_instants, to_local_times
from models.columns import TIMEZONE
from models.errors import Finding, TimestampInvalid
from models.tables.cells import as_text
from models.tables.sheet import Sheet
from models.tables.times.dates import Times

FOUND, DROPPED = "TIMEZONE_FOUND", "TIMEZONE_DROPPED"
MOST_ZONES, NAMED = 1_000, 3
MOST_TIMES, FEWEST_TIMES = 100_000, 100
"""Times that are looked at, and of each timezone at least."""
AFTER_MIDNIGHT = np.timedelta64(3, "h")
"""Days without a midnight begin by then."""


def find_zones(sheet: Sheet, times: Times, ids: Any) -> tuple[Sheet, Times]:  # noqa: ANN401 - pyarrow's
    """Return a sheet as an export, its times as UTC and a finding, if its column `timezone` names the timezones of instants.

    Without an offset times are instants if they are local midnights in each of these timezones, or if one of them does not exist as a
    local time. Where nothing tells, the column is not used, and a finding says so.

    Args:
        sheet: Any sheet that is not an export and has this column.
        times: Of its rows.
        ids: Of its rows; None if it has none.
    """
    zones = as_text(sheet.columns[TIMEZONE]).dictionary_encode()
    names = [str(name) for name in zones.dictionary.to_pylist()]
    if not 0 < len(names) <= MOST_ZONES or not all(map(_is_zone, names)):
        return sheet, times
    if ids is None or len(zones) != len(times.walls) or not _is_constant(ids, zones):
        return sheet, _noted(times, _UNCLEAR.format("they are not one timezone for each series"))
    named = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    has_zone = zones.is_valid().to_numpy(zero_copy_only=False)
    bare = (times.offsets == NO_OFFSET) & has_zone
    instants = times.instants()
    if times.zone is None and bare.any():
        codes = zones.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        if (bare != has_zone).any() or not _are_instants(times.walls, codes, names):
            return sheet, _noted(times, _UNCLEAR.format("the times have no offset"))
    found = replace(times, walls=instants, offsets=np.where(has_zone, NO_OFFSET, times.offsets), zone=None)
    detail = f"Times are instants; they are read as local times of the timezones in column {TIMEZONE!r} ({named})."
    return replace(sheet, is_export=True), _noted(found, detail, FOUND)


_UNCLEAR = (
    f"Column {TIMEZONE!r} has names of timezones and is not used, since {{}}: if the times are UTC, as in an export of observations "
    "that was saved again, write them with a Z."
)


def _noted(times: Times, detail: str, code: str = DROPPED) -> Times:
    return replace(times, findings=(*times.findings, Finding(code, detail)))


def _is_zone(name: str) -> bool:
    try:
        load_timezone(name)
    except TimestampInvalid:
        return False
    return True


def _is_constant(ids: Any, zones: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether each series has one timezone, or none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    pairs = pa.table({"id": ids, "zone": zones.cast(pa.string())}).group_by(["id", "zone"]).aggregate([])
    return len(pairs) == len(pc.unique(ids))


def _are_instants(walls: Timestamps, codes: NDArray[np.int64], names: list[str]) -> bool:
    """Return whether times without an offset can only be UTC; no timezone may have local dates."""
    are_instants = False
    for code, name in enumerate(names):
        some = walls[codes == code]
        some = np.unique(some[~np.isnat(some)])[: max(MOST_TIMES // len(names), FEWEST_TIMES)]
        local = to_local_times(some, name)
        if not some.size or (local == some).all():
            continue
        if (some == some.astype("M8[D]")).all():
            return False
        begins = local - local.astype("M8[D]")
        days = bool((begins < AFTER_MIDNIGHT).all()) and int(np.median(begins.astype(np.int64))) == 0
        again = to_local_times(to_instants(some, name), name)
        are_instants |= days or bool(((again != some) & (some != some.astype("M8[D]"))).any())
    return are_instants
