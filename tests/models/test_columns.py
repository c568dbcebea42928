"""Columns are found by the names that forecasting packages give them."""

import pytest

from models.columns import NAMES, find_column, find_columns, find_separator


@pytest.mark.parametrize(("field", "name"), [(field, name) for field, names in NAMES.items() for name in names])
def test_each_usual_name_is_found_in_any_case(field: str, name: str) -> None:
    """Both searches find a column that has one of the names, and find nothing else."""
    for written in (name, name.upper()):
        assert find_column(["price", written], field) == written
        assert find_columns(["price", written], field) == [written]
    assert find_column(["price"], field) is None
    assert find_columns(["price"], field) == []


def test_the_preferred_name_wins() -> None:
    """Two columns for one field do not prevent training; a request that must be exact sees both."""
    assert find_column(["timestamp", "month", "ds"], "timestamp") == "ds"
    assert find_columns(["timestamp", "month", "ds"], "timestamp") == ["timestamp", "ds"]
    assert find_columns(["id", "series"], "id") == ["id"]


@pytest.mark.parametrize(("header", "separator"), [("ds,y", ","), ("ds;y", ";"), ("ds\ty", "\t"), ("y", ",")])
def test_the_separator_is_the_most_frequent_one(header: str, separator: str) -> None:
    """A header of one column has a comma."""
    assert find_separator(header) == separator
