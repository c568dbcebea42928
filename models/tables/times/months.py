"""Months: their names in other languages, and those that are different months in two of them."""

import re
from collections.abc import Iterable, Mapping, Sequence

from models.tables.faults import Place

MONTHS: Mapping[str, int] = {
    name: month
    for month, names in enumerate(
        (
            "jan january januar jän jänner janv janvier ene enero gennaio januari janeiro styczeń",
            "feb february februar feber févr février fevr fevrier febrero febbraio februari fev fevereiro",
            "mar march mär märz mrz maerz mars marzo mrt maart março marco marzec marts",
            "apr april avr avril abr abril aprile kwiecień",
            "may mai mayo maggio mei maio",
            "jun june juni juin junio giu giugno junho czerwiec",
            "jul july juli juil juillet julio lug luglio julho lipiec",
            "aug august août aout ago agosto augustus sierpień augusti",
            "sep sept september septembre septiembre settembre setembro wrzesień",
            "oct october okt oktober octobre octubre ott ottobre outubro październik",
            "nov november novembre noviembre novembro listopad",
            "dec december dez dezember déc décembre decembre dic diciembre dicembre dezembro grudzień desember",
        ),
        start=1,
    )
    for name in names.split()
}
"""Names of months in English, German, French, Spanish, Italian, Dutch, Portuguese, Polish and the Scandinavian languages.

They are in lower case, without points.
"""

_OF_POLISH_DATES: Mapping[str, int] = {
    "stycznia": 1, "lutego": 2, "marca": 3, "kwietnia": 4, "maja": 5, "czerwca": 6, "lipca": 7, "sierpnia": 8, "września": 9,
    "października": 10, "listopada": 11, "grudnia": 12,
}  # fmt: skip
"""Polish months after a day."""

SHORT_MONTHS: Mapping[str, int] = {
    "gen": 1, "mag": 5, "set": 9, "out": 10, "des": 12,
    "sty": 1, "lut": 2, "luty": 2, "maj": 5, "kwi": 4, "cze": 6, "lip": 7, "sie": 8, "wrz": 9, "paź": 10, "lis": 11, "gru": 12,
    **_OF_POLISH_DATES,
}  # fmt: skip
"""Names that are months beside those of `MONTHS`, or after a day, only: `Set 10` alone is more often a name than September 2010."""

ALL_MONTHS: Mapping[str, int] = {**MONTHS, **SHORT_MONTHS}

_CROATIAN = {"lip": "June", "lis": "October", "listopad": "October", "listopada": "October"}
"""What names of Polish months, those of July and November, are in Croatian."""
_ONLY_POLISH = frozenset({
    "styczeń", "stycznia", "sty", "lutego", "luty", "lut", "kwiecień", "kwietnia", "kwi", "czerwiec", "czerwca", "cze", "lipiec", "lipca",
    "sierpień", "sierpnia", "sie", "wrzesień", "września", "wrz", "październik", "października", "paź", "grudzień", "grudnia", "gru",
})  # fmt: skip
_WORD = re.compile(r"[^\W\d_]{3,12}")


def find_doubt(texts: Iterable[str]) -> str | None:
    """Return the first text with a name of different months in Polish and Croatian; None if another name is a Polish one."""
    first = None
    for text in texts:
        words = {word.lower() for word in _WORD.findall(text)}
        if words & _ONLY_POLISH:
            return None
        if first is None and not words.isdisjoint(_CROATIAN):
            first = text
    return first


def doubt_about(text: str) -> tuple[str, str]:
    """Return what a text of `find_doubt` may be, and what to write."""
    name = next(word for word in _WORD.findall(text) if word.lower() in _CROATIAN)
    polish = "July" if ALL_MONTHS[name.lower()] == 7 else "November"  # noqa: PLR2004 - a month
    detail = f"{text!r} may be {_CROATIAN[name.lower()]}, as {name!r} is in Croatian, or {polish}, as in Polish."
    return detail, "Write months as 2024-10, days as 2024-10-31."


def refuse_doubtful_months(texts: Sequence[str], place: Place) -> None:
    """Raise TableInvalid if a month's name may be one of two, and no other name in the column tells which."""
    doubt = find_doubt(texts)
    if doubt is not None:
        raise place.refuse(texts.index(doubt), *doubt_about(doubt))
