"""Date hints: what to write instead of a cell that is no date, by what it looks like."""

import re

from models.tables.faults import DATE_HINT
from models.tables.times.date_order import YEAR_ALONE, YEAR_HINT
from models.tables.times.months import ALL_MONTHS

ZONE_HINT = "Take the name of the zone out, and give it as --timezone, such as Europe/Berlin."
_WITHOUT_YEAR = "It has no year: write dates as 1939-01-31."

_FISCAL_HINT = (
    "Nobody can tell when a fiscal year begins: write the date on which each period begins, such as 1939-04-01."
)

_FORMS = (
    (r".*\d ?(?!UTC|GMT)[A-Z]{3,4}|.*:\d\d\S*\[[\w/+-]+\]|.*:\d\d.*\([\w ]+\)|.*:\d\d\S* [A-Z][a-z]+/\w+", ZONE_HINT),
    (r"\d{1,2}\.\d{1,2}\.", _WITHOUT_YEAR),
    (
        r"(?:1[89]|2[01])\d\d\.\d{2,}",
        "A year with a fraction is not read: write months as 1939-01, days as 1939-01-31.",
    ),
    (
        r"(?i)(?:[1-4]?[qh][1-4]?[-/ ]*)?(?:fy|gj|fiscal|financial).*\d.*|(?:[1-4][qh]|[qh][1-4])[-/ ]*\d{4}[-/]\d{2,4}",
        _FISCAL_HINT,
    ),
    (r"(?i)\d{4}[-/. ]?p(?:er)?\.? ?\d{1,2}|p(?:er)?\.? ?\d{1,2}[-/. ]?\d{4}", _FISCAL_HINT),
    (r"\d{4}[- ]?S\d{2}|S\d{2}[-/ ]\d{4}", "Write weeks as 1939-W01."),
    (r"\d{4}[- ]?S[12]|S[12][-/ ]?\d{4}", "Write half-years as 1939-H1, weeks as 1939-W01."),
    (r"\d{4}[- ]?T[1-4]|T[1-4][-/ ]?\d{4}|[1-4]T ?\d{2,4}", "Write quarters as 1939-Q1."),
    (
        r"1[01]\d([-/.年]) ?\d{1,2}[-/.月] ?\d{1,2}日?|[^\W\d_]{2}\d{1,2}年.*",
        "Write Gregorian years of four digits, as in 1939-01-31.",
    ),
)
"""Forms that are not read, and what to write."""

_WORDS = re.compile(r"(\d{1,2}[-. /]*)?([^\W\d_]{3,12})\.?(?:[-. /']*(\d{1,4}))?")


def advise_date(text: str) -> str:
    """Return the remedy for a cell that is no date."""
    if YEAR_ALONE.fullmatch(text):
        return YEAR_HINT
    hint = next((hint for form, hint in _FORMS if re.fullmatch(form, text)), "")
    if not hint and (word := _WORDS.fullmatch(text)):
        is_month = word[2].lower() in ALL_MONTHS
        if is_month and word[1] and word[3]:
            return DATE_HINT
        without_year = is_month and len(word[3] or "") <= len("31")
        hint = _WITHOUT_YEAR if without_year else f"{word[2]!r} is not read as a month here: write months as 1939-01."
    return hint or DATE_HINT
