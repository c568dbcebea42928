"""Numbers are read where one reading fits all cells, and refused where two do."""

import re

import numpy as np
import pyarrow as pa
import pytest

from models.errors import ConfigInvalid
from models.tables.faults import TableInvalid
from models.tables.numbers import Numbers, NumberStyle, read_numbers

PLAIN = NumberStyle()


def read(cells: list[str], style: NumberStyle = PLAIN) -> Numbers:
    """Return the numbers of cells that begin in row 2."""
    return read_numbers(pa.array(cells, pa.string()), "y", np.arange(2, 2 + len(cells)), style)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "2.5", "-3e2", ".5", "+4", "\u22125"], [1, 2.5, -300, 0.5, 4, -5]),
        (["0.123", "985", "1200"], [0.123, 985, 1200]),
        (["985.125", "1010.375", "1011"], [985.125, 1010.375, 1011]),
        (["12.345", "9.871"], [12.345, 9.871]),
        (["1,234.50", "12"], [1234.5, 12]),
        (["1,234,567", "1,234"], [1234567, 1234]),
        (["1.234.567", "1.234"], [1234567, 1234]),
        (["12,5", "1.028", "7"], [12.5, 1028, 7]),
        (["1 028", "12 345,5"], [1028, 12345.5]),
        (["1\u202f028,5", "3"], [1028.5, 3]),
        (["1'028", "12"], [1028, 12]),
        (["€ 1,234.50", "€ 12"], [1234.5, 12]),
        (["12 %", "13.5 %"], [12, 13.5]),
        (["USD 1,234.50", "USD 12"], [1234.5, 12]),
        (["CHF 1'234.50", "CHF -12"], [1234.5, -12]),
        (["1.234,50 PLN", "12 PLN"], [1234.5, 12]),
        (["-$1,234.50", "$ 12", "$-3"], [-1234.5, 12, -3]),
        (["US$1,234.50", "US$12"], [1234.5, 12]),
        (["300.50 US$", "12 US$"], [300.5, 12]),
        (["kr. 2.000,50", "kr. 12"], [2000.5, 12]),
        (["kr 300.50", "kr -12"], [300.5, -12]),
        (["300.50 kr.", "12 kr."], [300.5, 12]),
        (["₩300", "₩ 12"], [300, 12]),
        (["300円", "12円"], [300, 12]),
        (["1.234,50-", "12,00"], [-1234.5, 12]),
        (["25.-", "1'200.-", "20.\u2013", "-3.-", "7.50-"], [25, 1200, 20, -3, -7.5]),
        (["25,-", "1.234,--", "20,50"], [25, 1234, 20.5]),
        (["25,- €", "1.234,50 €"], [25, 1234.5]),
        (["10 kg", "1,011.5 kg"], [10, 1011.5]),
        (["-3,5°C", "12,0 °C"], [-3.5, 12]),
        (["", "NA", "null", " 5 "], [np.nan, np.nan, np.nan, 5]),
    ],
)
def test_numbers_are_read(cells: list[str], values: list[float]) -> None:
    """Decimals, thousands and gaps in the usual ways of writing."""
    found = read(cells)

    np.testing.assert_array_equal(found.values, values)
    assert not found.faults


@pytest.mark.parametrize(
    ("cells", "separator", "words"),
    [
        (["985", "994", "1.028"], ",", r"'1\.028' \(row 4\) beside '985' \(row 2\).*1\.028 may be 1\.028 or 1028"),
        (["985", "1,028"], ",", "If the comma separates thousands"),
        (["1.028", "1.006"], ";", "--thousands"),
        (["1.234,5", "1,234.5"], ",", r"'1,234\.5' \(row 3\).*'1\.234,5' \(row 2\)"),
        (["12.5", "12,5"], ";", "Write all numbers alike"),
    ],
)
def test_a_column_that_can_be_read_in_two_ways_is_refused(cells: list[str], separator: str, words: str) -> None:
    """With the rows of both readings."""
    with pytest.raises(TableInvalid, match=words):
        read(cells, NumberStyle(separator=separator))


@pytest.mark.parametrize(
    ("style", "cells", "values"),
    [
        (NumberStyle(decimal=","), ["985", "1.028", "12,5"], [985, 1028, 12.5]),
        (NumberStyle(thousands="."), ["985", "1.028"], [985, 1028]),
        (NumberStyle(decimal="."), ["985", "1.028"], [985, 1.028]),
        (NumberStyle(thousands=","), ["985", "1,028"], [985, 1028]),
    ],
)
def test_what_is_given_settles_it(style: NumberStyle, cells: list[str], values: list[float]) -> None:
    """No matter what else the cells could mean."""
    np.testing.assert_array_equal(read(cells, style).values, values)


@pytest.mark.parametrize(
    ("cell", "what"),
    [("warm", "is not a number"), ("1_000", "is not a number"), ("12.5.3", "is not a number"), ("inf", "infinite")],
)
def test_a_wrong_cell_is_a_fault_of_its_row(cell: str, what: str) -> None:
    """The other cells are numbers."""
    found = read(["1.5", cell, "2"])

    assert list(found.faults) == [1]
    assert (found.faults[1].row, found.faults[1].cell) == (3, cell)
    assert what in found.faults[1].what


def test_three_decimals_throughout_are_read_and_said() -> None:
    """A scale that writes 12.345 is not refused, and who meant thousands sees it."""
    assert "three decimals" in read(["12.345", "9.871"]).findings[0].detail
    assert not read(["12.345", "9.87"]).findings


@pytest.mark.parametrize(("decimal", "thousands"), [("x", None), (None, "x"), (".", ".")])
def test_signs_that_cannot_be_are_refused(decimal: str | None, thousands: str | None) -> None:
    """By the name of the option."""
    with pytest.raises(ConfigInvalid, match="--"):
        NumberStyle(decimal, thousands)


@pytest.mark.parametrize(
    ("cells", "hint"),
    [
        (["(1,000)", "5"], "with a minus: -1,000"),
        (["True", "False"], "1 and 0"),
        (["10 kg", "1 t"], "in one unit, and without it: here are kg, t."),
        (["50.0 kW", "1.2 MW"], "here are MW, kW."),
        (["10k", "12k"], "in full, without 'k'"),
        (["5.2 Mio", "900"], "in full, without 'Mio'"),
        (["12A", "13A"], "the number alone: 12"),
        (["warm", "5"], "Leave gaps empty"),
        (["USD 5", "USD 6"], "without 'USD', or give --value-column y if"),
    ],
)
def test_a_wrong_cell_has_the_advice_that_mends_it(cells: list[str], hint: str) -> None:
    """What multiplies is not a unit, and neither is the end of a name."""
    assert hint in read(cells).faults[0].hint


@pytest.mark.parametrize(
    ("usual", "odd", "hint"),
    [
        ("$100.50", "($5.00)", "as the others: -$5.00."),
        ("100,50 EUR", "5,00- EUR", "as the others: -5,00 EUR."),
        ("USD 100.00", "0", "as the others: USD 0."),
        ("USD 100.00", "EUR 5.00", "in one currency"),
        ("USD 100.00", "closed", "Leave gaps empty"),
    ],
)
def test_the_cell_that_is_not_like_the_others_is_the_wrong_one(usual: str, odd: str, hint: str) -> None:
    """The others, four fifths, are read."""
    found = read([*[usual] * 4, odd])

    assert [(at, hint in one.hint) for at, one in found.faults.items()] == [(4, True)]
    np.testing.assert_array_equal(found.values, [*[float(re.sub(r"[^\d.]", "", usual.replace(",", ".")))] * 4, np.nan])


def test_a_currency_before_whole_numbers_is_left_out_of_a_named_column() -> None:
    """Others may have names of pallets."""
    np.testing.assert_array_equal(read(["USD 2000", "USD 2196"], NumberStyle(named=True)).values, [2000, 2196])


@pytest.mark.parametrize(
    "mark", ["Rp", "Rp.", "RM", "AED", "₪", "₹", "₫", "R$", "CHF", "Fr.", "zł", "Kč", "kr", "kr.", "Rs.", "TL", "S/"]
)
@pytest.mark.parametrize(
    "form", ["{} 1,234.50", "{}1,234.50", "1,234.50 {}", "1,234.50{}", "-{}1,234.50", "{} -1,234.50"]
)
def test_a_currency_stands_before_or_after_a_number(mark: str, form: str) -> None:
    """With a space or without one, whichever it is."""
    sign = -1 if "-" in form else 1

    assert read([form.format(mark), form.replace("1,234.50", "5.00").format(mark)]).values.tolist() == [
        1234.5 * sign,
        5 * sign,
    ]


@pytest.mark.parametrize(
    ("number", "zero"),
    [
        ("$ 1.50", "$ -"),
        (" $1.50 ", " $-   "),
        ("1.50 €", "- €"),
        (" 1.50 € ", " -   € "),
        ("Rp 1.50", "Rp \u2013"),
        (" 1.50 ", " -   "),
    ],
)
def test_a_dash_of_excels_accounting_is_0(number: str, zero: str) -> None:
    """In a column of this format, with a warning that has the rows."""
    found = read([number, zero, number, zero])

    assert found.values.tolist() == [1.5, 0, 1.5, 0]
    assert any("(row 3)" in one.detail and "(row 5): read as 0" in one.detail for one in found.findings)


@pytest.mark.parametrize(
    "cells",
    [
        ["1.50", "-"],
        ["$1.50", "-"],
        [" 1.50", " - "],
        ["1.50 ", " -   "],
        [" 1.50 ", " - "],
        ["$1.50", "€ -"],
        ["1.50 kg", "- kg"],
        ["$ -", "$ -"],
        [" -   ", " -   "],
    ],
)
def test_any_other_dash_is_no_number(cells: list[str]) -> None:
    """It may stand for a missing value."""
    assert (
        1 in read([*cells[:1] * 9, cells[1]] if cells[0] != cells[1] else cells).faults
        or read([cells[0]] * 9 + cells[1:]).faults
    )
