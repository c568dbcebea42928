"""Faults: what is wrong with a table as a whole, and what is wrong with single cells."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.errors import DataInvalid

ID, TIME, VALUE, FILE = "id", "timestamp", "value", "file"
"""What an error is about."""

DATE_HINT = "Write dates as 1939-01-31, with a time as 1939-01-31T06:00, or describe them with --date-format."


class TableInvalid(DataInvalid):
    """A table that cannot be read, before anybody knows its path.

    Args:
        detail: What is wrong, with the value received.
        hint: The remedy; options have their names on the command line.
        place: Where, to be appended to the path: `, row 3, column 'ds'`.
        about: `file`, `id`, `timestamp` or `value`.
        missing: Whether it is the column of `about` that is missing.
    """

    def __init__(
        self, detail: str, *, hint: str = "", place: str = "", about: str = FILE, missing: bool = False
    ) -> None:
        """Keep the parts; the text begins with the place."""
        where = place.removeprefix(", ")
        super().__init__(f"{where[:1].upper()}{where[1:]}: {detail}" if where else f"The file {detail}", hint=hint)
        self.bare, self.place, self.about, self.missing = detail, place, about, missing

    def at(self, path: object) -> DataInvalid:
        """Return the error with the path of the file in front."""
        return DataInvalid(f"{path}{self.place}: {self.bare}", hint=self.hint)


@dataclass(frozen=True, slots=True)
class CellFault:
    """A cell that cannot be used.

    Attributes:
        row: Row of the file, the first one being 1.
        column: Name of the column.
        about: `id`, `timestamp` or `value`; `file` for a row with another number of cells than the header.
        cell: As it was written; "" if it is empty.
        what: What is wrong with it, such as `is not a number`.
        hint: The remedy.
    """

    row: int
    column: str
    about: str
    cell: str
    what: str
    hint: str

    @property
    def detail(self) -> str:
        """What is wrong, with the cell."""
        return f"{repr(self.cell[:80]) + ' ' if self.cell else ''}{self.what}."

    def error(self, more: int = 0) -> TableInvalid:
        """Return the fault as the error of the table; `more` cells are like it."""
        others = f" {more} more like it." if more else ""
        column = "" if self.about == FILE else f", column {self.column!r}"
        return TableInvalid(self.detail + others, hint=self.hint, place=f", row {self.row}{column}", about=self.about)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where distinct texts stand: the column, and the row of the first cell of each."""

    column: str
    rows: NDArray[np.int64]

    def fault(self, at: int, text: str, what: str, hint: str = DATE_HINT) -> CellFault:
        """Return the fault of a text."""
        return CellFault(int(self.rows[at]), self.column, TIME, text, what, hint)

    def refuse(self, at: int, detail: str, hint: str) -> TableInvalid:
        """Return the error of a column that cannot be read, with its first wrong cell."""
        return TableInvalid(detail, hint=hint, place=f", row {self.rows[at]}, column {self.column!r}", about=TIME)


NOTE_HINT = "Take the row out if it is a total, a unit or a note; else give it a date."
_TOTAL = re.compile(
    r"\b(?:(?:sub|grand )?totals?|sum|summe|gesamt\w*|zwischensumme|insgesamt|average|mean|mittelwert)\b", re.IGNORECASE
)
_SHARE_OF_NOTES = 0.2


def advise_notes(faults: Mapping[int, CellFault], rows: int) -> Mapping[int, CellFault]:
    """Return the faults of dates, those of rows that look like a total, a unit or a note with the advice to take these out.

    Such a cell is empty, has no digit or has the word for a total, and there are few of them; `rows` has the table.
    """
    notes = {at: one for at, one in faults.items() if not re.search(r"\d", one.cell) or _TOTAL.search(one.cell)}
    if not notes or len(notes) > max(1, _SHARE_OF_NOTES * rows):
        return faults
    return {**faults, **{at: replace(one, hint=NOTE_HINT) for at, one in notes.items()}}
