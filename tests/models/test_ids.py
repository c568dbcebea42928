"""Ids are read alike from any source."""

import sys
import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from models.ids import ID_HINT, MAX_ID_LENGTH, plain_id
from models.tables.ids import read_ids
from service.forecasting.entries import given_ids, parse_one_by_one
from service.forecasting.request import parse_options
from service.observations.cells import parse_ids
from service.settings import Settings

COMPOSED, DECOMPOSED = "Café", unicodedata.normalize("NFD", "Café")


@pytest.mark.parametrize(
    ("written", "read"),
    [("a ", "a"), ("\u3000a b\t", "a b"), (DECOMPOSED, COMPOSED), (f"\xa0{DECOMPOSED}", COMPOSED), ("00123", "00123")],
)
def test_files_requests_and_observations_read_one_id(written: str, read: str) -> None:
    """Without blanks at its ends, and with composed letters."""
    column, _ = read_ids([("id", pa.array([written, read]))], np.arange(2))

    assert plain_id(written) == plain_id(read) == read
    assert column.to_pylist() == [read, read]
    assert given_ids([{"id": written}]) == {read}
    faults: dict[int, Any] = {}
    assert parse_ids([written, read], faults) == [read, read]
    assert not faults


def test_an_id_of_blanks_is_none() -> None:
    """Of whichever blanks."""
    blanks = [letter for letter in map(chr, range(sys.maxunicode)) if letter.isspace()] + ["\u200b", "\ufeff"]

    column, missing = read_ids([("id", pa.array(blanks))], np.arange(len(blanks)))

    assert column.to_pylist() == [""] * len(blanks)
    assert [*missing] == [*range(len(blanks))]
    assert given_ids([{"id": blank} for blank in blanks]) == set()
    faults: dict[int, Any] = {}
    parse_ids(blanks, faults)
    assert [*faults] == [*range(len(blanks))]


@pytest.mark.parametrize("name", ["a\0b", "a\x9fb", "a\nb", "a/forecast", "a" * (MAX_ID_LENGTH + 1), "a\ud800"])
def test_forecasts_refuse_the_ids_that_observations_refuse(name: str) -> None:
    """With the same hint, as that series' error; what is only unusual is an id."""
    faults: dict[int, Any] = {}
    parse_ids(["../../x", name, "/etc/passwd", "a/forecasts"], faults)
    entries = [{"id": one, "values": [1, 2]} for one in ("../../x", name, "/etc/passwd", "a/forecasts")]
    found = parse_one_by_one(parse_options({"horizon": 1}, 10), entries, set(), Settings())

    assert [*faults] == [1]
    assert [one.finding.pointer for one in found.faults] == ["/series/1/id"]
    if len(name) <= MAX_ID_LENGTH:
        assert faults[1].hint == found.faults[0].finding.hint == ID_HINT


@pytest.mark.parametrize("dots", [".", "..", " ..\t"])
def test_no_series_is_named_by_dots(dots: str) -> None:
    """A client takes them out of an address, so nobody could ask for the series; other dots stay."""
    _, refused = read_ids([("id", pa.array(["a.b", dots, "...", "./a"]))], np.arange(4))
    faults: dict[int, Any] = {}
    parse_ids(["a.b", dots, "...", "./a"], faults)
    query = parse_options({"horizon": 1}, 10)
    entries = [{"id": one, "values": [1, 2]} for one in ("a.b", dots, "...", "./a")]
    found = parse_one_by_one(query, entries, set(), Settings())

    assert [*refused] == [*faults] == [1]
    assert [(one.finding.code, one.finding.pointer) for one in found.faults] == [("FIELD_INVALID", "/series/1/id")]
    assert all("`.` and `..`" in hint for hint in (refused[1].hint, faults[1].hint, found.faults[0].finding.hint))
