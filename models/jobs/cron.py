"""Cron: when a schedule fires, by the very library that fires it (croniter, which DBOS brings, imported when it is asked)."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from models.jobs.errors import ScheduleInvalid

FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
"""Of a line; a sixth field before them is the second."""
WORDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
LONGEST_LINE = 200

_RANDOM = re.compile(r"(?<![a-z])[rh](?![a-z])", re.IGNORECASE)
"""`R` and `H`: fields that are drawn, and would be drawn anew in each worker."""
_START = datetime(2000, 1, 1, tzinfo=ZoneInfo("UTC"))
"""Any moment will do to see whether a line fires at all; this one stands just before a leap day."""
_HINT = 'Write five fields, minute hour day month weekday, such as "0 3 1 * *" for 03:00 on the first of each month.'


def check_cron(line: str) -> str:
    """Return a cron line, its spaces made single.

    Args:
        line: Five fields, six with seconds first, or one of `WORDS`.

    Raises:
        ScheduleInvalid: If a field is wrong (which one is said), is random, or the line never fires.
    """
    text = " ".join(line[: LONGEST_LINE + 1].split())
    if text.startswith("@") and text in WORDS:
        return text
    fields = text.split()
    if text.startswith("@") or len(text) > LONGEST_LINE or len(fields) not in {len(FIELDS), len(FIELDS) + 1}:
        raise ScheduleInvalid(f"The cron line is {text[:80]!r}, of {len(fields)} fields.", pointer="/cron", hint=_HINT)
    names = FIELDS if len(fields) == len(FIELDS) else ("second", *FIELDS)
    for place, name in enumerate(names):
        _check_field(place, name, fields)
    return _check_it_fires(text)


def check_timezone(name: str) -> str:
    """Return the name of a time zone; raises ScheduleInvalid if nobody knows it."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleInvalid(
            f"There is no time zone {name[:80]!r}.",
            pointer="/timezone",
            hint="Give an IANA name such as Europe/Berlin.",
        ) from error
    return name


def next_fires(line: str, timezone: str, after: datetime, count: int = 1) -> list[datetime]:
    """Return the next moments that a schedule fires at, in its time zone, exactly as DBOS counts them.

    Args:
        line: As `check_cron` returns it.
        timezone: IANA name whose clocks it goes by.
        after: With a time zone; a moment that is this very one is left out.
        count: How many.
    """
    from croniter import croniter

    ticks = croniter(line, after.astimezone(ZoneInfo(timezone)), second_at_beginning=True)
    return [ticks.get_next(datetime) for _ in range(count)]


def count_fires(line: str, timezone: str, after: datetime, before: datetime, most: int) -> int:
    """Return how often a schedule fires between two moments, both left out; `most` means that or more."""
    from croniter import croniter

    ticks = croniter(line, after.astimezone(ZoneInfo(timezone)), second_at_beginning=True)
    count = 0
    while count < most and ticks.get_next(datetime) < before:
        count += 1
    return count


def _check_field(place: int, name: str, fields: list[str]) -> None:
    """Raise ScheduleInvalid if one field is wrong where all others are any."""
    from croniter import CroniterError, croniter

    alone = ["*"] * len(fields)
    alone[place] = fields[place]
    try:
        croniter.expand(" ".join(alone), second_at_beginning=True)
        sound = not _RANDOM.search(fields[place])
    except (CroniterError, ValueError):
        sound = False
    if not sound:
        raise ScheduleInvalid(f"The {name} of the cron line is {fields[place]!r}.", pointer="/cron", hint=_HINT)


def _check_it_fires(text: str) -> str:
    from croniter import CroniterError

    try:
        next_fires(text, "UTC", _START)
    except (CroniterError, ValueError) as error:
        raise ScheduleInvalid(f"The cron line {text!r} never fires.", pointer="/cron", hint=_HINT) from error
    return text
