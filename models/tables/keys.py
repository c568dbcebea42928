"""Keys: which columns identify the series of a long file if none are named."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.calendar.timestamps import Timestamps
from models.calendar.zone_inference import zone_of_repeats
from models.tables.cells import as_text
from models.tables.layout import (
    BESIDE_WORDS,
    VALUE_WORDS,
    TableLayout,
    guess_value,
    has_word,
    is_numeric,
    quote,
    words_of,
)
from models.tables.sheet import Sheet
from models.tables.times.shifts import is_opening
from models.tables.times.time_parts import PARTS_OF_YEARS, is_fiscal, is_time_part, plain_part

MOST_KEYS, MOST_TRIED = 3, 12
MEASURED = (*VALUE_WORDS, *BESIDE_WORDS)
"""Words in the name of a column of numbers that is no key."""

KEY_WORDS = frozenset({
    "id", "ids", "key", "sku", "item", "items", "product", "article", "store", "shop", "station", "sensor", "site", "device", "meter",
    "customer", "region", "warehouse", "plant", "branch", "code", "nbr", "nr", "nummer", "artikel", "artikelnr", "artikelnummer",
    "filiale", "markt", "produkt", "kunde", "lager", "standort", "zähler", "material", "materialnr", "ean", "gtin", "upc", "asin",
})  # fmt: skip
"""Words in the name of a column of whole numbers that names series; in lower case."""

FLAGS = frozenset({"true", "false", "yes", "no", "ja", "nein"})
"""Cells that say whether something is so, and name no series; in lower case."""

NOUNS = KEY_WORDS | {"rep", "center", "centre", "zone", "group", "type", "category", "class", "dept", "department"}
"""Words that, as the last one of a name, say what a number stands for: sales_region."""

LEAST_REPEATED = 2
"""Rows for each distinct cell of a key, on average."""

Codes = NDArray[np.int64]


def explain_repeats(sheet: Sheet, layout: TableLayout, series: Codes, times: Timestamps) -> tuple[str, str] | None:
    """Return why times repeat, as text and remedy: the columns which, added to the ids, make each row distinct.

    Args:
        sheet: The file.
        layout: Its columns.
        series: Series of each row, as numbers, shape (rows,).
        times: Time of each row, shape (rows,).

    Returns:
        None if no columns explain it, or those times repeat that clocks do which go back.
    """
    base = _pairs(series, np.unique(times, return_inverse=True)[1].astype(np.int64))
    if _repeat_hours(base, times):
        return None
    used = {layout.time, layout.clock, *layout.ids}
    values = () if layout.wide else layout.values
    names = [name for name in sheet.names if name not in used and name not in values]
    keys_first = [name for name in names if not _is_beside(name, sheet.columns[name])]
    keys_first.sort(key=lambda name: has_word(name, BESIDE_WORDS))
    parts = [name for name in keys_first if is_time_part(name, sheet.columns[name])]
    keys_first = [name for name in keys_first if name not in parts]
    codes = {name: found for name in keys_first if (found := _key_codes(sheet.columns[name])) is not None}
    if any(map(is_opening, parts)):  # those of several shops explain nothing
        value = guess_value(sheet, names) if layout.wide else None
        if keys := _find_keys(base, series, {name: found for name, found in codes.items() if name != value}):
            return _advise(sheet, layout, keys, [name for name in names if name not in (*keys, *parts)])
    whole = base
    for name in parts:
        whole = _pairs(whole, _codes_of(sheet.columns[name]))
    if parts and _are_distinct(whole):
        return _join_advice(sheet, layout, parts)
    if (keys := _find_keys(base, series, codes)) and not (layout.wide and set(keys) == set(names)):
        return _advise(sheet, layout, keys, [name for name in names if name not in (*keys, *parts)])
    if parts and _find_keys(whole, series, codes):
        return _join_advice(sheet, layout, parts)
    return next((_fill_advice(name) for name in keys_first if _is_distinct_filled(base, sheet.columns[name])), None)


def repeat_hours(times: Timestamps) -> bool:
    """Return whether times of one series repeat only where clocks go back: each such hour twice, among others; shape (rows,)."""
    return _repeat_hours(np.unique(times, return_inverse=True)[1].astype(np.int64), times)


def _repeat_hours(base: Codes, times: Timestamps) -> bool:
    """Return the same for several series, of which `base` numbers each with its times."""
    _, firsts, counts = np.unique(base, return_index=True, return_counts=True)
    twice = times[firsts[counts > 1]]
    if not 0 < len(twice) < len(firsts) or counts.max() > 2 or np.isnat(twice).any():  # noqa: PLR2004 - before and after
        return False
    return zone_of_repeats(twice) is not None


def is_one_key(name: str, column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether a column names the only series of a file: one whole number throughout, written or named as a key."""
    import pyarrow.compute as pc

    texts = pc.utf8_trim_whitespace(as_text(column).drop_null())
    if (
        len(texts) < LEAST_REPEATED
        or pc.count_distinct(texts).as_py() > 1
        or not re.fullmatch(r"\d+", cell := texts[0].as_py())
    ):
        return False
    return cell.lstrip("0") != "" and (cell.startswith("0") or any(word in KEY_WORDS for word in words_of(name)))


def _is_beside(name: str, column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether a column is named as a value or as what stands beside values, and does not name anything by text."""
    if are_flags(column):
        return has_word(name, MEASURED)
    return is_numeric(column) and has_word(name, MEASURED) and words_of(name)[-1] not in NOUNS


def are_flags(column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether the cells of a column say whether something is so; missing ones do not count."""
    import pyarrow.compute as pc

    distinct = pc.unique(pc.utf8_lower(pc.utf8_trim_whitespace(as_text(column).drop_null()))).to_pylist()
    return all(one in FLAGS for one in distinct[: len(FLAGS) + 1])


def may_name_series(column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether each text of a column stands in two rows or more, on average."""
    import pyarrow.compute as pc

    return LEAST_REPEATED * int(pc.count_distinct(as_text(column)).as_py()) <= len(column)


def _find_keys(base: Codes, series: Codes, codes: Mapping[str, Codes]) -> tuple[str, ...]:
    """Return the fewest columns that, added to series and times, make each row distinct; none if there are no such."""
    for count in range(1, MOST_KEYS + 1):
        for keys in itertools.combinations(list(codes)[:MOST_TRIED], count):
            joined, ids = base, series
            for name in keys:
                joined, ids = _pairs(joined, codes[name]), _pairs(ids, codes[name])
            if _are_distinct(joined) and LEAST_REPEATED * len(np.unique(ids)) <= len(ids):
                return keys
    return ()


def _are_distinct(codes: Codes) -> bool:
    return len(np.unique(codes)) == len(codes)


def _is_distinct_filled(base: Codes, column: Any) -> bool:  # noqa: ANN401 - pyarrow's
    """Return whether a key stands only in the first row of each group: filled down, it makes each row distinct."""
    import pyarrow.compute as pc

    texts = as_text(column)
    if not texts.null_count or not texts[0].is_valid or 2 * texts.null_count < len(texts):
        return False
    return _are_distinct(_pairs(base, _codes_of(pc.fill_null_forward(texts))))


def _fill_advice(name: str) -> tuple[str, str]:
    """Return that a key stands only in the first row of each group, and what to do."""
    hint = f"Fill it down, so that each row has it (in Excel also split merged cells); then give --id-column {quote(name)}."
    return f"Column {name!r} has text only in the first row of each group.", hint


def _join_advice(sheet: Sheet, layout: TableLayout, parts: Sequence[str]) -> tuple[str, str]:
    """Return that columns hold parts of the time, and what to do."""
    holds = "holds a part" if len(parts) == 1 else "hold parts"
    names = ", ".join(map(repr, (layout.time, *parts)))
    whole = PARTS_OF_YEARS.get(plain_part(parts[-1]), "2024-01-31T06:00")
    if any(map(is_fiscal, (layout.time, *parts))):
        whole = "2023-10-01, the first day of each in the calendar"
    means = "" if not _has_means(sheet, parts) else " Take out the rows of M13: they are the means of years."
    return f"{_listed(parts)} {holds} of the time.", f"Write {names} as one column, such as {whole}.{means}"


def _has_means(sheet: Sheet, parts: Sequence[str]) -> bool:
    """Return whether a part is M13, as statistical offices name the mean of a year."""
    import pyarrow.compute as pc

    return any(pc.any(pc.equal(pc.utf8_trim_whitespace(as_text(sheet.columns[one])), "M13")).as_py() for one in parts)


def _advise(sheet: Sheet, layout: TableLayout, keys: Sequence[str], others: Sequence[str]) -> tuple[str, str]:
    names = [*layout.ids, *keys]
    value = layout.values[0] if layout.values and not layout.wide else guess_value(sheet, others)
    are = "looks like a key" if len(keys) == 1 else "look like keys"
    beside = f" beside {' and '.join(layout.ids)}" if layout.ids else ""
    detail = f"{_listed(keys)} {are}{beside}: with {'it' if len(keys) == 1 else 'them'} each row has a time of its own."
    column = f" --value-column {quote(value)}" if value else ""
    time = f" --time-column {quote(layout.time)}"
    return detail, f"Give --id-column {quote(','.join(names))}{time}{column}."


def _listed(names: Sequence[str]) -> str:
    shown = [repr(name) for name in names]
    return f"Column {shown[0]}" if len(shown) == 1 else f"Columns {', '.join(shown[:-1])} and {shown[-1]}"


def _pairs(left: Codes, right: Codes) -> Codes:
    """Return a number for each pair of numbers, counted from 0."""
    found: Codes = np.unique(left * (int(right.max(initial=0)) + 1) + right, return_inverse=True)[1]
    return found.astype(np.int64)


def _codes_of(column: Any) -> Codes:  # noqa: ANN401 - pyarrow's
    """Return the cells of a column as numbers."""
    indices = as_text(column).fill_null("").dictionary_encode().indices
    found: Codes = indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def _key_codes(column: Any) -> Codes | None:  # noqa: ANN401 - pyarrow's
    """Return the cells of a column as numbers if it may be a key: text or whole numbers, each of which repeats; else None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return None
    texts = as_text(column)
    if pc.any(pc.match_substring_regex(texts, r"^-?\d*[.,]\d+$")).as_py():
        return None
    encoded = texts.fill_null("").dictionary_encode()
    if len(encoded.dictionary) < 2 or LEAST_REPEATED * len(encoded.dictionary) > len(column):  # noqa: PLR2004 - a key distinguishes
        return None
    found: Codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return found
