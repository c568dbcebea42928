"""Ended series: those whose last value lies years before the last one of the file."""

from collections.abc import Iterator, Sequence

import numpy as np

from models.errors import Finding
from training.data.long_frame import Rows, shown

YEAR = np.timedelta64(366, "D")
NAMED = 3


def name_ended(groups: Sequence[Rows]) -> Iterator[Finding]:
    """Yield which series ended more than a year and three steps before the newest one; their forecasts begin there."""
    ends = {group.id: group.ds[~np.isnan(group.y)].max() for group in groups if not np.isnan(group.y).all()}
    if not ends:
        return
    newest = max(ends.values())
    steps = {group.id: np.median(np.diff(group.ds)) for group in groups if len(group.ds) > 1}
    ended = [name for name, end in ends.items() if newest - end > max(YEAR, 3 * steps.get(name, YEAR))]
    if not ended:
        return
    named = ", ".join(f"{name!r} ({shown(ends[name])})" for name in ended[:NAMED])
    more = f" and {len(ended) - NAMED} more" if len(ended) > NAMED else ""
    yield Finding(
        "SERIES_ENDED",
        f"{named}{more} ended more than a year before the newest value, {shown(newest)}; forecasts begin where each ended.",
        hint="Leave out series that are no longer observed.",
    )
