"""Frequency: how often a series is observed, with one canonical name for all its aliases."""

import difflib
import itertools
import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import NoReturn

from models.calendar.frequency_names import ALIASES, BUSINESS_HOUR, WORDS, StampPlace
from models.errors import FrequencyUnknown

MONTHS_IN = {"M": 1, "Q": 3, "Y": 12}
"""Calendar months in each unit that is counted in months."""

NANOSECONDS_IN = {
    "D": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "min": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
"""Nanoseconds in each unit of fixed length, longest first."""

_UNSUPPORTED = frozenset({"SM", "SME", "SMS", "WOM", "LWOM", "RE", "REQ"})
"""Units of pandas that are refused: half months, nth weekdays of a month, 52-53-week years and their quarters."""
_UNSUPPORTED_WORDS = ("semi month", "semimonth", "half month")
RESAMPLE = "Resample to weeks (W) or months (MS)."
"""Remedy for a frequency that is not supported."""

MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAY_NAMES = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")

LONGEST_DAILY_SEASON = 288
"""Longest first season below a day, in steps: of five minutes it is the day, of a minute the hour."""

_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)? ?([A-Za-z]+)(-[A-Za-z]+)?")
_PHRASE = re.compile(r"(?:(?:every|each) )?(?:([0-9]{1,9}) ?)?([a-z ]+)")
_CANONICAL = re.compile(r"([1-9][0-9]*)?([A-Za-z]+)(?:-([A-Z]+))?")
_UNIT = re.compile(r"[ 0-9.]*([A-Za-z]+)")
_LONGEST_ALIAS = 40


@dataclass(frozen=True, slots=True)
class Frequency:
    """How often a series is observed.

    Attributes:
        name: The canonical name, such as `M`, `Q-DEC`, `W-SUN`, `15min`; equality and hash use it alone. It names the
            periods: `MS` and `ME` are both `M`, and `QS-OCT`, `QE-MAR` and `Q` are all `Q-DEC`.
        stamp: Where in the period timestamps lie, unless a series' own timestamps lie elsewhere.

    Raises:
        FrequencyUnknown: If `name` is not canonical; `parse_frequency` reads every alias.
    """

    name: str
    stamp: StampPlace = field(default="exact", compare=False)

    def __post_init__(self) -> None:
        """Refuse a name that is not canonical."""
        _parts(self.name)

    @property
    def unit(self) -> str:
        """The unit without its multiple and anchor: `M`, `Q`, `Y`, `W`, `D`, `B`, `h`, `min`, `s`, …."""
        return _parts(self.name)[1]

    @property
    def multiple(self) -> int:
        """How many units make one step: 15 for `15min`."""
        return _parts(self.name)[0]

    @property
    def anchor(self) -> str:
        """The month or weekday that ends the period, `DEC` for `Q-DEC`; "" for a unit without one."""
        return _parts(self.name)[2]

    @property
    def nanoseconds(self) -> int | None:
        """Length of one step of fixed length (h, min, s and below); None for days and longer: a day may have 23 hours."""
        return self.multiple * NANOSECONDS_IN[self.unit] if self.unit in NANOSECONDS_IN and self.unit != "D" else None

    @property
    def season_length(self) -> int:
        """Steps in the first season: Y 1, Q 4, M 12, W 52, D 7, B 5, h 24, 30min 48, 15min 96, min 60, s 60.

        Below an hour it is the longest of day, hour, minute and second that has at most 288 whole steps. A multiple
        divides it (2h 12, 2M 6); a multiple that does not divide it (5M, 3D) has no season, which is 1.
        """
        return self.seasons[0]

    @property
    def seasons(self) -> tuple[int, ...]:
        """Steps in each season, shortest first: h (24, 168), D (7, 365), 15min (96, 672), M (12,)."""
        return _seasons(self.name)


def parse_frequency(alias: str) -> Frequency:
    """Return the frequency of an alias: an old or new pandas alias, an English word, or a multiple of either.

    Letter case matters only where both cases have a meaning in pandas: `MS` is month start, `ms` a millisecond; `m` is
    a month and `min` a minute. Several `m`, such as `15m`, are refused: in other programs they are minutes.

    Raises:
        FrequencyUnknown: If the alias is unknown (the hint names similar ones), not supported, or several `m`.
    """
    if not isinstance(alias, str):
        raise FrequencyUnknown(
            f"The frequency has the type {type(alias).__name__}; it must be text.",
            pointer="/frequency",
            hint="Send an alias such as 'M', 'D' or '15min'.",
        )
    return _parse(alias)


def fixed_frequency(nanoseconds: int) -> Frequency:
    """Return the frequency of a fixed step in the longest unit that divides it: 5400 s is `90min`, 24 h is `D`."""
    unit = next(unit for unit, length in NANOSECONDS_IN.items() if nanoseconds % length == 0)
    return Frequency(_name(nanoseconds // NANOSECONDS_IN[unit], unit, ""))


@lru_cache(maxsize=512)
def _parse(alias: str) -> Frequency:
    text = alias.strip()
    if len(text) > _LONGEST_ALIAS:
        _refuse(alias)
    return _from_phrase(text) or _from_parts(alias, text)


def _from_phrase(text: str) -> Frequency | None:
    match = _PHRASE.fullmatch(re.sub(r"[-_ ]+", " ", text.lower()))
    word = WORDS.get(match[2]) or WORDS.get(match[2].removesuffix("s")) if match else None
    if match is None or word is None:
        return None
    return _from_parts(text, word, int(match[1] or 1))


def _from_parts(alias: str, text: str, times: int = 1) -> Frequency:
    parts = _split(alias, text)
    if len(parts) == 1 and parts[0][1] not in NANOSECONDS_IN:
        count, unit, anchor, stamp = parts[0]
        multiple = times * count
        if multiple.denominator != 1 or multiple < 1:
            _refuse(alias)
        return Frequency(_name(int(multiple), unit, _anchor(alias, unit, stamp, anchor)), stamp)
    if any(unit not in NANOSECONDS_IN or anchor for _, unit, anchor, _ in parts):
        _refuse(alias)
    total = times * sum(count * NANOSECONDS_IN[unit] for count, unit, _, _ in parts)
    if total.denominator != 1 or total < 1:
        _refuse(alias)
    return fixed_frequency(int(total))


def _split(alias: str, text: str) -> list[tuple[Fraction, str, str, StampPlace]]:
    parts, position = [], 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None or (position and match[1] is None):
            _refuse(alias)
        if match[2] == "m" and Fraction(match[1] or 1) != 1:
            _refuse_minutes(alias, match[1])
        unit, stamp = _unit(alias, match[2])
        parts.append((Fraction(match[1] or 1), unit, (match[3] or "")[1:].upper(), stamp))
        position = match.end()
        while text[position : position + 1] == " ":
            position += 1
    return parts or _refuse(alias)


def _unit(alias: str, token: str) -> tuple[str, StampPlace]:
    spellings = [token] if token.lower() == "ms" else [token, token.upper(), token.lower()]
    known = next((spelling for spelling in spellings if spelling in ALIASES), None)
    if known is not None:
        return ALIASES[known]
    word = WORDS.get(token.lower()) or WORDS.get(token.lower().removesuffix("s"))
    return ALIASES[word] if word in ALIASES else _refuse(alias)


def _anchor(alias: str, unit: str, stamp: StampPlace, anchor: str) -> str:
    if unit in ("Q", "Y"):
        return _month_anchor(alias, unit, stamp, anchor)
    return anchor or {"W": "SUN"}.get(unit, "")


def _month_anchor(alias: str, unit: str, stamp: StampPlace, anchor: str) -> str:
    """Return the month that ends the year, or the last month of the year that ends a quarter."""
    starts = stamp in ("start", "business_start")
    anchor = anchor or ("JAN" if starts else "DEC")
    if anchor not in MONTH_NAMES:
        _refuse(alias)
    month = MONTH_NAMES.index(anchor) - (1 if starts else 0)
    return MONTH_NAMES[month % 3 + 9] if unit == "Q" else MONTH_NAMES[month]


def _name(multiple: int, unit: str, anchor: str) -> str:
    return f"{multiple if multiple > 1 else ''}{unit}{'-' if anchor else ''}{anchor}"


_ANCHORS: dict[str, tuple[str, ...]] = {"Q": MONTH_NAMES[9:], "Y": MONTH_NAMES, "W": WEEKDAY_NAMES}


@lru_cache(maxsize=512)
def _parts(name: str) -> tuple[int, str, str]:
    """Return (multiple, unit, anchor) of a canonical name."""
    match = _CANONICAL.fullmatch(name)
    if match is None or all(match[2] != unit for unit, _ in ALIASES.values()):
        _refuse(name)
    anchor = match[3] or ""
    if anchor not in _ANCHORS.get(match[2], ("",)):
        _refuse(name)
    return int(match[1] or 1), match[2], anchor


@lru_cache(maxsize=512)
def _seasons(name: str) -> tuple[int, ...]:
    multiple, unit, _ = _parts(name)
    if unit in NANOSECONDS_IN and unit != "D":
        return _exact_seasons(multiple * NANOSECONDS_IN[unit])
    if unit == "D" and multiple % 7 == 0:
        multiple, unit = multiple // 7, "W"
    seasons = {
        "M": (12,),
        "Q": (4,),
        "W": (52,),
        "D": (7, 365) if multiple == 1 else (7,),
        "B": (5, 260) if multiple == 1 else (5,),
        BUSINESS_HOUR: (8, 40) if multiple == 1 else (8,),
    }.get(unit, (1,))
    return tuple(season // multiple for season in seasons if season % multiple == 0) or (1,)


def _exact_seasons(step: int) -> tuple[int, ...]:
    cycles = [7 * NANOSECONDS_IN["D"], *(NANOSECONDS_IN[unit] for unit in ("D", "h", "min", "s"))]
    for longer, cycle in itertools.pairwise(cycles):
        steps, remainder = divmod(cycle, step)
        if remainder == 0 and 1 < steps <= LONGEST_DAILY_SEASON:
            return (steps, longer // step)
    return (1,)


def _refuse_minutes(alias: str, count: str) -> NoReturn:
    """Raise FrequencyUnknown for several `m`: Prometheus, Grafana and polars mean minutes, pandas months."""
    raise FrequencyUnknown(
        f"The frequency {alias!r} may be minutes or months.",
        pointer="/frequency",
        hint=f"Send '{count}min' for minutes, '{count}M' for months.",
    )


def _refuse(alias: str) -> NoReturn:
    shown = repr(alias[:_LONGEST_ALIAS])
    unit = _UNIT.match(alias)
    words = re.sub(r"[-_ ]+", " ", alias[:_LONGEST_ALIAS].lower())
    if (unit and unit[1].upper() in _UNSUPPORTED) or any(word in words for word in _UNSUPPORTED_WORDS):
        raise FrequencyUnknown(f"The frequency {shown} is not supported.", pointer="/frequency", hint=RESAMPLE)
    near = difflib.get_close_matches(alias[:24], [*ALIASES, *WORDS], n=3, cutoff=0.5)
    hint = (
        f"Did you mean {', '.join(near)}?" if near else "Use a pandas alias such as 'MS', 'W-SUN', 'D', 'h' or '15min'."
    )
    raise FrequencyUnknown(f"Unknown frequency {shown}.", pointer="/frequency", hint=hint)
