"""Cron: when a schedule fires, computed by croniter, which DBOS uses too; it is imported when needed."""

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from models.errors import ConfigInvalid
from models.jobs.errors import ScheduleInvalid

FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
"""Fields of a cron line; with six fields the first is the second."""
WORDS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")
LONGEST_LINE = 200

LEAST_SECONDS = 60.0
"""Shortest time between two runs of a schedule, unless ALMANAC_MIN_SCHEDULE_SECONDS says otherwise."""
INTERVAL_VARIABLE = "ALMANAC_MIN_SCHEDULE_SECONDS"
LONGEST_INTERVAL = 86_400.0

FIRES_CHECKED = 64
"""Runs whose distances are measured: with several of the same line's fields, the closest ones follow each other soon."""

_RANDOM = re.compile(r"(?<![a-z])[rh](?![a-z])", re.IGNORECASE)
"""`R` and `H` are random fields, which would differ between workers."""
_START = datetime(2000, 1, 1, tzinfo=ZoneInfo("UTC"))
"""Where the search for the first tick starts; a leap day follows soon."""
_HINT = 'Write five fields, minute hour day month weekday, such as "0 3 1 * *" for 03:00 on the first of each month.'


def check_cron(line: str) -> str:
    """Return a valid cron line with single spaces.

    Args:
        line: Five fields, six with seconds first, or one of `WORDS`.

    Raises:
        ScheduleInvalid: If a field is wrong or random, or the line never fires.
    """
    text = " ".join(line[: LONGEST_LINE + 1].split())
    if text.startswith("@") and text in WORDS:
        return text
    fields = text.split()
    if text.startswith("@") or len(text) > LONGEST_LINE or len(fields) not in {len(FIELDS), len(FIELDS) + 1}:
        raise ScheduleInvalid(f"The cron line {text[:80]!r} has {len(fields)} fields.", pointer="/cron", hint=_HINT)
    names = FIELDS if len(fields) == len(FIELDS) else ("second", *FIELDS)
    for place, name in enumerate(names):
        _check_field(place, name, fields)
    return _check_it_fires(text)


def check_interval(line: str, least_seconds: float) -> str:
    """Return a valid cron line whose runs are far enough apart.

    Args:
        line: As `check_cron` returns it.
        least_seconds: Shortest time between two runs.

    Raises:
        ScheduleInvalid: If two runs are closer.
    """
    fires = next_fires(line, "UTC", _START, FIRES_CHECKED)
    closest = min((later - one).total_seconds() for one, later in pairwise(fires))
    if closest < least_seconds:
        raise ScheduleInvalid(
            f"Two runs of the cron line {line!r} are {closest:g} s apart; at least {least_seconds:g} s are required.",
            pointer="/cron",
            hint=f"{_HINT} {INTERVAL_VARIABLE} sets the shortest time.",
        )
    return line


def least_interval(environment: Mapping[str, str]) -> float:
    """Return the shortest time between two runs of a schedule, in seconds; raises ConfigInvalid."""
    text = environment.get(INTERVAL_VARIABLE) or str(LEAST_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_INTERVAL:
        raise ConfigInvalid(
            f"{INTERVAL_VARIABLE} must be above 0 and at most {LONGEST_INTERVAL:g} seconds. Received: {text[:40]!r}."
        )
    return seconds


def check_timezone(name: str) -> str:
    """Return the name of a timezone, or raise ScheduleInvalid if it is unknown."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ScheduleInvalid(
            f"Unknown timezone {name[:80]!r}.", pointer="/timezone", hint="Use an IANA name such as Europe/Berlin."
        ) from error
    return name


def next_fires(line: str, timezone: str, after: datetime, count: int = 1) -> list[datetime]:
    """Return the next times at which a schedule fires, in its timezone, as DBOS computes them.

    Args:
        line: A valid cron line.
        timezone: IANA name.
        after: With a timezone; a tick at this very time is left out.
        count: How many.
    """
    from croniter import croniter

    ticks = croniter(line, after.astimezone(ZoneInfo(timezone)), second_at_beginning=True)
    return [ticks.get_next(datetime) for _ in range(count)]


def count_fires(line: str, timezone: str, after: datetime, before: datetime, most: int) -> int:
    """Return how often a schedule fires between two times, both excluded, at most `most`."""
    from croniter import croniter

    ticks = croniter(line, after.astimezone(ZoneInfo(timezone)), second_at_beginning=True)
    count = 0
    while count < most and ticks.get_next(datetime) < before:
        count += 1
    return count


def _check_field(place: int, name: str, fields: list[str]) -> None:
    """Raise ScheduleInvalid if one field is wrong with `*` in all others."""
    from croniter import CroniterError, croniter

    alone = ["*"] * len(fields)
    alone[place] = fields[place]
    try:
        croniter.expand(" ".join(alone), second_at_beginning=True)
        valid = not _RANDOM.search(fields[place])
    except (CroniterError, ValueError):
        valid = False
    if not valid:
        raise ScheduleInvalid(f"The {name} of the cron line is {fields[place]!r}.", pointer="/cron", hint=_HINT)


def _check_it_fires(text: str) -> str:
    from croniter import CroniterError

    try:
        next_fires(text, "UTC", _START)
    except (CroniterError, ValueError) as error:
        raise ScheduleInvalid(f"The cron line {text!r} never fires.", pointer="/cron", hint=_HINT) from error
    return text
