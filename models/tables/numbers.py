"""Numbers: cells as float64, whatever separates decimals and thousands, as long as only one reading fits all of them."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import ConfigInvalid, Finding
from models.tables.cells import CURRENCIES, MISSING, MONEY, UNITS, advise_alike, advise_units, advise_writing, units_of
from models.tables.faults import VALUE, CellFault, TableInvalid
from models.tables.layout import quote
from models.tables.sheet import Mask, Rows

NUMBER_HINT = "Leave gaps empty, write decimals with a point."
THREE_DIGITS_BARE = 100
"""From here on, a whole number may be one without its thousands separator."""

SHARE_OF_UNIT = 0.8
"""Cells with one unit from which on the others are wrong."""

_SIGNS = str.maketrans({"\u2212": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"})
_GROUPS = re.compile(r"(?<!\d)(\d{1,3})((?:[ '])\d{3})+(?!\d)")
_WORD = "|".join(map(re.escape, MONEY))
_MARK = rf"[{CURRENCIES}]|[A-Z]{{1,2}}\$|{_WORD}"
"""A currency."""
_UNIT = re.compile(
    rf"^(?=[^-+\d.,])(%|{_MARK}) ?(?=[-+\d.,])|(?<=[\d.,]) ?(?=[^\d.,])(%|{_MARK}|{'|'.join(map(re.escape, UNITS))})$"
)
_SIGN_FIRST = re.compile(rf"^([-+]) ?({_MARK}) ?(?=[\d.,])")
"""A sign before the currency, as in -$5."""
_ZERO = re.compile(rf"({_MARK}) *[-\u2013\u2014]|[-\u2013\u2014] *({_MARK})")
"""Zero in Excel's formats for accounting: a dash with the currency."""
_DIGIT = re.compile(r"\d")
_PADDED, _ZERO_PADDED = r"^ ([^ ]+ |\(.*\)|- {3})$", " -   "
"""A cell of its format without a currency, which begins with a space, and zero in it."""
_NO_CENTS = re.compile(r"(?<=\d[.,])[-\u2013\u2014]{1,2}(?=$| ?[^\d\s])")
"""Dashes for no cents after a decimal sign, as in 25.- and 25,-- €: they are no sign."""
_TRAILING_MINUS = re.compile(r"(\d[\d.,]*)-")
"""A negative number as SAP writes it."""
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_INDIAN = r"[1-9]\d?(?:,\d{2})+,\d{3}(?:\.\d*)?"
READINGS = {
    ".": re.compile(rf"[+-]?(?:[1-9]\d{{0,2}}(?:,\d{{3}})+(?:\.\d*)?|{_INDIAN}|\d+(?:\.\d*)?|\.\d+){_EXPONENT}"),
    ",": re.compile(rf"[+-]?(?:[1-9]\d{{0,2}}(?:\.\d{{3}})+(?:,\d*)?|\d+(?:,\d*)?|,\d+){_EXPONENT}"),
}
"""How a number looks by what separates its decimals; the other sign separates thousands."""
_OTHER = {".": ",", ",": "."}
_INFINITE = frozenset({"inf", "-inf", "+inf", "infinity", "-infinity", "+infinity"})


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A column of numbers.

    Attributes:
        values: Shape (rows,), NaN for a gap and for a wrong cell.
        faults: What is wrong, by index.
        findings: How the cells were read, where that is not the usual way.
    """

    values: NDArray[np.float64]
    faults: dict[int, CellFault]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How numbers are written; None finds it out.

    Attributes:
        decimal: `.` or `,`.
        thousands: `,`, `.`, a space or an apostrophe.
        separator: What separates the cells of the file.
        named: Whether somebody named the column as the value.
    """

    decimal: str | None = None
    thousands: str | None = None
    separator: str = ""
    named: bool = False

    def __post_init__(self) -> None:
        """Refuse signs that cannot be; raises ConfigInvalid."""
        if self.decimal not in {None, ".", ","}:
            raise ConfigInvalid(f"--decimal is {self.decimal!r}.", hint="Give . or a comma.")
        if self.thousands not in {None, ".", ",", " ", "'"}:
            raise ConfigInvalid(f"--thousands is {self.thousands!r}.", hint="Give , or . or a space or an apostrophe.")
        if self.decimal is not None and self.decimal == self.thousands:
            raise ConfigInvalid(f"--decimal and --thousands are both {self.decimal!r}.", hint="Give one of them.")

    @property
    def given(self) -> str | None:
        """What separates decimals, as far as that is given."""
        return self.decimal or _OTHER.get(self.thousands or "")


def read_numbers(column: Any, name: str, rows: Rows, style: NumberStyle, *, flags: bool = False) -> Numbers:  # noqa: ANN401
    """Return a column as numbers.

    Args:
        column: A pyarrow array.
        name: Of the column.
        rows: Row of the file of each cell.
        style: How numbers are written.
        flags: Whether true and false are 1 and 0.

    Raises:
        TableInvalid: If some cells have a decimal comma and others a decimal point, or both readings fit all of them and
            differ.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_string(kind):
        return _read_texts(column, name, rows, style, flags=flags)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        values = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return _checked(np.array(values, dtype=np.float64), {}, name, rows, ())
    if pa.types.is_boolean(kind) and flags:
        return Numbers(column.cast(pa.int8()).cast(pa.float64()).to_numpy(zero_copy_only=False), {})
    faults = {
        int(at): CellFault(int(rows[at]), name, VALUE, str(column[int(at)]), "is not a number", NUMBER_HINT)
        for at in np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    }
    return Numbers(np.full(len(column), np.nan), faults)


def _checked(
    values: NDArray[np.float64], faults: dict[int, CellFault], name: str, rows: Rows, findings: tuple[Finding, ...]
) -> Numbers:
    for at in np.flatnonzero(np.isinf(values)).tolist():
        cell = "inf" if values[at] > 0 else "-inf"
        hint = "Leave the cell empty where the value is unknown."
        faults.setdefault(at, CellFault(int(rows[at]), name, VALUE, cell, "is infinite", hint))
    return Numbers(values, faults, findings)


def _read_texts(column: Any, name: str, rows: Rows, style: NumberStyle, *, flags: bool) -> Numbers:  # noqa: ANN401
    import pyarrow as pa
    import pyarrow.compute as pc

    trimmed = pc.utf8_trim_whitespace(column)
    missing = pc.is_in(trimmed, pa.array(sorted(MISSING), pa.string()))
    texts = pc.if_else(missing, None, trimmed)
    if style.given != ",":
        plain = _read_plain(texts, style, name, rows)
        if plain is not None:
            return plain
    is_zero = _are_zeros(column, texts, style)
    cells = pc.if_else(is_zero, "0", texts).to_pylist()
    read = _read_written(cells, name, rows, style, flags=flags)
    zeros = np.flatnonzero(is_zero.to_numpy(zero_copy_only=False))
    return (
        replace(read, findings=read.findings + _said_zeros(texts.to_pylist(), zeros, name, rows))
        if zeros.size
        else read
    )


def _are_zeros(column: Any, texts: Any, style: NumberStyle) -> Any:  # noqa: ANN401 - pyarrow's
    """Return which cells are the dash of Excel's accounting without a currency, where all cells have this format, and one a number."""
    import pyarrow.compute as pc

    is_zero = pc.fill_null(pc.equal(column, _ZERO_PADDED), False)  # noqa: FBT003 - pyarrow's way
    if style.separator == "|" or not pc.any(is_zero).as_py():
        return pc.and_(is_zero, False)  # noqa: FBT003 - same
    there = column.filter(texts.is_valid())
    padded, numbers = (pc.match_substring_regex(there, form) for form in (_PADDED, r"\d"))
    return pc.and_(is_zero, bool(pc.all(padded).as_py() and pc.any(numbers).as_py()))


def _said_zeros(cells: Sequence[str | None], zeros: NDArray[np.int64], name: str, rows: Rows) -> tuple[Finding, ...]:
    """Return that dashes are read as 0, if there are some."""
    more = f" and {zeros.size - 3} more" if zeros.size > 3 else ""  # noqa: PLR2004 - those of _shown
    detail = f"Column {name!r}: {_shown(cells, zeros, rows)}{more}: read as 0, which Excel's format for accounting shows as a dash."
    return (
        (Finding("NUMBERS_READ", detail, hint="Leave these cells empty if their values are unknown."),)
        if zeros.size
        else ()
    )


def _read_plain(texts: Any, style: NumberStyle, name: str, rows: Rows) -> Numbers | None:  # noqa: ANN401
    """Return texts with decimal points; None if one is not such a number, or the points may separate thousands."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        values = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None
    findings: tuple[Finding, ...] = ()
    if style.given is None:
        pointed = pc.match_substring(texts, ".")
        groups = pc.match_substring_regex(texts, r"^-?[1-9]\d{0,2}\.\d{3}$")
        if pc.sum(pointed).as_py() and pc.sum(pointed).as_py() == pc.sum(groups).as_py():
            bare = np.abs(values[pc.fill_null(pc.invert(pointed), False).to_numpy(zero_copy_only=False)])  # noqa: FBT003
            if style.separator == ";" or (bare >= THREE_DIGITS_BARE).any():
                return None
            at = pc.index(pointed, True).as_py()
            findings = (_three_decimals(name, texts[at].as_py(), int(rows[at])),)
    return _checked(np.array(values, dtype=np.float64), {}, name, rows, findings)


def _read_written(texts: Sequence[str | None], name: str, rows: Rows, style: NumberStyle, *, flags: bool) -> Numbers:
    """Return texts as numbers after the reading that fits all of them."""
    cells, dashed = _drop_dashes([None if one is None else _drop_groups(one.translate(_SIGNS)) for one in texts], name)
    unitless = _drop_units(cells, name, rows, named=style.named)
    cells, turned = _turn_minus(unitless.cells, name)
    fits = {
        sign: np.array(
            [one is not None and at not in unitless.odd and bool(form.fullmatch(one)) for at, one in enumerate(cells)]
        )
        for sign, form in READINGS.items()
    }
    sign, found = (style.given, ()) if style.given else _choose(cells, fits, name, rows, style)
    values, wrong = np.full(len(cells), np.nan), list[int]()
    for at, one in enumerate(cells):
        if one is None:
            continue
        if fits[sign][at]:
            values[at] = float(one.replace(_OTHER[sign], "").replace(sign, "."))
        elif one.lower() in _INFINITE:
            values[at] = float(one)
        elif flags and one.lower() in {"true", "false"}:
            values[at] = one.lower() == "true"
        else:
            wrong.append(at)
    units = units_of(cells[at] for at in wrong)
    hints = {at: unitless.odd.get(at) or unitless.hint or _hint(str(cells[at]), sign, style, units) for at in wrong}
    faults = {at: CellFault(int(rows[at]), name, VALUE, str(texts[at]), "is not a number", hints[at]) for at in wrong}
    return _checked(values, faults, name, rows, dashed + unitless.findings + turned + found)


def _drop_dashes(cells: list[str | None], name: str) -> tuple[list[str | None], tuple[Finding, ...]]:
    """Return cells without the dashes that stand for no cents, and that they were there."""
    left = [None if one is None else _NO_CENTS.sub("", one) for one in cells]
    first = next((at for at, one in enumerate(cells) if one != left[at]), None)
    if first is None:
        return cells, ()
    said = f"Column {name!r}: the dash of {cells[first]!r} stands for no cents; it is no minus."
    return left, (Finding("NUMBERS_READ", said),)


def _turn_minus(cells: list[str | None], name: str) -> tuple[list[str | None], tuple[Finding, ...]]:
    """Return cells with a minus at their end, as SAP writes it, before the number; and that it was there."""
    ends = [None if one is None else _TRAILING_MINUS.fullmatch(one) for one in cells]
    first = next((match for match in ends if match), None)
    if first is None:
        return cells, ()
    said = Finding("NUMBERS_READ", f"Column {name!r}: {first[0]!r} is read as -{first[1]}.")
    return [f"-{match[1]}" if match else one for one, match in zip(cells, ends, strict=True)], (said,)


def _hint(cell: str, sign: str, style: NumberStyle, units: Collection[str]) -> str:
    if READINGS[_OTHER[sign]].fullmatch(cell) and style.given:
        return f"--decimal {sign} says otherwise."
    return advise_writing(cell) or advise_units(cell, units) or NUMBER_HINT


def _drop_groups(text: str) -> str:
    """Return a number without spaces or apostrophes between its thousands."""
    if " " not in text and "'" not in text:
        return text
    return _GROUPS.sub(lambda match: match[0].replace(" ", "").replace("'", ""), text)


@dataclass(frozen=True, slots=True)
class _Unitless:
    """Cells without the unit that most of them have.

    Attributes:
        cells: The cells.
        findings: That there was a unit.
        odd: The remedy for each number without this unit, by index.
        hint: The remedy for all, if a unit is left that may be a part of names.
    """

    cells: list[str | None]
    findings: tuple[Finding, ...] = ()
    odd: Mapping[int, str] = field(default_factory=dict)
    hint: str = ""


def _drop_units(cells: list[str | None], name: str, rows: Rows, *, named: bool) -> _Unitless:
    """Return cells without a currency, per cent sign or unit that most of them have; the others are wrong.

    A dash with this currency is 0.

    A word before whole numbers is left, since EUR 1 to EUR 6 may be names of pallets, unless the column is `named`.
    """
    turned = [None if one is None else _SIGN_FIRST.sub(r"\2\1", one) for one in cells]
    matches = {at: _UNIT.search(one) for at, one in enumerate(turned) if one is not None}
    zeros = {
        at: match for at, one in enumerate(turned) if one and not _DIGIT.search(one) and (match := _ZERO.fullmatch(one))
    }
    units = {at: match[1] or match[2] if match else "" for at, match in (matches | zeros).items()}
    unit, count = next(iter(Counter(units.values()).most_common(1)), ("", 0))
    if not unit or count < SHARE_OF_UNIT * len(units):
        return _Unitless(cells)
    there = {at: str(cells[at]) for at, one in units.items() if one == unit and at not in zeros}
    if not there:
        return _Unitless(cells)
    first = min(there)
    is_word = unit in MONEY and there[first].lstrip("+-").startswith(unit)
    if is_word and not named and not any("," in one or "." in one.removeprefix(unit) for one in there.values()):
        hint = f"Write numbers without {unit!r}, or give --value-column {quote(name)} if they are the values."
        return _Unitless(cells, hint=hint)
    bare = [_UNIT.sub("", str(turned[at])).strip() if at in there else one for at, one in enumerate(cells)]
    dashes = np.array([at for at in zeros if units[at] == unit], dtype=np.int64)
    for at in dashes.tolist():
        bare[at] = "0"
    odd = {at: advise_alike(str(cells[at]), unit, there[first]) for at, one in units.items() if one != unit}
    said = "All numbers have" if not odd else "Most numbers have"
    found = Finding("UNIT_DROPPED", f"{said} {unit!r}; {there[first]!r} is read as {bare[first]}.")
    return _Unitless(bare, (found, *_said_zeros(cells, dashes, name, rows)), odd)


def _choose(
    cells: Sequence[str | None], fits: dict[str, Mask], name: str, rows: Rows, style: NumberStyle
) -> tuple[str, tuple[Finding, ...]]:
    """Return what separates decimals, by the cells that have only one reading.

    Raises:
        TableInvalid: If both are there, or no cell tells.
    """
    point, comma = fits["."] & ~fits[","], fits[","] & ~fits["."]
    signed = np.array([one is not None and ("." in one or "," in one) for one in cells])
    if point.any() and comma.any():
        raise _mixed(cells, (point, comma), name, rows)
    if point.any():
        grouped = np.flatnonzero(fits["."] & np.array([one is not None and "," in one for one in cells]))
        return ".", _said(cells, grouped, name, ".")
    if comma.any():
        return ",", _said(cells, np.flatnonzero(comma), name, ",")
    both = fits["."] & signed
    if not both.any():
        return ".", ()
    bare = np.array(
        [
            fit and not sign and abs(float(one or 0)) >= THREE_DIGITS_BARE
            for one, fit, sign in zip(cells, fits["."], signed, strict=True)
        ]
    )
    dots = all("." in (cells[at] or "") for at in np.flatnonzero(both).tolist())
    if not dots or bare.any() or style.separator == ";":
        raise _ambiguous(cells, np.flatnonzero(both), np.flatnonzero(bare), name, rows)
    first = int(np.flatnonzero(both)[0])
    return ".", (_three_decimals(name, str(cells[first]), int(rows[first])),)


def _three_decimals(name: str, cell: str, row: int) -> Finding:
    detail = f"Column {name!r}: {cell!r} (row {row}) is read as a number with three decimals."
    return Finding("NUMBERS_READ", detail, hint="If the point separates thousands, give --thousands '.'.")


def _said(cells: Sequence[str | None], places: NDArray[np.int64], name: str, sign: str) -> tuple[Finding, ...]:
    """Return how the first of some cells is read, as a finding."""
    if not places.size:
        return ()
    cell = str(cells[int(places[0])])
    value = float(cell.replace(_OTHER[sign], "").replace(sign, "."))
    return (Finding("NUMBERS_READ", f"Column {name!r}: {cell!r} is read as {value:.15g}."),)


def _shown(cells: Sequence[str | None], places: NDArray[np.int64], rows: Rows) -> str:
    return ", ".join(f"{cells[at]!r} (row {rows[at]})" for at in places[:3].tolist())


def _mixed(cells: Sequence[str | None], kinds: tuple[Mask, Mask], name: str, rows: Rows) -> TableInvalid:
    point, comma = (_shown(cells, np.flatnonzero(kind), rows) for kind in kinds)
    return TableInvalid(
        f"some numbers have a decimal point or comma thousands, {point}; others a decimal comma or point thousands, {comma}.",
        hint="Write all numbers alike.",
        place=f", column {name!r}",
        about=VALUE,
    )


def _ambiguous(
    cells: Sequence[str | None], both: NDArray[np.int64], bare: NDArray[np.int64], name: str, rows: Rows
) -> TableInvalid:
    cell = str(cells[int(both[0])])
    sign = "." if "." in cell else ","
    decimal, whole = float(cell.replace(sign, ".")), float(cell.replace(sign, ""))
    beside = f" beside {_shown(cells, bare, rows)}" if bare.size else ""
    name_of = {".": "point", ",": "comma"}[sign]
    return TableInvalid(
        f"{_shown(cells, both, rows)}{beside}: {cell} may be {decimal:g} or {whole:.0f}.",
        hint=f"If the {name_of} separates thousands, give --thousands '{sign}'; if it separates decimals, --decimal '{sign}'.",
        place=f", column {name!r}",
        about=VALUE,
    )
