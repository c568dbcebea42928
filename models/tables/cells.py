"""Cells: Python values of a workbook or of JSON as columns, and columns as text."""

import re
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time
from typing import Any

EXCEL_YEAR = 1900
"""A date up to this year beside times of day is one too, which Excel counts from there."""

MISSING = frozenset({
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
})  # fmt: skip
"""Cells without a value: the words of pandas."""
CODES = (
    "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "RON", "TRY",
    "BRL", "MXN", "ZAR", "SGD", "HKD", "KRW", "THB", "AED", "SAR", "QAR", "KWD", "BHD", "OMR", "JOD", "ILS", "EGP", "MAD", "TND", "IDR", "MYR",
    "PHP", "TWD", "VND", "PKR", "BDT", "LKR", "ARS", "CLP", "COP", "PEN", "UYU", "UAH", "RUB", "KZT", "GEL", "BGN", "RSD", "ISK", "NGN", "KES", "GHS",
)  # fmt: skip
"""Currencies by their codes."""
MONEY = (
    *CODES, "kr.", "kr", "Kr.", "Kr", "zł", "Kč", "Ft", "Rp.", "Rp", "RM", "Rs.", "Rs", "SFr.", "Fr.", "TL", "S/", "lei", "KSh", "Dhs", "Dh",
)  # fmt: skip
"""Currencies that stand before or after a number as words, a longer one before its beginning."""
UNITS = (
    *MONEY, "kg", "mg", "lb", "lbs", "oz", "km", "cm", "mm", "mi", "ft", "m²", "m³", "ml", "hl", "gal", "Wh", "kWh",
    "MWh", "GWh", "kW", "MW", "GW", "°C", "°F", "hPa", "mbar", "bar", "min", "km/h", "m/s", "pcs", "units", "Stk", "Stk.", "Stück",
)  # fmt: skip
"""Units after a number, beside signs of currencies and per cent; none that multiplies (k, Mio) or ends names (12A)."""

CURRENCIES = "€$£¥₹₩₺₱₪₽円元원₫₴₦₵₡₲₸₾₨฿"
CURRENCY = rf"(?:[A-Z]{{1,2}}\$|[{CURRENCIES}]|\b(?:{'|'.join(CODES)})\b)"
"""A pattern for a currency."""
FLAG_HINT = "Write 1 and 0 for true and false."
_FORMS = (
    (rf"(?:{CURRENCY} ?)?\((?:{CURRENCY} ?)?([\d.,]+)\)", r"Write a negative number with a minus: -\1."),
    (rf"{CURRENCY}? ?[-\u2013\u2014]", "Write 0, or leave the cell empty where the value is unknown."),
    (r"(?i)(true|false)", FLAG_HINT),
    (r"\d+:\d\d(:\d\d)?([.,]\d+)?", "Write a duration as one number, such as 90 minutes or 1.5 hours."),
    (r"\d+(_\d+)+", "Write numbers without underscores."),
    (r"\d+ ?/ ?\d+", "Write a fraction as a decimal number, such as 0.125."),
    (r"0[xX][\dA-Fa-f]+", "Write numbers in the decimal system."),
    (
        rf"[-+]?(?:{CURRENCY} ?[-+]?[\d.,]+|[\d.,]+ ?{CURRENCY})",
        "Write all numbers in one currency, and without its sign.",
    ),
    (r"[^\W\d_]{1,3}\.? ?([-+]?\d[\d.,]*)", r"Write the number alone: \1."),
)
"""Numbers in forms that are not read, and what to write instead."""

_WITH_UNIT = re.compile(r"([-+]?[\d.,]*\d) ?([^\W\d_]{1,12})\.?")
_MULTIPLES = frozenset({
    "k", "m", "bn", "mn", "tsd", "mio", "mrd", "mill", "lakh", "crore", "cr", "thousand", "million", "billion", "tausend", "millionen",
})  # fmt: skip


def units_of(cells: Iterable[str | None]) -> set[str]:
    """Return the units that stand after numbers."""
    return {match[2] for cell in cells if cell is not None and (match := _WITH_UNIT.fullmatch(cell))}


def advise_units(cell: str, units: Collection[str]) -> str:
    """Return how to write a number with a unit, one of those of its column; "" if it has none."""
    match = _WITH_UNIT.fullmatch(cell)
    if match is None:
        return ""
    if len(units) > 1:
        return f"Write all numbers in one unit, and without it: here are {', '.join(sorted(units)[:4])}."
    if match[2].lower() in _MULTIPLES:
        return f"Write the number in full, without {match[2]!r}."
    return f"Write the number alone: {match[1]}."


def advise_alike(cell: str, unit: str, like: str) -> str:
    """Return how to write a number in the unit of all others, one of which is `like`; "" if it is none, or in another unit."""
    match = re.fullmatch(r"\(?[^\d().-]*\(?(?P<sign>-?)(?P<number>\d[\d.,]*)(?P<after>-?)\)?[^\d().]*\)?", cell)
    if match is None or not (match["number"] == cell.lstrip("-") or unit in cell):
        return ""
    sign = "-" if match["sign"] or match["after"] or "(" in cell else ""
    number = f"{sign}{match['number']}"
    written = (
        f"{number}{' ' * (' ' in like)}{unit}"
        if like.endswith(unit)
        else f"{sign}{unit}{' ' * (' ' in like)}{match['number']}"
    )
    return f"Write it as the others: {written}."


def advise_writing(cell: str) -> str:
    """Return how to write a number that has one of the forms which are not read; "" if it has none."""
    return next((match.expand(hint) for form, hint in _FORMS if (match := re.fullmatch(form, cell))), "")


def column_of(cells: Sequence[object]) -> Any:  # noqa: ANN401 - pyarrow's
    """Return cells as a pyarrow array of numbers, booleans or timestamps if all are of one type, else of text."""
    import pyarrow as pa

    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds and kinds <= {int, float}:
        return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())  # type: ignore[arg-type]
    if kinds == {bool}:
        return pa.array(cells, pa.bool_())
    if kinds and kinds <= {date, datetime}:
        return pa.array([_moment(cell) for cell in cells], pa.timestamp("us"))
    if time in kinds:
        cells = [cell.time() if isinstance(cell, datetime) and cell.year <= EXCEL_YEAR else cell for cell in cells]
    return pa.array([None if cell is None else _text(cell) for cell in cells], pa.string())


def _moment(cell: object) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    return datetime(cell.year, cell.month, cell.day) if isinstance(cell, date) else None  # noqa: DTZ001 - a wall clock


def _text(cell: object) -> str:
    """Return a cell as text: a whole number without a point, a date in ISO 8601."""
    if isinstance(cell, float) and cell.is_integer():
        return f"{cell:.0f}"
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)


def as_time_text(column: Any) -> Any:  # noqa: ANN401 - pyarrow's
    """Return a column of dates or parts of dates as text; 2024.0, which programs write beside empty cells, is 2024."""
    import pyarrow.compute as pc

    texts = as_text(column)
    whole = pc.match_substring_regex(texts, r"^\s*\d{1,10}\.0+\s*$")
    if texts.null_count == len(texts) or not pc.all(whole).as_py():
        return texts
    return pc.replace_substring_regex(texts, r"\.0+\s*$", "")


def as_text(column: Any) -> Any:  # noqa: ANN401 - pyarrow's
    """Return a column as text: whole numbers without a point, null where a cell is empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = column.cast(pa.float64(), safe=False)
        missing = pc.fill_null(pc.is_nan(numbers), False)  # noqa: FBT003 - pyarrow's way
        numbers = pc.if_else(missing, None, numbers)
        try:
            return numbers.cast(pa.int64()).cast(pa.string())
        except pa.ArrowInvalid:
            texts = [
                None if one is None else f"{one:.0f}" if one.is_integer() else repr(one) for one in numbers.to_pylist()
            ]
            return pa.array(texts, pa.string())
    if pa.types.is_boolean(kind):
        return pa.array([None if one is None else str(one) for one in column.to_pylist()], pa.string())
    texts = column.cast(pa.string())
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(texts)), 0)
    return pc.if_else(blank, None, texts)
