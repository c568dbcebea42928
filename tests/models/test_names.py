"""Names: of models and schedules."""

import pytest

from models.names import is_name


@pytest.mark.parametrize("name", ["sales", "sales.2026-v_2", "täglich", "a" * 100])
def test_a_name_has_letters_digits_dots_dashes_and_underscores(name: str) -> None:
    """Letters of any language."""
    assert is_name(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "a\n", "a\0", "a" * 101, "ä" * 51, "日" * 34])
def test_what_could_name_no_folder_is_no_name(name: str) -> None:
    """By its length in bytes, which are what a file system counts."""
    assert not is_name(name)
