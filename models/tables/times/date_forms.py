"""Date forms: the ways in which people and programs write a date, each a pattern with named parts."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from models.tables.cells import as_time_text
from models.tables.times.months import ALL_MONTHS, MONTHS

_LABEL = re.compile(
    r"(?:\d{1,2} )?(?:w/e|wk/e|we|(?:week|wk|month|period|quarter|year)[ -]?end(?:ing|ed)?|week of|week commencing|w/c)[.:]? +",
    re.IGNORECASE,
)
"""What stands before a date that ends or begins a period, as `1 W/E 01/06/24` or `Week Ending 06-Jan-24`."""
WEEKDAY = re.compile(
    "(?:mo|tu|we|th|fr|sa|su|mon|tue|tues|wed|thu|thur|thurs|fri|sat|sun|(?:mon|tues|wednes|thurs|fri|satur|sun)day|"
    "di|mi|do|so|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|"
    "lu|lun|mar|mer|jeu|ven|sam|dim|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|"
    "mié|jue|vie|sáb|dom|lunes|martes|miércoles|jueves|viernes|sábado|domingo|"
    "gio|sab|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica|"
    "ma|wo|vr|za|zo|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag|"
    r"seg|ter|qua|qui|sex|segunda-feira|terça-feira|quarta-feira|quinta-feira|sexta-feira)(?:\.,|[.,]?) *(?=\d{1,4}([./-])\d{1,2}\1\d)",
    re.IGNORECASE,
)
"""A weekday before a date in figures, in the languages of `MONTHS`; before a month's name the forms have it."""

_TIME = (
    r"(?:(?:[T ,]+|(?:(?<=\d{4})|(?<=[A-Za-z]\d\d)):(?=\d\d:\d))(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?: Uhr)?)?"
)
_ZONE = r"(?: ?(?P<zone>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2}(?::\d{2})?)?))?"
_NAME = r"(?P<name>[^\W\d_]{3,12})\.?"

SAMPLE = 20
"""Cells by which a column of dates is recognized."""

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "day first", "month first", "year first"


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a date.

    Attributes:
        name: How it looks.
        pattern: With the groups year, month, day, name and short (of a month), quarter, half_year, week, hour, minute, second, half
            (of a day) and zone.
        order: `day first`, `month first` or `year first` for dates that may be read in several ways; "" for all others.
        usual: Whether it needs no remark.
        is_name: Whether a text in it may as well be a name, such as 1H12: it is a date in a column of times only.
        beside: Name of the form that other cells must have; "" for none.
    """

    name: str
    pattern: re.Pattern[str]
    order: str = ""
    usual: bool = False
    is_name: bool = False
    beside: str = ""


def _form(name: str, pattern: str, *, time: bool = True, order: str = "", usual: bool = False) -> Form:
    return Form(name, re.compile(pattern + (_TIME + _ZONE if time else "")), order, usual)


def _named(name: str, pattern: str) -> Form:
    """Return a form of which a text may as well be a name."""
    return Form(name, re.compile(pattern), is_name=True)


def _with_short_months(form: Form) -> Form:
    """Return a form with the names of `SHORT_MONTHS`, too, beside others."""
    pattern = re.compile(form.pattern.pattern.replace("(?P<name>", "(?P<short>"))
    return Form(f"{form.name}, short", pattern, is_name=True, beside=form.name)


def _periods(group: str, most: int, sign: str, words: str) -> tuple[Form, Form]:
    """Return the forms of periods such as 1Q24 and Q1 24."""
    word = rf"(?:{sign}|(?i:{words}))\.?"
    number = rf"(?P<{group}>[1-{most}])"
    return (
        _named(f"{group} first", rf"{number}(?i:\.|st|nd|rd|th|er|e|º)? ?{word}[-/ ']*{_SHORT}"),
        _named(f"{group} after a word", rf"{word} ?{number}(?:[-/ ,]*(?=\d{{4}}$)|[-/ ,]*'|[-/ ]+){_SHORT}"),
    )


_YEAR, _SHORT = r"(?P<year>\d{4})", r"(?P<year>\d{4}|\d{2})"
_DAY, _MONTH = r"(?P<day>\d{1,2})", r"(?P<month>\d{1,2})"


HOURS = _form(
    "YYYYMMDDhh",
    r"(?P<year>19\d{2}|20\d{2}|2100)(?P<month>0[1-9]|1[0-2])(?P<day>[0-3]\d)(?P<hour>[01]\d|2[0-4])",
    time=False,
)


@cache
def all_forms() -> tuple[Form, ...]:
    """Return each way to write a date, the usual ones first: of two that fit all cells, the first one counts."""
    of_months = (
        _form("Mon YYYY", rf"{_NAME}[-/ .']*{_SHORT}", time=False),
        _form("YYYY Mon", rf"{_YEAR}[-/ ]?{_NAME}", time=False),
        _form("DD Mon YYYY", rf"(?:[A-Za-z]{{2,9}},? )?{_DAY}\.?[-/ ]?{_NAME}[-/ ,]*{_SHORT}"),
        _form("Mon DD, YYYY", rf"(?:[A-Za-z]{{2,9}},? )?{_NAME}[-/ ]{_DAY}(?:st|nd|rd|th)?,? {_YEAR}"),
    )
    return (
        _form(
            "YYYY-MM-DD",
            rf"{_YEAR}(?:-(?P<month>\d{{2}})(?:-(?P<day>\d{{2}}){_TIME}{_ZONE})?)?",
            time=False,
            usual=True,
        ),
        _form("YYYY-Qq", rf"{_YEAR}[-_. ]?[Qq](?P<quarter>[1-4])", time=False, usual=True),
        _form("Qq YYYY", rf"[Qq](?P<quarter>[1-4])[-/ ]?{_YEAR}", time=False),
        _form("YYYY-Www", rf"{_YEAR}-?[Ww](?P<week>\d{{1,2}})(?:-?(?P<day>[1-7]))?", time=False),
        _form("KW ww/YYYY", rf"(?:KW|CW|W|Wk|Week|Woche)\.? ?(?P<week>\d{{1,2}})[-/, ]+{_YEAR}", time=False),
        _form("YYYYMM", r"(?P<year>1[89]\d{2}|2[01]\d{2})(?P<month>\d{2})", time=False),
        _form("YYYYMMDD", r"(?P<year>(?:1[5-9]|2[01])\d{2})(?P<month>\d{2})(?P<day>\d{2})"),
        HOURS,
        _form(
            "YYYYMMDDhhmm",
            r"(?P<year>(?:1[5-9]|2[01])\d{2})(?P<month>\d{2})(?P<day>\d{2})T?(?P<hour>\d{2})(?P<minute>\d{2})(?P<second>\d{2})?"
            + _ZONE,
            time=False,
        ),
        _form("YYYY/MM/DD", rf"{_YEAR}([-/.]){_MONTH}\2{_DAY}"),
        _form("YYYY/MM", rf"{_YEAR}(?:[-/.]|-?[Mm]){_MONTH}", time=False),
        _form("MM/YYYY", rf"{_MONTH}[-/.]{_YEAR}", time=False),
        _form("YYYY年MM月DD日", rf"{_YEAR}[年년] ?{_MONTH}[月월](?: ?{_DAY}[日일])?"),
        _form("YYYY. M. D.", rf"{_YEAR}\. ?{_MONTH}\. ?{_DAY}\.?"),
        _form("DD.MM.YYYY", rf"{_DAY}\. ?{_MONTH}\. ?{_SHORT}"),
        _form("DD/MM/YYYY", rf"{_DAY}([-/]){_MONTH}\2{_SHORT}", order=DAY_FIRST),
        _form("MM/DD/YYYY", rf"{_MONTH}([-/]){_DAY}\2{_SHORT}", order=MONTH_FIRST),
        _form("YY-MM-DD", r"(?P<year>\d{2})([-/])(?P<month>\d{2})\2(?P<day>\d{2})", order=YEAR_FIRST),
        *of_months,
        *map(_with_short_months, of_months),
        _named("DD Mon YYYY in full", rf"{_DAY}\.?[-/ ](?P<short>[^\W\d_]{{3,12}})\.?[-/ ,]+{_YEAR}\.?"),
        _named("DD-Mon-YY", r"(?P<day>\d{1,2})([-/])(?P<short>[^\W\d_]{3,12})\.?\2(?P<year>\d{2})"),
        _named("YYQq", r"(?P<year>\d{2})[Qq](?P<quarter>[1-4])"),
        *_periods("quarter", 4, "[Qq]", "Qtr|Quarter|Quartal|Trimestre|Kwartaal|Kvartal"),
        _named("YYYY-Hh", rf"{_YEAR}[- ]?(?:[Hh]|HY|HJ)(?P<half_year>[12])"),
        *_periods("half_year", 2, "H|HY|HJ", "Half|Halbjahr|Semester|Semestre"),
    )


EARLIEST_SHORT = 69
"""Years of two digits from here on are of the twentieth century, as for `strptime`."""


def read_match(match: re.Match[str]) -> tuple[datetime, int | None]:
    """Return the wall clock of a match of a form, and its offset in seconds east of UTC or None.

    Raises:
        ValueError: If there is no such date or time.
    """
    parts = match.groupdict()
    year = _year(parts["year"])
    if parts.get("week"):
        day = date.fromisocalendar(year, int(parts["week"]), int(parts.get("day") or 1))
        return datetime(day.year, day.month, day.day), None  # noqa: DTZ001 - a wall clock
    wall = datetime(year, _month(parts), int(parts.get("day") or 1))  # noqa: DTZ001 - a wall clock
    return wall + _time_of_day(parts), _offset(parts.get("zone"))


def _year(text: str) -> int:
    return int(text) if len(text) > 2 else int(text) + (1900 if int(text) >= EARLIEST_SHORT else 2000)  # noqa: PLR2004


def _month(parts: Mapping[str, str | None]) -> int:
    """Return the month, which is the first one of a quarter or a half-year."""
    name = parts.get("name") or parts.get("short")
    if name is None:
        quarter, half = (int(parts.get(period) or 1) for period in ("quarter", "half_year"))
        return int(parts.get("month") or 3 * quarter + 6 * half - 8)
    known = MONTHS if parts.get("name") else ALL_MONTHS
    if name.lower() not in known:
        message = f"{name} is not a month"
        raise ValueError(message)
    return known[name.lower()]


def _time_of_day(parts: Mapping[str, str | None]) -> timedelta:
    """Return the time of day; 12 AM is midnight, and 24:00 that of the next day."""
    hour, minute, second = (int(parts.get(unit) or 0) for unit in ("hour", "minute", "second"))
    half = (parts.get("half") or "").lower()
    if half:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - a clock's dial
            message = f"{hour} is not an hour of half a day"
            raise ValueError(message)
        hour = hour % 12 + 12 * (half == "p")
    is_end = hour == 24 and not (minute or second or half or parts.get("fraction"))  # noqa: PLR2004 - ISO 8601's end of a day
    if (hour > 23 and not is_end) or minute > 59 or second > 59:  # noqa: PLR2004 - the limits of a clock
        message = "no such time of day"
        raise ValueError(message)
    return timedelta(
        hours=hour, minutes=minute, seconds=second, microseconds=int((parts.get("fraction") or "").ljust(6, "0")[:6])
    )


def _offset(text: str | None) -> int | None:
    if text is None:
        return None
    if text.upper() in {"Z", "UTC", "GMT"}:
        return 0
    digits = text[1:].replace(":", "").ljust(6, "0")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if hours > 23 or minutes > 59 or seconds > 59:  # noqa: PLR2004 - the limits of a clock
        message = f"{text} is not an offset"
        raise ValueError(message)
    return (hours * 3600 + minutes * 60 + seconds) * (-1 if text[0] == "-" else 1)


def without_label(text: str) -> str:
    """Return a date without the weekday, or the words such as `Week Ending`, that stand before it."""
    if not text[:1].isalpha() and "/" not in text and " " not in text:
        return text
    return WEEKDAY.sub("", _LABEL.sub("", text, count=1), count=1) if not text[:4].isdigit() else text


_COUNTS = {"seconds": (9, 10, 0), "milliseconds": (12, 13, 3), "microseconds": (15, 16, 6), "nanoseconds": (18, 19, 9)}
"""Fewest and most digits of a count from 1970, and the digits that are parts of a second."""


def count_of_time(texts: Sequence[str]) -> tuple[str, list[int]] | None:
    """Return the unit of numbers that count from 1970, and each in microseconds, rounded down; None if a text is not one."""
    wholes = [text.partition(".") for text in texts]
    if not all(one.isascii() and one.isdigit() and (rest + "0").isdigit() for one, _, rest in wholes):
        return None
    for unit, (fewest, most, digits) in _COUNTS.items():
        if all(fewest <= len(one) <= most for one, _, _ in wholes) and not all(map(_is_compact, texts)):
            return unit, [int(Decimal(text).scaleb(6 - digits) // 1) for text in texts]
    return None


def _is_compact(text: str) -> bool:
    """Return whether digits are a date and a time, such as 202401310600, rather than a count."""
    return len(text) == 12 and text[:2] in {"19", "20"} and "01" <= text[4:6] <= "12"  # noqa: PLR2004 - YYYYMMDDhhmm


def parse_date(text: str, form: Form) -> tuple[datetime, int | None] | None:
    """Return the wall clock of a text in a form, and its offset as `read_match`; None if it is not a date in this form."""
    match = form.pattern.fullmatch(without_label(text))
    if match is None:
        return None
    try:
        return read_match(match)
    except (ValueError, OverflowError):
        return None


FEWEST_HOURS = 3
"""Numbers such as 2024010100 from which on they are hours: fewer may as well be seconds from 1970, of the year 2034."""


def are_hours(texts: Sequence[str]) -> bool | None:
    """Return whether numbers of ten digits are hours such as 2024010100, and not seconds from 1970; None if they may be both.

    A hundredth of such counts has the digits of an hour. Counts of usual data lie whole minutes apart.
    """
    some = [text.partition(".")[0] for text in texts[: 10 * SAMPLE]]
    known = [int(text) for text in some if re.fullmatch(r"\d{10}", text) and parse_date(text, HOURS) is not None]
    if 2 * len(known) <= len(some):
        return False
    steps = [after - before for before, after in itertools.pairwise(sorted(known))]
    return True if len(known) >= FEWEST_HOURS and any(step % 60 for step in steps) else None


def is_dated(text: str) -> bool:
    """Return whether a text is a date that is not a mere number, or eight or ten digits of one."""
    if len(text) == 10 and text.isdigit():  # noqa: PLR2004 - YYYYMMDDhh
        return parse_date(text, HOURS) is not None
    if re.fullmatch(r"\d{1,7}|\d{9,}|\d*\.\d*|\D*", text):
        return False
    return any(parse_date(text, form) is not None for form in all_forms() if not form.is_name)


def looks_dated(column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether the first cells of a column are dates that are not mere numbers, or eight or ten digits of one."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return True
    texts = [one.strip() for one in as_time_text(column.slice(0, SAMPLE)).to_pylist() if one is not None]
    return bool(texts) and all(map(is_dated, texts))


def fitting_forms(texts: Sequence[str]) -> list[Form]:
    """Return the forms that can read the most texts, at least one, the usual ones first."""
    counts = {form.name: sum(parse_date(text, form) is not None for text in texts[:200]) for form in all_forms()}
    usable = [form for form in all_forms() if not form.beside or counts[form.beside]]
    best = max(counts[form.name] for form in usable)
    left = [form for form in usable if counts[form.name] == best] if best else []
    if len(left) > 1:
        totals = [sum(one is not None for one in parse_all(texts, form)) for form in left]
        left = [form for form, total in zip(left, totals, strict=True) if total == max(totals)]
    return left


def parse_all(texts: Sequence[str], form: Form) -> list[tuple[datetime, int | None] | None]:
    """Return each text in a form as `parse_date`."""
    return [parse_date(text, form) for text in texts]
