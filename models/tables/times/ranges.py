"""Ranges: cells that say when a period begins and when it ends, such as 01.01.2024 - 07.01.2024 or 2024-01-01 00:00-01:00."""

import re
from collections.abc import Sequence

_BETWEEN = re.compile(" (?:-|\u2013|to|bis) ")
_SIGNS = "-\u2013/"

LEAST_HALF = 8
"""Letters of a date between which a sign without spaces ends the first one: 2024-01-01/2024-01-07, as pandas writes weeks."""

_CLOCKS = re.compile("(.*?(\\d{1,2}):(\\d\\d)(?::\\d\\d)?) ?[-\u2013] ?(\\d{1,2}):(\\d\\d)(?::\\d\\d)?")
SAMPLE, LEAST_STARTS, LEAST_SHARE, DAY = 50, 3, 0.8, 1_440
"""First cells that are looked at, times of day among them, the share of all that are ranges, and minutes of a day."""


def split_ranges(texts: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Return where periods begin and where they end, as text; None if a text is not two dates."""
    if not texts or len(_split(texts[0])) != 2:  # noqa: PLR2004 - start and end
        return None
    parts = [_split(text) for text in texts]
    if any(len(one) != 2 for one in parts):  # noqa: PLR2004
        return None
    return [one[0] for one in parts], [one[1] for one in parts]


def _split(text: str) -> list[str]:
    middle = len(text) // 2
    first, last = text[:middle], text[middle + 1 :]
    is_pair = middle >= LEAST_HALF and text[middle] in _SIGNS and _shape(first) == _shape(last)
    return [first, last] if is_pair else _BETWEEN.split(text)


def _shape(text: str) -> str:
    return re.sub(r"\d", "9", text)


def starts_of_clocks(texts: Sequence[str]) -> list[str] | None:
    """Return times such as 2024-01-01 00:00-01:00 without their ends; None if these are offsets from UTC.

    The ends go with the starts, so that all periods are equally long: offsets of a timezone do not change with the time of day.
    """
    for some in (texts[:SAMPLE], texts):
        found = [_CLOCKS.fullmatch(text) for text in some]
        known = [[int(one) for one in match.groups()[1:]] for match in found if match]
        starts = {60 * hour + minute for hour, minute, _, _ in known}
        lengths = {(60 * (end - hour) + last - minute) % DAY for hour, minute, end, last in known}
        if len(lengths) != 1 or len(starts) < LEAST_STARTS or len(known) < LEAST_SHARE * len(some):
            return None
    return [match[1] if match else text for match, text in zip(found, texts, strict=True)]
