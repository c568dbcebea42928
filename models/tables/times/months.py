"""Months: their names in other languages, and those that are different months in two of them."""

import re
from collections.abc import Iterable, Mapping, Sequence

from models.tables.faults import Place

MONTHS: Mapping[str, int] = {
    name: month
    for month, names in enumerate(
        (
            "jan january januar jän jänner janv janvier ene enero gennaio januari janeiro styczeń siječanj",
            "feb february februar feber févr février fevr fevrier febrero febbraio februari fev fevereiro veljača únor",
            "mar march mär märz mrz maerz mars marzo mrt maart março marco marzec marts ožujak březen",
            "apr april avr avril abr abril aprile kwiecień travanj duben",
            "may mai mayo maggio mei maio svibanj květen",
            "jun june juni juin junio giu giugno junho czerwiec lipanj červen",
            "jul july juli juil juillet julio lug luglio julho lipiec srpanj červenec",
            "aug august août aout ago agosto augustus sierpień augusti kolovoz srpen",
            "sep sept september septembre septiembre settembre setembro wrzesień rujan září",
            "oct october okt oktober octobre octubre ott ottobre outubro październik říjen",
            "nov november novembre noviembre novembro listopad studeni",
            "dec december dez dezember déc décembre decembre dic diciembre dicembre dezembro grudzień desember prosinac prosinec",
        ),
        start=1,
    )
    for name in names.split()
}
"""Names of months in English, German, French, Spanish, Italian, Dutch, Portuguese, Polish, Croatian, Czech and the Scandinavian languages.

They are in lower case, without points. Names that are other months in Croatian have those of Polish and Czech.
"""

_OF_POLISH_DATES: Mapping[str, int] = {
    "stycznia": 1, "lutego": 2, "marca": 3, "kwietnia": 4, "maja": 5, "czerwca": 6, "lipca": 7, "sierpnia": 8, "września": 9,
    "października": 10, "listopada": 11, "grudnia": 12,
}  # fmt: skip
"""Polish months after a day."""

_OF_CROATIAN_DATES: Mapping[str, int] = {
    "siječnja": 1, "veljače": 2, "ožujka": 3, "travnja": 4, "svibnja": 5, "lipnja": 6, "srpnja": 7, "kolovoza": 8, "rujna": 9,
    "studenoga": 11, "studenog": 11, "prosinca": 12,
}  # fmt: skip
_OF_CZECH_DATES: Mapping[str, int] = {
    "leden": 1, "ledna": 1, "února": 2, "března": 3, "dubna": 4, "května": 5, "června": 6, "července": 7, "srpna": 8, "října": 10,
    "listopadu": 11, "prosince": 12,
}  # fmt: skip
"""Czech months after a day; and `leden`, which is a word in Dutch."""

SHORT_MONTHS: Mapping[str, int] = {
    "gen": 1, "mag": 5, "set": 9, "out": 10, "des": 12,
    "sty": 1, "lut": 2, "luty": 2, "maj": 5, "kwi": 4, "cze": 6, "lip": 7, "sie": 8, "wrz": 9, "paź": 10, "lis": 11, "gru": 12,
    **_OF_POLISH_DATES, **_OF_CROATIAN_DATES, **_OF_CZECH_DATES,
}  # fmt: skip
"""Names that are months beside those of `MONTHS`, or after a day, only: `Set 10` alone is more often a name than September 2010."""

ALL_MONTHS: Mapping[str, int] = {**MONTHS, **SHORT_MONTHS}

_CROATIAN = {"lip": "June", "lis": "October", "listopad": "October", "listopada": "October"}
"""What names of Polish months, those of July and November, are in Croatian."""

_ONLY_CROATIAN = frozenset({
    "siječanj", "veljača", "ožujak", "travanj", "svibanj", "lipanj", "srpanj", "kolovoz", "rujan", "studeni", "prosinac", *_OF_CROATIAN_DATES,
})  # fmt: skip
_WORD = re.compile(r"[^\W\d_]{3,12}")
_LAST_DAY = re.compile(r"31\b")


def find_doubt(texts: Iterable[str]) -> str | None:
    """Return the first text with a name of different months in Polish and Croatian; None if the other texts tell which."""
    texts = list(texts)
    first = next((text for text in texts if not _words(text).isdisjoint(_CROATIAN)), None)
    return first if first is not None and _is_croatian(texts) is None else None


def in_english(texts: Sequence[str]) -> Sequence[str]:
    """Return texts with the names of `find_doubt` in English where the others, or a 31st, show that they are Croatian."""
    if all(_words(text).isdisjoint(_CROATIAN) for text in texts) or not _is_croatian(texts):
        return texts
    return [_WORD.sub(lambda match: _CROATIAN.get(match[0].lower(), match[0]), text) for text in texts]


def _is_croatian(texts: Iterable[str]) -> bool | None:
    """Return whether months are Croatian rather than Polish or Czech; None if they have no name, or no day, that tells."""
    votes = set[bool]()
    for text in texts:
        words = _words(text)
        votes.update(word in _ONLY_CROATIAN for word in words if word in ALL_MONTHS and word not in _CROATIAN)
        if _LAST_DAY.match(text.strip()):
            votes.update(word != "lip" for word in words if word in _CROATIAN)
    return votes.pop() if len(votes) == 1 else None


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


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
