"""Series warnings: what is noticed about many series, as one line of each code that names them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

NAMED = 3
"""Series of one code whose ids are shown; the others are counted."""


@dataclass(slots=True)
class SeriesWarnings:
    """Warnings in the order in which they came; of each code the first text, some ids and the number of series are kept."""

    _texts: dict[str, str] = field(default_factory=dict)
    _ids: dict[str, list[str]] = field(default_factory=dict)
    _more: dict[str, int] = field(default_factory=dict)

    def add(self, series: str, code: str, text: str) -> None:
        """Add a warning; of one series and code the first counts."""
        self._texts.setdefault(code, text)
        ids = self._ids.setdefault(code, [])
        if len(ids) < NAMED and series not in ids:
            ids.append(series)
        elif series not in ids:
            self._more[code] = self._more.get(code, 0) + 1

    def lines(self) -> Iterator[str]:
        """Yield a line for each code, in the order of the codes: its first series and what it says of this one, then the others."""
        for code, text in sorted(self._texts.items()):
            first, *others = map(repr, self._ids[code])
            more = self._more.get(code, 0)
            named = ", ".join([*others, *([f"{more} more"] if more else [])])
            yield f"{code}: Series {first}: {text}" + (f" Also: {named}." if named else "")
