"""Shifts: opening hours and hours of work beside a date, which are no part of its time and no values."""

import re
from collections.abc import Sequence
from typing import Any

from models.tables.cells import as_time_text
from models.tables.sheet import Sheet
from models.tables.times.clock_periods import find_names, seconds_of
from models.tables.times.hours import plain_name

_OPENING = re.compile(
    r"(?:.* )?(?:open|opens|opened|opening|close|closes|closed|closing)(?: (?:at|from|to|until|till|time|hour|hours))*"
    r"|(?:öffnungs?|schlie(?:ß|ss)ungs?|laden)(?:zeit|beginn|ende|schluss)"
)
_ENDS = r"(?:start|starts|begin|begins|beginn|from|von|ab|end|ends|ende|finish|until|till|to|bis)"
_SHIFT = re.compile(rf"(?:.* )?{_ENDS}(?: .*)?|(?:arbeits|schicht|dienst)(?:beginn|anfang|start|ende|schluss)")
"""Names of columns, as `plain_name` returns them."""

_CLOCK = re.compile(
    r"\d{1,2}(?::\d{2}){1,2}(?: ?[ap]\.?m\.?)?(?: (?:uhr|h))?|\d{1,2} ?(?:[ap]\.?m\.?|uhr|h)", re.IGNORECASE
)
_NO_TIME = re.compile(r"[^\d]*")
MOST_HOUR = 24
"""Most hours of a day as a number."""


def is_opening(name: str) -> bool:
    """Return whether a column is named as an opening hour."""
    return bool(_OPENING.fullmatch(_plain(name)))


def has_shift_times(name: str, column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether a column is named as the start or the end of something, and has times of day, or words such as closed."""
    import pyarrow as pa

    if not (is_opening(name) or _SHIFT.fullmatch(_plain(name)) or any(find_names([name]))):
        return False
    if pa.types.is_time(column.type):
        return True
    texts = [one.strip() for one in as_time_text(column).drop_null().unique().to_pylist()]
    clocks = [bool(_CLOCK.fullmatch(text)) for text in texts]
    return any(clocks) and all(
        is_clock or _NO_TIME.fullmatch(text) for is_clock, text in zip(clocks, texts, strict=True)
    )


def find_shift_hours(sheet: Sheet, names: Sequence[str]) -> tuple[str, str] | None:
    """Return the columns of the numbers of hours between which each row lies, such as 8 and 17; None if there are none."""
    start, end = find_names(names)
    if start is None or end is None:
        return None
    starts, ends = (_hours_of(sheet.columns[name]) for name in (start, end))
    if not starts or not ends or max(*starts, *ends) > MOST_HOUR:
        return None
    begins, finishes = (seconds_of(sheet.columns[name]) for name in (start, end))
    is_before = begins is not None and finishes is not None and bool((begins < finishes).all())
    return (start, end) if is_before else None


def _plain(name: str) -> str:
    return plain_name(re.sub(r"(?<=[a-zä-ü])(?=[A-Z])", " ", name))


def _hours_of(column: Any) -> list[int]:  # noqa: ANN401 - pyarrow's
    """Return the distinct whole numbers of a column; none if it has something else."""
    texts = [one.strip() for one in as_time_text(column).drop_null().unique().to_pylist()]
    return [int(text) for text in texts] if all(re.fullmatch(r"\d{1,2}", text) for text in texts) else []
